package main

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/examples/internal/browsertest"
)

func TestMain(m *testing.M) { browsertest.Main(m) }

// TestPages audits the login page and the plain pages of the library.
func TestPages(t *testing.T) {
	t.Parallel()
	issuer := serve(t)
	b := browsertest.New(t, "minimal-")
	b.Open(issuer+"/authorize?"+url.Values{
		"client_id": {"my-service"}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid"}, "state": {"s"}, "nonce": {"n"},
		"code_challenge": {"HC9NRzz4QUaVMvl2TUYrWg_L54PBleKON4hapcIOydk"}, "code_challenge_method": {"S256"},
	}.Encode(), "form")
	b.Audit("login")
	b.Fill("[name=username]", "kari")
	b.Click("button", "#failed")
	require.Equal(t, "Error: wrong name or password – Log in", b.Title())
	require.True(t, b.Has("[name=username]:focus"))
	b.Audit("login failed")
	b.Fill("[name=username]", "kari")
	b.Fill("[name=password]", "correct horse battery staple")
	b.ClickAway("button", callback)

	b.Open(issuer+"/authorize?client_id=unknown", "#error-page")
	b.Audit("error")
	b.Open(issuer+"/nothing", "#error-page")
	b.Audit("not found")
	b.Open(issuer+"/token", "#error-page")
	b.Audit("method not allowed")
	b.Open(issuer+"/logout?id_token_hint=x.y.z", "#error-page")
	b.Audit("logout error")
	b.Open(issuer+"/logout", "#logout-form")
	b.Audit("logout")
	b.Click("#logout-cancel", "#logout-cancelled")
	b.Audit("still logged in")
	b.Open(issuer+"/logout", "#logout-form")
	b.Click("#logout-confirm", "#logged-out")
	b.Audit("logged out")
}
