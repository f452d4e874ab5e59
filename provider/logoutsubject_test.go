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

// TestLogoutTokensOfMixedClients verifies that a logout token has the subject of the user only for a client whose grants are all open:
// beside the sid it would relate the pseudonym of the user to the open subject (docs/threat-model.md H5).
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
	op := optest.New(t, optest.Options{Clients: clients, Change: func(c *provider.Config) {
		c.Profile, c.Backchannel = provider.OpenIDConnect(), sent
	}})
	b := op.Browser()
	hint := ""
	for _, c := range clients {
		r := op.Request(c.ClientID, c.Scopes[len(c.Scopes)-1])
		if c.ClientID == "open" || c.ClientID == "mixed" {
			r = op.Request(c.ClientID, "openid")
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
	require.Len(t, sent.claims, 4)
	require.Equal(t, "kari", sent.claims["open"]["sub"])
	for _, id := range []string{"mixed", "pseudonymous", "reference"} {
		require.NotContains(t, sent.claims[id], "sub", id)
		require.NotEmpty(t, sent.claims[id]["sid"], id)
	}
}
