package pkce_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/pkce"
)

// The pair of RFC 7636 appendix B.
const (
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

func TestVectors(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/vectors.json")
	require.NoError(t, err)
	var vectors []struct{ Source, Verifier, Challenge string }
	require.NoError(t, json.Unmarshal(data, &vectors))
	require.Len(t, vectors, 3)
	for _, v := range vectors {
		t.Run(v.Source, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, v.Challenge, pkce.Challenge(v.Verifier))
			require.NoError(t, pkce.Policy{}.CheckRequest(v.Challenge, pkce.S256))
			require.NoError(t, pkce.Verify(pkce.S256, v.Challenge, v.Verifier))
		})
	}
}

func TestCheckRequest(t *testing.T) {
	t.Parallel()
	required, optional := pkce.Policy{}, pkce.Policy{Optional: true}
	tests := []struct {
		name              string
		policy            pkce.Policy
		challenge, method string
		want              error
	}{
		{"S256", required, challenge, "S256", nil},
		{"optional, yet sent", optional, challenge, "S256", nil},
		{"optional, left out", optional, "", "", nil},
		{"required, left out (C1)", required, "", "", pkce.ErrChallengeRequired},
		{"required, challenge stripped (C1)", required, "", "S256", pkce.ErrChallengeRequired},
		{"optional, challenge stripped (C1)", optional, "", "S256", pkce.ErrChallengeRequired},
		{"optional, method plain alone", optional, "", "plain", pkce.ErrChallengeRequired},
		{"missing method is plain (RFC 7636 4.3)", required, challenge, "", pkce.ErrMethod},
		{"missing method, optional", optional, challenge, "", pkce.ErrMethod},
		{"plain", required, challenge, "plain", pkce.ErrMethod},
		{"plain, optional", optional, challenge, "plain", pkce.ErrMethod},
		{"wrong case", required, challenge, "s256", pkce.ErrMethod},
		{"surrounding space", required, challenge, "S256 ", pkce.ErrMethod},
		{"unknown method", required, challenge, "S512", pkce.ErrMethod},
		{"none is no method on the wire", optional, challenge, "none", pkce.ErrMethod},
		{"padded (ID-porten since 2020-11)", required, challenge + "=", "S256", pkce.ErrChallenge},
		{"padding in the length", required, challenge[:42] + "=", "S256", pkce.ErrChallenge},
		{"42 characters", required, challenge[:42], "S256", pkce.ErrChallenge},
		{"44 characters", required, challenge + "A", "S256", pkce.ErrChallenge},
		{"128 characters", required, strings.Repeat("A", 128), "S256", pkce.ErrChallenge},
		{"not canonical", required, challenge[:42] + "N", "S256", pkce.ErrChallenge},
		{"base64 with plus", required, "+" + challenge[1:], "S256", pkce.ErrChallenge},
		{"base64 with slash", required, "/" + challenge[1:], "S256", pkce.ErrChallenge},
		{"verifier alphabet is wider", required, "~" + challenge[1:], "S256", pkce.ErrChallenge},
		{"line break that base64 skips", required, challenge[:20] + "\n" + challenge[21:], "S256", pkce.ErrChallenge},
		{"line break in zeros", required, strings.Repeat("A", 42) + "\n", "S256", pkce.ErrChallenge},
		{"line break at the end", required, challenge[:42] + "\r", "S256", pkce.ErrChallenge},
		{"NUL", required, challenge[:42] + "\x00", "S256", pkce.ErrChallenge},
		{"not ASCII", required, challenge[:41] + "å", "S256", pkce.ErrChallenge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, tt.policy.CheckRequest(tt.challenge, tt.method))
		})
	}
}

// The truth table of security row C1 (challenge stored or not, verifier absent, wrong or right) and
// the forms of rows C2 and C3.
func TestVerify(t *testing.T) {
	t.Parallel()
	const wrong = "gEVARFlOi5LNYfVGSMHvhZCXoG_TPzdmXQQGqzKJkz0"
	of := func(v string) string { return pkce.Challenge(v) }
	long := strings.Repeat("aZ09-._~", 16)
	tests := []struct {
		name                        string
		method, challenge, verifier string
		want                        error
	}{
		{"stored, right", "S256", challenge, verifier, nil},
		{"stored, wrong", "S256", challenge, wrong, pkce.ErrMismatch},
		{"stored, absent", "S256", challenge, "", pkce.ErrVerifierRequired},
		{"none stored, absent", "S256", "", "", nil},
		{"none stored, absent, no method", "", "", "", nil},
		{"none stored, verifier sent", "S256", "", verifier, pkce.ErrVerifierUnexpected},
		{"none stored, verifier sent, no method", "", "", verifier, pkce.ErrVerifierUnexpected},
		{"none stored, malformed verifier sent", "", "", "x", pkce.ErrVerifierUnexpected},

		{"plain never holds", "plain", verifier, verifier, pkce.ErrMethod},
		{"no method never holds", "", challenge, verifier, pkce.ErrMethod},
		{"wrong case never holds", "s256", challenge, verifier, pkce.ErrMethod},
		{"stored challenge damaged", "S256", challenge[:42], verifier, pkce.ErrChallenge},
		{"stored challenge not canonical", "S256", challenge[:42] + "N", verifier, pkce.ErrChallenge},
		{"challenge is no verifier", "S256", challenge, challenge, pkce.ErrMismatch},

		{"verifier of 42", "S256", of(long[:42]), long[:42], pkce.ErrVerifier},
		{"verifier of 43", "S256", of(long[:43]), long[:43], nil},
		{"verifier of 128", "S256", of(long), long, nil},
		{"verifier of 129", "S256", of(long + "a"), long + "a", pkce.ErrVerifier},
		{"verifier and a line break", "S256", challenge, verifier + "\n", pkce.ErrVerifier},
		{"verifier in another case", "S256", challenge, strings.ToLower(verifier), pkce.ErrMismatch},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, pkce.Verify(tt.method, tt.challenge, tt.verifier))
		})
	}
}

// RFC 7636 section 4.1: unreserved characters and nothing else, each byte tried at both ends.
func TestVerifyAlphabet(t *testing.T) {
	t.Parallel()
	const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	for c := range 256 {
		for _, v := range []string{string([]byte{byte(c)}) + verifier, verifier + string([]byte{byte(c)})} {
			var want error
			if !strings.Contains(unreserved, string(rune(c))) {
				want = pkce.ErrVerifier
			}
			require.Equal(t, want, pkce.Verify(pkce.S256, pkce.Challenge(v), v), "byte %#x", c)
		}
	}
}

func TestNewVerifier(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 100 {
		v := pkce.NewVerifier()
		require.Len(t, v, 43)
		require.False(t, seen[v])
		seen[v] = true
		require.NoError(t, pkce.Policy{}.CheckRequest(pkce.Challenge(v), pkce.S256))
		require.NoError(t, pkce.Verify(pkce.S256, pkce.Challenge(v), v))
	}
}

func TestAllocations(t *testing.T) {
	long := strings.Repeat("a", 128)
	longChallenge := pkce.Challenge(long)
	for name, f := range map[string]func() error{
		"right":     func() error { return pkce.Verify(pkce.S256, challenge, verifier) },
		"wrong":     func() error { return pkce.Verify(pkce.S256, longChallenge, verifier) },
		"longest":   func() error { return pkce.Verify(pkce.S256, longChallenge, long) },
		"malformed": func() error { return pkce.Verify(pkce.S256, challenge, verifier+"%") },
		"request":   func() error { return pkce.Policy{}.CheckRequest(challenge, pkce.S256) },
	} {
		require.Zero(t, testing.AllocsPerRun(100, func() { _ = f() }), name)
	}
}

func BenchmarkVerify(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if err := pkce.Verify(pkce.S256, challenge, verifier); err != nil {
			b.Fatal(err)
		}
	}
}
