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
	ks := keys(t, issuerA, secret)
	k, key := ks.KeyedHash("purpose"), ks.Derive("hash:purpose")[0]
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
	both, rotated := keys(t, issuerA, one, two).Tokens("code"), keys(t, issuerA, two, one).Tokens("code")
	other, foreign := keys(t, issuerA, one).Tokens("other"), keys(t, issuerB, one).Tokens("code")
	require.Equal(t, 2, both.Len())
	require.True(t, seal.TokenShaped(both.Derive(0, "x")))
	require.Equal(t, both.Derive(0, "x"), both.Derive(0, "x"))
	require.Equal(t, both.Derive(0, "x"), rotated.Derive(1, "x"))
	require.NotEqual(t, both.Derive(0, "x"), both.Derive(1, "x"), "another secret")
	require.NotEqual(t, both.Derive(0, "x"), both.Derive(0, "y"), "another value")
	require.NotEqual(t, both.Derive(0, "x"), other.Derive(0, "x"), "another purpose")
	require.NotEqual(t, both.Derive(0, "x"), foreign.Derive(0, "x"), "another issuer")
}

// TestIDOf: a value has one identifier of each kind, and another value has another.
func TestIDOf(t *testing.T) {
	t.Parallel()
	value := seal.NewToken()
	id := seal.IDOf("grant ID", value)
	require.Len(t, id, len(seal.NewID()))
	require.Equal(t, id, seal.IDOf("grant ID", value))
	require.NotEqual(t, id, seal.IDOf("session ID", value))
	require.NotEqual(t, id, seal.IDOf("grant ID", seal.NewToken()))
}
