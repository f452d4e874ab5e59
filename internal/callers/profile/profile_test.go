package profile

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
)

const cpr = "0181903333" // no real number: the month is above 80

func start(t *testing.T) *optest.OP {
	t.Helper()
	identity, err := Identity("a-uuid", cpr, "Anders And")
	require.NoError(t, err)
	app := optest.Clients(t)[0]
	app.ClientID, app.RedirectURIs, app.FrontchannelLogoutURI = "app", []string{optest.RedirectURI("app")}, ""
	app.Scopes = []string{"openid", "ssn", "test:pseudonym", scope.Introspection}
	return optest.New(t, optest.Options{
		Clients: []client.Client{app}, Scopes: []scope.Scope{{Name: "ssn", AccessibleForAll: true}},
		Persons: map[string]session.Authentication{
			"anders":     {Identity: identity, ACR: Substantial, AMR: []string{"MitID"}},
			"anders-low": {Identity: identity, ACR: Low, AMR: []string{"MitID"}},
		},
		Change: func(c *provider.Config) { c.Profile = Denmark() },
	})
}

func idToken(t *testing.T, op *optest.OP, a optest.Answer) (claims map[string]any) {
	t.Helper()
	require.Equal(t, http.StatusOK, a.Status, "%v", a.JSON)
	payload, err := op.Keys.VerifyIDToken(a.String("id_token"), time.Now())
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(payload, &claims))
	return claims
}

func TestLogin(t *testing.T) {
	t.Parallel()
	const number = "dk:gov:saml:attribute:CprNumberIdentifier"
	op := start(t)
	r := op.Request("app", "openid ssn")
	a := op.Exchange(t, r, op.Browser().Login(t, r, "anders").Code(t))
	claims := idToken(t, op, a)
	require.Equal(t, Substantial, claims["acr"])
	require.Equal(t, cpr, claims[number])
	require.Equal(t, "Anders And", claims["full_name"])
	require.Equal(t, optest.Org, claims["client_organisation"])
	require.NotEqual(t, "a-uuid", claims["sub"])
	require.EqualValues(t, 300, a.JSON["expires_in"])
	info := op.UserInfo(t, a.String("access_token")).JSON
	require.Equal(t, "Anders And", info["full_name"])
	answer := op.Introspect(t, "app", a.String("access_token")).JSON
	require.Equal(t, cpr, answer[number])
	require.NotContains(t, answer, "full_name")

	r = op.Request("app", "openid ssn test:pseudonym")
	hidden := idToken(t, op, op.Exchange(t, r, op.Browser().Login(t, r, "anders").Code(t)))
	require.NotEqual(t, claims["sub"], hidden["sub"])
	require.NotContains(t, hidden, number)
	require.NotContains(t, hidden, "full_name")
	require.Equal(t, optest.Org, hidden["client_organisation"])
}

// TestRules: the level, the required parameters and the metadata are those of the profile.
func TestRules(t *testing.T) {
	t.Parallel()
	op := start(t)
	p := op.Browser().Login(t, op.Request("app", "openid"), "anders-low")
	require.Equal(t, "step-up", p.Step())
	r := op.Request("app", "openid")
	r.Params.Del("nonce")
	require.Equal(t, "invalid_request", op.Browser().Get(t, r.URL()).Left.Query().Get("error"))

	w := httptest.NewRecorder()
	op.ServeHTTP(w, httptest.NewRequest(http.MethodGet, optest.Issuer+"/.well-known/openid-configuration", nil))
	var meta map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &meta))
	require.Equal(t, []any{"da", "en"}, meta["ui_locales_supported"])
	require.Equal(t, []any{"pairwise"}, meta["subject_types_supported"])
	require.Equal(t, []any{Low, Substantial, High}, meta["acr_values_supported"])
}
