package slow_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/slow"
)

// recorder is a test that may fail.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(string, ...any) { r.failed = true }

// TestWithin: calls that are delayed now and then pass, and calls that always take longer than the limit fail.
func TestWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		run := func(takes func() time.Duration) bool {
			r := &recorder{TB: t}
			calls = 0
			slow.Within(r, time.Second, func() {
				calls++
				time.Sleep(takes())
			})
			return !r.failed
		}
		require.True(t, run(func() time.Duration { return time.Second }))
		require.Equal(t, 1, calls)
		require.True(t, run(func() time.Duration { return time.Duration(20-calls) * time.Second }))
		require.Equal(t, 19, calls)
		require.False(t, run(func() time.Duration { return time.Second + 1 }))
		require.Equal(t, 20, calls)
	})
}

// TestAllocations counts the allocations of a call, and those of the first call not.
func TestAllocations(t *testing.T) {
	var kept [][]byte
	require.Equal(t, 3.0, slow.Allocations(t, 10, func() { kept = [][]byte{make([]byte, 1<<10), make([]byte, 1<<10)} }))
	require.Len(t, kept, 2)
	first := true
	require.Zero(t, slow.Allocations(t, 10, func() {
		if first {
			kept, first = append(kept, make([]byte, 1<<10)), false
		}
	}))
}
