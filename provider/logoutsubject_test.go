package provider_test

import (
	"context"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
)

// logoutTokens collects the logout tokens of a logout by audience.
type logoutTokens struct {
	mu      sync.Mutex
	tokens  map[string]string
	payload func(token string) map[string]any
}

func (l *logoutTokens) Send(_ context.Context, _, token string) error {
	claims := l.payload(token)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tokens[claims["aud"].(string)] = claims["sub"].(string)
	return nil
}

// TestLogoutTokensOfPublicSubjects verifies that a logout token has the public subject of the user only for a client that can
// learn it by a login (docs/threat-model.md H5).
func TestLogoutTokensOfPublicSubjects(t *testing.T) {
	t.Parallel()
	sent := &logoutTokens{tokens: map[string]string{}, payload: func(token string) map[string]any { return payload(t, token) }}
	var clients []client.Client
	add := func(id string, scopes ...string) {
		c := optest.Clients(t)[0]
		c.ClientID, c.Scopes, c.FrontchannelLogoutURI = id, scopes, ""
		c.RedirectURIs = []string{optest.RedirectURI(id)}
		c.BackchannelLogoutURI = optest.RedirectURI(id) + "/logout"
		clients = append(clients, c)
	}
	add("open", "openid", "test:opaque")
	add("pseudonymous", "openid", "test:pseudonym")
	add("reference", "test:opaque")
	op := optest.New(t, optest.Options{Clients: clients, Change: func(c *provider.Config) {
		c.Profile, c.Backchannel = provider.OpenIDConnect(), sent
	}})
	b := op.Browser()
	hint := ""
	for _, c := range clients {
		r := op.Request(c.ClientID, c.Scopes[len(c.Scopes)-1])
		if c.ClientID == "open" {
			r = op.Request("open", "openid")
		}
		p := b.Get(t, r.URL())
		if p.Step() == "login" {
			p = b.Post(t, p, url.Values{"user": {"kari"}})
		}
		answer := op.Exchange(t, r, p.Code(t))
		if c.ClientID == "open" {
			hint = answer.String("id_token")
		}
	}
	require.Equal(t, "kari", payload(t, hint)["sub"])
	b.Get(t, optest.Issuer+"/logout?id_token_hint="+url.QueryEscape(hint))
	require.Len(t, sent.tokens, 3)
	require.Equal(t, "kari", sent.tokens["open"])
	require.NotEqual(t, "kari", sent.tokens["pseudonymous"])
	require.NotEqual(t, "kari", sent.tokens["reference"], "the client gets opaque tokens only")
}
