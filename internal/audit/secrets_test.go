package audit_test

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/audit"
)

// TestMixedUpParametersAreNotLogged checks that a secret or an identity number that a client sends in the wrong parameter is not in the
// log in any of the common spellings, and that what is needed to correct a registration is (docs/threat-model.md H6).
func TestMixedUpParametersAreNotLogged(t *testing.T) {
	t.Parallel()
	for range 200 {
		b := make([]byte, 32)
		_, _ = rand.Read(b)
		for name, secret := range map[string]string{
			"base64":    base64.StdEncoding.EncodeToString(b),
			"base64url": base64.RawURLEncoding.EncodeToString(b),
			"hex":       hex.EncodeToString(b),
			"HEX":       strings.ToUpper(hex.EncodeToString(b)),
			"base32":    strings.ToLower(base32.StdEncoding.EncodeToString(b)),
			"16 bytes":  hex.EncodeToString(b[:16]),
		} {
			for _, parameter := range []string{"client_id", "scope", "kid", "grant_type"} {
				got := audit.Received(parameter, secret)
				require.LessOrEqual(t, len(got), 12, "%s in %s: %s", name, parameter, got)
			}
		}
	}
	for _, number := range []string{"21879498012", "218794 98012", "218794-98012", "218794.98012", "２１８７９４９８０１２", "kari 218794 98012 x"} {
		for _, parameter := range []string{"client_id", "scope", "resource", "onbehalfof"} {
			got := audit.Received(parameter, number)
			require.NotContains(t, got, "98012", number)
			require.NotContains(t, got, "９８０１２", number)
		}
	}
	for _, value := range []string{"https://api.example.no/x?user=kari", "https://api.example.no/x#kari", "https://kari:hunter2@api.example.no/x"} {
		for _, parameter := range []string{"resource", "aud", "iss", "redirect_uri", "post_logout_redirect_uri"} {
			require.Equal(t, "https://api.example.no/x", audit.Received(parameter, value))
		}
	}
	for _, value := range []string{ // the log must show them
		"0cd43b5a-0b6c-4f4e-9d0f-0e9a2f0b7c11", "https://Tjeneste1.example.no/Some/Long/Path/callback", "idporten-loa-substantial",
		"urn:ietf:params:oauth:grant-type:token-exchange", "digdir:maskinportenEksempel.read altinn:serviceowner/instances.read", "1700000000", "910753614",
	} {
		require.Equal(t, value, audit.Received("scope", value))
	}
}
