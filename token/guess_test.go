package token_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/storage"
)

// TestPseudonymousTokensConfirmNoGuess checks that no response tells the client of a pseudonymous grant whether a text that it chose
// itself, the nonce or a resource, names the user (docs/threat-model.md H14).
func TestPseudonymousTokensConfirmNoGuess(t *testing.T) {
	t.Parallel()
	const subject = "kari-nordmann-1234"
	for name, guess := range map[string]string{"number": pid, "e-mail": email, "public subject": subject} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			id := everything
			id.Subject = subject
			code := f.code(forClient("web", "openid", "profile", "api:pseudo"), identity(id), func(c *storage.AuthorizationCode) {
				c.Nonce, c.Grant.Resources = "n"+guess+"n", []string{"urn:x:" + guess, "https://api.example.no/?" + guess}
			})
			a := f.redeem("web", code)
			require.Equal(t, http.StatusOK, a.Code, a.body)
			own := f.introspect("web", a.str("access_token"))
			require.Equal(t, true, own.body["active"], own.body)
			require.NotContains(t, f.eventNames(), portner.EventPIDLeakBlocked)
		})
	}
}
