package maskinporten_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/digdir/maskinporten"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/token"
)

func (w *world) get(t *testing.T, path string) answer {
	t.Helper()
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://test.maskinporten.no"+path, nil))
	a := answer{status: rec.Code, header: rec.Header(), raw: rec.Body.String()}
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &a.body), a.raw)
	return a
}

// TestMetadata checks the metadata of docs/spec/maskinporten.md §1.1.
func TestMetadata(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	a := w.get(t, "/.well-known/oauth-authorization-server")
	require.Equal(t, http.StatusOK, a.status)
	require.JSONEq(t, `{
		"issuer": "https://test.maskinporten.no/",
		"token_endpoint": "https://test.maskinporten.no/token",
		"jwks_uri": "https://test.maskinporten.no/jwk",
		"grant_types_supported": ["urn:ietf:params:oauth:grant-type:jwt-bearer"],
		"token_endpoint_auth_methods_supported": ["private_key_jwt"],
		"token_endpoint_auth_signing_alg_values_supported": ["RS256", "RS384", "RS512"],
		"authorization_details_types_supported": ["urn:altinn:systemuser", "urn:altinn:consent"]
	}`, a.raw)
	require.Contains(t, a.raw, `"https://test.maskinporten.no/"`, "the slash is part of the issuer")
	require.Len(t, w.get(t, "/jwk").body["keys"], 1)
	for _, absent := range []string{"/", "/jwks", "/authorize", "/.well-known/openid-configuration", "//token", "/token/", "/introspect", "/revoke"} {
		require.Equal(t, http.StatusNotFound, w.get(t, absent).status, absent)
	}
	a = w.get(t, "/token")
	require.Equal(t, http.StatusMethodNotAllowed, a.status)
	require.Equal(t, "POST", a.header.Get("Allow"))
}

// TestIssuerWithPath checks an issuer below a path.
func TestIssuerWithPath(t *testing.T) {
	t.Parallel()
	w := newWorld(t, issuerOf("https://test.maskinporten.no/mp/"))
	require.Equal(t, "https://test.maskinporten.no/mp/token", w.get(t, "/.well-known/oauth-authorization-server/mp").str("token_endpoint"))
	require.Equal(t, http.StatusOK, w.get(t, "/mp/jwk").status)
	require.Equal(t, http.StatusMethodNotAllowed, w.get(t, "/mp/token").status)
}

// TestForms checks that parameters other than grant_type and assertion are ignored, and that assertion must not be repeated.
func TestForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.requireRejection(t, w.post(t, url.Values{"grant_type": {bearer}}), catalogue["MP-011"])
	twice := w.post(t, url.Values{"grant_type": {bearer}, "assertion": {byKey(v4()), byKey(v4())}})
	require.Equal(t, "invalid_request", twice.str("error"))
	a := w.post(t, url.Values{
		"grant_type": {bearer}, "assertion": {byKey(v4())}, "scope": {"difitest:noaccess"}, "resource": {"https://evil.example.no"},
		"client_id": {"other"}, "authorization_details": {"[]"}, "client_assertion": {"x"},
	})
	w.requireToken(t, a, nil)
	short := w.post(t, url.Values{"grant_type": {"jwt_bearer_token"}, "assertion": {byKey(v4())}})
	require.Equal(t, "unsupported_grant_type", short.str("error"))
}

// TestSkyporten checks docs/spec/maskinporten.md §1.16.
func TestSkyporten(t *testing.T) {
	t.Parallel()
	const sky = "https://test.sky.maskinporten.no"
	w := newWorld(t, func(c *maskinporten.Config) { c.Issuer, c.Skyporten = sky, true })
	payload := v4().with("aud", sky, "resource", "https://cloud.example.no")
	a := w.grant(t, payload)
	_, claims := w.claims(t, a)
	require.Equal(t, "0192:"+digdir+";difitest:test2", claims["sub"])
	require.Equal(t, "https://cloud.example.no", claims["aud"])
	require.Equal(t, sky, claims["iss"])

	w.requireRejection(t, w.grant(t, payload.with("resource", nil)), catalogue["MP-011"])
	withSlash := catalogue["MP-110"]
	withSlash.number = ""
	w.requireRejection(t, w.grant(t, payload.with("aud", sky+"/")), withSlash)
	require.Equal(t, sky, w.get(t, "/.well-known/openid-configuration").str("issuer"))
	require.Equal(t, sky+"/token", w.get(t, "/.well-known/oauth-authorization-server").str("token_endpoint"))

	iat := time.Unix(1584693437, 0)
	w.at(iat)
	_, claims = w.claims(t, w.grant(t, v5().with("aud", sky, "resource", "https://cloud.example.no")))
	require.Equal(t, "0192:"+customer+";difitest:delegated", claims["sub"])
	require.Equal(t, organisation(digdir), claims["supplier"])
}

// TestNewGrantHandler checks the grant handler in another token endpoint.
func TestNewGrantHandler(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	g, err := maskinporten.NewGrantHandler(w.cfg)
	require.NoError(t, err)
	ep, err := token.New(token.Config{
		Issuer: testIssuer, Clients: w.cfg.Clients, Scopes: w.cfg.Scopes, Keys: w.keys, Now: w.cfg.Now,
		GrantHandlers: []token.GrantHandler{g}, Claims: []token.ClaimsFunc{maskinporten.Claims},
	})
	require.NoError(t, err)
	form := url.Values{"grant_type": {bearer}, "assertion": {byKey(v4().with("aud", "x"))}}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rec := httptest.NewRecorder()
	ep.ServeHTTP(rec, r)
	require.Equal(t, http.StatusBadRequest, rec.Code)
	// Without logger and hook, header and text still have the same correlation identifier.
	require.Contains(t, rec.Body.String(), "(trace_id: "+rec.Header().Get("X-Correlation-Id")+")")
}

// TestPIDIsNoSubject: a machine token with a pid has no sub in any profile, because the person has not logged in.
func TestPIDIsNoSubject(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	g, err := maskinporten.NewGrantHandler(w.cfg)
	require.NoError(t, err)
	for _, profile := range []provider.Profile{provider.IDPorten(), provider.OpenIDConnect()} {
		ep, err := token.New(token.Config{
			Issuer: testIssuer, Clients: w.cfg.Clients, Scopes: w.cfg.Scopes, Keys: w.keys, Now: w.cfg.Now,
			GrantHandlers: []token.GrantHandler{g}, Claims: profile.Claims, AccessTokenType: profile.AccessTokenType, MachineSubject: "client_id", Pairwise: must(pseudonym.NewPairwise([]byte(strings.Repeat("k", 32)))),
		})
		require.NoError(t, err)
		form := url.Values{"grant_type": {bearer}, "assertion": {byKey(v4().with("pid", "45840375084", "jti", rand.Text()))}}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/token", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		rec := httptest.NewRecorder()
		ep.ServeHTTP(rec, r)
		require.Equal(t, http.StatusOK, rec.Code, rec.Body)
		var answer map[string]any
		require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &answer))
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(answer["access_token"].(string), ".")[1])
		require.NoError(t, err)
		require.NotContains(t, string(payload), `"sub"`)
	}
}

// TestPlainClient checks a client without integration_type that registered the grant type.
func TestPlainClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.accepts(t, v4().with("iss", "plain"))
}

// TestNewReportsEveryField breaks each field of a valid configuration, and then several at once.
func TestNewReportsEveryField(t *testing.T) {
	t.Parallel()
	valid := newWorld(t, nil).cfg
	for _, tt := range []struct {
		name, field string
		onlyNew     bool
		spoil       func(*maskinporten.Config)
	}{
		{"no issuer", "Issuer", false, func(c *maskinporten.Config) { c.Issuer = "" }},
		{"relative issuer", "Issuer", false, func(c *maskinporten.Config) { c.Issuer = "maskinporten" }},
		{"issuer with a query", "Issuer", false, func(c *maskinporten.Config) { c.Issuer += "?" }},
		{"no clients", "Clients", false, func(c *maskinporten.Config) { c.Clients = nil }},
		{"no scopes", "Scopes", false, func(c *maskinporten.Config) { c.Scopes = nil }},
		{"no replay store", "Replay", false, func(c *maskinporten.Config) { c.Replay = nil }},
		{"nil delegation source", `Delegations["x"]`, false, func(c *maskinporten.Config) {
			c.Delegations = map[string]maskinporten.DelegationSource{"x": nil}
		}},
		{"nil pointer as delegation source", `Delegations["x"]`, false, func(c *maskinporten.Config) {
			c.Delegations = map[string]maskinporten.DelegationSource{"x": (*hostDelegations)(nil)}
		}},
		{"relative error URI", "ErrorURI", false, func(c *maskinporten.Config) { c.ErrorURI = "errors/" }},
		{"no keys", "Keys", true, func(c *maskinporten.Config) { c.Keys = nil }},
		{"negative lifetime", "AccessTokenLifetime", true, func(c *maskinporten.Config) { c.AccessTokenLifetime = -time.Second }},
		{"fraction of a second", "AccessTokenLifetime", true, func(c *maskinporten.Config) { c.AccessTokenLifetime = time.Millisecond }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := valid
			tt.spoil(&cfg)
			_, err := maskinporten.New(cfg)
			require.Equal(t, []string{tt.field}, fields.Names(err))
			_, err = maskinporten.NewGrantHandler(cfg)
			if tt.onlyNew {
				require.NoError(t, err)
				return
			}
			require.Equal(t, []string{tt.field}, fields.Names(err))
		})
	}
	_, err := maskinporten.New(maskinporten.Config{ErrorURI: "errors/", AccessTokenLifetime: -1})
	require.Equal(t, []string{"Issuer", "ErrorURI", "Clients", "Scopes", "Replay", "Keys", "AccessTokenLifetime"}, fields.Names(err))
}
