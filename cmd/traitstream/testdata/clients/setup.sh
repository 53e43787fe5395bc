#!/usr/bin/env bash
# Makes what the tests with foreign clients run, once, and prints the folder: python/bin/python with confluent-kafka,
# java/libs and java/classes with Kafka Streams, a program of ours and Kafka's own tools.
#
# It is kept in ${XDG_CACHE_HOME:-~/.cache}/traitstream and made anew when its sources change. It needs python3 with venv,
# Maven and a JDK of version 17 or newer.
set -euo pipefail
cd "$(dirname "$0")"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/traitstream/clients
of() { cat "$@" | sha256sum | cut -c 1-12; } # FILES
quietly() { "$@" >"$cache/setup.log" 2>&1 || { cat "$cache/setup.log" >&2; echo "setup.sh: $*" >&2; exit 1; }; }

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9

python=$cache/python-$(of requirements.txt)
if [ ! -e "$python/ready" ]; then
  rm -rf "$python"
  quietly python3 -m venv "$python"
  quietly "$python/bin/pip" install --disable-pip-version-check --no-input -r requirements.txt
  touch "$python/ready"
fi

java=$cache/java-$(of java/pom.xml java/src/main/java/clients/*.java)
if [ ! -e "$java/ready" ]; then
  rm -rf "$java"
  quietly mvn -q -B -ntp -f java/pom.xml -Dout="$java" compile
  touch "$java/ready"
fi

ln -sfn "$python" "$cache/python"
ln -sfn "$java" "$cache/java"
echo "$cache"
