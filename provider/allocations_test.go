package provider_test

import (
	"runtime/debug"
	"testing"

	"github.com/portner-go/portner/keyset"
)

// raceDetector is true if tests are built with -race.
var raceDetector bool

// TestAllocations: no operation makes more allocations than its bound. Unlike times, allocations do not depend on the machine and its
// load.
func TestAllocations(t *testing.T) { // not parallel: the allocations of the whole process are counted
	if raceDetector {
		t.Skip("the race detector makes sync.Pool drop what it is given: make bench runs this without")
	}
	for _, alg := range []string{keyset.ES256, keyset.EdDSA} {
		b := newBed(t, alg)
		for i := range operations {
			o := &operations[i]
			if got, most := allocations(t, b, o), o.bound(alg); got > most {
				t.Errorf("%s, %s: allocates %.0f times, at most %.0f is allowed", o.name, alg, got, most)
			}
		}
	}
}

// allocations returns the number of allocations of one operation. A collection of garbage in between would empty the pools, and be
// counted.
func allocations(tb testing.TB, b *bed, o *operation) float64 {
	tb.Helper()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	const runs = 50
	do, w, i := o.prepare(tb, b, runs+1), newSink(), 0
	return testing.AllocsPerRun(runs, func() {
		if !do(w, i) {
			tb.Fatalf("%s: status %d", o.name, w.status)
		}
		i++
	})
}
