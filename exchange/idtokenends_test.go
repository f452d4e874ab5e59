package exchange_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/exchange"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/storage"
)

// withIDToken returns the form of an exchange of an id_token.
func withIDToken(idToken string) url.Values {
	f := form(idToken)
	f.Set("subject_token_type", exchange.IDToken)
	return f
}

// TestEndOfTheLogin checks that an id_token can be exchanged only as long as its login and the access token that was issued with it are
// live, and that the tokens for it end with their grant.
func TestEndOfTheLogin(t *testing.T) {
	t.Parallel()
	logOut := func(w *world, b *optest.Browser, login optest.Answer) {
		b.Get(w.t, optest.Issuer+"/logout?id_token_hint="+login.String("id_token"))
	}
	revoke := func(w *world, _ *optest.Browser, login optest.Answer) {
		require.Equal(w.t, http.StatusOK, w.Call(w.t, "/revoke", "portal", url.Values{"token": {login.String("refresh_token")}}).Status)
	}
	for name, tt := range map[string]struct {
		scopes string
		end    func(w *world, b *optest.Browser, login optest.Answer)
		kept   bool // the tokens that were exchanged before stay live
	}{
		"logout from a login only": {scopes: "openid profile", end: logOut},
		"logout":                   {scopes: "openid test:two", end: logOut, kept: true}, // as the access token of the login does
		"another user logs in": {scopes: "openid profile", end: func(w *world, b *optest.Browser, _ optest.Answer) {
			b.Login(w.t, w.Request("portal", "openid", "prompt", "login"), "ola")
		}},
		"the user ends the authorization": {scopes: "openid test:two", end: func(w *world, _ *optest.Browser, _ optest.Answer) {
			key := storage.ConsentKey{UserKey: w.vault.UserKey("kari"), ClientID: "portal", Customer: optest.Org + "///"}
			require.NoError(w.t, w.Store.Revoke(w.t.Context(), storage.Revocation{Authorization: key}, w.now))
		}},
		"the client revokes the grant": {scopes: "openid test:two", end: revoke},
		"the access token ends": {scopes: "openid test:short", end: func(w *world, _ *optest.Browser, _ optest.Answer) {
			w.now = w.now.Add(31 * time.Second)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldWithIDTokens(t, func(c *exchange.Config) { c.Policy = decide(exchange.Decision{Scopes: []string{"test:api"}}) })
			r, b := w.Request("portal", tt.scopes), w.Browser()
			login := w.OP.Exchange(t, r, b.Login(t, r, "kari").Code(t))
			require.Equal(t, http.StatusOK, login.Status, login.JSON)
			f := withIDToken(login.String("id_token"))
			value, _ := w.exchanged("portal", f)
			subject := w.login("service", "openid test:two").String("access_token")
			f.Set("scope", "test:api")
			tt.end(w, b, login)
			w.rejects("portal", f, portner.InvalidRequest)
			require.Equal(t, tt.kept, w.Introspect(t, "service", value).JSON["active"], "the token that was exchanged before")
			a := form(subject, "actor_token", login.String("id_token"), "actor_token_type", exchange.IDToken)
			if !tt.kept {
				w.rejects("portal", a, portner.InvalidRequest)
			}
		})
	}
}

// TestEndOfAnActorIDToken checks that the end of the grant of an id_token ends the tokens that name its user as the actor.
func TestEndOfAnActorIDToken(t *testing.T) {
	t.Parallel()
	w := newWorldWithIDTokens(t, func(c *exchange.Config) { c.Policy = decide(exchange.Decision{}) })
	subject := w.login("portal", "openid test:api").String("access_token")
	login := w.loginAs("ola", "service", "openid test:two")
	value, got := w.exchanged("service", form(subject, "actor_token", login.String("id_token"), "actor_token_type", exchange.IDToken))
	require.Equal(t, act(claims(t, login.String("id_token"))["sub"].(string), "service"), got["act"])
	require.Equal(t, true, w.Introspect(t, "service", value).JSON["active"])
	require.Equal(t, http.StatusOK, w.Call(t, "/revoke", "service", url.Values{"token": {login.String("access_token")}}).Status)
	require.Equal(t, false, w.Introspect(t, "service", value).JSON["active"])
}
