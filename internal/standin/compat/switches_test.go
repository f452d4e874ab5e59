package compat_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/standin/compat"
)

// TestSwitches: each switch allows what is refused without it, and what the other ones allow is refused. It logs a warning that names it.
func TestSwitches(t *testing.T) {
	t.Parallel()
	machine := []string{"grant_type", "client_credentials", "scope", "api:read"}
	ok := func(s *server, a answer) {
		s.Helper()
		require.Equal(s, 200, a.StatusCode, a.text)
	}
	tried := map[compat.Switch]func(s *server){
		compat.AnyIssuer: func(s *server) {
			require.Equal(s, s.url+"/a/b", s.get("/a/b/.well-known/openid-configuration").str("issuer"))
			ok(s, s.post("/a/b/token", "app", "short", machine...))
			require.Equal(s, 404, s.get("/a%20b/.well-known/openid-configuration").StatusCode)
		},
		compat.AnySecret: func(s *server) {
			ok(s, s.post("/default/token", "app", "wrong", machine...))
			ok(s, s.post("/default/token", "", "", append(machine, "client_id", "app", "client_secret", "another")...))
			require.Equal(s, 401, s.post("/default/token", "other", "secret", machine...).StatusCode, "the client is unknown")
			require.Equal(s, 401, s.post("/default/token", "app", "", machine...).StatusCode, "no secret")
		},
		compat.AnyRedirectURI: func(s *server) {
			q := s.logIn("default", "alice", "", "redirect_uri", "https://other.example.com/cb")
			require.NotEmpty(s, q.Get("code"))
			a := s.post("/default/token", "app", "short", "grant_type", "authorization_code", "code", q.Get("code"), "redirect_uri", "https://other.example.com/x", "code_verifier", verifier)
			require.Equal(s, "invalid_grant", a.str("error"), "it must still be that of the request")
			require.Equal(s, 400, s.get("/default/authorize?"+authRequest("redirect_uri", "javascript:alert(1)").Encode()).StatusCode)
			out := s.get("/default/endsession?client_id=app&post_logout_redirect_uri=" + url.QueryEscape("https://other.example.com/bye"))
			require.Equal(s, "https://other.example.com/bye", out.Header.Get("Location"), out.text)
		},
		compat.AnyScope: func(s *server) {
			a := s.post("/default/token", "app", "short", "grant_type", "client_credentials", "scope", "api://Any/.default")
			require.Equal(s, "api://Any/.default", s.claims(a.str("access_token"))["aud"], a.text)
			a = s.redeem("default", s.logIn("default", "alice", "", "scope", "openid User.Read"))
			require.Equal(s, "openid User.Read", a.str("scope"))
		},
		compat.AnyAudience: func(s *server) {
			user := s.redeem("default", s.logIn("default", "alice", "", "scope", "openid api:read"))
			a := s.post("/default/token", "middle", "another", "grant_type", exchange, "subject_token", user.str("access_token"), "subject_token_type", accessType, "audience", "urn:other")
			require.Equal(s, "urn:other", s.claims(a.str("access_token"))["aud"], a.text)
			a = s.post("/default/token", "middle", "another", "grant_type", exchange, "subject_token", user.str("access_token"), "subject_token_type", accessType, "audience", "app")
			require.Equal(s, "invalid_target", a.str("error"), "a client needs client-audience")
		},
		compat.AnyOrigin: func(s *server) {
			require.Equal(s, "https://other.example.com", s.preflight("https://other.example.com").Header.Get("Access-Control-Allow-Origin"))
			r := s.request(http.MethodPost, "/default/token", values(append(machine, "client_id", "app")...))
			r.Header.Set("Origin", "https://other.example.com")
			a := s.do(r)
			require.Equal(s, []any{401, "https://other.example.com"}, []any{a.StatusCode, a.Header.Get("Access-Control-Allow-Origin")})
			require.Empty(s, a.Header.Get("Access-Control-Allow-Credentials"))
		},
		compat.MissingVerifier: func(s *server) {
			q := s.logIn("default", "alice", "", "code_challenge", "", "code_challenge_method", "")
			ok(s, s.post("/default/token", "app", "short", "grant_type", "authorization_code", "code", q.Get("code"), "redirect_uri", "http://localhost:9999/callback"))
			q = s.logIn("default", "alice", "")
			a := s.post("/default/token", "app", "short", "grant_type", "authorization_code", "code", q.Get("code"), "redirect_uri", "http://localhost:9999/callback")
			require.Equal(s, "invalid_grant", a.str("error"), "a challenge that was sent is verified")
		},
		compat.PasswordGrant: func(s *server) {
			a := s.post("/default/token", "app", "short", "grant_type", "password", "username", "alice", "password", "x")
			require.Equal(s, "alice", s.claims(a.str("id_token"))["sub"], a.text)
			require.Equal(s, 401, s.post("/default/token", "app", "wrong", "grant_type", "password", "username", "alice", "password", "x").StatusCode)
		},
		compat.ClientAudience: func(s *server) {
			user := s.redeem("default", s.logIn("default", "alice", "", "scope", "openid api:read"))
			// app is a client, and audiences of the configuration names it in this test.
			a := s.post("/default/token", "middle", "another", "grant_type", exchange, "subject_token", user.str("access_token"), "subject_token_type", accessType, "audience", "app")
			require.Equal(s, "app", s.claims(a.str("access_token"))["aud"], a.text)
			ok(s, s.post("/default/token", "middle", "another", "grant_type", exchange, "subject_token", a.str("access_token"), "subject_token_type", accessType))
		},
		compat.UnverifiedAssertion: func(s *server) {
			claims := map[string]any{"iss": "https://else.example.com", "sub": "mallory", "exp": time.Now().Add(time.Minute).Unix(), "scope": "api:read", "unit": "7", "aud": "x"}
			for _, form := range [][]string{
				{"grant_type", onBehalfOf, "assertion", unsigned(claims)},
				{"grant_type", exchange, "subject_token", unsigned(claims), "subject_token_type", accessType},
			} {
				a := s.post("/default/token", "middle", "another", form...)
				at := s.claims(a.str("access_token"))
				require.Equal(s, []any{"mallory", "7", "middle", s.url + "/default"}, []any{at["sub"], at["unit"], at["client_id"], at["iss"]})
			}
			claims["exp"] = time.Now().Add(-time.Minute).Unix()
			a := s.post("/default/token", "middle", "another", "grant_type", onBehalfOf, "assertion", unsigned(claims))
			require.Equal(s, "invalid_grant", a.str("error"), "it has expired")
		},
		compat.AnyClient: func(s *server) {
			a := s.post("/default/token", "new", "first-secret", "grant_type", "client_credentials", "scope", "api:read")
			require.Equal(s, "invalid_scope", a.str("error"), "its scopes need any-scope")
			require.Equal(s, 401, s.post("/default/token", "new", "other", machine...).StatusCode, "the first secret is that of the client")
			require.Equal(s, 400, s.get("/default/authorize?"+authRequest("client_id", "new").Encode()).StatusCode, "its redirect URIs need any-redirect-uri")
		},
	}
	for name, try := range tried {
		t.Run(string(name), func(t *testing.T) {
			t.Parallel()
			text := config
			if name == compat.ClientAudience {
				text = strings.Replace(config, `"urn:allowed"`, `"app"`, 1)
			}
			s := open(t, text, string(name))
			require.Equal(t, 1, strings.Count(s.log.String(), "level=WARN"), "one warning")
			require.Contains(t, s.log.String(), "switch="+string(name))
			refuse(s, name)
			try(s)
		})
	}
	for _, name := range compat.SwitchNames() {
		require.Contains(t, tried, compat.Switch(name))
	}
}

// TestEverythingLenient: with the switches of the clients an application of mock-oauth2-server needs no registration: any client, secret,
// redirect URI and scope, logins without PKCE, public clients with it, and assertions of keys that are not registered.
func TestEverythingLenient(t *testing.T) {
	t.Parallel()
	s := open(t, `{"tokenProvider": {"keyProvider": {"algorithm": "ES256"}}}`, "any-client,any-secret,any-redirect-uri, any-scope,missing-verifier,unverified-assertions,any-issuer,client-audience,any-audience")
	q := s.logIn("azure", "", "", "client_id", "front", "redirect_uri", "https://front.example.com/cb", "code_challenge", "", "code_challenge_method", "")
	a := s.post("/azure/token", "front", "x", "grant_type", "authorization_code", "code", q.Get("code"), "redirect_uri", "https://front.example.com/cb")
	require.Equal(t, 200, a.StatusCode, a.text)
	b := s.post("/tokenx/token", "", "", "grant_type", exchange, "subject_token", a.str("access_token"), "subject_token_type", accessType, "audience", "back",
		"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", assertion("front", s.url+"/tokenx/token", "j1"))
	require.Equal(t, "back", s.claims(b.str("access_token"))["aud"], b.text)
	c := s.post("/tokenx/token", "", "", "grant_type", exchange, "subject_token", b.str("access_token"), "subject_token_type", accessType, "audience", "front",
		"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", assertion("back", s.url+"/tokenx", "j2"))
	require.Equal(t, "front", s.claims(c.str("access_token"))["aud"], c.text)
	d := s.post("/tokenx/token", "", "", "grant_type", "client_credentials",
		"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", assertion("back", s.url+"/tokenx", "j2"))
	require.Equal(t, "invalid_client", d.str("error"), "the jti was used")

	q = s.logIn("azure", "", "", "client_id", "spa", "redirect_uri", "http://spa.localhost:9999/cb")
	e := s.post("/azure/token", "spa", "", "grant_type", "authorization_code", "code", q.Get("code"), "redirect_uri", "http://spa.localhost:9999/cb", "code_verifier", verifier)
	require.Equal(t, 200, e.StatusCode, e.text)
	require.Contains(t, s.proposals(), `{"client_id":"front","token_endpoint_auth_method":"client_secret_basic","client_secret":"…",`+
		`"grant_types":["authorization_code"],"redirect_uris":["https://front.example.com/cb"],"scopes":["openid","profile"],"code_challenge_method":"none"}`)
	f := s.post("/azure/token", "job", "x", "grant_type", "client_credentials")
	require.Equal(t, "default", s.claims(f.str("access_token"))["aud"], f.text)
}

// assertion returns a client assertion whose key is not registered.
func assertion(id, audience, jti string) string {
	now := time.Now().Unix()
	return unsigned(map[string]any{"iss": id, "sub": id, "aud": audience, "jti": jti, "iat": now, "nbf": now, "exp": now + 60})
}
