package compat_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/canary"
	"github.com/portner-go/portner/internal/standin/compat"
)

// config is a configuration with two issuers, an application and an API.
const config = `{
	"interactiveLogin": true,
	"rotateRefreshToken": true,
	"httpServer": "NettyWrapper",
	"tokenProvider": {"keyProvider": {"algorithm": "ES256"}},
	"tokenCallbacks": [
		{"issuerId": "first", "tokenExpiry": 120, "requestMappings": [
			{"requestParam": "subject", "match": "alice", "claims": {"role": "admin", "preferred_username": "${subject}", "aud": ["the-api"]}},
			{"requestParam": "level", "match": "*", "claims": {"acr": "Level3"}},
			{"requestParam": "subject", "match": "low", "claims": {"acr": "Level3"}},
			{"requestParam": "scope", "match": "special:.*", "claims": {"sub": "by-scope", "aud": "by-scope", "groups": ["a", "${clientId}"], "n": {"x": "${scope}"}}},
			{"requestParam": "code", "match": "*", "claims": {"sub": "by-code", "aud": "by-code", "acr": "Level4"}},
			{"requestParam": "grant_type", "match": "client_credentials", "claims": {"aud": ["machine-api", "other-api"], "unset": "${nothing}"}},
			{"requestParam": "audience", "match": "*", "claims": {"aud": "target", "step": 2}}
		]}
	],
	"issuers": ["default"],
	"audiences": ["urn:allowed"],
	"clients": [
		{"client_id": "app", "client_secret": "short", "redirect_uris": ["http://localhost:9999/callback"], "post_logout_redirect_uris": ["http://localhost:9999/"],
		 "scopes": ["openid", "profile", "special:read", "api:read"],
		 "grant_types": ["authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:token-exchange"]},
		{"client_id": "middle", "client_secret": "another", "resource_server": true, "resources": ["api:read"], "scopes": ["openid", "api:read", "api:next"],
		 "grant_types": ["urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:token-exchange"]},
		{"client_id": "keyed", "token_endpoint_auth_method": "private_key_jwt", "scopes": ["api:read"], "grant_types": ["client_credentials"],
		 "jwks": {"keys": [{"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "other",
		  "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}},
		{"client_id": "spa", "application_type": "browser", "redirect_uris": ["http://spa.localhost:9999/callback"], "scopes": ["openid"]}
	]
}`

// server is a running server of a configuration.
type server struct {
	*testing.T
	url  string
	http *http.Client // a browser: it keeps cookies and follows no redirect
	log  *bytes.Buffer

	mu       sync.Mutex
	proposed []string // registrations
}

// proposals returns the registrations that the server proposed.
func (s *server) proposals() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.proposed)
}

// open starts a server with some switches.
func open(t *testing.T, text string, lenient ...string) *server {
	t.Helper()
	plan, err := compat.Parse([]byte(text))
	require.NoError(t, err)
	on, err := compat.ParseSwitches(lenient...)
	require.NoError(t, err)
	watched := canary.Watch(t)
	watched.Document([]byte(text))
	var handler http.Handler
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(ts.Close)
	s := &server{T: t, url: ts.URL, log: new(bytes.Buffer)}
	propose := func(registration string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.proposed = append(s.proposed, registration)
	}
	handler, err = compat.New(compat.Config{Plan: plan, URL: ts.URL, Lenient: on, OnProposal: propose, Logger: slog.New(watched.Logger(slog.NewTextHandler(&lockedWriter{w: s.log}, nil)))})
	require.NoError(t, err)
	handler = watched.Handler(handler)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	s.http = &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return s
}

// answer is a response.
type answer struct {
	*http.Response
	text string
	body map[string]any // nil unless it is JSON
}

func (a answer) str(name string) string { v, _ := a.body[name].(string); return v }

func (s *server) do(r *http.Request) answer {
	s.Helper()
	res, err := s.http.Do(r)
	require.NoError(s, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(s, err)
	a := answer{Response: res, text: string(text)}
	_ = json.Unmarshal(text, &a.body)
	return a
}

func (s *server) get(path string) answer {
	s.Helper()
	return s.do(s.request(http.MethodGet, path, nil))
}

// request returns a request to a path of the server, or to a URL.
func (s *server) request(method, path string, form url.Values) *http.Request {
	s.Helper()
	if strings.HasPrefix(path, "/") {
		path = s.url + path
	}
	r, err := http.NewRequestWithContext(s.Context(), method, path, strings.NewReader(form.Encode()))
	require.NoError(s, err)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", s.url)
	}
	return r
}

// values makes a form of names and values.
func values(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v
}

// post sends a form as a client with a secret, or as a public client with the parameter client_id if the secret is "".
func (s *server) post(path, id, secret string, pairs ...string) answer {
	s.Helper()
	form := values(pairs...)
	if secret == "" && id != "" {
		form.Set("client_id", id)
	}
	r := s.request(http.MethodPost, path, form)
	if secret != "" {
		r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	}
	return s.do(r)
}

const verifier = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopq"

// authRequest is an authorization request of the application. Further pairs replace parameters; "" removes one.
func authRequest(pairs ...string) url.Values {
	sum := sha256.Sum256([]byte(verifier))
	v := values(
		"client_id", "app", "redirect_uri", "http://localhost:9999/callback", "response_type", "code", "scope", "openid profile", "state", "s1", "nonce", "n1",
		"code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]), "code_challenge_method", "S256",
	)
	for i := 0; i < len(pairs); i += 2 {
		if v.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			v.Del(pairs[i])
		}
	}
	return v
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// logIn logs a user in by the page and returns the parameters that the client receives. Without a user name there must be no page.
func (s *server) logIn(issuer, username, claims string, pairs ...string) url.Values {
	s.Helper()
	a := s.get("/" + issuer + "/authorize?" + authRequest(pairs...).Encode())
	require.Contains(s, []int{302, 303}, a.StatusCode, a.text)
	to := a.Header.Get("Location")
	for range 3 {
		u, err := url.Parse(to)
		require.NoError(s, err)
		if q := u.Query(); q.Has("code") || q.Has("error") {
			return q
		}
		page := s.get(to)
		if page.StatusCode == http.StatusOK {
			require.NotEmpty(s, username, "a page: %s", page.text)
			csrf := csrfField.FindStringSubmatch(page.text)
			require.Len(s, csrf, 2, page.text)
			page = s.do(s.request(http.MethodPost, to, values("csrf", csrf[1], "username", username, "claims", claims)))
		}
		require.Contains(s, []int{302, 303}, page.StatusCode, page.text)
		to = page.Header.Get("Location")
	}
	require.Fail(s, "no code", to)
	return nil
}

// redeem exchanges the code of a login of the application.
func (s *server) redeem(issuer string, q url.Values, pairs ...string) answer {
	s.Helper()
	form := append([]string{
		"grant_type", "authorization_code", "code", q.Get("code"), "redirect_uri", "http://localhost:9999/callback", "code_verifier", verifier,
	}, pairs...)
	return s.post("/"+issuer+"/token", "app", "short", form...)
}

// claims returns the claims of a JWT.
func (s *server) claims(token string) map[string]any {
	s.Helper()
	parts := strings.Split(token, ".")
	require.Len(s, parts, 3, token)
	var out map[string]any
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(s, err)
	require.NoError(s, json.Unmarshal(data, &out))
	return out
}

// unsigned returns a JWT with a signature of nothing.
func unsigned(claims map[string]any) string {
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"other","typ":"JWT"}`))
	body, _ := json.Marshal(claims)
	return header + "." + base64.RawURLEncoding.EncodeToString(body) + "." + base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{7}, 256))
}
