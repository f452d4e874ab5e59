package provider_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
)

// newProfile returns a test provider with a profile. The profile has the levels of ID-porten.
func newProfile(t *testing.T, pr provider.Profile, change ...func(*provider.Config)) *optest.OP {
	t.Helper()
	pr.Levels = acr.IDPorten
	return optest.New(t, optest.Options{Change: func(c *provider.Config) {
		c.Profile = pr
		for _, f := range change {
			f(c)
		}
	}})
}

// TestUnknownLevels: the OpenID profile ignores acr_values without a known value (OIDC Core §5.5.1.1), that of ID-porten rejects
// them (docs/spec/idporten.md §3.4).
func TestUnknownLevels(t *testing.T) {
	t.Parallel()
	op := newProfile(t, provider.OpenIDConnect())
	r := op.Request("tjeneste", "openid", "acr_values", "1 2")
	a := op.Exchange(t, r, op.Browser().Login(t, r, "kari-minid").Code(t))
	require.Equal(t, acr.Substantial, claimsOf(t, op, a.String("id_token"))["acr"])

	op = newProfile(t, provider.IDPorten())
	p := op.Browser().Get(t, op.Request("tjeneste", "openid", "acr_values", "1 2").URL())
	require.Equal(t, "invalid_request", p.Left.Query().Get("error"))
	require.Contains(t, p.Left.Query().Get("error_description"), "acr_values")
}
