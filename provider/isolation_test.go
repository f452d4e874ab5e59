package provider_test

import (
	"net/url"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/session"
)

// TestThreeClientsTwoUsers verifies that an isolated client and the common circle have no single sign-on with each other, that the
// login of another user ends the session of the first, and that logout is global (docs/threat-model.md G12).
func TestThreeClientsTwoUsers(t *testing.T) {
	t.Parallel()
	op := optest.New(t, optest.Options{})
	b := op.Browser()
	open := func(clientID string) optest.Page { return b.Get(t, op.Request(clientID, "openid profile").URL()) }
	sub := func(clientID, user string) string {
		t.Helper()
		r := op.Request(clientID, "openid profile")
		a := op.Exchange(t, r, b.Login(t, r, user).Code(t))
		info := op.UserInfo(t, a.String("access_token"))
		require.Equal(t, 200, info.Status)
		return info.String("sub")
	}
	kari := sub("tjeneste", "kari")
	require.NotNil(t, open("annen").Left, "one login for the common circle")
	require.Equal(t, "login", open("isolated").Step(), "but not for an isolated client")
	r := op.Request("tjeneste", "openid profile")
	kept := op.Exchange(t, r, b.Get(t, r.URL()).Code(t)).String("access_token")
	sub("isolated", "kari")
	require.NotNil(t, open("isolated").Left, "which has SSO with itself")
	require.NotNil(t, open("annen").Left)
	require.Equal(t, 200, op.UserInfo(t, kept).Status)

	sub("isolated", "kari")
	p := b.Get(t, op.Request("isolated", "openid profile", "prompt", "login").URL())
	require.Equal(t, "login", p.Step())
	ola := b.Login(t, op.Request("isolated", "openid profile", "prompt", "login"), "ola")
	require.NotNil(t, ola.Left)
	require.Equal(t, "login", open("tjeneste").Step(), "ola has logged in to the isolated client only, and kari has gone")
	require.NotEqual(t, 200, op.UserInfo(t, kept).Status, "with what her login gave")
	require.NotEqual(t, kari, sub("tjeneste", "ola"))

	// The reverse: a fresh browser that began at the isolated client.
	b = op.Browser()
	sub("isolated", "ola")
	require.Equal(t, "login", open("tjeneste").Step())
	require.Equal(t, "login", open("annen").Step())
}

// TestEIDASLoginIsSingleUse: a login through another country's eID answers its own request only, unless Config.Session has
// another rule (docs/spec/idporten.md §14.3).
func TestEIDASLoginIsSingleUse(t *testing.T) {
	t.Parallel()
	persons := map[string]session.Authentication{
		"eu": {Identity: session.Identity{Subject: "eu"}, ACR: acr.EIDASHigh, AMR: []string{"eIDAS"}},
	}
	for name, tt := range map[string]struct {
		change func(*provider.Config)
		sso    bool
	}{
		"profile":       {func(*provider.Config) {}, false},
		"configuration": {func(c *provider.Config) { c.Session.SingleUse = func(string, []string) bool { return false } }, true},
	} {
		op := optest.New(t, optest.Options{Persons: persons, Change: tt.change})
		b := op.Browser()
		request := func() optest.Request { return op.Request("tjeneste", "openid profile", "acr_values", acr.EIDASHigh) }
		r := request()
		require.NotEmpty(t, b.Login(t, r, "eu").Code(t), name)
		require.Equal(t, tt.sso, b.Get(t, request().URL()).Left != nil, name)
	}
	profile := provider.IDPorten()
	require.True(t, profile.SingleUseLogin(acr.EIDASLow, nil))
	require.True(t, profile.SingleUseLogin(acr.High, []string{"BankID", "eIDAS"}))
	require.False(t, profile.SingleUseLogin(acr.High, []string{"BankID"}))
}

// TestSingleUseLoginIsForOneTab: a single-use login answers the request in which the user logged in, also after the consent page, and no
// request that waited on the consent page of another tab meanwhile.
func TestSingleUseLoginIsForOneTab(t *testing.T) {
	t.Parallel()
	for name, singleUse := range map[string]bool{"single-use": true, "reusable": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			op := optest.New(t, optest.Options{Change: func(c *provider.Config) {
				c.Session.SingleUse = func(_ string, amr []string) bool { return singleUse && slices.Contains(amr, "Minid-APP") }
			}})
			b, approve := op.Browser(), func() url.Values { return url.Values{"scope": {"test:consent"}} }
			b.Login(t, op.Request("tjeneste", "openid profile"), "kari").Code(t)
			waiting := b.Get(t, op.Request("tjeneste", "openid test:consent").URL())
			require.Equal(t, "consent", waiting.Step())
			b.Login(t, op.Request("tjeneste", "openid", "prompt", "login"), "kari-minid").Code(t)
			p := b.Post(t, waiting, approve())
			if !singleUse {
				p.Code(t)
				return
			}
			require.Equal(t, "login", p.Step(), "the request in the other tab")
			p = b.Post(t, p, url.Values{"user": {"kari-minid"}})
			require.Equal(t, "consent", p.Step(), "with a login of its own")
			b.Post(t, p, approve()).Code(t)
		})
	}
}
