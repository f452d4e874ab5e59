package main

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// noPIDGuide is a configuration with a cloud service and the API of a public body, but without the switch.
const noPIDGuide = `{
	"clients": [
		{"client_id":"skytjeneste","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","client_orgno":"991825827","integration_type":"api_klient","code_challenge_method":"none",
		 "redirect_uris":["http://localhost:1/cb"],"scopes":["openid","profile","no_pid","arkiv:les"]},
		{"client_id":"arkivet","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","client_orgno":"974761076","integration_type":"api_klient","scopes":["tokeninfo"]}
	],
	"scopes": [{"name":"arkiv:les","owner_orgno":"974761076","accessible_for_all":true,"description":"Lese arkivet ditt"}],
	` + appUsers

// The page on pseudonymous login, method 3: "Klientet kan sende no_pid scopet i autentiseringsforespørselen for å trigge pseudonymisert
// innlogging. Fødselsnummer/D-nummer vil da ikke bli inkludert i tokens fra ID-porten." "Pseudonyumisering vil skje uansett om klienten har
// også har brukt openid eller profile scope." "Klienter/Ressursservere som har tilgang til scopet tokeninfo kan validere inn et pseudoymisert
// token ved kall på /tokeninfo-endepunktet, gitt vellykka klientautentisering."
func TestNoPIDOfTheGuide(t *testing.T) {
	t.Parallel()
	s := start(t, "-demo=false", "-config", write(t, noPIDGuide+`,"no_pid":true}`))
	for _, scopes := range []string{"no_pid arkiv:les", "openid no_pid arkiv:les", "profile no_pid arkiv:les", "openid profile no_pid arkiv:les"} {
		v := visit(t, s)
		page := v.get(s.Issuer + "/authorize?" + url.Values{
			"client_id": {"skytjeneste"}, "redirect_uri": {"http://localhost:1/cb"}, "response_type": {"code"}, "scope": {scopes}, "state": {"s"}, "nonce": {"n"},
		}.Encode())
		back := v.login(page, "kari").left
		require.NotNil(t, back, scopes)
		_, tokens := post(t, s, "/token", "skytjeneste", clientSecret, url.Values{
			"grant_type": {"authorization_code"}, "redirect_uri": {"http://localhost:1/cb"}, "code": {back.Query().Get("code")},
		})
		for name, document := range tokens {
			if text, ok := document.(string); ok && (name == "access_token" || name == "id_token") {
				require.NotContains(t, payloadOf(t, text), "pid", "%s: %s", scopes, name)
			}
		}
		form := url.Values{"token": {tokens["access_token"].(string)}}
		_, seen := post(t, s, "/tokeninfo", "arkivet", clientSecret, form)
		require.Equal(t, "21879498012", seen["pid"], "%s: %v", scopes, seen)
		status, refused := post(t, s, "/tokeninfo", "arkivet", "feil", form)
		require.Equal(t, []any{http.StatusUnauthorized, "invalid_client"}, []any{status, refused["error"]})
		_, refused = post(t, s, "/tokeninfo", "skytjeneste", clientSecret, form)
		require.NotContains(t, refused, "pid", "the client has no right to introspect")
	}
}

// Method 3 is "under utfasing": without the switch the program does not start, and says why.
func TestNoPIDOfTheGuideWithoutTheSwitch(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // a server that starts stops at once
	var out, errs bytes.Buffer
	require.Equal(t, 1, run(ctx, []string{"-addr", "localhost:0", "-config", write(t, noPIDGuide+`}`)}, &out, &errs))
	require.Contains(t, errs.String(), "clients[0].scopes[2]: no_pid is retired, and accepted only if no_pid is switched on")
	require.Contains(t, errs.String(), "clients[1].scopes[0]: tokeninfo is retired, and accepted only if no_pid is switched on")
	require.Empty(t, out.String())
}
