package seal_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/seal"
)

var (
	secretA = portner.Secret("tQ7#vR2mX9!kL4pZ8wN3sB6yH1dF5gJ0")
	secretB = portner.Secret("Zu5&cE8oW1^iA6rT0xM7qV2nK9bD4hS3")
)

const issuerA, issuerB = "https://a.example", "https://b.example"

func keys(t testing.TB, issuer string, secrets ...portner.Secret) *seal.Keys {
	t.Helper()
	k, err := seal.NewKeys(issuer, secrets...)
	require.NoError(t, err)
	return k
}

func box(t testing.TB, purpose string, secrets ...portner.Secret) *seal.Box {
	t.Helper()
	return keys(t, issuerA, secrets...).Box(purpose)
}

func TestBox(t *testing.T) {
	t.Parallel()
	b := box(t, "p", secretA)
	for _, plain := range [][]byte{nil, {}, []byte("x"), bytes.Repeat([]byte("long "), 2000)} {
		sealed := b.Seal(plain, "aad")
		got, err := b.Open(sealed, "aad")
		require.NoError(t, err)
		require.True(t, bytes.Equal(plain, got))
		require.NotEqual(t, sealed, b.Seal(plain, "aad"), "each value has its own nonce")
		text := b.SealString(plain, "aad")
		got, err = b.OpenString(text, "aad")
		require.NoError(t, err)
		require.True(t, bytes.Equal(plain, got))
	}
}

func TestBoxRejects(t *testing.T) {
	t.Parallel()
	sealed := box(t, "p", secretA).Seal([]byte("plain"), "aad")
	refuse := func(b *seal.Box, sealed []byte, aad string) {
		t.Helper()
		got, err := b.Open(sealed, aad)
		require.ErrorIs(t, err, seal.ErrOpen)
		require.Nil(t, got)
	}
	b := box(t, "p", secretA)
	refuse(b, sealed, "other")
	refuse(b, sealed, "")
	refuse(box(t, "q", secretA), sealed, "aad")
	refuse(box(t, "p", secretB), sealed, "aad")
	refuse(keys(t, issuerB, secretA).Box("p"), sealed, "aad")
	refuse(b, nil, "aad")
	refuse(b, append(slices.Clone(sealed), 0), "aad")
	for i := range sealed {
		refuse(b, sealed[:i], "aad")
		for bit := range 8 {
			broken := slices.Clone(sealed)
			broken[i] ^= 1 << bit
			refuse(b, broken, "aad")
		}
	}
}

// A sealed value has exactly one text; encoding/base64 alone would accept line breaks.
func TestBoxText(t *testing.T) {
	t.Parallel()
	b := box(t, "p", secretA)
	text := b.SealString([]byte("plain!"), "")
	for _, other := range []string{
		text + "=", text + "\n", "\n" + text, " " + text, text[:5] + "\r\n" + text[5:], text + "A",
		base64.StdEncoding.EncodeToString(b.Seal([]byte("plain!"), "")) + "==", "",
	} {
		_, err := b.OpenString(other, "")
		require.ErrorIs(t, err, seal.ErrOpen, "%q", other)
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	before, both, after := box(t, "p", secretA), box(t, "p", secretB, secretA), box(t, "p", secretB)
	_, err := both.Open(before.Seal([]byte("x"), ""), "")
	require.NoError(t, err, "all secrets open")
	_, err = after.Open(both.Seal([]byte("x"), ""), "")
	require.NoError(t, err, "the first secret seals")
	_, err = before.Open(both.Seal([]byte("x"), ""), "")
	require.ErrorIs(t, err, seal.ErrOpen)
}

func TestNewKeysRejects(t *testing.T) {
	t.Parallel()
	short := portner.Secret("only 31 bytes of secret, not 32")
	require.Len(t, short, 31)
	_, err := seal.NewKeys(issuerA)
	require.Error(t, err)
	_, err = seal.NewKeys(issuerA, secretA, short)
	require.ErrorContains(t, err, "secret 1")
	require.NotContains(t, err.Error(), "only 31")
	_, err = seal.NewKeys("", secretA)
	require.Error(t, err)
}

func TestKeyedHash(t *testing.T) {
	t.Parallel()
	of := func(purpose string, s portner.Secret, v string) [32]byte {
		return keys(t, issuerA, s).KeyedHash(purpose).Of(v)
	}
	seen := map[[32]byte]bool{sha256.Sum256([]byte("v")): true}
	for _, h := range [][32]byte{of("p", secretA, "v"), of("p", secretA, "w"), of("q", secretA, "v"), of("p", secretB, "v"), of("p", secretA, ""), keys(t, issuerB, secretA).KeyedHash("p").Of("v")} {
		require.False(t, seen[h])
		seen[h] = true
	}
	require.Equal(t, of("p", secretA, "v"), of("p", secretA, "v"))
	require.EqualValues(t, of("p", secretA, "v"), keys(t, issuerA, secretB, secretA).KeyedHash("p").Of("v"), "the last secret")
	ks := keys(t, issuerA, secretA)
	require.NotEqual(t, ks.Derive("hash:p"), ks.Derive("seal:p"))
}

func TestNewToken(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		tok, id := seal.NewToken(), seal.NewID()
		require.True(t, seal.TokenShaped(tok))
		require.Len(t, id, 22)
		require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, seal.NewUUID())
		require.False(t, seen[tok] || seen[id])
		seen[tok], seen[id] = true, true
	}
}

func TestTokenShaped(t *testing.T) {
	t.Parallel()
	good := strings.Repeat("Az09-_x", 7)[:43]
	require.True(t, seal.TokenShaped(good))
	for _, s := range []string{"", good[:42], good + "A"} {
		require.False(t, seal.TokenShaped(s), "%q", s)
	}
	for c := range 256 {
		b := []byte(good)
		b[20] = byte(c)
		want := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", byte(c)) >= 0
		require.Equal(t, want, seal.TokenShaped(string(b)), "byte %d", c)
	}
}

// FuzzOpen checks that only sealed values open.
func FuzzOpen(f *testing.F) {
	b := box(f, "p", secretA, secretB)
	f.Add([]byte(nil), "")
	f.Add(make([]byte, 28), "aad")
	f.Add(box(f, "q", secretA).Seal([]byte("x"), ""), "")
	f.Fuzz(func(t *testing.T, sealed []byte, aad string) {
		if _, err := b.Open(sealed, aad); err == nil {
			t.Fatal("opened")
		}
		if _, err := b.OpenString(string(sealed), aad); err == nil {
			t.Fatal("opened")
		}
	})
}

func BenchmarkSealOpen(b *testing.B) {
	b.ReportAllocs()
	x, plain := box(b, "p", secretA), make([]byte, 200)
	for b.Loop() {
		if _, err := x.Open(x.Seal(plain, "id"), "id"); err != nil {
			b.Fatal(err)
		}
	}
}
