package authorize_test

import (
	"encoding/json"
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/jose"
)

// object returns a valid request object of the client with changed claims; nil removes a claim.
func object(clientID string, change map[string]any) map[string]any {
	claims := map[string]any{"iss": clientID, "aud": issuer, "exp": epoch.Add(2 * time.Minute).Unix(), "iat": epoch.Unix(), "jti": "1"}
	for name, values := range params(clientID) {
		claims[name] = values[0]
	}
	maps.Copy(claims, change)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return claims
}

func sign(claims map[string]any, typ string) string {
	signer := must(jose.NewSigner(jose.ES256, "k1", signingKey, nil, typ))
	return must(signer.Sign(typ, must(json.Marshal(claims))))
}

func TestRequestObject(t *testing.T) {
	t.Parallel()
	const bad = "error invalid_request_object"
	for _, tc := range []struct {
		name   string
		change map[string]any
		typ    string
		want   string
	}{
		{"good", nil, "", "login"},
		{"typed", nil, "oauth-authz-req+jwt", "login"},
		{"audience in an array", map[string]any{"aud": []string{"x", issuer}}, "", "login"},
		{"max_age as a number", map[string]any{"max_age": 60}, "", "login"},
		{"claims as an object", map[string]any{"claims": map[string]any{"id_token": map[string]any{"auth_time": nil}}}, "", "login"},
		{"resources", map[string]any{"resource": []string{"https://a.example.no", "urn:b:c"}}, "", "login"},
		{"nbf 8 s ahead", map[string]any{"nbf": epoch.Add(8 * time.Second).Unix()}, "", "login"},
		{"client assertion", nil, "client-authentication+jwt", bad},
		{"logout token", nil, "logout+jwt", bad},
		{"other iss", map[string]any{"iss": "web"}, "", bad},
		{"no iss", map[string]any{"iss": nil}, "", bad},
		{"other client_id", map[string]any{"client_id": "web"}, "", bad},
		{"no client_id", map[string]any{"client_id": nil}, "", bad},
		{"no aud", map[string]any{"aud": nil}, "", bad},
		{"other aud", map[string]any{"aud": issuer + "/"}, "", bad},
		{"no exp", map[string]any{"exp": nil}, "", bad},
		{"expired", map[string]any{"exp": epoch.Add(-11 * time.Second).Unix()}, "", bad},
		{"long life", map[string]any{"exp": epoch.Add(61 * time.Minute).Unix()}, "", bad},
		{"old nbf", map[string]any{"nbf": epoch.Add(-61 * time.Minute).Unix()}, "", bad},
		{"nbf ahead", map[string]any{"nbf": epoch.Add(time.Minute).Unix()}, "", bad},
		{"exp as text", map[string]any{"exp": "tomorrow"}, "", bad},
		{"request inside", map[string]any{"request": "x"}, "", bad},
		{"request_uri inside", map[string]any{"request_uri": "urn:x:y"}, "", bad},
		{"sub", map[string]any{"sub": "signing"}, "", bad},
		{"null parameter", map[string]any{"nonce": json.RawMessage("null")}, "", bad},
		{"control character", map[string]any{"state": "a\nb"}, "", bad},
		{"scope of the object", map[string]any{"scope": "openid nothing:here"}, "", "error invalid_scope"},
		{"scope beside the object", map[string]any{"scope": nil}, "", "error invalid_request"},
		{"redirect_uri of the object", map[string]any{"redirect_uri": "https://evil.example/"}, "", "page Bad Request invalid_request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := params("signing", "request", sign(object("signing", tc.change), tc.typ))
			require.Equal(t, tc.want, outcome(t, w.browser().authorize(p)))
			p.Set("redirect_uri", "https://evil.example/")
			if tc.want == bad {
				require.Equal(t, "page Bad Request invalid_request_object", outcome(t, w.browser().authorize(p)))
			} else {
				require.Equal(t, tc.want, outcome(t, w.browser().authorize(p)), "the redirect_uri of the object is used")
			}
		})
	}
}

func TestRequestObjectSignature(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := sign(object("signing", nil), "")
	foreign := must(must(jose.NewSigner(jose.ES256, "k1", foreignKey, nil)).Sign("", must(json.Marshal(object("signing", nil)))))
	unknownKID := must(must(jose.NewSigner(jose.ES256, "k2", signingKey, nil)).Sign("", must(json.Marshal(object("signing", nil)))))
	parts := strings.Split(good, ".")
	for name, token := range map[string]string{
		"none":        "eyJhbGciOiJub25lIn0." + parts[1] + ".",
		"HS256":       "eyJhbGciOiJIUzI1NiIsImtpZCI6ImsxIn0." + parts[1] + "." + parts[2],
		"foreign key": foreign, "unknown kid": unknownKID, "truncated": good[:len(good)-2], "no signature": parts[0] + "." + parts[1] + ".",
		"not a JWS": "x", "huge": good + strings.Repeat("A", 9<<10),
	} {
		require.Equal(t, "error invalid_request_object", outcome(t, w.browser().authorize(params("signing", "request", token))), name)
	}
	other := sign(object("mustsign", nil), "")
	require.Equal(t, "error invalid_request_object", outcome(t, w.browser().authorize(params("signing", "request", other))), "another client's object")
	require.Equal(t, "login", outcome(t, w.browser().authorize(url.Values{"client_id": {"mustsign"}, "request": {other}})))
}

// TestSignedAllTheWay: pending and pushed requests keep that they were signed.
func TestSignedAllTheWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	signed := url.Values{"client_id": {"mustsign"}, "request": {sign(object("mustsign", map[string]any{"state": "inner"}), "")}}
	res := b.loginAs(b.authorize(signed), "kari")
	requireCode(t, res)
	require.Equal(t, "inner", answered(t, res).Get("state"))

	res = b.authorize(use("mustsign", w.pushed(signed)))
	requireCode(t, res)
	require.Equal(t, "inner", answered(t, res).Get("state"))
}
