package docs_test

import (
	"context"
	"expvar"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/token"
)

// Users of the host.
func user(context.Context, string) (token.User, error) {
	return token.User{Claims: map[string]any{"roles": []string{"admin"}, "tenant_id": "t1"}}, nil
}

func claims(_ context.Context, d *token.Document) error {
	d.Set("roles", d.User.Claims["roles"])
	if d.Kind != token.IDToken {
		d.Set("tenant_id", d.User.Claims["tenant_id"])
	}
	return nil
}

// Metrics of the host.
var events = expvar.NewMap("portner")

func count(_ context.Context, e portner.Event) {
	events.Add(string(e.Name), 1)
	if e.Reason != "" {
		events.Add(string(e.Name)+" "+e.Reason, 1)
	}
}

func TestClaimsAndEvents(t *testing.T) {
	t.Parallel()
	op := optest.New(t, optest.Options{Change: func(c *provider.Config) {
		c.Profile, c.Users, c.Claims, c.OnEvent = provider.OpenIDConnect(), token.UserFunc(user), claims, count
	}})
	r := op.Request("tjeneste", "openid profile")
	a := op.Exchange(t, r, op.Browser().Login(t, r, "kari").Code(t))
	require.Equal(t, 200, a.Status, "%v", a.JSON)
	info := op.UserInfo(t, a.String("access_token"))
	require.Equal(t, []any{"admin"}, info.JSON["roles"])
	require.Equal(t, "t1", info.JSON["tenant_id"])
	require.NotNil(t, events.Get(string(portner.EventTokenIssued)))
}
