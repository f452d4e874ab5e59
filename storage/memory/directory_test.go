package memory_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/storage/memory"
)

// TestDirectory compares a directory with a map while records come and go: each number is that of one record, numbers are used again before
// there are more of them, and nothing is left of an empty directory.
func TestDirectory(t *testing.T) {
	t.Parallel()
	var d memory.Directory
	random := rand.New(rand.NewPCG(1, 2))
	live, numbers := map[uint32]*memory.Numbered{}, []uint32{}
	add := func() {
		x := &memory.Numbered{}
		n := d.Insert(x)
		require.NotZero(t, n)
		require.Nil(t, live[n], "number %d of two records", n)
		live[n], numbers = x, append(numbers, n)
	}
	remove := func() {
		i := random.IntN(len(numbers))
		n := numbers[i]
		numbers[i] = numbers[len(numbers)-1]
		numbers = numbers[:len(numbers)-1]
		require.Zero(t, d.Remove(live[n]), "a removed record has no number")
		delete(live, n)
	}
	for round := range 20 {
		for range random.IntN(3000) {
			add()
		}
		for range random.IntN(len(numbers) + 1) {
			remove()
		}
		for range 3000 {
			if len(numbers) > 0 && random.IntN(2) == 0 {
				remove()
			} else {
				add()
			}
		}
		for n, x := range live {
			require.Same(t, x, d.At(n))
		}
		require.Equal(t, len(live), d.Len())
		if round%5 == 4 {
			for len(numbers) > 0 {
				remove()
			}
			require.Zero(t, d.Len(), "memory is left")
		}
	}
}

// TestDirectoryReusesLeaves checks that a directory in which one record of each leaf stays fills the room of the others, so that records
// with a long life do not keep that of short ones.
func TestDirectoryReusesLeaves(t *testing.T) {
	t.Parallel()
	var d memory.Directory
	var records []*memory.Numbered
	for range 64 * 100 {
		x := &memory.Numbered{}
		d.Insert(x)
		records = append(records, x)
	}
	for i, x := range records {
		if i%64 != 0 {
			d.Remove(x)
		}
	}
	before := d.Leaves()
	for range 63 * 100 {
		d.Insert(&memory.Numbered{})
	}
	require.Equal(t, before, d.Leaves())
}
