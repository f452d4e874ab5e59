package authorizations_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/token"
)

// TestDisabledUserHasNoSession checks that the session of a user whom the host disabled answers no request and shows no page.
func TestDisabledUserHasNoSession(t *testing.T) {
	t.Parallel()
	var disabled atomic.Bool
	var cfg provider.Config
	op := optest.New(t, optest.Options{Change: func(c *provider.Config) {
		c.Profile.PromptValues = []string{"login", "none"}
		c.Users = token.UserFunc(func(context.Context, string) (token.User, error) { return token.User{Disabled: disabled.Load()}, nil })
		cfg = *c
	}})
	api, err := authorizations.New(authorizations.Config{
		Store: op.Store, Vault: op.Vault, Tokens: op.Token.Minter(), Clients: cfg.Clients, Scopes: cfg.Scopes,
		Sessions: op.Sessions, Sufficient: substantial,
	})
	require.NoError(t, err)
	b := op.Browser()
	r := op.Request("tjeneste", "openid")
	op.Exchange(t, r, b.Login(t, r, "kari").Code(t))
	user := func() (string, session.Reason) {
		h := http.Header{}
		for n, v := range b.Cookies() {
			h.Add("Cookie", n+"="+v)
		}
		subject, reason, err := api.PageUser(t.Context(), h, http.Header{}, time.Now())
		require.NoError(t, err)
		return subject, reason
	}
	subject, _ := user()
	require.Equal(t, "kari", subject)

	disabled.Store(true)
	subject, reason := user()
	require.Empty(t, subject)
	require.Equal(t, session.Reason("user_disabled"), reason)
	silent := b.Get(t, op.Request("annen", "openid", "prompt", "none").URL())
	require.Equal(t, "login_required", silent.Left.Query().Get("error"))
	p := b.Get(t, op.Request("annen", "openid").URL())
	require.Equal(t, "login", p.Step(), "no single sign-on")
	again := b.Login(t, op.Request("annen", "openid"), "kari")
	require.Equal(t, "access_denied", again.Left.Query().Get("error"), "the page of the host did not reject the user")
}
