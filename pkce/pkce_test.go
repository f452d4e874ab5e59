package pkce_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/pkce"

	"github.com/portner-go/portner/internal/slow"
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
			require.NoError(t, pkce.Policy{}.Verify(v.Challenge, v.Verifier))
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
		{"optional, sent", optional, challenge, "S256", nil},
		{"optional, omitted", optional, "", "", nil},
		{"required, omitted", required, "", "", pkce.ErrChallengeRequired},
		{"required, method without challenge", required, "", "S256", pkce.ErrChallengeRequired},
		{"optional, method without challenge", optional, "", "S256", pkce.ErrChallengeRequired},
		{"optional, method plain without challenge", optional, "", "plain", pkce.ErrChallengeRequired},
		{"an absent method is plain (RFC 7636 §4.3)", required, challenge, "", pkce.ErrMethod},
		{"an absent method, optional", optional, challenge, "", pkce.ErrMethod},
		{"plain", required, challenge, "plain", pkce.ErrMethod},
		{"plain, optional", optional, challenge, "plain", pkce.ErrMethod},
		{"wrong case", required, challenge, "s256", pkce.ErrMethod},
		{"surrounding space", required, challenge, "S256 ", pkce.ErrMethod},
		{"unknown method", required, challenge, "S512", pkce.ErrMethod},
		{"none is a registration value only", optional, challenge, "none", pkce.ErrMethod},
		{"padded", required, challenge + "=", "S256", pkce.ErrChallenge},
		{"padded, 43 characters in all", required, challenge[:42] + "=", "S256", pkce.ErrChallenge},
		{"42 characters", required, challenge[:42], "S256", pkce.ErrChallenge},
		{"44 characters", required, challenge + "A", "S256", pkce.ErrChallenge},
		{"128 characters", required, strings.Repeat("A", 128), "S256", pkce.ErrChallenge},
		{"not canonical", required, challenge[:42] + "N", "S256", pkce.ErrChallenge},
		{"base64 with plus", required, "+" + challenge[1:], "S256", pkce.ErrChallenge},
		{"base64 with slash", required, "/" + challenge[1:], "S256", pkce.ErrChallenge},
		{"character of the verifier alphabet only", required, "~" + challenge[1:], "S256", pkce.ErrChallenge},
		{"line break, which encoding/base64 skips", required, challenge[:20] + "\n" + challenge[21:], "S256", pkce.ErrChallenge},
		{"line break after zeros", required, strings.Repeat("A", 42) + "\n", "S256", pkce.ErrChallenge},
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

// Challenge stored or not, verifier absent, wrong or right, and the form of both.
func TestVerify(t *testing.T) {
	t.Parallel()
	const wrong = "gEVARFlOi5LNYfVGSMHvhZCXoG_TPzdmXQQGqzKJkz0"
	of := func(v string) string { return pkce.Challenge(v) }
	long := strings.Repeat("aZ09-._~", 16)
	required, optional := pkce.Policy{}, pkce.Policy{Optional: true}
	both := []pkce.Policy{required, optional}
	tests := []struct {
		name                string
		policies            []pkce.Policy
		challenge, verifier string
		want                error
	}{
		{"stored, right", both, challenge, verifier, nil},
		{"stored, wrong", both, challenge, wrong, pkce.ErrMismatch},
		{"stored, absent", both, challenge, "", pkce.ErrVerifierRequired},
		{"not stored, required", []pkce.Policy{required}, "", "", pkce.ErrChallengeRequired},
		{"not stored, required, verifier sent", []pkce.Policy{required}, "", verifier, pkce.ErrChallengeRequired},
		{"not stored, optional", []pkce.Policy{optional}, "", "", nil},
		{"not stored, optional, verifier sent", []pkce.Policy{optional}, "", verifier, pkce.ErrVerifierUnexpected},
		{"not stored, optional, malformed verifier sent", []pkce.Policy{optional}, "", "x", pkce.ErrVerifierUnexpected},

		{"plain challenge", both, verifier, verifier, pkce.ErrMismatch},
		{"stored challenge damaged", both, challenge[:42], verifier, pkce.ErrChallenge},
		{"stored challenge not canonical", both, challenge[:42] + "N", verifier, pkce.ErrChallenge},
		{"challenge sent as verifier", both, challenge, challenge, pkce.ErrMismatch},
		{"arguments swapped", both, verifier, challenge, pkce.ErrMismatch},

		{"verifier of 42", both, of(long[:42]), long[:42], pkce.ErrVerifier},
		{"verifier of 43", both, of(long[:43]), long[:43], nil},
		{"verifier of 128", both, of(long), long, nil},
		{"verifier of 129", both, of(long + "a"), long + "a", pkce.ErrVerifier},
		{"verifier and a line break", both, challenge, verifier + "\n", pkce.ErrVerifier},
		{"verifier in another case", both, challenge, strings.ToLower(verifier), pkce.ErrMismatch},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, policy := range tt.policies {
				require.Equal(t, tt.want, policy.Verify(tt.challenge, tt.verifier), "%+v", policy)
			}
		})
	}
}

// RFC 7636 §4.1: unreserved characters only. Each byte is tried at both ends.
func TestVerifyAlphabet(t *testing.T) {
	t.Parallel()
	const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	for c := range 256 {
		for _, v := range []string{string([]byte{byte(c)}) + verifier, verifier + string([]byte{byte(c)})} {
			var want error
			if !strings.Contains(unreserved, string(rune(c))) {
				want = pkce.ErrVerifier
			}
			require.Equal(t, want, pkce.Policy{}.Verify(pkce.Challenge(v), v), "byte %#x", c)
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
		require.NoError(t, pkce.Policy{}.Verify(pkce.Challenge(v), v))
	}
}

func TestAllocations(t *testing.T) {
	long := strings.Repeat("a", 128)
	longChallenge := pkce.Challenge(long)
	for name, f := range map[string]func() error{
		"right":     func() error { return pkce.Policy{}.Verify(challenge, verifier) },
		"wrong":     func() error { return pkce.Policy{}.Verify(longChallenge, verifier) },
		"longest":   func() error { return pkce.Policy{}.Verify(longChallenge, long) },
		"malformed": func() error { return pkce.Policy{}.Verify(challenge, verifier+"%") },
		"request":   func() error { return pkce.Policy{}.CheckRequest(challenge, pkce.S256) },
	} {
		require.Zero(t, slow.Allocations(t, 100, func() { _ = f() }), name)
	}
}

func BenchmarkVerify(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if err := (pkce.Policy{}).Verify(challenge, verifier); err != nil {
			b.Fatal(err)
		}
	}
}
