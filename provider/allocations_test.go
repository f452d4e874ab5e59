package provider_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/portner-go/portner/keyset"

	"github.com/portner-go/portner/internal/slow"
)

// countedWith is the version of Go that the numbers of operations are for. With another one, fewer allocations are no failure.
const countedWith = "go1.26"

// TestAllocations: every operation makes as many allocations as operations says. Unlike times, allocations do not depend on the machine and
// its load. Fewer fail too, so that a later increase is noticed. Up to three fewer do not: tables of the store grow in some runs only, and
// the number is a mean without its fraction.
func TestAllocations(t *testing.T) { // not parallel: the allocations of the whole process are counted
	slow.WithoutRaceDetector(t)
	exact := strings.HasPrefix(runtime.Version(), countedWith)
	for _, alg := range []string{keyset.ES256, keyset.EdDSA} {
		b := newBed(t, alg)
		for i := range operations {
			o := &operations[i]
			switch got, want := allocations(t, b, o), o.bound(alg); {
			case got > want:
				t.Errorf("%s, %s: allocates %.0f times, at most %.0f is allowed", o.name, alg, got, want)
			case exact && got < want-3:
				t.Errorf("%s, %s: allocates %.0f times, and not %.0f: write the smaller number into operations_test.go", o.name, alg, got, want)
			}
		}
	}
}

// allocations returns the number of allocations of one operation.
func allocations(tb testing.TB, b *bed, o *operation) float64 {
	tb.Helper()
	const runs = 50
	do, w, i := o.prepare(tb, b, runs+1), newSink(), 0
	return slow.Allocations(tb, runs, func() {
		if !do(w, i) {
			tb.Fatalf("%s: status %d", o.name, w.status)
		}
		i++
	})
}
