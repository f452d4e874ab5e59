package memory_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/storage/memory"
)

// A table of numbers behaves as a map, also with hashes that have one home or the last ones, and keeps no memory of removed entries.
func TestNumbers(t *testing.T) {
	t.Parallel()
	spread := map[string]func(r *rand.Rand) uint64{
		"random":       func(r *rand.Rand) uint64 { return r.Uint64() },
		"one home":     func(r *rand.Rand) uint64 { return 1<<63 + r.Uint64N(2000) },
		"the last one": func(r *rand.Rand) uint64 { return ^r.Uint64N(2000) },
		"few":          func(r *rand.Rand) uint64 { return r.Uint64N(8) << 61 },
	}
	for name, hash := range spread {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(1, 2))
			var table memory.Numbers
			want := map[uint64]uint32{}
			change := func(grow uint64) {
				h := hash(r)
				if r.Uint64N(4) < grow {
					want[h] = r.Uint32() | 1
					table.Set(h, want[h])
				} else {
					delete(want, h)
					table.Drop(h)
				}
			}
			for range 4000 {
				change(3)
			}
			same(t, want, &table)
			require.Less(t, len(want), 4*table.Len())
			for range 4000 {
				change(1)
			}
			same(t, want, &table)
			for _, h := range slices.Collect(maps.Keys(want)) {
				require.Equal(t, want[h], table.Get(h))
				delete(want, h)
				table.Drop(h)
				require.LessOrEqual(t, table.Len(), max(64, 10*len(want)))
			}
			require.Zero(t, table.Len())
		})
	}
}

// same requires that a table has the entries of a map.
func same(t *testing.T, want map[uint64]uint32, table *memory.Numbers) {
	t.Helper()
	for h, n := range want {
		require.Equal(t, n, table.Get(h))
	}
	require.Equal(t, len(want), table.Entries())
	for range 1000 {
		h := rand.Uint64()
		require.Equal(t, want[h], table.Get(h))
	}
}
