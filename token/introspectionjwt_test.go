package token_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/token"
)

const introspectionJWT = "application/token-introspection+jwt"

// introspectAs introspects a token with these values of Accept.
func (f *fixture) introspectAs(clientID, value string, accept ...string) *httptest.ResponseRecorder {
	f.t.Helper()
	r := f.request(clientID, url.Values{"token": {value}})
	r.Header["Accept"] = accept
	w := httptest.NewRecorder()
	f.ep.Introspection().ServeHTTP(w, r)
	require.Equal(f.t, "no-store", w.Header().Get("Cache-Control"))
	return w
}

// TestSignedIntrospection checks header, claims and signature of signed responses (RFC 9701 §5): the claim token_introspection is the JSON
// response, and the others are iss, aud and iat.
func TestSignedIntrospection(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	at := f.login("web", "openid", "api:read").str("access_token")
	opaque := f.login("web", "api:opaque", "api:pseudo").str("access_token")
	for caller, tokens := range map[string][]string{"api": {at, opaque, "unknown", ""}, "nosy": {at}, "listed": {opaque}} {
		for _, value := range tokens {
			w := f.introspectAs(caller, value, introspectionJWT)
			if value == "" {
				require.Equal(t, http.StatusBadRequest, w.Code)
				require.Equal(t, "application/json", w.Header().Get("Content-Type"))
				continue
			}
			require.Equal(t, http.StatusOK, w.Code, w.Body)
			require.Equal(t, introspectionJWT, w.Header().Get("Content-Type"))
			header, claims := segments(t, w.Body.String())
			require.Equal(t, "token-introspection+jwt", header["typ"])
			plain := f.introspect(caller, value)
			require.Equal(t, map[string]any{
				"iss": issuer, "aud": caller, "iat": float64(f.clock().Unix()), "token_introspection": plain.body,
			}, claims)
			jwks, _ := f.keys.JWKS(f.clock())
			keys, err := jose.ParseJWKS(jwks)
			require.NoError(t, err)
			_, err = jose.Verify(w.Body.String(), jose.MaxToken, []string{keyset.RS256, keyset.ES256}, keys, jose.IntrospectionResponse)
			require.NoError(t, err)

			r := f.request(caller, url.Values{"token": {value}})
			r.Header.Set("Accept", introspectionJWT)
			request, err := client.RequestFrom(httptest.NewRecorder(), r, nil)
			require.NoError(t, err)
			result, err := f.ep.Introspect(t.Context(), request)
			require.NoError(t, err)
			require.Equal(t, plain.body["active"], result.Active)
			require.Nil(t, result.JSON)
			reply := result.Reply()
			require.Equal(t, []string{introspectionJWT}, reply.Header["Content-Type"])
			_, again := segments(t, string(reply.Body))
			require.Equal(t, claims, again)
		}
	}
}

// TestSignedIntrospectionIsChosen checks which responses are signed (RFC 9701 §4 and §6), and who may receive them.
func TestSignedIntrospectionIsChosen(t *testing.T) {
	t.Parallel()
	const signed, plain = "signed", "plain"
	for name, tt := range map[string]struct {
		accept     []string
		registered string // of a client without introspection_signed_response_alg
		bound      string // of a client with it
	}{
		"no Accept":                  {nil, plain, signed},
		"the type":                   {[]string{introspectionJWT}, signed, signed},
		"in another case":            {[]string{"APPLICATION/Token-Introspection+jwt"}, signed, signed},
		"any type":                   {[]string{"*/*"}, plain, signed},
		"JSON":                       {[]string{"application/json"}, plain, "406"},
		"JSON, and the type after":   {[]string{"application/json", introspectionJWT}, signed, signed},
		"JSON rather than the type":  {[]string{"application/json, " + introspectionJWT + ";q=0.5"}, plain, signed},
		"JSON, or else any":          {[]string{"application/json, */*;q=0.1"}, plain, signed},
		"not the type":               {[]string{"*/*, " + introspectionJWT + ";q=0"}, plain, "406"},
		"another JWT":                {[]string{"application/jwt"}, plain, "406"},
		"the typ without the prefix": {[]string{"token-introspection+jwt"}, plain, "406"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.clients["listed"].IntrospectionSignedResponseAlg = "ES256"
			at := f.login("web", "openid", "api:read").str("access_token")
			for caller, want := range map[string]string{"api": tt.registered, "listed": tt.bound} {
				w := f.introspectAs(caller, at, tt.accept...)
				switch want {
				case "406":
					require.Equal(t, http.StatusNotAcceptable, w.Code)
					require.JSONEq(t, `{"error":"invalid_request","error_description":"The responses to this client are signed. Accept application/token-introspection+jwt."}`, w.Body.String())
				case plain:
					require.Equal(t, "application/json", w.Header().Get("Content-Type"), caller)
					require.True(t, json.Valid(w.Body.Bytes()))
				default:
					require.Equal(t, introspectionJWT, w.Header().Get("Content-Type"), caller)
				}
			}
		})
	}
}

// TestSignedIntrospectionIsForResourceServers checks that a client cannot obtain a signed statement, also not about its own token, and that an
// API with a resource can.
func TestSignedIntrospectionIsForResourceServers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	at := f.login("other", "openid", "api:read").str("access_token")
	require.Equal(t, true, f.introspect("other", at).body["active"])
	refused := func(caller string) {
		w := f.introspectAs(caller, at, introspectionJWT)
		require.Equal(t, http.StatusBadRequest, w.Code)
		require.JSONEq(t, `{"error":"unauthorized_client","error_description":"Only resource servers may receive signed responses."}`, w.Body.String())
	}
	refused("other")
	refused("powerless")
	f.clients["other"].IntrospectionSignedResponseAlg = "ES256"
	require.Equal(t, http.StatusBadRequest, f.introspectAs("other", at).Code)
	f.clients["powerless"].Resources = []string{"https://api.example.no"}
	w := f.introspectAs("powerless", at, introspectionJWT)
	_, claims := segments(t, w.Body.String())
	require.Equal(t, map[string]any{"active": false}, claims["token_introspection"], "the token is not for it")
	require.Equal(t, http.StatusUnauthorized, f.introspectAs("spa", at, introspectionJWT).Code, "a public client")
}

// TestSignedIntrospectionAlgorithm checks that the response is signed with the algorithm of the registration, and that a provider without
// such a key responds with a fault, not with another algorithm or without a signature.
func TestSignedIntrospectionAlgorithm(t *testing.T) {
	t.Parallel()
	second, err := keyset.Generate(keyset.EdDSA)
	require.NoError(t, err)
	f := newFixture(t, func(c *token.Config) {
		c.Keys = must(keyset.New(keyset.Config{Keys: []keyset.Key{testKey(), second}}))
	})
	at := f.login("web", "openid", "api:read").str("access_token")
	for alg, want := range map[string]int{"": 200, "EdDSA": 200, "PS256": 503} {
		f.clients["api"].IntrospectionSignedResponseAlg = alg
		w := f.introspectAs("api", at, introspectionJWT)
		require.Equal(t, want, w.Code, alg)
		if want == 200 && alg != "" {
			header, _ := segments(t, w.Body.String())
			require.Equal(t, alg, header["alg"])
		}
		if want == 503 {
			require.Contains(t, w.Body.String(), string(portner.TemporarilyUnavailable))
			require.NotContains(t, w.Body.String(), "active")
		}
	}
}
