package jose

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// SignSegments signs any two segments, so that tests can make tokens no honest signer makes.
func (s *Signer) SignSegments(t testing.TB, head, body string) string {
	t.Helper()
	sig, err := s.sign([]byte(head + "." + body))
	require.NoError(t, err)
	return head + "." + body + "." + base64url.EncodeToString(sig)
}

// RawECDSA is what turns a signer's ASN.1 into a JWS signature.
var RawECDSA = rawECDSA
