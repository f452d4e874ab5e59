package provider_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/digdir/ansattporten"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
)

// newProfile returns a test provider with a profile. The profile has the levels of the test logins.
func newProfile(t *testing.T, pr provider.Profile, change ...func(*provider.Config)) *optest.OP {
	t.Helper()
	if pr.Levels != acr.IDPorten {
		pr.Levels, pr.DefaultACRValues = acr.IDPorten, nil
	}
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

// TestLogoutQuestion: a logout without id_token_hint ends the session at once with the profiles of ID-porten and Ansattporten, and is
// confirmed with the OpenID profile. One field decides.
func TestLogoutQuestion(t *testing.T) {
	t.Parallel()
	confirmed := func(pr provider.Profile, confirm bool) provider.Profile { pr.ConfirmLogout = confirm; return pr }
	for name, tc := range map[string]struct {
		profile provider.Profile
		asks    bool
	}{
		"ID-porten":             {provider.IDPorten(), false},
		"Ansattporten":          {ansattporten.Profile(), false},
		"OpenID Connect":        {provider.OpenIDConnect(), true},
		"ID-porten, confirmed":  {confirmed(provider.IDPorten(), true), true},
		"OpenID, not confirmed": {confirmed(provider.OpenIDConnect(), false), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := optest.RedirectURI("tjeneste") + "/out"
			for _, params := range []url.Values{{}, {"client_id": {"tjeneste"}}, {"client_id": {"annen"}, "post_logout_redirect_uri": {optest.RedirectURI("annen") + "/out"}}} {
				op := newProfile(t, tc.profile)
				b := op.Browser()
				r := op.Request("tjeneste", "openid")
				a := op.Exchange(t, r, b.Login(t, r, "kari").Code(t))
				p := b.Get(t, optest.Issuer+"/logout?"+params.Encode())
				require.Equal(t, tc.asks, strings.Contains(p.Body, "logout-confirm"), params)
				still := b.Get(t, op.Request("tjeneste", "openid").URL())
				require.Equal(t, tc.asks, still.Left != nil, "the session is live if the page asks")
				if tc.asks {
					hint := url.Values{"id_token_hint": {a.String("id_token")}, "post_logout_redirect_uri": {out}}
					require.NotContains(t, b.Get(t, optest.Issuer+"/logout?"+hint.Encode()).Body, "logout-confirm", "a hint of the session")
				}
			}
		})
	}
}

// TestParametersBesideRequestURI: ID-porten rejects parameters other than client_id beside request_uri (docs/spec/idporten.md §4.2), and
// the OpenID profile ignores them (RFC 9126 §4). In both cases none of them has an effect.
func TestParametersBesideRequestURI(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		profile provider.Profile
		rejects bool
	}{"ID-porten": {provider.IDPorten(), true}, "Ansattporten": {ansattporten.Profile(), true}, "OpenID Connect": {provider.OpenIDConnect(), false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			op := newProfile(t, tc.profile)
			r := op.Request("tjeneste", "openid")
			pushed := op.Call(t, "/par", "tjeneste", r.Params).String("request_uri")
			for name, value := range map[string]string{
				"scope": "openid profile", "prompt": "none", "state": "other", "redirect_uri": "https://evil.example/", "ui_locales": "en", "unknown": "x",
			} {
				q := url.Values{"client_id": {"tjeneste"}, "request_uri": {pushed}, name: {value}}
				p := op.Browser().Get(t, optest.Issuer+"/authorize?"+q.Encode())
				if !tc.rejects {
					require.Equal(t, "login", p.Step(), name)
					continue
				}
				require.True(t, strings.HasPrefix(p.Left.String(), optest.RedirectURI("tjeneste")+"?"), name)
				require.Equal(t, []string{"invalid_request", "state-tjeneste"}, []string{p.Left.Query().Get("error"), p.Left.Query().Get("state")}, name)
				require.Contains(t, p.Left.Query().Get("error_description"), "request_uri")
			}
			q := url.Values{"client_id": {"tjeneste"}, "request_uri": {pushed}}
			b := op.Browser()
			p := b.Post(t, b.Get(t, optest.Issuer+"/authorize?"+q.Encode()), url.Values{"user": {"kari"}})
			require.NotEmpty(t, p.Code(t), "alone")
		})
	}
}
