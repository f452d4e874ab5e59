package exchange_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/exchange"
	"github.com/portner-go/portner/internal/optest"
)

// TestActorAfterTheLogout checks that an id_token names its user as an actor for as long as the access token that was issued with it, and
// no longer: the session of the login is not looked up for actor tokens.
func TestActorAfterTheLogout(t *testing.T) {
	t.Parallel()
	for scopes, want := range map[string]int{
		"openid test:two": http.StatusOK,         // the grant outlives the session
		"openid profile":  http.StatusBadRequest, // the grant ends with the session
	} {
		w := newWorldWithIDTokens(t, func(c *exchange.Config) { c.Policy = decide(exchange.Decision{}) })
		subject := w.login("portal", "openid test:api").String("access_token")
		r, b := w.Request("service", scopes), w.Browser()
		login := w.OP.Exchange(t, r, b.Login(t, r, "ola").Code(t))
		b.Get(t, optest.Issuer+"/logout?id_token_hint="+login.String("id_token"))
		for typ, member := range map[string]string{exchange.IDToken: "id_token", exchange.AccessToken: "access_token"} {
			a := w.exchange("service", form(subject, "actor_token", login.String(member), "actor_token_type", typ))
			require.Equal(t, want, a.Status, "%s, %s: %v", scopes, member, a.JSON)
		}
	}
}
