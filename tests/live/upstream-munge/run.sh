#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs upstream's own code over a Turtle dump:
#   run.sh encode <in.ttl> <out.tsv> [--new-labels]
#   run.sh munge <in.ttl> <out.nt> [options]      (without options: says which)
# munge needs UPSTREAM_CLASSPATH: upstream's tools jar "with dependencies" from its service
# distribution (lib/), or its tools and common jars or class folders, with colons between.
# BUILD is where things are built (default: target beside this script), JAVA_OPTS go to java.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${BUILD:-$here/target}

[[ $# -ge 1 && ($1 == encode || $1 == munge) ]] || { sed -n '3,9s/^# //p' "$0" >&2; exit 2; }
command=$1
shift

if [[ ! -d $build/lib || $here/pom.xml -nt $build/lib ]]; then
  mkdir -p "$build"
  mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$build/lib" >&2
  touch "$build/lib"
fi
classpath=$build/classes:${UPSTREAM_CLASSPATH:-}:$build/lib/*
sources=("$here"/src/main/java/headwater/judge/*.java)
if [[ $command == munge ]]; then
  [[ -n ${UPSTREAM_CLASSPATH:-} ]] || { echo 'munge needs UPSTREAM_CLASSPATH, see the head of run.sh' >&2; exit 2; }
  sources+=("$here"/src/munge/java/headwater/judge/*.java)
fi
class=$build/classes/headwater/judge/${command^}.class
newer=
for source in "${sources[@]}"; do
  [[ ! -e $class || $source -nt $class ]] && newer=1
done
[[ -z $newer ]] || javac -proc:none -d "$build/classes" -cp "$classpath" "${sources[@]}"

# shellcheck disable=SC2086
exec java -Dfile.encoding=UTF-8 -XX:+UseSerialGC -Dlogback.configurationFile="$here/logback.xml" ${JAVA_OPTS:-} -cp "$classpath" "headwater.judge.${command^}" "$@"
