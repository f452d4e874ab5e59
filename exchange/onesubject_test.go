package exchange_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/exchange"
	"github.com/portner-go/portner/internal/optest"
)

// TestOwnExchangeDisclosesNoPseudonym checks that a client that knows the user of an opaque token does not receive the pseudonym of the
// user by narrowing the token: not from userinfo, introspection, or act (docs/threat-model.md H10).
func TestOwnExchangeDisclosesNoPseudonym(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pseudonym := claims(t, w.login("portal", "openid test:pseudonym").String("id_token"))["sub"].(string)
	open := w.login("portal", "openid profile test:opaque")
	known := w.UserInfo(t, open.String("access_token"))
	require.Equal(t, optest.KariPID, known.JSON["pid"])
	require.NotEqual(t, pseudonym, known.JSON["sub"])

	f := form(open.String("access_token"))
	a := w.Call(t, "/token", "portal", f)
	require.Equal(t, http.StatusOK, a.Status, a.JSON)
	narrow := a.String("access_token")
	require.Equal(t, http.StatusForbidden, w.UserInfo(t, narrow).Status)
	require.NotContains(t, w.Introspect(t, "portal", narrow).JSON, "sub")
	subject := w.login("portal", "openid test:api").String("access_token")
	w.rejects("portal", form(subject, "actor_token", narrow, "actor_token_type", exchange.AccessToken), portner.InvalidRequest)
}

// TestPolicySeesNoMachine checks that a user whose sub is withheld is no machine for the policy.
func TestPolicySeesNoMachine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.exchanged("portal", form(w.login("portal", "test:opaque").String("access_token")))
	require.Empty(t, w.request.Subject.Subject)
	require.False(t, w.request.Subject.IsMachine())
}
