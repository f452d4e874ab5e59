// Package slow skips tests that take long, unless the environment requests them.
package slow

import (
	"os"
	"testing"
)

// Test skips the test unless the environment has PORTNER_SLOW=1, which "make test" sets, or CI=true. "go test work" runs without them
// in less than three minutes.
func Test(t testing.TB) {
	t.Helper()
	if !Wanted() {
		t.Skip("SKIPPED: takes long; PORTNER_SLOW=1 runs it")
	}
}

// Wanted reports whether the environment requests the tests that take long.
func Wanted() bool { return os.Getenv("PORTNER_SLOW") == "1" || os.Getenv("CI") == "true" }
