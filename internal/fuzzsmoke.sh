#!/usr/bin/env bash
# Runs every fuzz target of the workspace: ./internal/fuzzsmoke.sh 20000x, or 60s for each target.
# Each package is built once for all its targets. A run for a time is guided by coverage, with the instrumentation for fuzzing. A fixed
# number of inputs is a check that varies the seeds by chance: the instrumented build, of the standard library too, takes far longer than
# its inputs. The default of 60 s for the minimization of one input would take most of such a run.
set -euo pipefail
cd "$(dirname "$0")/.."
count=${1:-20000x}
instrument=-fuzz=.
case $count in *x) instrument= ;; esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
dirs=$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u)
# Two at once: most of the time is that of the linker.
work=$work instrument=$instrument xargs -P 2 -I DIR bash -c 'cd "DIR" && go test -c $instrument -ldflags="-s -w" -o "$work/$(tr / _ <<<DIR).test" .' <<<"$dirs"
# ended reports whether a run failed only because its time was over while a worker was busy (go.dev/issue/75804, fixed in Go 1.27). No input
# was written then, and no other line follows the name of the target.
ended() {
	[[ $count != *x ]] && ! grep -q 'Failing input written' "$work/out" &&
		[ "$(grep -A1 '^--- FAIL: ' "$work/out" | tail -n 1)" = "    context deadline exceeded" ] && ! grep -q '^panic: ' "$work/out"
}
n=0 failed=()
for dir in $dirs; do
	binary=$work/$(tr / _ <<<"$dir").test
	for target in $(grep -rhoE '^func (Fuzz[A-Za-z0-9_]*)' "$dir"/*_test.go | awk '{print $2}' | sort -u); do
		echo "fuzz $dir $target"
		(cd "$dir" && "$binary" -test.run '^$' -test.fuzz "^${target}\$" -test.fuzztime "$count" -test.fuzzminimizetime 50x -test.fuzzcachedir "$work/cache" >"$work/out" 2>&1) ||
			ended || { cat "$work/out"; failed+=("$dir $target"); continue; }
		grep -qE '^PASS$|^    context deadline exceeded$' "$work/out" || { echo "$dir has no target $target"; exit 1; } # a target of a file with build constraints
		n=$((n + 1))
	done
done
test "$n" -gt 0 || { echo "no fuzz target found"; exit 1; }
echo "$n fuzz targets passed"
if ((${#failed[@]})); then
	printf 'failed: %s\n' "${failed[@]}"
	exit 1
fi
