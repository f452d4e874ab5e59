package pkce_test

import (
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/pkce"
)

var (
	challengeForm = regexp.MustCompile(`\A[A-Za-z0-9_-]{43}\z`)
	verifierForm  = regexp.MustCompile(`\A[A-Za-z0-9._~-]{43,128}\z`)
)

// validChallenge is security row C2 word by word: the form, and the same after re-encoding.
func validChallenge(s string) bool {
	b, err := base64.RawURLEncoding.DecodeString(s)
	return err == nil && challengeForm.MatchString(s) && base64.RawURLEncoding.EncodeToString(b) == s
}

// holds is RFC 7636 section 4.6 with strings and regular expressions.
func holds(method, challenge, verifier string) bool {
	if challenge == "" {
		return verifier == ""
	}
	sum := sha256.Sum256([]byte(verifier))
	return method == "S256" && validChallenge(challenge) && verifierForm.MatchString(verifier) &&
		base64.RawURLEncoding.EncodeToString(sum[:]) == challenge
}

func FuzzVerify(f *testing.F) {
	f.Add("S256", challenge, verifier)
	f.Add("S256", challenge, challenge)
	f.Add("S256", "", "")
	f.Add("", "", verifier)
	f.Add("plain", verifier, verifier)
	f.Add("S256", challenge[:42]+"N", verifier)
	f.Add("S256", challenge[:42]+"\n", verifier)
	f.Fuzz(func(t *testing.T, method, c, v string) {
		require.Equal(t, holds(method, c, v), pkce.Verify(method, c, v) == nil)

		// A fuzzer does not find a hash: give it the challenge that fits, and one bit off.
		fitting := pkce.Challenge(v)
		require.Equal(t, v != "" && holds("S256", fitting, v), pkce.Verify("S256", fitting, v) == nil)
		off := []byte(fitting)
		off[len(c)%42] ^= 1
		require.Error(t, pkce.Verify("S256", string(off), v))

		ok := pkce.Policy{}.CheckRequest(c, method) == nil
		require.Equal(t, method == "S256" && validChallenge(c), ok)
		require.Equal(t, ok || c == "" && method == "", pkce.Policy{Optional: true}.CheckRequest(c, method) == nil)
	})
}
