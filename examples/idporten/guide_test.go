package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/portner-go/portner/internal/standin/idporten"
	"github.com/stretchr/testify/require"
)

// guide is a configuration with the client of the integration guide.
const guide = `{
	"clients": [
		{"client_id":"min_tjeneste","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","client_name":"Min tjeneste","client_orgno":"991825827","integration_type":"api_klient",
		 "grant_types":["authorization_code","refresh_token"],"redirect_uris":["https://min.tjeneste.no/login_callback"],
		 "scopes":["openid","profile","krr:user/kontaktinformasjon.read","demo:inntekt.read","demo:kontakt.read","demo:helse.read","demo:meldinger.read"]}
	]}`

const guideSecret = "G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U"

// guided is a login of Kari at the client of the guide, with the parameters of the guide and another scope.
func guided(t *testing.T, scopes string, approved ...string) (*idporten.Server, map[string]any) {
	t.Helper()
	s := start(t, "-config", write(t, guide), "-demo")
	v := visit(t, s)
	page := v.get(s.Issuer + "/authorize?" + url.Values{
		"client_id": {"min_tjeneste"}, "redirect_uri": {"https://min.tjeneste.no/login_callback"}, "scope": {scopes},
		"acr_values": {"idporten-loa-substantial"}, "response_type": {"code"}, "ui_locales": {"nb"},
		"state": {"sV-423vokts9_CZdO9KZSV9xb35mlgzj_7BPTt-_khQ"}, "nonce": {"S6tRrJ3tWsilRZl7hqySoORosHDDq4l6du3dxDhXoWc"},
		"code_challenge": {"HC9NRzz4QUaVMvl2TUYrWg_L54PBleKON4hapcIOydk"}, "code_challenge_method": {"S256"},
	}.Encode())
	page = v.login(page, "kari")
	if page.left == nil {
		page = v.press(page, "consent-approve", approved...)
	}
	back := page.left
	require.Equal(t, "https://min.tjeneste.no/login_callback", back.Scheme+"://"+back.Host+back.Path)
	require.Equal(t, "sV-423vokts9_CZdO9KZSV9xb35mlgzj_7BPTt-_khQ", back.Query().Get("state"))
	_, tokens := post(t, s, "/token", "min_tjeneste", guideSecret, url.Values{
		"grant_type": {"authorization_code"}, "redirect_uri": {"https://min.tjeneste.no/login_callback"}, "code": {back.Query().Get("code")},
		"code_verifier": {"gEVARFlOi5LNYfVGSMHvhZCXoG_TPzdmXQQGqzKJkz0"},
	})
	require.NotEmpty(t, tokens["access_token"], tokens)
	return s, tokens
}

// read calls an endpoint with an access token.
func read(t *testing.T, s *idporten.Server, uri string, tokens map[string]any) (status int, body map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, uri, nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+tokens["access_token"].(string))
	res, err := s.Outgoing.Do(r)
	require.NoError(t, err)
	defer res.Body.Close()
	require.NoError(t, json.NewDecoder(res.Body).Decode(&body))
	return res.StatusCode, body
}

// The integration guide: "Dersom forespørselen blir validert som gyldig, vil det returneres et eller flere token"; userinfo
// returns "Personnummer og valgt språk under innlogging"; contact information is "tilgjengelig på et eget endepunkt dersom access_token
// inneholder krr:user/kontaktinformasjon.read-scopet".
func TestRequestsOfTheIntegrationGuide(t *testing.T) {
	t.Parallel()
	s, tokens := guided(t, "openid profile")
	require.Equal(t, []any{"Bearer", "openid profile"}, []any{tokens["token_type"], tokens["scope"]})
	require.NotEmpty(t, tokens["refresh_token"])
	access := tokenClaims(t, tokens)
	idToken := tokenClaims(t, map[string]any{"access_token": tokens["id_token"]})
	require.Equal(t, []any{"min_tjeneste", "nb", "21879498012", "S6tRrJ3tWsilRZl7hqySoORosHDDq4l6du3dxDhXoWc", "idporten-loa-high"},
		[]any{idToken["aud"], idToken["locale"], idToken["pid"], idToken["nonce"], idToken["acr"]})
	require.Equal(t, []any{"client_secret_basic", "min_tjeneste", map[string]any{"authority": "iso6523-actorid-upis", "ID": "0192:991825827"}},
		[]any{access["client_amr"], access["client_id"], access["consumer"]})
	_, info := read(t, s, s.Issuer+"/userinfo", tokens)
	require.Equal(t, map[string]any{"sub": idToken["sub"], "pid": "21879498012", "locale": "nb"}, info)
	status, _ := read(t, s, s.At.API+"/api/kontaktinformasjon", tokens)
	require.Equal(t, http.StatusForbidden, status, "without the scope")

	s, tokens = guided(t, "openid profile "+idporten.ContactScope)
	status, contact := read(t, s, s.At.API+"/api/kontaktinformasjon", tokens)
	require.Equal(t, http.StatusOK, status, contact)
	text, err := json.Marshal(contact)
	require.NoError(t, err)
	require.Contains(t, string(text), "21879498012")
}

// The page on data sharing: "Dersom brukeren ikke godtar, vil det aktuelle scopet ikke bli inkludert i access_tokenet".
func TestDeclinedScopeIsNotInTheToken(t *testing.T) {
	t.Parallel()
	s, tokens := guided(t, "openid demo:inntekt.read demo:kontakt.read", "demo:kontakt.read")
	require.Equal(t, "openid demo:kontakt.read", tokens["scope"])
	require.Equal(t, "openid demo:kontakt.read", tokenClaims(t, tokens)["scope"])
	status, _ := read(t, s, s.At.API+"/api/inntekt", tokens)
	require.Equal(t, http.StatusForbidden, status)
}

// The page on pseudonymous login, method 1: "Da vil mottatt access_token ikke være meningsbærende, og APIet / backend kan da introspecte
// tokenet for å hente ut fødselsnummer."
func TestOpaqueTokenOfTheGuide(t *testing.T) {
	t.Parallel()
	s, tokens := guided(t, "demo:meldinger.read")
	require.NotContains(t, tokens, "id_token")
	require.NotContains(t, tokens["access_token"], ".")
	form := url.Values{"token": {tokens["access_token"].(string)}}
	_, seen := post(t, s, "/tokeninfo", idporten.DemoAPIClient, idporten.DemoAPISecret, form)
	require.Equal(t, "21879498012", seen["pid"], seen)
	_, seen = post(t, s, "/tokeninfo", "min_tjeneste", guideSecret, form)
	require.Equal(t, true, seen["active"])
	require.NotContains(t, seen, "pid")
	require.NotContains(t, seen, "sub")
}

// Method 2: "Hverken id_token eller access_token utlevert til klienter vil da inneholde f/d-nr (pid)." and "kan API-tilbyder i sin tur da
// kalle /tokeninfo-endepunktet for å hente ut f/d-nr som hører til tokenet".
func TestPseudonymousScopeOfTheGuide(t *testing.T) {
	t.Parallel()
	s, tokens := guided(t, "openid profile demo:helse.read")
	for _, document := range []any{tokens["id_token"], tokens["access_token"]} {
		claims := tokenClaims(t, map[string]any{"access_token": document})
		require.NotContains(t, claims, "pid")
		text, err := json.Marshal(claims)
		require.NoError(t, err)
		require.False(t, strings.Contains(string(text), "21879498012"))
	}
	_, seen := post(t, s, "/tokeninfo", idporten.DemoAPIClient, idporten.DemoAPISecret, url.Values{"token": {tokens["access_token"].(string)}})
	require.Equal(t, "21879498012", seen["pid"], seen)
}
