// Package slow skips tests that take long, unless the environment requests them.
package slow

import (
	"math"
	"os"
	"runtime/debug"
	"testing"
	"time"
)

// Test skips the test unless the environment has PORTNER_SLOW=1, which "make test" sets, or CI=true and not PORTNER_SLOW=0. "go test work"
// runs without them in less than three minutes.
func Test(t testing.TB) {
	t.Helper()
	if !Wanted() {
		t.Skip("SKIPPED: takes long; PORTNER_SLOW=1 runs it")
	}
}

// Wanted reports whether the environment requests the tests that take long.
func Wanted() bool {
	slow := os.Getenv("PORTNER_SLOW")
	return slow == "1" || slow != "0" && os.Getenv("CI") == "true"
}

// Rounds returns how often a test repeats a race between its callers: n, or a fifth of it with the race detector, which makes a round many
// times slower and reports the first access without order. "make test" runs a package of such tests with and without the detector.
func Rounds(n int) int {
	if raceDetector {
		return n / 5
	}
	return n
}

// WithoutRaceDetector skips a test with the race detector, which makes it many times slower and finds nothing in it: the test has one
// goroutine, or stores with defects. "make test" runs a package of such tests with and without the detector.
func WithoutRaceDetector(t testing.TB) {
	t.Helper()
	if raceDetector {
		t.Skip("SKIPPED: runs without the race detector")
	}
}

// Allocations returns the mean number of allocations of a call of do, rounded down, after one call that is not counted. It skips the test
// with the race detector, which makes every sync.Pool drop a part of its values at random: "make test" runs a package of such tests with
// and without the detector. A collection of garbage would empty the pools too, so that none runs meanwhile. The allocations of the whole
// process are counted: a test that uses Allocations is not parallel.
func Allocations(t testing.TB, runs int, do func()) float64 {
	t.Helper()
	WithoutRaceDetector(t)
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	return testing.AllocsPerRun(runs, do)
}

// Within fails the test if do takes longer than limit in each of 20 calls. It ends after the first call within the limit, so that a busy
// machine, which delays some of them, fails no test. The work of a call must not depend on the calls before it.
func Within(t testing.TB, limit time.Duration, do func()) {
	t.Helper()
	least := time.Duration(math.MaxInt64)
	for range 20 {
		begin := time.Now()
		do()
		if least = min(least, time.Since(begin)); least <= limit {
			return
		}
	}
	t.Errorf("each of 20 calls takes at least %v, and %v is allowed", least, limit)
}
