package provider_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
)

// A test login declines what it is not configured to approve.
func TestScopesOfATestLogin(t *testing.T) {
	t.Parallel()
	op := optest.New(t, optest.Options{Change: func(c *provider.Config) {
		login, err := authorize.NewTestLogin(authorize.TestLoginConfig{Issuer: c.Issuer, TestIssuer: c.Issuer, ApproveScopes: []string{"test:api"}})
		require.NoError(t, err)
		c.TestLogin = login
	}})
	r := op.Request("tjeneste", "openid test:consent", "login_hint", "testid:"+optest.KariPID+"_idporten-loa-high")
	a := op.Exchange(t, r, op.Browser().Get(t, r.URL()).Code(t))
	require.Equal(t, "openid", a.String("scope"), a.JSON)
}

// The tokens of a test login work: what it approves holds at the token endpoint, at refresh, introspection and userinfo.
func TestTokensOfATestLogin(t *testing.T) {
	t.Parallel()
	op := optest.New(t, optest.Options{Change: func(c *provider.Config) {
		login, err := authorize.NewTestLogin(authorize.TestLoginConfig{Issuer: c.Issuer, TestIssuer: c.Issuer})
		require.NoError(t, err)
		c.TestLogin = login
	}})
	r := op.Request("tjeneste", "openid profile test:consent", "login_hint", "testid:"+optest.KariPID+"_idporten-loa-high")
	a := op.Exchange(t, r, op.Browser().Get(t, r.URL()).Code(t))
	require.Equal(t, http.StatusOK, a.Status, a.JSON)
	require.Equal(t, "openid profile test:consent", a.String("scope"))
	for range 2 {
		require.Equal(t, http.StatusOK, op.UserInfo(t, a.String("access_token")).Status)
		require.Equal(t, true, op.Introspect(t, "tjeneste", a.String("access_token")).JSON["active"])
		a = op.Refresh(t, "tjeneste", a.String("refresh_token"))
		require.Equal(t, http.StatusOK, a.Status, a.JSON)
	}
}
