package seal_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/seal"
)

// A keyed hash is HMAC-SHA-256 under the derived key, also for callers at the same time.
func TestKeyedHashIsHMAC(t *testing.T) {
	t.Parallel()
	secret := portner.NewSecret()
	k, err := seal.NewKeyedHash("purpose", secret)
	require.NoError(t, err)
	key, err := seal.Derive(secret, "hash:purpose")
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for _, value := range []string{"", "a", "a longer value", string(make([]byte, 1000)), "a"} {
				m := hmac.New(sha256.New, key)
				m.Write([]byte(value))
				got := k.Of(value)
				if !hmac.Equal(m.Sum(nil), got[:]) {
					t.Errorf("hash of %d bytes differs from crypto/hmac", len(value))
				}
			}
		})
	}
	wg.Wait()
}

func TestTokens(t *testing.T) {
	t.Parallel()
	one, two := portner.NewSecret(), portner.NewSecret()
	both, err := seal.NewTokens("code", one, two)
	require.NoError(t, err)
	rotated, err := seal.NewTokens("code", two, one)
	require.NoError(t, err)
	other, err := seal.NewTokens("other", one)
	require.NoError(t, err)
	require.Equal(t, 2, both.Len())
	require.True(t, seal.TokenShaped(both.Derive(0, "x")))
	require.Equal(t, both.Derive(0, "x"), both.Derive(0, "x"))
	require.Equal(t, both.Derive(0, "x"), rotated.Derive(1, "x"))
	require.NotEqual(t, both.Derive(0, "x"), both.Derive(1, "x"), "another secret")
	require.NotEqual(t, both.Derive(0, "x"), both.Derive(0, "y"), "another value")
	require.NotEqual(t, both.Derive(0, "x"), other.Derive(0, "x"), "another purpose")
	_, err = seal.NewTokens("code", one, portner.Secret("short"))
	require.Error(t, err)
}
