package jose

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// SignSegments signs any two segments, for malformed tokens with a valid signature.
func (s *Signer) SignSegments(t testing.TB, head, body string) string {
	t.Helper()
	sig, err := s.sign([]byte(head + "." + body))
	require.NoError(t, err)
	return head + "." + body + "." + base64url.EncodeToString(sig)
}

// RawECDSA converts an ASN.1 signature to a JWS signature.
var RawECDSA = rawECDSA

// IsKID reports whether kid has the grammar of registered keys.
var IsKID = isKID

// VerifyAny verifies a JWS of any kind.
var VerifyAny = verify

// DERECDSA converts a JWS signature to an ASN.1 signature of at most MaxDER bytes.
var DERECDSA = derECDSA

const MaxDER = maxDER
