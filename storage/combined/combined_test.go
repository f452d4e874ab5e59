package combined_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage/combined"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/storage/storagetest"
)

func newStore(t *testing.T) provider.Store {
	s, err := combined.New(memory.New(), memory.New())
	require.NoError(t, err)
	return s
}

// TestNilStores: a nil pointer is no store.
func TestNilStores(t *testing.T) {
	t.Parallel()
	for _, stores := range [][2]provider.Store{{nil, memory.New()}, {memory.New(), nil}, {(*memory.Store)(nil), memory.New()}, {memory.New(), (*memory.Store)(nil)}} {
		_, err := combined.New(stores[0], stores[1])
		require.ErrorContains(t, err, "required")
	}
}

func TestStore(t *testing.T) { storagetest.Run(t, newStore) }
