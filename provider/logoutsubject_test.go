package provider_test

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
)

// logoutTokens collects the logout tokens of a logout by audience.
type logoutTokens struct {
	mu      sync.Mutex
	claims  map[string]map[string]any
	payload func(token string) map[string]any
}

func (l *logoutTokens) Send(_ context.Context, _, token string) error {
	claims := l.payload(token)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.claims[claims["aud"].(string)] = claims
	return nil
}

// TestLogoutTokensOfMixedClients verifies that a logout token has the subject of the user only for a client whose logins in the session
// were all open: beside the sid it would relate the pseudonym of the user to the open subject (docs/threat-model.md H5).
func TestLogoutTokensOfMixedClients(t *testing.T) {
	t.Parallel()
	sent := &logoutTokens{claims: map[string]map[string]any{}, payload: func(token string) map[string]any { return payload(t, token) }}
	var clients []client.Client
	add := func(id string, scopes ...string) {
		c := optest.Clients(t)[0]
		c.ClientID, c.Scopes, c.FrontchannelLogoutURI = id, scopes, ""
		c.RedirectURIs = []string{optest.RedirectURI(id)}
		c.BackchannelLogoutURI = optest.RedirectURI(id) + "/logout"
		clients = append(clients, c)
	}
	add("open", "openid", "profile")
	add("mixed", "openid", "test:opaque")
	add("pseudonymous", "openid", "test:pseudonym")
	add("reference", "test:opaque")
	add("both", "openid", "test:pseudonym")
	op := optest.New(t, optest.Options{Clients: clients, Change: func(c *provider.Config) {
		c.Profile, c.Backchannel = provider.OpenIDConnect(), sent
	}})
	b := op.Browser()
	hint := ""
	for _, c := range clients {
		logins := []string{c.Scopes[len(c.Scopes)-1]}
		switch c.ClientID {
		case "open":
			logins = []string{"openid"}
		case "both":
			logins = []string{"openid", "openid test:pseudonym", "openid"}
		}
		for _, scopes := range logins {
			r := op.Request(c.ClientID, scopes)
			p := b.Get(t, r.URL())
			if p.Step() == "login" {
				p = b.Post(t, p, url.Values{"user": {"kari"}})
			}
			answer := op.Exchange(t, r, p.Code(t))
			if c.ClientID == "open" {
				hint = answer.String("id_token")
			}
		}
	}
	require.Equal(t, "kari", payload(t, hint)["sub"])
	b.Get(t, optest.Issuer+"/logout?id_token_hint="+url.QueryEscape(hint))
	require.Len(t, sent.claims, 5)
	require.Equal(t, "kari", sent.claims["open"]["sub"])
	for _, id := range []string{"mixed", "pseudonymous", "reference", "both"} {
		require.NotContains(t, sent.claims[id], "sub", id)
		require.NotEmpty(t, sent.claims[id]["sid"], id)
	}
}

// changingClients is a client source whose registrations change.
type changingClients map[string]*client.Client

func (s changingClients) Client(_ context.Context, id string) (*client.Client, error) {
	if c := s[id]; c != nil {
		return c, nil
	}
	return nil, storage.ErrNotFound
}

// TestLogoutTokenAfterTheRegistrationChanged: a client that removes its pseudonymous scope from its registration gets no logout token
// with the sid of its pseudonymous id_token and the open sub of the user.
func TestLogoutTokenAfterTheRegistrationChanged(t *testing.T) {
	t.Parallel()
	sent := &logoutTokens{claims: map[string]map[string]any{}, payload: func(token string) map[string]any { return payload(t, token) }}
	c := optest.Clients(t)[0]
	c.ClientID, c.Scopes, c.FrontchannelLogoutURI = "shop", []string{"openid", "test:pseudonym"}, ""
	c.RedirectURIs, c.BackchannelLogoutURI = []string{optest.RedirectURI("shop")}, optest.RedirectURI("shop")+"/logout"
	clients := changingClients{"shop": &c}
	op := optest.New(t, optest.Options{Change: func(c *provider.Config) { c.Clients, c.Backchannel = clients, sent }})
	b := op.Browser()
	r := op.Request("shop", "openid test:pseudonym")
	idToken := op.Exchange(t, r, b.Login(t, r, "kari").Code(t)).String("id_token")
	changed := c
	changed.Scopes = []string{"openid"}
	clients["shop"] = &changed
	b.Get(t, optest.Issuer+"/logout?id_token_hint="+url.QueryEscape(idToken))
	require.Equal(t, payload(t, idToken)["sid"], sent.claims["shop"]["sid"])
	require.NotContains(t, sent.claims["shop"], "sub")
}

// TestLogoutHintTellsNoPseudonym: at a client without sid, the hint of an open login in another browser must not show whether the
// pseudonymous user of this browser is the same.
func TestLogoutHintTellsNoPseudonym(t *testing.T) {
	t.Parallel()
	op := optest.New(t, optest.Options{Clients: []client.Client{app(t, "shop", client.Pairwise, "")}})
	confirms := func(b *optest.Browser, hint string) bool {
		return strings.Contains(b.Get(t, optest.Issuer+"/logout?id_token_hint="+url.QueryEscape(hint)).Body, "logout_confirmation")
	}
	for scopes, want := range map[string]bool{"openid test:pseudonym": true, "openid": false} {
		b := op.Browser()
		r := op.Request("shop", scopes)
		op.Exchange(t, r, b.Login(t, r, "kari").Code(t))
		hint := func(user string) string {
			r := op.Request("shop", "openid")
			return op.Exchange(t, r, op.Browser().Login(t, r, user).Code(t)).String("id_token")
		}
		require.True(t, confirms(b, hint("ola")), scopes)
		require.Equal(t, want, confirms(b, hint("kari")), scopes)
	}
}
