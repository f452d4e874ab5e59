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

func TestStore(t *testing.T) { storagetest.Run(t, newStore) }
