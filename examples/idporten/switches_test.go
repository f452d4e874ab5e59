package main

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/portner-go/portner/internal/standin/idporten"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// TestOldLevelNames: the demo accepts Level3 and Level4 in requests, and answers with the level of the login. Beside and without a
// configuration it is a switch, which is off.
func TestOldLevelNames(t *testing.T) {
	t.Parallel()
	demo := start(t)
	p := newParty(t, demo, "min-tjeneste", idporten.DemoSecret, demo.At.First+"/callback", "demo:meldinger.read")
	v := visit(t, demo)
	login := v.get(p.url("acr_values", "Level3"))
	require.Equal(t, "/login", login.url.Path)
	require.NotNil(t, login.id("user-ola"))
	require.NotEmpty(t, p.code(v.login(login, "ola").left.Query()))
}

// levels requests an old level name and returns the acr of the id_token, or the error.
func oldLevel(t *testing.T, s *idporten.Server, level, username string) string {
	t.Helper()
	p := newParty(t, s, "app", "G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U", nobody, "openid")
	v := visit(t, s)
	answer := v.get(p.url("acr_values", level))
	if answer.left == nil {
		answer = v.login(answer, username)
	}
	if answer.left == nil {
		return answer.url.Path // a page: the level does not suffice
	}
	if code := answer.left.Query().Get("error"); code != "" {
		return code
	}
	_, it := p.exchange(answer.left.Query())
	return fmt.Sprint(p.claims(it)["acr"])
}

// app is the registration of one client.
const app = `{"client_id":"app","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","client_orgno":"991825827","integration_type":"api_klient","redirect_uris":["` + nobody + `"],` +
	`"grant_types":["authorization_code","refresh_token"],"scopes":["openid","profile"%s]%s}`

const appUsers = `"users":[{"pid":"21879498012","username":"kari","password":"passord","acr":"idporten-loa-high"},{"pid":"45840375084","username":"ola","password":"passord"}]`

// with returns a configuration with the client app, its further scopes and members, and further members.
func with(t *testing.T, scopes, client, more string) string {
	t.Helper()
	return write(t, `{"clients":[`+fmt.Sprintf(app, scopes, client)+`],`+appUsers+more+`}`)
}

func TestOldLevelNamesAreASwitch(t *testing.T) {
	t.Parallel()
	for more, want := range map[string][3]string{
		`,"old_level_names":true`:  {"idporten-loa-substantial", "idporten-loa-high", "/step-up"},
		``:                         {"invalid_request", "invalid_request", "invalid_request"},
		`,"old_level_names":false`: {"invalid_request", "invalid_request", "invalid_request"},
		`,"old_level_names":true,"profile":"openid"`: {"idporten-loa-substantial", "idporten-loa-high", "/step-up"},
	} {
		s := start(t, "-demo=false", "-config", with(t, "", "", more))
		require.Equal(t, want[0], oldLevel(t, s, "Level3", "ola"), more)
		require.Equal(t, want[1], oldLevel(t, s, "Level4", "kari"), more)
		require.Contains(t, []string{want[2], "/login"}, oldLevel(t, s, "Level4", "ola"), more)
	}
}

// TestNoPID plays the third method of pseudonymous login: with the switch no_pid, a request with the scope no_pid gets tokens and a
// userinfo answer without the national identity number, also with openid and profile. A resource server with the scope tokeninfo, of the
// organisation that owns the other scopes, resolves the token at /tokeninfo after client authentication. Without the switch, the
// registration of either scope is refused.
func TestNoPID(t *testing.T) {
	t.Parallel()
	scopes := `,"scopes":[{"name":"test:api","owner_orgno":"974761076","accessible_for_all":true,"description":"API"}]`
	config := func(more string) string {
		return write(t, `{"clients":[`+fmt.Sprintf(app, `,"no_pid","test:api"`, "")+`,
			{"client_id":"api","client_secret":"Wn5RsUx1VbQe8LmYz4TcHk0GpXd6JaF2","client_orgno":"974761076","integration_type":"api_klient","scopes":["tokeninfo"]},
			{"client_id":"annen","client_secret":"Tq9HxZs3KvRb6MnYw1LcJd5GpUe8FaX0","client_orgno":"910753614","integration_type":"api_klient","scopes":["tokeninfo"]}],`+appUsers+scopes+more+`}`)
	}
	_, err := idporten.ReadConfig(config(""), false)
	require.ErrorContains(t, err, "clients[0].scopes[2]: no_pid is retired, and accepted only if no_pid is switched on")
	require.ErrorContains(t, err, "clients[1].scopes[0]: tokeninfo is retired")

	s := start(t, "-demo=false", "-config", config(`,"no_pid":true`))
	for _, requested := range [][]string{{"openid", "profile", "no_pid", "test:api"}, {"no_pid", "test:api"}} {
		p := newParty(t, s, "app", "G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U", nobody, requested...)
		answer := visit(t, s)
		code := p.code(answer.login(answer.get(p.url()), "ola").left.Query())
		tok, err := p.conf.Exchange(p.ctx, code, oauth2.VerifierOption(p.verifier))
		require.NoError(t, err)
		require.NotContains(t, payloadOf(t, tok.AccessToken), "pid")
		require.Equal(t, strings.ReplaceAll(strings.Join(requested, " "), "no_pid ", ""), tok.Extra("scope"))
		if requested[0] == "openid" {
			it := p.verify(tok)
			require.NotContains(t, p.claims(it), "pid")
			info, err := p.provider.UserInfo(p.ctx, oauth2.StaticTokenSource(tok))
			require.NoError(t, err)
			var claims map[string]any
			require.NoError(t, info.Claims(&claims))
			require.NotContains(t, claims, "pid")
		}
		_, resolved := post(t, s, "/tokeninfo", "api", "Wn5RsUx1VbQe8LmYz4TcHk0GpXd6JaF2", url.Values{"token": {tok.AccessToken}})
		require.Equal(t, "45840375084", resolved["pid"], "%v", resolved)
		_, foreign := post(t, s, "/tokeninfo", "annen", "Tq9HxZs3KvRb6MnYw1LcJd5GpUe8FaX0", url.Values{"token": {tok.AccessToken}})
		require.NotContains(t, foreign, "pid")
		status, _ := post(t, s, "/tokeninfo", "api", "feil", url.Values{"token": {tok.AccessToken}})
		require.Equal(t, http.StatusUnauthorized, status)
	}
	p := newParty(t, s, "app", "G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U", nobody, "openid")
	v := visit(t, s)
	_, it := p.exchange(v.login(v.get(p.url()), "ola").left.Query())
	require.NotContains(t, p.claims(it), "pid", "the client is registered with no_pid")
}

func payloadOf(t *testing.T, token string) map[string]any { t.Helper(); return segmentOf(t, token, 1) }

// segmentOf decodes a part of a JWT.
func segmentOf(t *testing.T, token string, i int) (m map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3)
	text, err := base64.RawURLEncoding.DecodeString(parts[i])
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &m))
	return m
}

// TestAccessTokenType: the header typ of access tokens is at+jwt in the profile openid, absent in the profile idporten, and what
// access_token_type says.
func TestAccessTokenType(t *testing.T) {
	t.Parallel()
	for more, want := range map[string]any{
		`,"profile":"openid"`: "at+jwt", `,"profile":"openid","access_token_type":"none"`: nil, ``: nil, `,"access_token_type":"at+jwt"`: "at+jwt",
	} {
		s := start(t, "-demo=false", "-config", with(t, "", "", more))
		p := newParty(t, s, "app", "G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U", nobody, "openid", "profile")
		v := visit(t, s)
		tok, _ := p.exchange(v.login(v.get(p.url()), "ola").left.Query())
		require.Equal(t, want, segmentOf(t, tok.AccessToken, 0)["typ"], more)
		_, rfc9068 := payloadOf(t, tok.AccessToken)["aud"]
		require.Equal(t, more != ``, rfc9068, "the claims do not depend on the header: %s", more)
	}
	_, err := idporten.ReadConfig(write(t, `{"access_token_type":"JWT"}`), false)
	require.ErrorContains(t, err, `access_token_type: "JWT" is neither at+jwt nor none`)
}

// TestSigningAlgorithms: the keys are those of signing_algorithms, or else RS256 and what clients registered.
func TestSigningAlgorithms(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		client, more string
		want         []string
	}{
		"default":                   {"", "", []string{"RS256"}},
		"registered":                {`,"id_token_signed_response_alg":"ES256","access_token_signed_response_alg":"EdDSA"`, "", []string{"RS256", "ES256", "EdDSA"}},
		"configured":                {"", `,"signing_algorithms":["ES256"]`, []string{"ES256"}},
		"configured, the default":   {"", `,"signing_algorithms":["PS256","RS256"]`, []string{"PS256", "RS256"}},
		"configured and registered": {`,"id_token_signed_response_alg":"RS256"`, `,"signing_algorithms":["PS256","RS256"]`, []string{"PS256", "RS256"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, "-demo=false", "-config", with(t, "", tt.client, tt.more))
			var metadata struct {
				Algs []string `json:"id_token_signing_alg_values_supported"`
			}
			var jwks struct{ Keys []map[string]any }
			fetch(t, s, "/.well-known/openid-configuration", &metadata)
			fetch(t, s, "/jwks.json", &jwks)
			var algs []string
			for _, k := range jwks.Keys {
				algs = append(algs, k["alg"].(string))
			}
			require.ElementsMatch(t, tt.want, metadata.Algs)
			require.ElementsMatch(t, tt.want, algs)
			require.Equal(t, tt.want[0], metadata.Algs[0], "the default")
			p := newParty(t, s, "app", "G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U", nobody, "openid")
			v := visit(t, s)
			p.exchange(v.login(v.get(p.url()), "ola").left.Query())
		})
	}
	_, err := idporten.ReadConfig(with(t, "", `,"id_token_signed_response_alg":"RS256"`, `,"signing_algorithms":["ES256","ES256","none"]`), false)
	require.ErrorContains(t, err, `signing_algorithms[1]: "ES256" occurs twice`)
	require.ErrorContains(t, err, `signing_algorithms[2]: "none" is none of RS256`)
	require.ErrorContains(t, err, "clients[0].id_token_signed_response_alg: must be one of signing_algorithms")
}

func fetch(t *testing.T, s *idporten.Server, path string, into any) {
	t.Helper()
	resp, err := s.Outgoing.Get(s.Issuer + path)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.NoError(t, json.NewDecoder(resp.Body).Decode(into))
}

// TestKeyCertificates: the tokens of the demo in the profile idporten have the header of ID-porten's: kid, alg, and as x5c the
// certificate of the key, which the JWKS has, too. Elsewhere this is a switch.
func TestKeyCertificates(t *testing.T) {
	t.Parallel()
	demo := start(t)
	headers := headersOf(t, demo, newParty(t, demo, "min-tjeneste", idporten.DemoSecret, demo.At.First+"/callback", "openid", "profile"))
	for _, header := range headers {
		require.Len(t, header, 3, "%v", header)
	}
	for more, want := range map[string]bool{``: false, `,"key_certificates":true`: true, `,"profile":"openid","key_certificates":true`: true, `,"key_certificates":false`: false} {
		s := start(t, "-demo=false", "-config", with(t, "", "", more))
		for _, header := range headersOf(t, s, newParty(t, s, "app", "G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U", nobody, "openid", "profile")) {
			_, has := header["x5c"]
			require.Equal(t, want, has, more)
		}
	}
	openid := start(t, "-config", write(t, `{"profile":"openid"}`))
	for _, header := range headersOf(t, openid, newParty(t, openid, "min-tjeneste", idporten.DemoSecret, openid.At.First+"/callback", "openid", "profile")) {
		require.NotContains(t, header, "x5c")
	}
}

// headersOf logs in and returns the headers of the id_token and the access token. Each x5c holds the certificate of the key.
func headersOf(t *testing.T, s *idporten.Server, p *party) (headers []map[string]any) {
	t.Helper()
	v := visit(t, s)
	tok, _ := p.exchange(v.login(v.get(p.url()), "ola").left.Query())
	var jwks struct{ Keys []map[string]any }
	fetch(t, s, "/jwks.json", &jwks)
	for _, token := range []string{tok.Extra("id_token").(string), tok.AccessToken} {
		header := segmentOf(t, token, 0)
		headers = append(headers, header)
		require.Equal(t, jwks.Keys[0]["kid"], header["kid"])
		require.Equal(t, jwks.Keys[0]["x5c"], header["x5c"])
		chain, ok := header["x5c"].([]any)
		if !ok {
			continue
		}
		require.Len(t, chain, 1)
		der, err := base64.StdEncoding.DecodeString(chain[0].(string))
		require.NoError(t, err)
		cert, err := x509.ParseCertificate(der)
		require.NoError(t, err)
		parts := strings.SplitN(token, ".", 3)
		sig, err := base64.RawURLEncoding.DecodeString(parts[2])
		require.NoError(t, err)
		require.NoError(t, cert.CheckSignature(x509.SHA256WithRSA, []byte(parts[0]+"."+parts[1]), sig))
	}
	return headers
}

// TestPredefinedScopes: the scopes of the authorizations API and of the login history need no record in the configuration. A client that
// registers them gets tokens for these APIs. They are not in scopes_supported.
func TestPredefinedScopes(t *testing.T) {
	t.Parallel()
	s := start(t, "-demo=false", "-config", with(t, `,"idporten:authorizations","idporten:user.log.read"`, "", ""))
	p := newParty(t, s, "app", "G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U", nobody, "openid", "idporten:authorizations", "idporten:user.log.read")
	v := visit(t, s)
	tok, _ := p.exchange(v.login(v.get(p.url()), "kari").left.Query())
	for _, path := range []string{"/clients/authorizations?require_user_consent=false", "/api-provider/authorizations", "/innlogginger/logg/idporten"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Issuer+path, nil)
		require.NoError(t, err)
		tok.SetAuthHeader(r)
		resp, err := s.Outgoing.Do(r)
		require.NoError(t, err)
		_ = resp.Body.Close()
		require.Equal(t, http.StatusOK, resp.StatusCode, path)
	}
	var metadata struct {
		Scopes []string `json:"scopes_supported"`
	}
	fetch(t, s, "/.well-known/openid-configuration", &metadata)
	require.Equal(t, []string{"openid", "profile"}, metadata.Scopes)
}
