package provider_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
)

func header(t *testing.T, token string) map[string]any {
	t.Helper()
	head, _, ok := strings.Cut(token, ".")
	require.True(t, ok)
	raw, err := base64.RawURLEncoding.DecodeString(head)
	require.NoError(t, err)
	var m map[string]any
	require.NoError(t, json.Unmarshal(raw, &m))
	return m
}

// TestNew reports every problem of a configuration at once, each by the name of its field.
func TestNew(t *testing.T) {
	t.Parallel()
	_, err := provider.New(provider.Config{Issuer: "http://login.example.no/"})
	require.Error(t, err)
	for _, field := range []string{"Issuer", "Store", "Keys", "Clients", "Secrets", "PairwiseKey"} {
		require.ErrorContains(t, err, field)
	}
	for issuer, ok := range map[string]bool{
		"https://idporten.no": true, "https://idporten.no/": false, "http://idporten.no": false, "http://localhost:8080": true,
		"http://127.0.0.1:1": true, "https://idporten.no?x=1": false, "https://idporten.no#": false, "idporten.no": false, "https://u@idporten.no": false,
	} {
		_, err := provider.New(provider.Config{Issuer: issuer})
		require.Equal(t, ok, !strings.Contains(err.Error(), "Issuer"), "%s: %v", issuer, err)
	}
}

// TestStoreIsSmall: Store has at most twelve methods.
func TestStoreIsSmall(t *testing.T) {
	t.Parallel()
	require.LessOrEqual(t, reflect.TypeFor[provider.Store]().NumMethod(), 12)
}

// TestEveryEndpointAlone: the handler of each endpoint sends the same responses alone and behind Provider.ServeHTTP.
func TestEveryEndpointAlone(t *testing.T) {
	t.Parallel()
	op := optest.New(t, optest.Options{})
	for path, h := range map[string]http.Handler{
		"/authorize": op.Authorize, "/par": op.Authorize.PushHandler(), "/token": op.Token, "/userinfo": op.Token.UserInfo(), "/tokeninfo": op.Token.Introspection(),
		"/introspect": op.Token.Introspection(), "/tokenintrospect": op.Token.Introspection(), "/revoke": op.Token.Revocation(), "/logout": op.Logout, "/endsession": op.Logout, "/jwks.json": op.JWKS,
		"/.well-known/openid-configuration": op.OpenIDConfiguration, "/.well-known/oauth-authorization-server": op.ServerMetadata,
	} {
		alone, behind := httptest.NewRecorder(), httptest.NewRecorder()
		h.ServeHTTP(alone, httptest.NewRequestWithContext(t.Context(), http.MethodGet, optest.Issuer+path, nil))
		op.Provider.ServeHTTP(behind, httptest.NewRequestWithContext(t.Context(), http.MethodGet, optest.Issuer+path, nil))
		require.Equal(t, behind.Code, alone.Code, path)
		require.NotEqual(t, http.StatusNotFound, alone.Code, path)
	}
}

// TestOptionalFeatures: a feature whose field is nil is absent from the endpoints and from the metadata.
func TestOptionalFeatures(t *testing.T) {
	t.Parallel()
	op := optest.New(t, optest.Options{Change: func(c *provider.Config) {
		c.PushedRequests, c.Replay = nil, nil
	}})
	w := httptest.NewRecorder()
	op.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, optest.Issuer+"/.well-known/openid-configuration", nil))
	require.NotContains(t, w.Body.String(), "pushed_authorization_request_endpoint")
	require.NotContains(t, w.Body.String(), "private_key_jwt")
	require.NotContains(t, w.Body.String(), `"backchannel_logout_supported":true`)
	w = httptest.NewRecorder()
	op.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, optest.Issuer+"/par", nil))
	require.Equal(t, http.StatusNotFound, w.Code)
}

// TestIssuerWithPath: the metadata of an issuer with a path is at the paths of OIDC Discovery §4 and RFC 8414 §3.1.
func TestIssuerWithPath(t *testing.T) {
	t.Parallel()
	op := optest.New(t, optest.Options{Change: func(c *provider.Config) { c.Issuer = optest.Issuer + "/op" }})
	for path, want := range map[string]int{
		"/op/.well-known/openid-configuration": 200, "/.well-known/oauth-authorization-server/op": 200, "/op/jwks.json": 200, "/jwks.json": 404,
	} {
		w := httptest.NewRecorder()
		op.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, optest.Issuer+path, nil))
		require.Equal(t, want, w.Code, path)
	}
}

// TestSecretRotation: a session and a code that were encrypted with an old secret stay valid when a new secret is put first.
func TestSecretRotation(t *testing.T) {
	t.Parallel()
	old, fresh := portner.NewSecret(), portner.NewSecret()
	var cfg provider.Config
	op := optest.New(t, optest.Options{Change: func(c *provider.Config) { c.Secrets = []portner.Secret{old}; cfg = *c }})
	b := op.Browser()
	r := op.Request("tjeneste", "openid")
	code := b.Login(t, r, "kari").Code(t)

	cfg.Secrets = []portner.Secret{fresh, old}
	rotated, err := provider.New(cfg)
	require.NoError(t, err)
	op.Use(rotated)
	a := op.Exchange(t, r, code)
	require.Equal(t, 200, a.Status, "%v", a.JSON)
	require.Empty(t, b.Get(t, op.Request("annen", "openid").URL()).Step(), "the session answers")
}

// TestBrowserHost verifies a browser host that is not the host of the issuer (docs/spec/idporten.md §1.1): the origin of forms, the
// metadata, and the endpoints that stay at the issuer.
func TestBrowserHost(t *testing.T) {
	t.Parallel()
	op := optest.New(t, optest.Options{Change: func(c *provider.Config) { c.Issuer, c.BrowserURL = "https://example.no", optest.Issuer }})
	b := op.Browser()
	r := op.Request("tjeneste", "openid")
	page := b.Login(t, r, "kari") // the browser's forms come from optest.Issuer
	require.Equal(t, "https://example.no", page.Left.Query().Get("iss"))
	a := op.Exchange(t, r, page.Code(t))
	require.Equal(t, http.StatusOK, a.Status, "%v", a.JSON)
	require.Equal(t, "https://example.no", claimsOf(t, op, a.String("id_token"))["iss"])
	w := httptest.NewRecorder()
	op.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.no/.well-known/openid-configuration", nil))
	var meta map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &meta))
	require.Equal(t, optest.Issuer+"/authorize", meta["authorization_endpoint"])
	require.Equal(t, optest.Issuer+"/logout", meta["end_session_endpoint"])
	require.Equal(t, "https://example.no/token", meta["token_endpoint"])

	elsewhere := optest.New(t, optest.Options{Change: func(c *provider.Config) { c.Issuer, c.BrowserURL = optest.Issuer, "https://other.example.no" }})
	b = elsewhere.Browser()
	p := b.Get(t, elsewhere.Request("tjeneste", "openid").URL())
	require.Equal(t, http.StatusForbidden, b.Post(t, p, url.Values{"user": {"kari"}}).Status, "a form from another origin than the browsers'")

	_, err := provider.New(provider.Config{BrowserURL: "https://login.example.no/"})
	require.ErrorContains(t, err, "BrowserURL")
}
