package compat_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/standin/compat"
)

// mappings returns a configuration with one request mapping.
func mappings(members string) string {
	return `{"tokenCallbacks": [{"issuerId": "a", "requestMappings": [{"requestParam": "scope", "match": "*", ` + members + `}]}]}`
}

// TestParseRejects: what the program cannot serve as it is meant is an error that names the member.
func TestParseRejects(t *testing.T) {
	t.Parallel()
	claims := func(c string) string { return mappings(`"claims": {` + c + `}`) }
	for text, field := range map[string]string{
		`{"interactivelogin": true}`:                                                                            "interactivelogin",
		`{"interactiveLogin": "yes"}`:                                                                           "interactiveLogin",
		`{"debugger": true}`:                                                                                    "debugger",
		`{"httpServer": "Jetty"}`:                                                                               "httpServer",
		`{"httpServer": {"type": "NettyWrapper", "port": 1}}`:                                                   "httpServer.port",
		`{"httpServer": {"type": "NettyWrapper", "ssl": {"keystoreFile": "x"}}}`:                                "httpServer.ssl.keystoreFile",
		`{"tokenProvider": {"keyProvider": {"algorithm": "RS512"}}}`:                                            "tokenProvider.keyProvider.algorithm",
		`{"tokenProvider": {"keyProvider": {"algorithm": "ES256", "initialKeys": "{}"}}}`:                       "tokenProvider.keyProvider.initialKeys",
		`{"tokenProvider": {"systemTime": "yesterday"}}`:                                                        "tokenProvider.systemTime",
		`{"tokenCallbacks": [{"issuerId": "a"}]}`:                                                               "tokenCallbacks[0].requestMappings",
		`{"tokenCallbacks": [{"issuerId": "a", "requestMappings": []}], "issuers": ["a"]}`:                      "issuers[0]",
		`{"tokenCallbacks": [{"issuerId": "a", "requestMappings": [], "tokenExpiry": 0}]}`:                      "tokenCallbacks[0].tokenExpiry",
		`{"tokenCallbacks": [{"issuerId": "a", "requestMappings": [], "subject": "x"}]}`:                        "tokenCallbacks[0].subject",
		`{"issuers": ["../a"]}`:                                                                                 "issuers[0]",
		`{"issuers": ["a/.well-known"]}`:                                                                        "issuers[0]",
		`{"tokenCallbacks": [{"issuerId": "a", "requestMappings": [{"requestParam": "x", "match": "(?=a)"}]}]}`: "tokenCallbacks[0].requestMappings[0].match",
		`{"tokenCallbacks": [{"issuerId": "a", "requestMappings": [{"match": "a"}]}]}`:                          "tokenCallbacks[0].requestMappings[0].requestParam",
		`{"tokenCallbacks": [{"issuerId": "a", "requestMappings": [{"requestParam": "x", "match": "a", "typeHeader": "at+jwt"}, {"requestParam": "y", "match": "b"}]}]}`: "tokenCallbacks[0].requestMappings[1].typeHeader",
		mappings(`"typeHeader": "logout+jwt"`):                      "tokenCallbacks[0].requestMappings[0].typeHeader",
		claims(`"iss": "https://idporten.no"`):                      "tokenCallbacks[0].requestMappings[0].claims.iss",
		claims(`"exp": 1`):                                          "tokenCallbacks[0].requestMappings[0].claims.exp",
		claims(`"scope": "a"`):                                      "tokenCallbacks[0].requestMappings[0].claims.scope",
		claims(`"sub": 7`):                                          "tokenCallbacks[0].requestMappings[0].claims.sub",
		claims(`"aud": []`):                                         "tokenCallbacks[0].requestMappings[0].claims.aud",
		claims(`"acr": "${scope}"`):                                 "tokenCallbacks[0].requestMappings[0].claims.acr",
		claims(`"azp": "other"`):                                    "tokenCallbacks[0].requestMappings[0].claims.azp",
		claims(`"a": ["x ${client_secret}"]`):                       "tokenCallbacks[0].requestMappings[0].claims.a",
		claims(`"a": {"b": "${subject_token}"}`):                    "tokenCallbacks[0].requestMappings[0].claims.a",
		`{"clients": [{"client_id": "a", "redirect_uris": ["x"]}]}`: "clients[0].redirect_uris[0]",
		`{"clients": [{"client_id": "a", "client_secrets": []}]}`:   "clients[0].client_secrets",
		`{"clients": [{"client_id": "a", "client_secret": "s", "scopes": ["a"], "grant_types": ["password"]}]}`: "clients[0].grant_types[0]",
		`{"lenient": ["any-thing"]}`: "lenient",
	} {
		_, err := compat.Parse([]byte(text))
		found := portner.FieldErrors(err)
		require.NotEmpty(t, found, "%s: %v", text, err)
		fields := make([]string, len(found))
		for i, f := range found {
			fields[i] = f.Field
		}
		require.Contains(t, fields, field, text)
	}
	_, err := compat.Parse([]byte(`{"interactiveLogin": `))
	require.ErrorContains(t, err, "unexpected end")
	_, err = compat.ParseSwitches("any-client,all", "none")
	require.ErrorContains(t, err, `"all" is no switch`)
	require.ErrorContains(t, err, `"none" is no switch`)
}

// TestParseDefaults: the defaults are those of mock-oauth2-server, and members without effect are named.
func TestParseDefaults(t *testing.T) {
	t.Parallel()
	plan, err := compat.Parse(nil)
	require.NoError(t, err)
	require.True(t, plan.Interactive, "a server without a configuration")
	plan, err = compat.Parse([]byte(`{"loginPagePath": "login.html", "staticAssetsPath": "/static", "httpServer": {"type": "NettyWrapper", "ssl": {}},
		"tokenProvider": {"systemTime": "2020-01-21T00:00:00Z"}}`))
	require.NoError(t, err)
	require.False(t, plan.Interactive, "a configuration without the member")
	require.True(t, plan.TLS)
	warnings := strings.Join(plan.Warnings, "\n")
	for _, member := range []string{"loginPagePath", "staticAssetsPath", "tokenProvider.systemTime"} {
		require.Contains(t, warnings, member+":")
	}
}

// TestInitialKeys: the key of the configuration signs, for RSA and for elliptic curves.
func TestInitialKeys(t *testing.T) {
	t.Parallel()
	b64 := base64.RawURLEncoding.EncodeToString
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	public, err := ec.PublicKey.Bytes()
	require.NoError(t, err)
	private, err := ec.Bytes()
	require.NoError(t, err)
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	x := b64(public[1:33])
	n := b64(rs.N.Bytes())
	for _, tc := range []struct{ alg, jwk, member, value string }{
		{"ES256", fmt.Sprintf(`{"kty":"EC","crv":"P-256","kid":"mine","x":%q,"y":%q,"d":%q}`, x, b64(public[33:]), b64(private)), "x", x},
		{"RS256", fmt.Sprintf(`{"kty":"RSA","n":%q,"e":%q,"d":%q,"p":%q,"q":%q}`, n, b64(big.NewInt(int64(rs.E)).Bytes()), b64(rs.D.Bytes()),
			b64(rs.Primes[0].Bytes()), b64(rs.Primes[1].Bytes())), "n", n},
	} {
		text, err := json.Marshal(map[string]any{"tokenProvider": map[string]any{"keyProvider": map[string]any{"algorithm": tc.alg, "initialKeys": tc.jwk}}})
		require.NoError(t, err)
		keys := open(t, string(text)).get("/default/jwks").body["keys"].([]any)
		require.Len(t, keys, 1)
		require.Equal(t, tc.value, keys[0].(map[string]any)[tc.member])
		_, err = compat.Parse([]byte(strings.Replace(string(text), tc.value[:8], "AAAAAAAA", 1)))
		require.ErrorContains(t, err, "initialKeys", "the public part must belong to the private one")
	}
}

// TestSystemTime: with systemTime every token is of that instant.
func TestSystemTime(t *testing.T) {
	t.Parallel()
	s := open(t, strings.Replace(config, `"tokenProvider": {`, `"tokenProvider": {"systemTime": "2020-01-21T00:00:00Z", `, 1))
	a := s.redeem("default", s.logIn("default", "alice", ""))
	at := s.claims(a.str("access_token"))
	require.Equal(t, []any{1579564800.0, 1579568400.0}, []any{at["iat"], at["exp"]}, a.text)
}

// TestTypeHeader: access tokens have no typ, or at+jwt.
func TestTypeHeader(t *testing.T) {
	t.Parallel()
	for typ, header := range map[string]any{"JWT": nil, "at+jwt": "at+jwt"} {
		text := `{"tokenProvider": {"keyProvider": {"algorithm": "ES256"}}, "tokenCallbacks": [{"issuerId": "a", "requestMappings": [
			{"requestParam": "scope", "match": "*", "typeHeader": "` + typ + `", "claims": {"aud": "x"}}]}],
			"clients": [{"client_id": "app", "client_secret": "s", "scopes": ["a"], "grant_types": ["client_credentials"], "redirect_uris": ["http://localhost/"]}]}`
		s := open(t, text)
		a := s.post("/a/token", "app", "s", "grant_type", "client_credentials", "scope", "a")
		require.Equal(t, 200, a.StatusCode, a.text)
		data, err := base64.RawURLEncoding.DecodeString(strings.Split(a.str("access_token"), ".")[0])
		require.NoError(t, err)
		var got map[string]any
		require.NoError(t, json.Unmarshal(data, &got))
		require.Equal(t, header, got["typ"])
	}
}
