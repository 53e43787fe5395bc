#!/usr/bin/env bash
# All measurements, from a machine that has Go, Java, Maven and nothing else running: it starts an Apache Kafka of its
# own, and stops it in the end. At full size it takes some hours.
#
#   bench/run.sh RESULTS            a new folder, e.g. bench/results/2026-03-02
#   BENCH_SCALE=0.02 BENCH_TIMES=1 BENCH_CONTESTANTS=traitstream,limit-pass BENCH_LATENCY=traitstream BENCH_SECONDS=5 \
#     BENCH_RESTORE=keys-10m BENCH_CRASHES=1 bench/run.sh /tmp/try   a try of some minutes
#
# RESULTS has machine.txt, results.txt, results.json (a JSON object a line) and a figure of each kind as SVG. What fails
# is told, the rest goes on. Exit codes: 0 all done and exact, 1 not so, 2 wrong use.
#
# Environment, with what is meant where nothing is set:
#   TRAITSTREAM_TEST_KAFKA   the script that starts Kafka: ../../shared/kafka/kafka.sh, from here
#   KAFKA_HEAP               the broker's: 2g
#   BENCH_PORT               the broker's: 9692
#   BENCH_SCALE              users and events of inputs, times this: 1
#   BENCH_INPUTS             of runs: skewed steady uniform
#   BENCH_TIMES              how often each runs: 3
#   BENCH_CONTESTANTS        of runs, by comma: all
#   BENCH_LATENCY            those whose latency is measured, by comma: one of each kind
#   BENCH_WORKERS            the input of a worker alone, and of one on a core: steady
#   BENCH_RATES              events a second of that: 5000 20
#   BENCH_SECONDS            of that: 28
#   BENCH_RESTORE            inputs of restores: keys-1m keys-10m
#   BENCH_CRASH              inputs of crashes: busy-5m
#   BENCH_CRASHES            how often it is killed: 5
set -euo pipefail

usage() { sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$0"; }
say() { printf '%s %s\n' "$(date +%H:%M:%S)" "$*" >&2; }
die() {
  say "$*"
  exit 1
}

case ${1-} in
  -h | --help | help) usage && exit 0 ;;
  '' | -*) usage >&2 && exit 2 ;;
esac
[ $# = 1 ] || { usage >&2 && exit 2; }
[ ! -e "$1/results.json" ] || die "$1 has results already: name a new folder"
mkdir -p "$1"
results=$(cd "$1" && pwd)
cd "$(dirname "$0")"

kafka=${TRAITSTREAM_TEST_KAFKA:-$PWD/../../shared/kafka/kafka.sh}
port=${BENCH_PORT:-9692}
scale=${BENCH_SCALE:-1}
export KAFKA_HEAP=${KAFKA_HEAP:-2g}
[ -f "$kafka" ] || die "there is no $kafka: set TRAITSTREAM_TEST_KAFKA=/path/to/kafka.sh"
for program in go java mvn; do
  command -v "$program" >/dev/null || die "$program is not installed"
done
# One Java for the broker and for contestants.
export JAVA_HOME=${JAVA_HOME:-$(dirname "$(dirname "$(readlink -f "$(command -v java)")")")}

work=$(mktemp -d)
failed=0 started=
finish() {
  local status=$?
  trap - EXIT
  [ -z "$started" ] || bash "$kafka" clean --port "$port" >"$work/clean.log" 2>&1 || cat "$work/clean.log" >&2
  rm -rf "$work"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

start_kafka() {
  say "starting Kafka on port $port"
  bash "$kafka" status --port "$port" >/dev/null && die "a broker runs there already: set BENCH_PORT"
  started=1
  bash "$kafka" start --port "$port" >"$work/kafka.log" 2>&1 || { cat "$work/kafka.log" >&2 && die "starting Kafka"; }
  broker=$(bash "$kafka" status --port "$port" | sed -n 's/.* pid \([0-9]*\),.*/\1/p')
}

machine() {
  local java=$JAVA_HOME/bin/java
  printf 'date     %s\n' "$(date -u +%FT%TZ)"
  printf 'commit   %s\n' "$(git describe --always --dirty 2>/dev/null || echo unknown)"
  printf 'cpu      %s\n' "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | sort -u)"
  printf 'cores    %s\n' "$(nproc)"
  printf 'memory   %s MiB\n' "$(($(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo) / 1024))"
  printf 'kernel   %s\n' "$(uname -sr)"
  printf 'go       %s\n' "$(go env GOVERSION)"
  printf 'java     %s\n' "$("$java" -version 2>&1 | sed -n 's/^\(.*Runtime Environment.*\)$/\1/p')"
  printf 'kafka    %s, a node, heap %s\n' "$(bash "$kafka" tool topics --version 2>/dev/null | cut -d ' ' -f 1)" "$KAFKA_HEAP"
  printf 'scale    %s\n' "$scale"
}

bench() { # ARGUMENTS
  "$work/bench" --root .. --work "$work" --brokers "127.0.0.1:$port" --broker-pid "$broker" --port "$((port + 10000))" \
    --scale "$scale" --keep "$results/results.json" "$@"
}

# step measures one thing; the text goes to the results and to who watches.
step() { # ARGUMENTS
  local with=${GOMAXPROCS:+GOMAXPROCS=$GOMAXPROCS }
  say "${with}bench $*"
  printf '\n$ %sbench %s\n' "$with" "$*" >>"$results/results.txt"
  bench "$@" | tee -a "$results/results.txt" || {
    say "this has failed: bench $*"
    printf 'failed\n' >>"$results/results.txt"
    failed=$((failed + 1))
  }
}

# A broker that has just started is slower, for whoever comes first.
warm_up() { # INPUT
  say "warming the broker up"
  bench run "$1" --contestants limit-pass --times 3 --keep /dev/null >"$work/warm.log" 2>&1 || { cat "$work/warm.log" >&2 && die "warming the broker up"; }
}

start_kafka
machine | tee "$results/machine.txt"
go build -o "$work/bench" .
inputs=${BENCH_INPUTS:-skewed steady uniform}
for input in $inputs; do
  step load "$input"
done
warm_up "${inputs%% *}"
for input in $inputs; do
  step run "$input" --times "${BENCH_TIMES:-3}" ${BENCH_CONTESTANTS:+--contestants "$BENCH_CONTESTANTS"}
done
# What a second worker and a second core bring.
step run "${BENCH_WORKERS:-steady}" --workers 1 --contestants traitstream
GOMAXPROCS=1 step run "${BENCH_WORKERS:-steady}" --workers 1 --contestants traitstream
for rate in ${BENCH_RATES:-5000 20}; do
  step latency --rate "$rate" --seconds "${BENCH_SECONDS:-28}" ${BENCH_LATENCY:+--contestants "$BENCH_LATENCY"}
done
for input in ${BENCH_RESTORE:-keys-1m keys-10m}; do
  step restore "$input"
done
for input in ${BENCH_CRASH:-busy-5m}; do
  step crash "$input" --times "${BENCH_CRASHES:-5}"
done
[ ! -e "$results/results.json" ] || bench plot --out "$results" "$results/results.json"

if grep DIFFERS "$results/results.json" >&2; then
  die "an output is not what it must be"
fi
[ "$failed" = 0 ] || die "$failed of the measurements have failed"
say "done: $results"
