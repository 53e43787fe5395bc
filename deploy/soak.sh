#!/usr/bin/env bash
# Runs docker-compose.yml at a steady load, restarts one instance after the other each ten minutes, and records what each
# instance takes:
#
#   deploy/soak.sh [MINUTES [EVENTS_PER_SECOND [FILE.csv]]]       default: 60 minutes, 500 events a second, soak.csv
#
# The table at the end compares the middle of the first part, up to the first restart, with the end. It needs docker with
# compose, curl and awk, and removes the set-up and its data when it is done.
set -euo pipefail
minutes=${1:-60} rate=${2:-500} out=${3:-soak.csv}
every=${SOAK_RESTART_SECONDS:-600} sample=${SOAK_SAMPLE_SECONDS:-10}
out=$(realpath "$out")
cd "$(dirname "$0")/.."

export COMPOSE_PROJECT_NAME=${COMPOSE_PROJECT_NAME:-traitstream-soak}
ports=("${HTTP_PORT_1:-8080}" "${HTTP_PORT_2:-8082}")
work=$(mktemp -d)
load=

say() { printf '%s %s\n' "$(date +%T)" "$*" >&2; }

finish() {
  local status=$?
  trap - EXIT
  [ -z "$load" ] || kill "$load" 2>/dev/null || true
  docker compose down -v --remove-orphans --timeout 20 >"$work/down.log" 2>&1 || cat "$work/down.log" >&2
  rm -rf "$work"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

# events prints a second's worth of impressions at a time: 2,000 users and 20 flags: all are known after some minutes, and most change nothing.
events() {
  local second
  while sleep 1; do
    second=$(date -u +%Y-%m-%dT%H:%M:%S)
    awk -v n="$rate" -v at="$second" -v seed="$RANDOM$RANDOM" 'BEGIN {
      srand(seed)
      for (i = 0; i < n; i++)
        printf "{\"type\":\"track\",\"event\":\"get_treatment\",\"userId\":\"user-%d\",\"timestamp\":\"%s.%03dZ\",\"properties\":{\"split\":\"flag_%d\",\"treatment\":\"%s\",\"environmentName\":\"Production\"}}\n",
          rand() * 2000, at, rand() * 1000, rand() * 20, rand() < 0.95 ? "on" : "off"
    }'
  done
}

metric() { awk -v name="$2" '$1 == name { print $2 }' <<<"$1"; } # PAGE NAME

record() {
  local i page
  for i in 1 2; do
    page=$(curl -fs --max-time 5 "http://127.0.0.1:${ports[i - 1]}/metrics") || continue # it restarts
    printf '%d,traitstream-%d,%.0f,%d,%d,%.0f,%.3f,%.0f\n' "$SECONDS" "$i" \
      "$(metric "$page" process_resident_memory_bytes)" "$(metric "$page" process_open_fds)" "$(metric "$page" go_goroutines)" \
      "$(metric "$page" traitstream_state_bytes)" "$(metric "$page" process_cpu_seconds_total)" \
      "$(awk '/^traitstream_task_lag_seconds/ && $2 > m { m = $2 } END { print m + 0 }' <<<"$page")" >>"$out"
  done
}

restart() {
  local i
  for i in 1 2; do
    say "restarting traitstream-$i"
    docker compose restart "traitstream-$i" >"$work/restart.log" 2>&1
    docker compose up -d --wait --no-deps "traitstream-$i" >"$work/restart.log" 2>&1 || { cat "$work/restart.log" >&2; exit 1; }
  done
}

docker compose up -d --build --wait >"$work/up.log" 2>&1 || { cat "$work/up.log" >&2; exit 1; }
events | docker compose run --rm -T --no-deps --name "$COMPOSE_PROJECT_NAME-load" seed import --lines - >"$work/load.log" 2>&1 &
load=$!
SECONDS=0
echo "second,instance,rss_bytes,open_fds,goroutines,state_bytes,cpu_seconds,lag_seconds" >"$out"
say "running for $minutes minutes at $rate events a second; restarts each $every s"
next=$every
while [ "$SECONDS" -lt $((minutes * 60)) ]; do
  kill -0 "$load" 2>/dev/null || { cat "$work/load.log" >&2; say "the load has ended"; exit 1; }
  record
  if [ "$SECONDS" -ge "$next" ]; then
    restart
    next=$((next + every))
  fi
  sleep "$sample"
done

# The medians of the samples before the first restart and of as many seconds at the end.
awk -F, -v every="$every" -v end="$SECONDS" '
  function median(list,   n, v, i, j, t) {
    n = split(list, v, " ")
    for (i = 2; i <= n; i++) for (j = i; j > 1 && v[j - 1] + 0 > v[j] + 0; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
    return n ? v[int((n + 1) / 2)] : "?"
  }
  NR == 1 { for (i = 3; i <= 6; i++) name[i] = $i; next }
  { seen[$2]; for (i = 3; i <= 6; i++) { if ($1 < every && $1 > every / 4) first[$2, i] = first[$2, i] " " $i; if ($1 > end - every * 3 / 4) last[$2, i] = last[$2, i] " " $i } if ($8 > lag[$2]) lag[$2] = $8 }
  END {
    printf "%-14s %-12s %14s %14s %8s\n", "instance", "", "first part", "last part", "change"
    for (s in seen) {
      for (i = 3; i <= 6; i++) {
        a = median(first[s, i]); b = median(last[s, i])
        printf "%-14s %-12s %14.0f %14.0f %+7.1f%%\n", s, name[i], a, b, a ? (b - a) * 100 / a : 0
      }
      printf "%-14s %-12s %14s %14d s\n", s, "highest lag", "", lag[s]
    }
  }' "$out"
