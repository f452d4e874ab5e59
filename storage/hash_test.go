package storage_test

import (
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/storage"

	"github.com/portner-go/portner/internal/slow"
)

// TestHashOf: values of every length have their SHA-256, and those of codes and tokens are hashed without allocation.
func TestHashOf(t *testing.T) {
	for _, n := range []int{0, 1, 43, 63, 64, 65, 900, 2047, 2048, 2049, 20_000} {
		value := strings.Repeat("e", n)
		require.Equal(t, storage.Hash(sha256.Sum256([]byte(value))), storage.HashOf(value), n)
		if n <= 2048 {
			require.Zero(t, slow.Allocations(t, 10, func() { storage.HashOf(value) }), n)
		}
	}
}
