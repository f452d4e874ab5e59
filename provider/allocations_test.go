package provider_test

import (
	"runtime"
	"testing"

	"github.com/portner-go/portner/keyset"
)

// TestAllocations holds every operation to its bound. Unlike times, allocations are the same on every
// machine and under any load.
func TestAllocations(t *testing.T) { // not parallel: AllocsPerRun counts those of the whole process
	if raceDetector {
		t.Skip("the race detector makes sync.Pool drop what it is given: make bench runs this without")
	}
	const runs = 100
	for _, alg := range []string{keyset.ES256, keyset.EdDSA} {
		b := newBed(t, alg)
		for _, o := range operations {
			t.Run(o.name+"/"+alg, func(t *testing.T) {
				do, w, i := o.prepare(t, b, runs+1), newSink(), 0
				runtime.GC()
				got := testing.AllocsPerRun(runs, func() {
					if !do(w, i) {
						t.Fatal(w.status)
					}
					i++
				})
				if most := o.bound(alg); got > most {
					t.Errorf("%s allocates %.0f times, at most %.0f is allowed", o.name, got, most)
				}
				t.Logf("%.0f", got)
			})
		}
	}
}

// raceDetector is set where tests are built with -race.
var raceDetector bool
