package ansattporten_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/digdir/ansattporten"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/session"
)

// TestMetadata checks that there is no userinfo endpoint, and that the metadata has types and levels.
func TestMetadata(t *testing.T) {
	t.Parallel()
	read := func(op *optest.OP, path string) (int, string) {
		w := httptest.NewRecorder()
		op.ServeHTTP(w, httptest.NewRequest(http.MethodGet, optest.Issuer+path, nil))
		return w.Code, w.Body.String()
	}
	op := newOP(t, brregServices())
	_, doc := read(op, "/.well-known/openid-configuration")
	require.NotContains(t, doc, "userinfo_endpoint")
	require.Contains(t, doc, `"authorization_details_types_supported":["ansattporten:altinn:service","ansattporten:altinn:resource","ansattporten:orgno","idporten:fullmakt"]`)
	require.Contains(t, doc, `"acr_values_supported":["low","substantial","high"]`)
	_, doc = read(op, "/.well-known/oauth-authorization-server")
	require.Contains(t, doc, `"authorization_details_types_supported"`)
	status, _ := read(op, "/userinfo")
	require.Equal(t, http.StatusNotFound, status)

	// An enabled userinfo endpoint returns the claims of the id_token.
	with := newOP(t, brregServices(), func(c *provider.Config) { c.Profile.NoUserInfo = false })
	_, doc = read(with, "/.well-known/openid-configuration")
	require.Contains(t, doc, `"userinfo_endpoint"`)
	q := with.Request("tjeneste", "openid profile")
	a := with.Exchange(t, q, with.Browser().Login(t, q, "kari").Code(t))
	info := with.UserInfo(t, a.String("access_token"))
	idToken := claims(t, a.String("id_token"))
	require.Equal(t, http.StatusOK, info.Status)
	for name, value := range info.JSON {
		require.Equal(t, value, idToken[name], name)
	}
	require.Equal(t, "Kari Nordmann", info.JSON["name"])
}

// TestNoSingleSignOn checks that a client shares its session with no other client.
func TestNoSingleSignOn(t *testing.T) {
	t.Parallel()
	op := newOP(t, brregServices())
	b := op.Browser()
	b.Login(t, op.Request("tjeneste", "openid"), "kari").Code(t)
	require.Equal(t, "", b.Get(t, op.Request("tjeneste", "openid").URL()).Step())
	p := b.Get(t, op.Request("annen", "openid").URL())
	require.Equal(t, "login", p.Step())
	require.Equal(t, "other_circle", p.Reason())

	own := newOP(t, brregServices(), func(c *provider.Config) { c.Session.Circle = session.CircleOf })
	b = own.Browser()
	b.Login(t, own.Request("tjeneste", "openid"), "kari").Code(t)
	require.Equal(t, "", b.Get(t, own.Request("annen", "openid").URL()).Step(), "Config.Session.Circle precedes the profile")
}

// TestLevels checks the levels of the profile, and that a request without acr_values requires substantial.
func TestLevels(t *testing.T) {
	t.Parallel()
	op := newOP(t, brregServices())
	b := op.Browser()
	p := b.Login(t, op.Request("tjeneste", "openid"), "entra")
	require.Equal(t, "step-up", p.Step(), "low does not suffice by default")
	q := op.Request("tjeneste", "openid", "acr_values", acr.AnsattportenLow)
	p = op.Browser().Login(t, q, "entra")
	require.Equal(t, "low", claims(t, op.Exchange(t, q, p.Code(t)).String("id_token"))["acr"])
	bad := op.Browser().Get(t, op.Request("tjeneste", "openid", "acr_values", "idporten-loa-high").URL())
	require.Equal(t, "invalid_request", bad.Left.Query().Get("error"))
}

// TestProfileIsFresh checks that profiles share no slices.
func TestProfileIsFresh(t *testing.T) {
	t.Parallel()
	a := ansattporten.Profile()
	a.ClaimsSupported[0] = "changed"
	require.NotEqual(t, a.ClaimsSupported, ansattporten.Profile().ClaimsSupported)
	require.NotContains(t, provider.IDPorten().ClaimsSupported, "name")
	require.Equal(t, "c", a.Circle("c", false))
}

// TestChoiceEachTime checks that the choice is made at every request and does not affect the session.
func TestChoiceEachTime(t *testing.T) {
	t.Parallel()
	op := newOP(t, brregServices())
	b := op.Browser()
	q := op.Request("tjeneste", "openid", "authorization_details", detail())
	p := b.Login(t, q, "kari")
	require.Equal(t, []string{"self", leikanger, digdir}, p.Choices())
	b.Post(t, p, url.Values{"choice": {leikanger}}).Code(t)
	q = op.Request("tjeneste", "openid", "authorization_details", detail())
	p = b.Get(t, q.URL())
	require.Equal(t, "representation", p.Step())
	a := op.Exchange(t, q, b.Post(t, p, url.Values{"choice": {digdir}}).Code(t))
	require.Contains(t, string(must(jsonText(a.JSON["authorization_details"]))), digdir)

	refreshed := op.Refresh(t, "tjeneste", a.String("refresh_token"))
	require.Equal(t, a.JSON["authorization_details"], refreshed.JSON["authorization_details"])
	b.Get(t, op.Request("tjeneste", "openid").URL()).Code(t)
}
