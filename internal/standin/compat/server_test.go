package compat_test

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/standin/compat"
)

// lockedWriter is a log that several requests write.
type lockedWriter struct {
	mu sync.Mutex
	w  *bytes.Buffer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

const (
	onBehalfOf = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	exchange   = "urn:ietf:params:oauth:grant-type:token-exchange"
	accessType = "urn:ietf:params:oauth:token-type:access_token"
)

// TestPaths: each issuer has the paths of mock-oauth2-server, and its metadata names them.
func TestPaths(t *testing.T) {
	t.Parallel()
	s := open(t, config)
	require.Equal(t, 200, s.get("/isalive").StatusCode)
	for _, id := range []string{"first", "default"} {
		for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
			meta := s.get("/" + id + path)
			require.Equal(t, 200, meta.StatusCode, meta.text)
			for name, path := range map[string]string{
				"issuer": "", "authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/jwks",
				"introspection_endpoint": "/introspect", "revocation_endpoint": "/revoke",
			} {
				require.Equal(t, s.url+"/"+id+path, meta.str(name), name)
			}
		}
		openID := s.get("/" + id + "/.well-known/openid-configuration")
		require.Equal(t, s.url+"/"+id+"/userinfo", openID.str("userinfo_endpoint"))
		require.Equal(t, s.url+"/"+id+"/endsession", openID.str("end_session_endpoint"))
		require.Equal(t, s.url+"/"+id, s.get("/.well-known/oauth-authorization-server/"+id).str("issuer"), "RFC 8414 §3")
		require.Contains(t, s.get("/"+id+"/jwks").body, "keys")
	}
}

// TestLogin: a login with a request mapping by user name. The claims of the mapping are in the tokens, at userinfo, introspection and after a
// refresh; those of the page do not replace them.
func TestLogin(t *testing.T) {
	t.Parallel()
	s := open(t, config)
	a := s.redeem("first", s.logIn("first", "alice", `{"role": "ignored", "unit": "7"}`))
	require.Equal(t, 200, a.StatusCode, a.text)
	id, at := s.claims(a.str("id_token")), s.claims(a.str("access_token"))
	require.Equal(t, []any{s.url + "/first", "alice", "app", "n1", "admin", "7", "alice"},
		[]any{id["iss"], id["sub"], id["aud"], id["nonce"], id["role"], id["unit"], id["preferred_username"]})
	require.Equal(t, []any{"alice", []any{"the-api", s.url + "/first"}, "admin", "7", "app", "openid profile"},
		[]any{at["sub"], at["aud"], at["role"], at["unit"], at["client_id"], at["scope"]})
	require.EqualValues(t, 120, a.body["expires_in"])
	info := s.request(http.MethodGet, "/first/userinfo", nil)
	info.Header.Set("Authorization", "Bearer "+a.str("access_token"))
	about := s.do(info)
	require.Equal(t, "admin", about.str("role"), about.text)
	in := s.post("/first/introspect", "app", "short", "token", a.str("access_token"))
	require.Equal(t, []any{true, "alice", "admin"}, []any{in.body["active"], in.body["sub"], in.body["role"]})

	again := s.post("/first/token", "app", "short", "grant_type", "refresh_token", "refresh_token", a.str("refresh_token"))
	require.Equal(t, "admin", s.claims(again.str("access_token"))["role"])
	require.NotEqual(t, a.str("refresh_token"), again.str("refresh_token"), "rotateRefreshToken")
	require.Equal(t, 200, s.post("/first/revoke", "app", "short", "token", again.str("refresh_token")).StatusCode)
	in = s.post("/first/introspect", "app", "short", "token", again.str("access_token"))
	require.Equal(t, false, in.body["active"])
	out := s.get("/first/endsession?" + values("id_token_hint", a.str("id_token"), "post_logout_redirect_uri", "http://localhost:9999/", "state", "x").Encode())
	require.Equal(t, "http://localhost:9999/?state=x", out.Header.Get("Location"))
}

// TestLoginByCode: the mapping of every code sets sub and acr of the login, and a password-less login needs no page.
func TestLoginByCode(t *testing.T) {
	t.Parallel()
	s := open(t, strings.Replace(config, `"interactiveLogin": true`, `"interactiveLogin": false`, 1))
	a := s.redeem("first", s.logIn("first", "", ""))
	require.Equal(t, 200, a.StatusCode, a.text)
	id, at := s.claims(a.str("id_token")), s.claims(a.str("access_token"))
	require.Equal(t, []any{"by-code", "Level4", []any{"by-code", s.url + "/first"}}, []any{id["sub"], id["acr"], at["aud"]})

	b := s.redeem("default", s.logIn("default", "", ""))
	require.Equal(t, 200, b.StatusCode, b.text)
	at = s.claims(b.str("access_token"))
	require.Len(t, at["sub"], 36)
	require.Equal(t, []any{"default", []any{"default", s.url + "/default"}}, []any{at["tid"], at["aud"]})
	require.NotContains(t, at, "acr")

	q := s.logIn("first", "carol", "", "prompt", "login")
	require.NotEmpty(t, q.Get("code"), "prompt=login shows the page")
}

// TestLevelOfTheMapping: a login without a page that has a lower level than the request ends with an error, and not in a circle.
func TestLevelOfTheMapping(t *testing.T) {
	t.Parallel()
	s := open(t, `{"tokenProvider": {"keyProvider": {"algorithm": "ES256"}}, "tokenCallbacks": [{"issuerId": "first", "tokenExpiry": 31536000, "requestMappings": [
		{"requestParam": "code", "match": "*", "claims": {"acr": "Level3"}}, {"requestParam": "subject", "match": "bob", "claims": {"acr": "Level4"}}]}],
		"clients": [{"client_id": "app", "client_secret": "short", "redirect_uris": ["http://localhost:9999/callback"], "scopes": ["openid", "profile"]}]}`)
	require.Equal(t, "access_denied", s.logIn("first", "", "", "acr_values", "Level4").Get("error"))
	require.Equal(t, "Level3", s.claims(s.redeem("first", s.logIn("first", "", "", "acr_values", "Level3")).str("id_token"))["acr"])
	a := s.redeem("first", s.logIn("first", "", ""))
	require.Equal(t, "Level3", s.claims(a.str("id_token"))["acr"], "a request without acr_values")
	require.InDelta(t, 31536000, a.body["expires_in"], 600, "a grant lives as long as its tokens, from the login on")
	require.NotEmpty(t, s.logIn("first", "", "", "acr_values", "unknown").Get("code"), "unknown values are ignored")
}

// TestMappingOfTokenRequest: a mapping that the login did not know may not replace its sub, and the code stays valid.
func TestMappingOfTokenRequest(t *testing.T) {
	t.Parallel()
	s := open(t, config)
	q := s.logIn("first", "bob", "")
	a := s.redeem("first", q, "scope", "special:read")
	require.Equal(t, []any{400, "invalid_request"}, []any{a.StatusCode, a.str("error")}, a.text)
	require.Contains(t, s.log.String(), "mapping_sub_mismatch")
	a = s.redeem("first", q, "level", "x")
	require.Equal(t, []any{400, "invalid_request"}, []any{a.StatusCode, a.str("error")}, a.text)
	require.Contains(t, s.log.String(), "mapping_acr_mismatch")
	a = s.redeem("first", q)
	require.Equal(t, "by-code", s.claims(a.str("access_token"))["sub"], a.text)
}

// TestMachine: claims of client_credentials, with templates.
func TestMachine(t *testing.T) {
	t.Parallel()
	s := open(t, config)
	a := s.post("/first/token", "app", "short", "grant_type", "client_credentials", "scope", "api:read")
	require.Equal(t, 200, a.StatusCode, a.text)
	at := s.claims(a.str("access_token"))
	require.Equal(t, []any{"app", []any{"machine-api", "other-api"}, "${nothing}", "api:read"}, []any{at["sub"], at["aud"], at["unset"], at["scope"]})
	a = s.post("/first/token", "app", "short", "grant_type", "client_credentials", "scope", "special:read")
	at = s.claims(a.str("access_token"))
	require.Equal(t, []any{"by-scope", "by-scope", []any{"a", "app"}, map[string]any{"x": "special:read"}}, []any{at["sub"], at["aud"], at["groups"], at["n"]})
	a = s.post("/default/token", "app", "short", "grant_type", "client_credentials", "scope", "api:read")
	require.Equal(t, "api:read", s.claims(a.str("access_token"))["aud"], "without mappings, the scopes")
	a = s.post("/default/token", "app", "short", "grant_type", "client_credentials", "scope", "api:read", "resource", "https://api.example.no")
	require.Equal(t, "https://api.example.no", s.claims(a.str("access_token"))["aud"])
}

// TestDerived: a token of one issuer is exchanged at another, and on behalf of the user at the same one. The claims of the user stay, and the new
// token ends with the presented one.
func TestDerived(t *testing.T) {
	t.Parallel()
	s := open(t, config)
	user := s.redeem("default", s.logIn("default", "alice", `{"unit": "7"}`, "scope", "openid api:read"))
	require.Equal(t, 200, user.StatusCode, user.text)
	a := s.post("/first/token", "middle", "another", "grant_type", exchange, "subject_token", user.str("access_token"), "subject_token_type", accessType, "audience", "target")
	require.Equal(t, []any{200, accessType}, []any{a.StatusCode, a.str("issued_token_type")}, a.text)
	at := s.claims(a.str("access_token"))
	require.Equal(t, []any{s.url + "/first", "alice", "target", "middle", "7", "admin"},
		[]any{at["iss"], at["sub"], at["aud"], at["client_id"], at["unit"], at["role"]})
	require.NotContains(t, a.body, "refresh_token")

	a = s.post("/default/token", "middle", "another", "grant_type", onBehalfOf, "assertion", user.str("access_token"), "scope", "api:next")
	require.Equal(t, 200, a.StatusCode, a.text)
	derived := a.str("access_token")
	require.Equal(t, true, s.post("/default/introspect", "middle", "another", "token", derived).body["active"])
	at = s.claims(a.str("access_token"))
	require.Equal(t, []any{"alice", "api:next", "api:next", "7"}, []any{at["sub"], at["aud"], at["scope"], at["unit"]})
	short := s.redeem("first", s.logIn("first", "alice", "", "scope", "openid api:read"))
	b := s.post("/default/token", "middle", "another", "grant_type", onBehalfOf, "assertion", short.str("access_token"))
	require.LessOrEqual(t, s.claims(b.str("access_token"))["exp"], s.claims(short.str("access_token"))["exp"], b.text)

	require.Equal(t, 200, s.post("/default/revoke", "app", "short", "token", user.str("refresh_token")).StatusCode)
	for _, path := range []string{"/first/token", "/default/token"} {
		a = s.post(path, "middle", "another", "grant_type", onBehalfOf, "assertion", user.str("access_token"))
		require.Equal(t, []any{400, "invalid_grant"}, []any{a.StatusCode, a.str("error")}, "the presented token was revoked")
	}
	require.Equal(t, false, s.post("/default/introspect", "middle", "another", "token", derived).body["active"], "it was revoked with the token that it derives from")
}

// strictCase is a request that mock-oauth2-server accepts and a provider refuses.
type strictCase struct {
	do     func() answer
	status int
	code   string
	opens  []compat.Switch // the switches with which it is accepted, or refused for another reason
}

// strictCases returns the cases for a server.
func strictCases(s *server) map[string]strictCase {
	user := s.redeem("default", s.logIn("default", "alice", "", "scope", "openid api:read"))
	forged := unsigned(map[string]any{"iss": s.url + "/default", "sub": "mallory", "exp": time.Now().Add(time.Minute).Unix(), "scope": "api:read"})
	machine := func(id, secret, scope string) func() answer {
		return func() answer {
			return s.post("/default/token", id, secret, "grant_type", "client_credentials", "scope", scope)
		}
	}
	exchanged := func(pairs ...string) func() answer {
		return func() answer {
			return s.post("/default/token", "middle", "another", append([]string{"grant_type", exchange, "subject_token_type", accessType}, pairs...)...)
		}
	}
	authorize := func(pairs ...string) func() answer {
		return func() answer {
			a := s.get("/default/authorize?" + authRequest(pairs...).Encode())
			if to := a.Header.Get("Location"); strings.Contains(to, "error=") {
				u, _ := url.Parse(to)
				a.body = map[string]any{"error": u.Query().Get("error")}
			}
			return a
		}
	}
	redeemed := func(pairs ...string) func() answer {
		return func() answer {
			q := s.logIn("default", "alice", "")
			return s.post("/default/token", "app", "short", append([]string{"grant_type", "authorization_code", "code", q.Get("code")}, pairs...)...)
		}
	}
	return map[string]strictCase{
		"an unknown issuer":                   {func() answer { return s.get("/unknown/.well-known/openid-configuration") }, 404, "invalid_request", []compat.Switch{compat.AnyIssuer}},
		"an unknown client":                   {machine("other", "secret", "api:read"), 401, "invalid_client", []compat.Switch{compat.AnyClient}},
		"a wrong secret":                      {machine("app", "wrong", "api:read"), 401, "invalid_client", []compat.Switch{compat.AnySecret}},
		"no secret":                           {machine("app", "", "api:read"), 401, "invalid_client", nil},
		"a scope that is not registered":      {machine("app", "short", "api:write"), 400, "invalid_scope", []compat.Switch{compat.AnyScope}},
		"a grant type that is not registered": {machine("middle", "another", "api:read"), 400, "unauthorized_client", nil},
		"a missing verifier":                  {redeemed("redirect_uri", "http://localhost:9999/callback"), 400, "invalid_grant", nil},
		"another redirect_uri for the code":   {redeemed("redirect_uri", "http://localhost:9999/x", "code_verifier", verifier), 400, "invalid_grant", nil},
		"a forged assertion": {func() answer {
			return s.post("/default/token", "middle", "another", "grant_type", onBehalfOf, "assertion", forged)
		}, 400, "invalid_grant", []compat.Switch{compat.UnverifiedAssertion}},
		"a forged subject token": {exchanged("subject_token", forged), 400, "invalid_grant", []compat.Switch{compat.UnverifiedAssertion}},
		"a token for another API": {func() answer {
			own := s.redeem("default", s.logIn("default", "alice", ""))
			return s.post("/default/token", "middle", "another", "grant_type", onBehalfOf, "assertion", own.str("access_token"))
		}, 400, "invalid_grant", []compat.Switch{compat.AnyAudience}},
		"an audience that is not configured": {exchanged("subject_token", user.str("access_token"), "audience", "urn:other"), 400, "invalid_target", []compat.Switch{compat.AnyAudience}},
		"a client assertion of another key": {func() answer {
			return s.post("/default/token", "", "", "grant_type", "client_credentials", "scope", "api:read", "client_id", "keyed",
				"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", assertion("keyed", s.url+"/default", "j"))
		}, 401, "invalid_client", []compat.Switch{compat.UnverifiedAssertion}},
		"the password grant": {func() answer {
			return s.post("/default/token", "app", "short", "grant_type", "password", "username", "alice", "password", "x")
		}, 400, "unsupported_grant_type", []compat.Switch{compat.PasswordGrant}},
		"a refresh token that was never issued": {func() answer {
			return s.post("/default/token", "app", "short", "grant_type", "refresh_token", "refresh_token", "any")
		}, 400, "invalid_grant", nil},
		"introspection with any Authorization field": {func() answer {
			r := s.request(http.MethodPost, "/default/introspect", values("token", user.str("access_token")))
			r.Header.Set("Authorization", "Bearer anything")
			return s.do(r)
		}, 401, "invalid_client", nil},
		"a login of an unknown client":          {authorize("client_id", "other"), 400, "", nil},
		"a redirect_uri that is not registered": {authorize("redirect_uri", "http://localhost:9999/other"), 400, "", []compat.Switch{compat.AnyRedirectURI}},
		"a login without PKCE":                  {authorize("code_challenge", "", "code_challenge_method", ""), 303, "invalid_request", []compat.Switch{compat.MissingVerifier}},
		"a login with the plain method":         {authorize("code_challenge_method", "plain"), 303, "invalid_request", nil},
		"a login with another scope":            {authorize("scope", "openid api:write"), 303, "invalid_scope", []compat.Switch{compat.AnyScope}},
	}
}

// refuse tries the cases that are refused although the switches are on.
func refuse(s *server, on ...compat.Switch) {
	for name, c := range strictCases(s) {
		if slices.ContainsFunc(c.opens, func(o compat.Switch) bool { return slices.Contains(on, o) }) {
			continue
		}
		a := c.do()
		require.Equal(s, []any{c.status, c.code}, []any{a.StatusCode, a.str("error")}, "%v: %s: %s", on, name, a.text)
	}
	if !slices.Contains(on, compat.AnyRedirectURI) {
		out := s.get("/default/endsession?client_id=app&post_logout_redirect_uri=http%3A%2F%2Fevil.example.com%2F")
		require.Empty(s, out.Header.Get("Location"))
	}
	if !slices.Contains(on, compat.AnyOrigin) {
		require.Empty(s, s.preflight("https://other.example.com").Header.Get("Access-Control-Allow-Origin"))
		require.Equal(s, "http://spa.localhost:9999", s.preflight("http://spa.localhost:9999").Header.Get("Access-Control-Allow-Origin"))
	}
}

// TestStrict: what mock-oauth2-server accepts and a provider refuses.
func TestStrict(t *testing.T) {
	t.Parallel()
	s := open(t, config)
	refuse(s)
	for _, reason := range []string{"assertion_unknown", "subject_token_unknown", "assertion_not_for_client", "target_not_granted"} {
		require.Contains(t, s.log.String(), "reason="+reason)
	}
}

// TestLoginPage: claims of the page may not be those of the protocol, and a user name must be a sub.
func TestLoginPage(t *testing.T) {
	t.Parallel()
	s := open(t, config)
	for claims, problem := range map[string]string{
		`{"iss": "https://else.example.com"}`: "may not be set", `{"sub": "bob"}`: "may not be set here", `{"acr": "Level9"}`: "The claim acr must be one",
		`{"a": 1, "a": 2}`: "JSON object", `[]`: "JSON object", `x`: "JSON object",
	} {
		page := s.page("first", "alice", claims)
		require.Contains(t, page.text, problem, claims)
		require.Contains(t, page.text, `value="alice"`)
	}
	require.Contains(t, s.page("first", "low", "", "acr_values", "Level4").text, "The request needs the level Level4, and the configuration gives this user Level3")
	require.Contains(t, s.page("first", "Åse", "").text, "printable ASCII")
	require.Contains(t, s.page("first", "app", "").text, "not the client_id")
	a := s.redeem("default", s.logIn("default", "dave", `{"name": "Dave", "n": [1, {"b": true}]}`))
	require.Equal(t, []any{"Dave", []any{1.0, map[string]any{"b": true}}}, []any{s.claims(a.str("id_token"))["name"], s.claims(a.str("id_token"))["n"]}, a.text)
}

// page posts the login page and returns what the browser then shows.
func (s *server) page(issuer, username, claims string, pairs ...string) answer {
	s.Helper()
	to := s.get("/" + issuer + "/authorize?" + authRequest(append(pairs, "prompt", "login")...).Encode()).Header.Get("Location")
	csrf := csrfField.FindStringSubmatch(s.get(to).text)
	require.Len(s, csrf, 2)
	a := s.do(s.request(http.MethodPost, to, values("csrf", csrf[1], "username", username, "claims", claims)))
	require.Equal(s, 200, a.StatusCode, a.text)
	return a
}

func (s *server) preflight(origin string) answer {
	r := s.request(http.MethodOptions, "/default/token", nil)
	r.Header.Set("Origin", origin)
	r.Header.Set("Access-Control-Request-Method", "POST")
	return s.do(r)
}
