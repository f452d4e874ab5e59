// Package slow skips tests that take long, unless the environment requests them.
package slow

import (
	"os"
	"testing"
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
