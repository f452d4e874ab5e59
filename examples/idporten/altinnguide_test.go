package main

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// altinnGuide is a configuration with the client of Altinn's page on ID-porten.
const altinnGuide = `{
	"old_level_names": true,
	"clients": [
		{"client_id":"min_klient_id","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","client_name":"Mitt sluttbrukersystem","client_orgno":"991825827","integration_type":"api_klient",
		 "code_challenge_method":"none","grant_types":["authorization_code","refresh_token"],"redirect_uris":["https://eksempel.no/response"],"scopes":["altinn:instances.meta"]}
	],
	"scopes": [{"name":"altinn:instances.meta","owner_orgno":"974761076","accessible_for_all":true,"requires_user_consent":true,"authorization_max_lifetime":3600,"description":"Se elementene dine"}],
	` + appUsers + `}`

// terminated sends the requests for an issuer at https to a server that listens at http, as a proxy with the certificate does.
type terminated struct {
	base *url.URL
	next http.RoundTripper
}

func (p terminated) RoundTrip(r *http.Request) (*http.Response, error) {
	inner := r.Clone(r.Context())
	inner.Host, inner.URL.Scheme, inner.URL.Host = r.URL.Host, p.base.Scheme, p.base.Host
	resp, err := p.next.RoundTrip(inner)
	if err == nil {
		resp.Request = r
	}
	return resp, err
}

// Altinn's page on ID-porten: "GET https://oidc-ver2.difi.no/idporten-oidc-provider/authorize? scope=altinn:instances.meta&
// acr_values=Level3& client_id=min_klient_id& redirect_uri=https://eksempel.no/response& response_type=code". "Etter bruker har autentisert
// seg [...], og har gitt tilgang din klient tilgang til scopet, blir han/hun videresendt til endepunktet oppgitt i redirect_uri med en
// autorisasjonskode". "Denne autorisasjonskode benyttes for å hente ut access_token fra ID-porten".
func TestAuthorizationRequestOfAltinn(t *testing.T) {
	t.Parallel()
	const issuer = "https://oidc-ver2.difi.no/idporten-oidc-provider"
	s := prepare(t, "-demo=false", "-issuer", issuer, "-test-issuer", issuer, "-config", write(t, altinnGuide))
	base, err := url.Parse(s.Sites[0].Base)
	require.NoError(t, err)
	s.Outgoing = &http.Client{Transport: terminated{base, http.DefaultTransport}}
	serve(t, s)
	v := visit(t, s)
	v.home = append(v.home, "https://oidc-ver2.difi.no")

	page := v.get("https://oidc-ver2.difi.no/idporten-oidc-provider/authorize?" +
		"scope=altinn:instances.meta&acr_values=Level3&client_id=min_klient_id&redirect_uri=https://eksempel.no/response&response_type=code")
	page = v.login(page, "ola") // a login at the level substantial, formerly Level3
	require.Equal(t, "/idporten-oidc-provider/consent", page.url.Path, page.body)
	back := v.press(page, "consent-approve").left
	require.NotNil(t, back)
	require.Equal(t, "https://eksempel.no/response", back.Scheme+"://"+back.Host+back.Path)
	code := back.Query().Get("code")
	require.NotEmpty(t, code, back)

	status, tokens := post(t, s, "/token", "min_klient_id", guideSecret, url.Values{
		"grant_type": {"authorization_code"}, "redirect_uri": {"https://eksempel.no/response"}, "code": {code},
	})
	require.Equal(t, http.StatusOK, status, tokens)
	require.Equal(t, []string{"access_token", "expires_in", "refresh_token", "refresh_token_expires_in", "scope", "token_type"}, slices.Sorted(maps.Keys(tokens)))
	require.Equal(t, []any{"Bearer", "altinn:instances.meta"}, []any{tokens["token_type"], tokens["scope"]})
	claims := tokenClaims(t, tokens)
	require.Equal(t, []any{issuer, "min_klient_id", "altinn:instances.meta", "idporten-loa-substantial", "45840375084"},
		[]any{claims["iss"], claims["client_id"], claims["scope"], claims["acr"], claims["pid"]})
}
