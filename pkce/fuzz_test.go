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

// validChallenge is RFC 7636 §4.2 with a regular expression: the form, and the same text after re-encoding.
func validChallenge(s string) bool {
	b, err := base64.RawURLEncoding.DecodeString(s)
	return err == nil && challengeForm.MatchString(s) && base64.RawURLEncoding.EncodeToString(b) == s
}

// matches is RFC 7636 §4.6 with strings and regular expressions.
func matches(optional bool, challenge, verifier string) bool {
	if challenge == "" {
		return optional && verifier == ""
	}
	sum := sha256.Sum256([]byte(verifier))
	return validChallenge(challenge) && verifierForm.MatchString(verifier) && base64.RawURLEncoding.EncodeToString(sum[:]) == challenge
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
		// A fuzzer cannot find a matching challenge, so it is computed; a changed character must not match.
		matching := pkce.Challenge(v)
		changed := []byte(matching)
		changed[len(c)%42] ^= 1
		for _, optional := range []bool{false, true} {
			p := pkce.Policy{Optional: optional}
			require.Equal(t, matches(optional, c, v), p.Verify(c, v) == nil)
			require.Equal(t, matches(optional, matching, v), p.Verify(matching, v) == nil)
			require.Error(t, p.Verify(string(changed), v))
		}

		ok := pkce.Policy{}.CheckRequest(c, method) == nil
		require.Equal(t, method == "S256" && validChallenge(c), ok)
		require.Equal(t, ok || c == "" && method == "", pkce.Policy{Optional: true}.CheckRequest(c, method) == nil)
	})
}
