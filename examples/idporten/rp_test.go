package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/portner-go/portner/internal/standin/idporten"
	"github.com/portner-go/portner/internal/standin/standintest"
)

// TestRelyingParty: login, refresh, userinfo, introspection and revocation with the clients of the demo,
// over HTTP.
func TestRelyingParty(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := visit(t, s)
	p := newParty(t, s, "min-tjeneste", idporten.DemoSecret, s.At.First+"/callback", "openid", "profile", "demo:meldinger.read")
	login := v.get(p.url("acr_values", "idporten-loa-high", "ui_locales", "en"))
	require.Equal(t, "/login", login.url.Path)
	require.Equal(t, "Log in", login.text("main")[:6])
	failed := v.submit(login, "login-form", url.Values{"username": {"kari"}, "password": {"feil"}, "action": {"login"}})
	require.Equal(t, http.StatusUnauthorized, failed.status)
	done := v.login(failed, "kari")
	tok, it := p.exchange(done.left.Query())
	claims := p.claims(it)
	require.Equal(t, "21879498012", claims["pid"])
	require.Equal(t, "idporten-loa-high", claims["acr"])
	require.Equal(t, []any{"BankID"}, claims["amr"])
	require.Equal(t, "en", claims["locale"])
	require.NotEmpty(t, claims["sid"])

	// A code can be redeemed once.
	_, err := p.conf.Exchange(p.ctx, done.param(t, "code"), oauth2.VerifierOption(oauth2.GenerateVerifier()))
	refusedWith(t, err, "invalid_grant")

	info, err := p.provider.UserInfo(p.ctx, oauth2.StaticTokenSource(tok))
	require.NoError(t, err)
	require.Equal(t, it.Subject, info.Subject)

	next, err := p.refresh(tok.RefreshToken)
	require.NoError(t, err)
	require.NotEqual(t, tok.RefreshToken, next.RefreshToken)
	require.NotEqual(t, tok.AccessToken, next.AccessToken)

	// Only the owner of the scope may introspect the token.
	status, answer := post(t, s, "/tokeninfo", idporten.DemoAPIClient, idporten.DemoAPISecret, url.Values{"token": {next.AccessToken}})
	require.Equal(t, 200, status)
	require.Equal(t, true, answer["active"], "%v", answer)
	require.Equal(t, "21879498012", answer["pid"])
	require.Equal(t, "openid profile demo:meldinger.read", answer["scope"])
	_, answer = post(t, s, "/introspect", "annen-tjeneste", idporten.DemoSecret, url.Values{"token": {next.AccessToken}})
	require.NotEqual(t, true, answer["active"])
	require.NotContains(t, answer, "pid")

	status, _ = post(t, s, "/revoke", "min-tjeneste", idporten.DemoSecret, url.Values{"token": {next.RefreshToken}})
	require.Equal(t, 200, status)
	_, err = p.refresh(next.RefreshToken)
	refusedWith(t, err, "invalid_grant")
	_, answer = post(t, s, "/tokeninfo", idporten.DemoAPIClient, idporten.DemoAPISecret, url.Values{"token": {next.AccessToken}})
	require.Equal(t, map[string]any{"active": false}, answer)
	_, err = p.provider.UserInfo(p.ctx, oauth2.StaticTokenSource(next))
	require.ErrorContains(t, err, "401")
}

// TestReplayedRefresh checks that an old refresh token revokes its family (RFC 9700 §4.14).
func TestReplayedRefresh(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := visit(t, s)
	p := newParty(t, s, "min-tjeneste", idporten.DemoSecret, s.At.First+"/callback", "openid")
	tok, _ := p.exchange(v.login(v.get(p.url()), "ola").left.Query())
	next, err := p.refresh(tok.RefreshToken)
	require.NoError(t, err)
	_, err = p.refresh(tok.RefreshToken)
	refusedWith(t, err, "invalid_grant")
	_, err = p.refresh(next.RefreshToken)
	refusedWith(t, err, "invalid_grant")
}

// team is a configuration with one client of each kind. No server listens at the redirect URIs.
func team(t *testing.T, k key, more string) string {
	t.Helper()
	return write(t, fmt.Sprintf(`{
		"clients": [
			{"client_id":"post","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","client_orgno":"991825827","integration_type":"idporten","token_endpoint_auth_method":"client_secret_post","redirect_uris":["http://localhost:1/cb"]},
			{"client_id":"nokkel","client_orgno":"991825827","integration_type":"idporten","token_endpoint_auth_method":"private_key_jwt","jwks":%[1]s,"redirect_uris":["http://localhost:1/cb"],"id_token_signed_response_alg":"ES256"},
			{"client_id":"par","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","client_orgno":"991825827","integration_type":"idporten","redirect_uris":["http://localhost:1/cb"],"require_pushed_authorization_requests":true},
			{"client_id":"signert","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","client_orgno":"991825827","integration_type":"idporten","jwks":%[1]s,"redirect_uris":["http://localhost:1/cb"],"require_signed_request_object":true},
			{"client_id":"nettleser","client_orgno":"991825827","integration_type":"idporten","application_type":"browser","grant_types":["authorization_code","refresh_token"],"redirect_uris":["http://localhost:5173/cb"]},
			{"client_id":"mobil","client_orgno":"991825827","integration_type":"idporten","application_type":"native","grant_types":["authorization_code","refresh_token"],"redirect_uris":["no.example.app:/cb","http://127.0.0.1/cb","http://[::1]:0/cb"]},
			{"client_id":"alene","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","client_orgno":"991825827","integration_type":"idporten","redirect_uris":["http://localhost:1/cb"],"sso_disabled":true},
			{"client_id":"leverandor","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","client_name":"Leverandøren","client_orgno":"991825827","integration_type":"idporten","redirect_uris":["http://localhost:1/cb"],
			 "onbehalfof":[{"onbehalfof":"kommunen","display_name":"Kommunen","orgno":"974761076"}]},
			{"client_id":"avslatt","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","redirect_uris":["http://localhost:1/cb"],"active":false}
		],
		"users": [
			{"pid":"21879498012","username":"kari","password":"passord","acr":"idporten-loa-high","amr":["BankID"]},
			{"pid":"45840375084","username":"ola","password":"passord"},
			{"username":"sperret","password":"passord","active":false}
		]%[2]s}`, k.jwks, more))
}

const nobody = "http://localhost:1/cb"

// TestClientAuthentication checks that each client can authenticate with its registered method only.
func TestClientAuthentication(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	s := start(t, "-config", team(t, k, ""))
	v := visit(t, s)

	p := newParty(t, s, "post", clientSecret, nobody, "openid", "profile")
	p.conf.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	_, it := p.exchange(v.login(v.get(p.url()), "ola").left.Query())
	require.Equal(t, "45840375084", p.claims(it)["pid"])
	p.conf.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	_, err := p.conf.Exchange(p.ctx, v.get(p.url()).param(t, "code"), oauth2.VerifierOption(p.verifier))
	refusedWith(t, err, "invalid_client")

	p = newParty(t, s, "nokkel", "", nobody, "openid", "profile")
	p.conf.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	_, it = p.exchange(v.get(p.url()).left.Query(), k.assertion(t, "nokkel", s.Issuer)...)
	require.Equal(t, "45840375084", p.claims(it)["pid"], "SSO: the same person")
	used := k.assertion(t, "nokkel", s.Issuer)
	p.exchange(v.get(p.url()).left.Query(), used...)
	for _, assertion := range map[string][]string{
		"used twice": used, "for the token endpoint": k.assertion(t, "nokkel", s.Issuer+"/token"), "by another key": newKey(t).assertion(t, "nokkel", s.Issuer), "none": nil,
	} {
		opts := append(pairs(assertion...), oauth2.VerifierOption(p.verifier))
		_, err := p.conf.Exchange(p.ctx, v.get(p.url()).param(t, "code"), opts...)
		refusedWith(t, err, "invalid_client")
	}
}

// TestPushedRequest checks that a pushed request is used once, and that one client must push (RFC 9126).
func TestPushedRequest(t *testing.T) {
	t.Parallel()
	s := start(t, "-config", team(t, newKey(t), ""))
	v := visit(t, s)
	p := newParty(t, s, "par", clientSecret, nobody, "openid")
	require.Equal(t, "invalid_request", v.get(p.url()).param(t, "error"))
	status, pushed := post(t, s, "/par", "par", clientSecret, p.params())
	require.Equal(t, http.StatusCreated, status, "%v", pushed)
	require.InDelta(t, 120, pushed["expires_in"], 0)
	short := s.Issuer + "/authorize?" + url.Values{"client_id": {"par"}, "request_uri": {pushed["request_uri"].(string)}}.Encode()
	p.exchange(v.login(v.get(short), "ola").left.Query())
	require.NotNil(t, v.get(short).id("error-code"), "a request_uri is for one login")

	status, refused := post(t, s, "/par", "par", "feil", p.params())
	require.Equal(t, http.StatusUnauthorized, status)
	require.Equal(t, "invalid_client", refused["error"])
}

// TestFormPost receives the response by form_post.
func TestFormPost(t *testing.T) {
	t.Parallel()
	s := start(t, "-config", team(t, newKey(t), ""))
	v := visit(t, s)
	p := newParty(t, s, "alene", clientSecret, nobody, "openid")
	page := v.login(v.get(p.url("response_mode", "form_post")), "ola")
	require.Equal(t, 200, page.status)
	for n := range page.root.Descendants() {
		if n.Data == "form" {
			require.Equal(t, nobody, attr(n, "action"))
			p.exchange(fields(n))
			return
		}
	}
	t.Fatal("no form")
}

// TestSignedRequest sends a signed request object (RFC 9101).
func TestSignedRequest(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	s := start(t, "-config", team(t, k, ""))
	v := visit(t, s)
	p := newParty(t, s, "signert", clientSecret, nobody, "openid")
	object := func(signer key) string {
		claims := map[string]any{"iss": "signert", "aud": s.Issuer, "iat": now().Unix(), "exp": now().Add(time.Minute).Unix(), "jti": "x"}
		for name, values := range p.params() {
			claims[name] = values[0]
		}
		return s.Issuer + "/authorize?" + url.Values{"client_id": {"signert"}, "request": {signer.sign(t, "oauth-authz-req+jwt", claims)}}.Encode()
	}
	p.exchange(v.login(v.get(object(k)), "ola").left.Query())
	require.NotNil(t, v.get(object(newKey(t))).id("error-code"), "another key")
	require.Equal(t, "invalid_request", v.get(p.url()).param(t, "error"), "no object")
}

// TestHeadlessLogin logs in without a page (docs/spec/idporten.md §3.8), if the configuration enables it.
func TestHeadlessLogin(t *testing.T) {
	t.Parallel()
	s := start(t, "-config", team(t, newKey(t), `,"test_login":true`))
	for pid, level := range map[string]string{"21879498012": "idporten-loa-high", "45840375084": "idporten-loa-substantial", "17912099997": "idporten-loa-substantial"} {
		p := newParty(t, s, "alene", clientSecret, nobody, "openid", "profile")
		answer := visit(t, s).get(p.url("login_hint", "testid:"+pid+"_"+level))
		tok, it := p.exchange(answer.left.Query())
		require.Equal(t, pid, p.claims(it)["pid"])
		require.Equal(t, level, p.claims(it)["acr"])
		require.Equal(t, []any{"TestID"}, p.claims(it)["amr"])
		_, err := p.provider.UserInfo(p.ctx, oauth2.StaticTokenSource(tok))
		require.NoError(t, err)
	}
	off := start(t, "-config", team(t, newKey(t), ""))
	p := newParty(t, off, "alene", clientSecret, nobody, "openid")
	require.Equal(t, "/login", visit(t, off).get(p.url("login_hint", "testid:21879498012_idporten-loa-high")).url.Path)
}

// TestHeadlessLoginByName logs in configured users without a page, by their usernames: in each profile, at http and https, and also users
// without a national identity number.
func TestHeadlessLoginByName(t *testing.T) {
	t.Parallel()
	cert, key := standintest.SelfSigned(t, nil)
	for _, profile := range []string{"idporten", "openid"} {
		for _, flags := range [][]string{nil, {"-tls-cert", cert, "-tls-key", key, "-insecure-trust-self-signed"}} {
			s := start(t, append(flags, "-config", write(t, `{"profile":"`+profile+`","test_login":true,
				"clients":[{"client_id":"app","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","client_orgno":"991825827","redirect_uris":["`+nobody+`"],"scopes":["openid","profile"]}],
				"users":[{"username":"kari","password":"x","pid":"21879498012","acr":"idporten-loa-high","amr":["BankID"]},
				{"username":"uten_nummer","password":"x","acr":"selfregistered-email","claims":{"email":"noen@example.no"}},
				{"username":"borte","password":"x","active":false}]}`))...)
			p := newParty(t, s, "app", "G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U", nobody, "openid", "profile")
			_, it := p.exchange(visit(t, s).get(p.url("login_hint", "testid:kari")).left.Query())
			require.Equal(t, "idporten-loa-high", p.claims(it)["acr"])
			require.Equal(t, []any{"BankID"}, p.claims(it)["amr"])
			_, it = p.exchange(visit(t, s).get(p.url("login_hint", "testid:uten_nummer", "acr_values", "selfregistered-email")).left.Query())
			require.Equal(t, "selfregistered-email", p.claims(it)["acr"])
			_, it = p.exchange(visit(t, s).get(p.url("login_hint", "testid:21879498012_idporten-loa-substantial")).left.Query())
			require.Equal(t, "idporten-loa-substantial", p.claims(it)["acr"])
			for _, name := range []string{"borte", "ukjent", ""} {
				require.Equal(t, "access_denied", visit(t, s).get(p.url("login_hint", "testid:"+name)).param(t, "error"), name)
			}
		}
	}
}

// TestBrowserClient verifies that a browser client can call from its own origin only (docs/spec/idporten.md §16).
func TestBrowserClient(t *testing.T) {
	t.Parallel()
	s := start(t, "-config", team(t, newKey(t), ""))
	v := visit(t, s)
	origin := "http://localhost:5173"
	p := newParty(t, s, "nettleser", "", origin+"/cb", "openid", "profile")
	p.conf.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	cors := &corsTransport{origin: origin, next: s.Outgoing.Transport}
	p.ctx = oidc.ClientContext(t.Context(), &http.Client{Transport: cors})
	tok, _ := p.exchange(v.login(v.get(p.url()), "ola").left.Query())
	require.Equal(t, origin, cors.allowed)
	_, err := p.provider.UserInfo(p.ctx, oauth2.StaticTokenSource(tok))
	require.NoError(t, err)
	require.Equal(t, origin, cors.allowed)
	next, err := p.refresh(tok.RefreshToken)
	require.NoError(t, err)
	require.NotEqual(t, tok.RefreshToken, next.RefreshToken, "public clients rotate")

	for from, want := range map[string]string{origin: origin, "http://localhost:1": "", "http://evil.example": "", "null": ""} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, s.Issuer+"/token", nil)
		require.NoError(t, err)
		r.Header.Set("Origin", from)
		r.Header.Set("Access-Control-Request-Method", "POST")
		resp, err := s.Outgoing.Do(r)
		require.NoError(t, err)
		_ = resp.Body.Close()
		require.Equal(t, want, resp.Header.Get("Access-Control-Allow-Origin"), from)
	}

	// PKCE and state are required.
	bare := url.Values{"client_id": {"nettleser"}, "redirect_uri": {origin + "/cb"}, "response_type": {"code"}, "scope": {"openid"}, "state": {"x"}}
	require.Equal(t, "invalid_request", v.get(s.Issuer+"/authorize?"+bare.Encode()).param(t, "error"))
}

// corsTransport sends requests as a script in a browser.
type corsTransport struct {
	origin, allowed string
	next            http.RoundTripper
}

func (c *corsTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Origin", c.origin)
	resp, err := c.next.RoundTrip(r)
	if err == nil {
		c.allowed = resp.Header.Get("Access-Control-Allow-Origin")
	}
	return resp, err
}

// TestNativeClient receives the response on any loopback port, or with its own scheme.
func TestNativeClient(t *testing.T) {
	t.Parallel()
	s := start(t, "-config", team(t, newKey(t), ""))
	v := visit(t, s)
	app, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer app.Close()
	p := newParty(t, s, "mobil", "", "http://"+app.Addr().String()+"/cb", "openid")
	p.conf.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	left := v.login(v.get(p.url()), "ola").left
	heard := make(chan url.Values, 1)
	go func() {
		c, err := app.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			heard <- r.URL.Query()
			_, _ = c.Write([]byte("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"))
		}
	}()
	resp, err := http.Get(left.String())
	require.NoError(t, err)
	_ = resp.Body.Close()
	p.exchange(<-heard)

	for redirect, fine := range map[string]bool{
		"no.example.app:/cb": true, "http://[::1]:4711/cb": true, "http://127.0.0.1/cb": true,
		"http://localhost:4711/cb": false, "http://127.0.0.1:4711/other": false, "http://127.0.0.1:0/cb": false, "no.example.app:/other": false,
	} {
		p := newParty(t, s, "mobil", "", redirect, "openid")
		answer := v.get(p.url())
		if fine {
			require.NotEmpty(t, answer.param(t, "code"), redirect)
		} else {
			require.Nil(t, answer.left, redirect)
			require.NotNil(t, answer.id("error-code"), redirect)
		}
	}
}

// TestIsolatedClient checks that a client without single sign-on takes part in single logout.
func TestIsolatedClient(t *testing.T) {
	t.Parallel()
	s := start(t, "-config", team(t, newKey(t), ""))
	v := visit(t, s)
	common := newParty(t, s, "leverandor", clientSecret, nobody, "openid")
	v.login(v.get(common.url()), "ola")
	require.NotNil(t, v.get(common.url()).left)
	alone := newParty(t, s, "alene", clientSecret, nobody, "openid")
	asked := v.get(alone.url())
	require.Equal(t, "/login", asked.url.Path)
	require.NotNil(t, v.login(asked, "ola").left)
	require.NotNil(t, v.get(alone.url()).left, "with itself")
	require.NotNil(t, v.get(s.Issuer+"/logout").id("logged-out"), "ID-porten does not ask")
	require.Equal(t, "/login", v.get(alone.url()).url.Path)
	require.Equal(t, "/login", v.get(common.url()).url.Path)
}

// TestOnBehalfOf verifies that the page shows the customer's name (docs/spec/idporten.md §18.1).
func TestOnBehalfOf(t *testing.T) {
	t.Parallel()
	s := start(t, "-config", team(t, newKey(t), ""))
	v := visit(t, s)
	p := newParty(t, s, "leverandor", clientSecret, nobody, "openid")
	require.Equal(t, "Leverandøren", v.get(p.url()).text("client-name"))
	require.Equal(t, "Kommunen", v.get(p.url("onbehalfof", "kommunen")).text("client-name"))
	unknown := v.get(p.url("onbehalfof", "ukjent"))
	require.Equal(t, "invalid_request", unknown.param(t, "error"))
}

// TestMetadata checks that the metadata lists the enabled features only.
func TestMetadata(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		var m map[string]any
		require.NoError(t, json.Unmarshal([]byte(visit(t, s).get(s.Issuer+path).body), &m))
		require.Equal(t, s.Issuer, m["issuer"])
		require.Equal(t, s.Issuer+"/par", m["pushed_authorization_request_endpoint"])
		require.Contains(t, m["token_endpoint_auth_methods_supported"], "private_key_jwt")
		for name, v := range m {
			if text, ok := v.(string); ok && strings.HasSuffix(name, "_endpoint") {
				require.True(t, strings.HasPrefix(text, s.Issuer+"/"), name)
			}
		}
	}
}

// TestNoButtons checks that users cannot log in without a password if the demo is off.
func TestNoButtons(t *testing.T) {
	t.Parallel()
	s := start(t, "-config", team(t, newKey(t), ""), "-demo=false")
	require.Len(t, s.Sites, 1, "the provider only")
	v := visit(t, s)
	p := newParty(t, s, "alene", clientSecret, nobody, "openid")
	login := v.get(p.url())
	require.Nil(t, login.id("user-form"))
	require.Equal(t, http.StatusUnauthorized, v.submit(login, "login-form", url.Values{"user": {"kari"}}).status)
	p.exchange(v.login(login, "kari").left.Query())
	require.NotContains(t, v.get(s.Issuer+"/").body, "tjeneste</a>")
}
