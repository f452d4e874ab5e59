package exchange_test

import (
	"context"
	"net/url"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/exchange"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/token"
)

// The sub of a client is in tokens of that client only (RFC 9068 §5): in those of another client it would pass as a user.
func TestSubjectOfMachines(t *testing.T) {
	t.Parallel()
	w := newWorldAt(t, func(c *provider.Config) {
		c.Profile = provider.OpenIDConnect()
		c.GrantHandlers = append(c.GrantHandlers, token.ClientCredentials(c.Store.(token.GrantStore)))
		c.Clients = withGrant{c.Clients, client.ClientCredentials}
	})
	own := w.Call(t, "/token", "portal", url.Values{"grant_type": {client.ClientCredentials}, "scope": {"test:api test:two"}})
	require.Equal(t, "portal", claims(t, own.String("access_token"))["sub"], own.JSON)

	narrowed, got := w.exchanged("portal", form(own.String("access_token"), "scope", "test:two"))
	require.Equal(t, "portal", got["sub"])
	require.NotContains(t, got, "act")
	require.Equal(t, "portal", w.Introspect(t, "service", narrowed).JSON["sub"])

	value, got := w.exchanged("service", form(own.String("access_token"), "scope", "test:two"))
	require.NotContains(t, got, "sub")
	require.Equal(t, map[string]any{"sub": "0192:" + optest.OwnerOrg, "iss": optest.Issuer, "client_id": "service"}, got["act"])
	require.True(t, w.request.Subject.IsMachine())
	require.NotContains(t, w.Introspect(t, "service", value).JSON, "sub")

	_, got = w.exchanged("service", form(w.machineToken(), "scope", "test:api"))
	require.NotContains(t, got, "sub")

	f := form(w.login("portal", "openid test:api").String("access_token"))
	f.Set("actor_token", w.Call(t, "/token", "service", url.Values{"grant_type": {client.ClientCredentials}, "scope": {"test:api"}}).String("access_token"))
	f.Set("actor_token_type", exchange.AccessToken)
	_, got = w.exchanged("service", f)
	require.Equal(t, map[string]any{"sub": "0192:" + optest.OwnerOrg, "iss": optest.Issuer, "client_id": "service"}, got["act"], "a machine acts as its organisation")
}

// withGrant adds a grant type to every registration.
type withGrant struct {
	client.Source
	grant string
}

// Client implements client.Source.
func (s withGrant) Client(ctx context.Context, id string) (*client.Client, error) {
	c, err := s.Source.Client(ctx, id)
	if err != nil {
		return nil, err
	}
	more := *c
	more.GrantTypes = append(slices.Clone(c.GrantTypes), s.grant)
	return &more, nil
}
