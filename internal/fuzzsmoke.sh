#!/usr/bin/env bash
# Runs every fuzz target of the workspace for a fixed number of inputs: ./internal/fuzzsmoke.sh 20000x
set -euo pipefail
cd "$(dirname "$0")/.."
count=${1:-20000x}
n=0
for dir in $(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do
	for target in $(grep -rhoE '^func (Fuzz[A-Za-z0-9_]*)' "$dir"/*_test.go | awk '{print $2}' | sort -u); do
		echo "fuzz $dir $target"
		(cd "$dir" && go test -run '^$' -fuzz "^${target}\$" -fuzztime "$count" . >/tmp/fuzz.$$ 2>&1) || { cat /tmp/fuzz.$$; rm -f /tmp/fuzz.$$; exit 1; }
		n=$((n + 1))
	done
done
rm -f /tmp/fuzz.$$
test "$n" -gt 0 || { echo "no fuzz target found"; exit 1; }
echo "$n fuzz targets passed"
