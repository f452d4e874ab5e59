package resource_test

import (
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/resource"
)

const introspectionJWT = "token-introspection+jwt"

// TestSignedIntrospection checks which signed introspection responses (RFC 9701 §5) make a token valid: every other document is a fault,
// whatever it says about the token.
func TestSignedIntrospection(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		typ       string // "-" for none
		pairs     []any  // members of the JWT
		members   []any  // members of token_introspection
		mediaType string
		doc       func(t *testing.T, jwt string) string
		reason    string // "fault" for a fault
	}{
		{name: "active"},
		{name: "aud is an array", pairs: []any{"aud", []string{"other", "api:eier"}}},
		{name: "other claims", pairs: []any{"jti", "x", "nbf", 1}},
		{name: "typ in another case", typ: "application/Token-Introspection+JWT"},
		{name: "a little old", pairs: []any{"iat", ago(10)}},
		{name: "inactive", pairs: []any{"token_introspection", map[string]any{"active": false}}, reason: "token_inactive"},
		{name: "of a refresh token", members: []any{"token_type", nil}, reason: "token_type_not_accepted"},
		{name: "bound to a key", members: []any{"token_type", "DPoP", "cnf", map[string]any{"jkt": thumbprint}}, reason: "token_sender_constrained"},
		{name: "claim of an id_token", members: []any{"nonce", "n"}, reason: "token_type_mismatch"},

		{name: "JSON", mediaType: "application/json", doc: func(t *testing.T, _ string) string { return active(t) }, reason: "fault"},
		{name: "JSON as a JWT", doc: func(t *testing.T, _ string) string { return active(t) }, reason: "fault"},
		{name: "a JWT as JSON", mediaType: "application/json", reason: "fault"},
		{name: "another media type", mediaType: "application/jwt", reason: "fault"},
		{name: "no typ", typ: "-", reason: "fault"},
		{name: "typ JWT", typ: "JWT", reason: "fault"},
		{name: "typ of an access token", typ: "at+jwt", reason: "fault"},
		{name: "another issuer", pairs: []any{"iss", "https://test.maskinporten.no"}, reason: "fault"},
		{name: "no issuer", pairs: []any{"iss", nil}, reason: "fault"},
		{name: "for another API", pairs: []any{"aud", "other"}, reason: "fault"},
		{name: "for nobody", pairs: []any{"aud", nil}, reason: "fault"},
		{name: "old", pairs: []any{"iat", ago(12)}, reason: "fault"},
		{name: "from the future", pairs: []any{"iat", ago(-60)}, reason: "fault"},
		{name: "no iat", pairs: []any{"iat", nil}, reason: "fault"},
		{name: "iat is text", pairs: []any{"iat", "x"}, reason: "fault"},
		{name: "no token_introspection", pairs: []any{"token_introspection", nil}, reason: "fault"},
		{name: "token_introspection is text", pairs: []any{"token_introspection", `{"active":true}`}, reason: "fault"},
		{name: "claims beside it", pairs: []any{"token_introspection", map[string]any{"active": true}, "sub", "s"}, reason: "fault"},
		{name: "exp", pairs: []any{"exp", 4102444800}, reason: "fault"},
		{name: "the key of another", doc: func(t *testing.T, _ string) string {
			return signWith(t, jose.ES256, "ec", newECKey(), introspectionJWT, signedResponse(t).json(t))
		}, reason: "fault"},
		{name: "not signed", doc: func(t *testing.T, _ string) string {
			return raw(`{"alg":"none","typ":"token-introspection+jwt"}`, signedResponse(t).json(t), nothing)
		}, reason: "fault"},
		{name: "changed", doc: func(_ *testing.T, jwt string) string { return jwt[:len(jwt)-2] + "A" }, reason: "fault"},
		{name: "an access token", doc: func(t *testing.T, _ string) string {
			return sign(t, "ec", "at+jwt", person(t).with("aud", "api:eier").json(t))
		}, reason: "fault"},
		{name: "empty", doc: func(*testing.T, string) string { return "" }, reason: "fault"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				pairs := tt.pairs
				for i := range pairs {
					if at, ok := pairs[i].(ago); ok {
						pairs = append(pairs[:i:i], append([]any{time.Now().Unix() - int64(at)}, pairs[i+1:]...)...)
					}
				}
				typ, media := introspectionJWT, "application/token-introspection+jwt"
				if tt.typ != "" {
					typ = tt.typ
				}
				if typ == "-" {
					typ = ""
				}
				if tt.mediaType != "" {
					media = tt.mediaType
				}
				doc := sign(t, "ec", typ, signedResponse(t, tt.members...).with(pairs...).json(t))
				if tt.doc != nil {
					doc = tt.doc(t, doc)
				}
				a := &endpoint{}
				a.responds(200, doc, "Content-Type", media)
				cfg := a.config(t)
				cfg.Introspection.Keys = issuerKeys(t)
				w := call(verifier(t, cfg), resource.Rules{Scopes: []string{"difitest:test2"}}, "IxC0B76v_slPU=")
				switch tt.reason {
				case "":
					require.Equal(t, 200, w.Code, w.Body)
				case "fault":
					require.Equal(t, 503, w.Code, w.Body)
				default:
					require.Equal(t, 401, w.Code, w.Body)
				}
			})
		})
	}
}

// ago is a time in seconds before the request.
type ago int64

// signedResponse returns the claims of a signed response about an active token.
func signedResponse(t *testing.T, members ...any) claims {
	now := time.Now().Unix()
	return claims{"iss": maskinporten, "aud": "api:eier", "iat": now, "token_introspection": parse(t, active(t, members...))}
}

// TestSignedIntrospectionIsRequested checks the field Accept, and that a plain verifier does not accept a signed response.
func TestSignedIntrospectionIsRequested(t *testing.T) {
	t.Parallel()
	accept := ""
	a := &endpoint{}
	answer := func(media string, doc func() string) {
		a.answers(func(r *http.Request) (*http.Response, error) {
			accept = r.Header.Get("Accept")
			return response(200, []byte(doc()), "Content-Type", media), nil
		})
	}
	jwt := func() string { return sign(t, "ec", introspectionJWT, signedResponse(t).json(t)) }
	answer("application/token-introspection+jwt", jwt)
	cfg := a.config(t)
	_, err := verifier(t, cfg).Verify(t.Context(), resource.Bearer("abc"))
	require.Error(t, err)
	require.Equal(t, "application/json", accept)
	cfg.Introspection.Keys = issuerKeys(t)
	_, err = verifier(t, cfg).Verify(t.Context(), resource.Bearer("abc"))
	require.NoError(t, err)
	require.Equal(t, "application/token-introspection+jwt", accept)

	cfg.Introspection.Keys = resource.RemoteKeys{URI: "http://evil.example"}
	cfg.Introspection.ClientID = ""
	cfg.Introspection.Authenticate = func(*http.Request, url.Values) error { return nil }
	_, err = resource.New(cfg)
	require.Equal(t, []string{"Introspection.ClientID", "Introspection.Keys.URI"}, fields.Names(err))
}
