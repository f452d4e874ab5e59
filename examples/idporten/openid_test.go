package main

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/portner-go/portner/internal/standin/idporten"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// plain is a configuration with the clients and users of the OpenID conformance suite.
const plain = `{
	"profile": "openid",
	"clients": [
		{"client_id":"conf-1","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","code_challenge_method":"none","grant_types":["authorization_code","refresh_token"],"redirect_uris":["http://localhost:1/cb"],
		 "scopes":["openid","profile","email","address","phone","offline_access"]},
		{"client_id":"tilsyn","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","redirect_uris":["http://localhost:1/cb"],"scopes":["openid"],"prompt_values":["login"],"response_modes":["query"]}
	],
	"users": [
		{"username":"conf","password":"passord","claims":{
			"name":"Conf Ormance","given_name":"Conf","family_name":"Ormance","middle_name":"M","nickname":"C","preferred_username":"conf","profile":"https://example.no/conf",
			"picture":"https://example.no/conf.png","website":"https://example.no/","gender":"other","birthdate":"1980-01-31","zoneinfo":"Europe/Oslo","locale":"nb-NO","updated_at":1700000000,
			"email":"conf@example.no","email_verified":true,
			"address":{"formatted":"Gata 1, 0001 Oslo","street_address":"Gata 1","locality":"Oslo","region":"Oslo","postal_code":"0001","country":"NO"},
			"phone_number":"+4712345678","phone_number_verified":true}},
		{"username":"other","password":"passord"}
	]}`

// TestOpenIDProfile checks the claims of the standard scopes, and that tokens have no claims of ID-porten.
func TestOpenIDProfile(t *testing.T) {
	t.Parallel()
	s := start(t, "-config", write(t, plain), "-demo=false")
	v := visit(t, s)
	p := newParty(t, s, "conf-1", clientSecret, nobody, "openid", "profile", "email", "address", "phone", "offline_access")
	login := v.get(p.url())
	require.Nil(t, login.id("user-form"), "no buttons without the demo")
	tok, it := p.exchange(v.login(login, "conf").left.Query())
	require.Empty(t, foreign(p.claims(it), "sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "jti", "sid", "at_hash"))
	require.NotContains(t, tok.AccessToken, "pid")

	info := userinfo(t, p, tok)
	require.Equal(t, it.Subject, info["sub"])
	delete(info, "sub")
	var c idporten.Config
	require.NoError(t, json.Unmarshal([]byte(plain), &c))
	require.Equal(t, c.Users[0].Claims, info)

	next, err := p.refresh(tok.RefreshToken)
	require.NoError(t, err)
	require.Empty(t, p.verify(next).Nonce, "the id_token of a refresh has no nonce (OIDC Core §12.2)")

	// Fewer scopes, fewer claims.
	p = newParty(t, s, "conf-1", clientSecret, nobody, "openid", "email")
	tok, _ = p.exchange(v.get(p.url()).left.Query())
	require.Equal(t, []string{"email", "email_verified", "sub"}, slices.Sorted(maps.Keys(userinfo(t, p, tok))))

	var meta struct {
		Scopes  []string `json:"scopes_supported"`
		Claims  []string `json:"claims_supported"`
		Prompts []string `json:"prompt_values_supported"`
	}
	require.NoError(t, p.provider.Claims(&meta))
	require.ElementsMatch(t, []string{"openid", "profile", "email", "address", "phone", "offline_access"}, meta.Scopes)
	require.ElementsMatch(t, []string{"login", "none", "consent", "select_account"}, meta.Prompts)
	require.Subset(t, meta.Claims, slices.Collect(maps.Keys(c.Users[0].Claims)))
}

// foreign returns the names of the claims that are not in known.
func foreign(claims map[string]any, known ...string) []string {
	var names []string
	for name := range claims {
		if !slices.Contains(known, name) {
			names = append(names, name)
		}
	}
	return names
}

func userinfo(t *testing.T, p *party, tok *oauth2.Token) map[string]any {
	t.Helper()
	u, err := p.provider.UserInfo(p.ctx, oauth2.StaticTokenSource(tok))
	require.NoError(t, err)
	var m map[string]any
	require.NoError(t, u.Claims(&m))
	return m
}

// TestOpenIDPrompts checks all values of prompt, and a registration that restricts them.
func TestOpenIDPrompts(t *testing.T) {
	t.Parallel()
	s := start(t, "-config", write(t, plain), "-demo=false")
	v := visit(t, s)
	p := newParty(t, s, "conf-1", clientSecret, nobody, "openid")
	require.Equal(t, "login_required", v.get(p.url("prompt", "none")).param(t, "error"))
	_, first := p.exchange(v.login(v.get(p.url()), "conf").left.Query())
	_, silent := p.exchange(v.get(p.url("prompt", "none")).left.Query())
	require.Equal(t, first.Subject, silent.Subject)
	for _, prompt := range []string{"login", "select_account"} {
		again := v.get(p.url("prompt", prompt))
		require.Equal(t, "/login", again.url.Path, prompt)
		_, it := p.exchange(v.login(again, "conf").left.Query())
		require.Equal(t, first.Subject, it.Subject)
	}
	asked := v.get(p.url("prompt", "consent"))
	if asked.left == nil {
		require.Equal(t, "/consent", asked.url.Path)
		asked = v.press(asked, "consent-approve")
	}
	p.exchange(asked.left.Query())

	strict := newParty(t, s, "tilsyn", clientSecret, nobody, "openid")
	require.Equal(t, "invalid_request", v.get(strict.url("prompt", "none")).param(t, "error"))
	require.NotEmpty(t, v.get(strict.url("response_mode", "form_post")).left.Query().Get("error"), "query only")
}

// TestIDPortenDefaults checks that clients may use prompt=login only, and both response modes.
func TestIDPortenDefaults(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := visit(t, s)
	p := newParty(t, s, "min-tjeneste", idporten.DemoSecret, s.At.First+"/callback", "openid")
	for prompt, fine := range map[string]bool{"login": true, "none": false, "consent": false, "select_account": false} {
		page := v.get(p.url("prompt", prompt))
		require.Equal(t, fine, page.left == nil, prompt)
		if !fine {
			require.Equal(t, "invalid_request", page.param(t, "error"))
		}
	}
	require.Equal(t, 200, v.login(v.get(p.url("response_mode", "form_post")), "ola").status)
	var meta struct {
		Prompts []string `json:"prompt_values_supported"`
		Scopes  []string `json:"scopes_supported"`
	}
	require.NoError(t, p.provider.Claims(&meta))
	require.Equal(t, []string{"login"}, meta.Prompts)
	require.NotContains(t, meta.Scopes, "email")
	unknown := newParty(t, s, "min-tjeneste", idporten.DemoSecret, s.At.First+"/callback", "openid", "email")
	require.Equal(t, "invalid_scope", v.get(unknown.url()).param(t, "error"))
}

// TestOpenIDDemo plays the demo of the openid profile.
func TestOpenIDDemo(t *testing.T) {
	t.Parallel()
	s := start(t, "-config", write(t, `{"profile":"openid"}`))
	v := tour(t, s)
	home := v.get(s.At.First)
	refused := v.press(home, "story-stille")
	require.Contains(t, refused.text("rp-notice"), "login_required")
	in := v.press(v.press(home, "story-kontakt"), "user-kari")
	require.NotNil(t, in.id("logged-in"), in.body)
	require.Contains(t, in.text("userinfo"), `"email":"kari@example.no"`)
	require.NotContains(t, in.body, "21879498012", "no pid in this profile")
	require.Nil(t, in.id("no-pid"))
	in = v.press(in, "refresh")
	require.Equal(t, "1", in.text("refreshed"))
	require.NotNil(t, v.press(in, "story-stille").id("logged-in"))
	shared := v.press(v.press(in, "story-deling"), "consent-approve", "demo:inntekt.read")
	require.Equal(t, "openid profile demo:inntekt.read", shared.text("granted-scope"))
	called := v.press(shared, "call-api")
	require.Contains(t, called.text("api-answer"), "612 000")
	opaque := v.press(called, "story-opak")
	require.Contains(t, v.press(opaque, "call-api").text("api-answer"), `"checked_by":"introspection"`)
	require.NotNil(t, v.press(v.get(s.At.Second), "story-login").id("logged-in"), "SSO")
	require.True(t, strings.HasPrefix(v.press(v.get(s.At.Isolated), "story-login").url.String(), s.Issuer+"/login"))
}

// TestOwnStandardScope checks a standard scope whose record of the configuration requires consent.
func TestOwnStandardScope(t *testing.T) {
	t.Parallel()
	text := strings.Replace(plain, `"users"`, `"scopes":[{"name":"email","description":"Min e-post","accessible_for_all":true,"requires_user_consent":true}],"users"`, 1)
	s := start(t, "-config", write(t, text), "-demo=false")
	v := visit(t, s)
	p := newParty(t, s, "conf-1", clientSecret, nobody, oidc.ScopeOpenID, "email", "phone")
	asked := v.login(v.get(p.url()), "conf")
	require.Equal(t, "/consent", asked.url.Path)
	require.Contains(t, asked.text("consent-form"), "Min e-post")
	tok, _ := p.exchange(v.submit(asked, "consent-form", url.Values{"action": {"deny"}}).left.Query())
	require.Equal(t, []string{"phone_number", "phone_number_verified", "sub"}, slices.Sorted(maps.Keys(userinfo(t, p, tok))))
}
