package authorize_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/storage"
)

// rsaKey is the RSA key of the client fapi.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })

// messageSigning makes a world with the request objects of FAPI 2.0 Message Signing. Its client fapi must sign its requests, with a P-256 or
// an RSA key. The client other has another key.
func messageSigning(c *authorize.Config) {
	fapi := *c.Clients.(registry)["mustsign"]
	other := fapi
	fapi.ClientID, other.ClientID = "fapi", "other"
	fapi.JWKS = jwks(jose.PublicKey{KID: "k1", Key: signingKey.Public()}, jose.PublicKey{KID: "rsa", Key: rsaKey().Public()})
	other.JWKS = jwks(jose.PublicKey{KID: "k1", Key: foreignKey.Public()})
	c.Clients.(registry)["fapi"], c.Clients.(registry)["other"] = &fapi, &other
	c.RequireNBF, c.RequiredParameters = true, []string{"request_uri", "request", "code_challenge"}
	c.Authenticator = must(client.NewAuthenticator(client.Config{
		Issuer: issuer, Clients: c.Clients, SigningAlgorithms: []string{jose.PS256, jose.ES256, jose.EdDSA},
	}))
}

func jwks(keys ...jose.PublicKey) json.RawMessage {
	var all []string
	for _, k := range keys {
		all = append(all, string(must(jose.MarshalJWK(k))))
	}
	return json.RawMessage(`{"keys":[` + strings.Join(all, ",") + `]}`)
}

// signText signs a payload under a header, with any algorithm and the keys of the client fapi.
func signText(head, payload string) string { return signWith(signingKey, head, payload) }

func signWith(key *ecdsa.PrivateKey, head, payload string) string {
	input := b64([]byte(head)) + "." + b64([]byte(payload))
	digest := sha256.Sum256([]byte(input))
	var signature []byte
	switch {
	case strings.Contains(head, `"PS256"`):
		signature = must(rsa.SignPSS(rand.Reader, rsaKey(), crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}))
	case strings.Contains(head, `"RS256"`):
		signature = must(rsa.SignPKCS1v15(nil, rsaKey(), crypto.SHA256, digest[:]))
	case strings.Contains(head, `"ES256"`):
		r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
		if err != nil {
			panic(err)
		}
		signature = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}
	return input + "." + b64(signature)
}

const es256 = `{"alg":"ES256","kid":"k1"}`

// TestMessageSigning: the request objects of FAPI 2.0 Message Signing §5.3.1 and RFC 9101, at the PAR endpoint.
func TestMessageSigning(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) int64 { return epoch.Add(d).Unix() }
	times := func(nbf, exp time.Duration) map[string]any { return map[string]any{"nbf": at(nbf), "exp": at(exp)} }
	text := func(change map[string]any) string {
		claims := object("fapi", map[string]any{"nbf": at(0)})
		for name, value := range change {
			if claims[name] = value; value == nil {
				delete(claims, name)
			}
		}
		return string(must(json.Marshal(claims)))
	}
	es := func(change map[string]any) string { return signText(es256, text(change)) }
	typed := func(typ string) string { return signText(`{"alg":"ES256","kid":"k1","typ":"`+typ+`"}`, text(nil)) }
	good := es(nil)
	foreignJWK := string(must(jose.MarshalJWK(jose.PublicKey{Key: foreignKey.Public()})))
	const accepted, bad = "", "invalid_request_object"
	for _, tc := range []struct{ name, object, want string }{
		{"good", good, accepted},
		{"PS256", signText(`{"alg":"PS256","kid":"rsa"}`, text(nil)), accepted},
		{"RS256", signText(`{"alg":"RS256","kid":"rsa"}`, text(nil)), bad},
		{"none", signText(`{"alg":"none"}`, text(nil)), bad},
		{"none with kid", signText(`{"alg":"none","kid":"k1"}`, text(nil)), bad},
		{"HS256", signText(`{"alg":"HS256","kid":"k1"}`, text(nil)) + "AAAA", bad},
		{"signature of another object", good[:strings.LastIndex(good, ".")] + es(map[string]any{"jti": "2"})[strings.LastIndex(good, "."):], bad},
		{"no signature", good[:strings.LastIndex(good, ".")+1], bad},
		{"key of another client", signWith(foreignKey, es256, text(nil)), bad},
		{"jwk in the header", signWith(foreignKey, `{"alg":"ES256","jwk":`+foreignJWK+`}`, text(nil)), bad},
		{"jwk and kid in the header", signWith(foreignKey, `{"alg":"ES256","kid":"k1","jwk":`+foreignJWK+`}`, text(nil)), bad},
		{"crit", signText(`{"alg":"ES256","kid":"k1","crit":["x"],"x":1}`, text(nil)), bad},
		{"alg twice", signText(`{"alg":"none","kid":"k1","alg":"ES256"}`, text(nil)), bad},

		{"typ oauth-authz-req+jwt", typed("oauth-authz-req+jwt"), accepted},
		{"typ application/oauth-authz-req+jwt", typed("application/oauth-authz-req+jwt"), accepted},
		{"typ escaped", signText(`{"alg":"ES256","kid":"k1","typ":"oauth-authz-req\u002Bjwt"}`, text(nil)), accepted},
		{"typ JWT", typed("JWT"), accepted},
		{"typ of an assertion", typed("client-authentication+jwt"), bad},
		{"typ of an access token", typed("at+jwt"), bad},
		{"typ of a proof", typed("dpop+jwt"), bad},
		{"typ unknown", typed("JOSE"), bad},

		{"audience in an array", es(map[string]any{"aud": []string{"https://x.example.no", issuer}}), accepted},
		{"no aud", es(map[string]any{"aud": nil}), bad},
		{"other aud", es(map[string]any{"aud": issuer + "/par"}), bad},
		{"other aud in an array", es(map[string]any{"aud": []string{issuer + "/"}}), bad},
		{"aud as an object", es(map[string]any{"aud": map[string]any{issuer: 1}}), bad},
		{"no exp", es(map[string]any{"exp": nil}), bad},
		{"expired", es(times(-10*time.Minute, -5*time.Minute)), bad},
		{"exp 60 minutes after nbf", es(times(0, time.Hour)), accepted},
		{"exp 60 minutes after an nbf in the past", es(times(-30*time.Minute, 30*time.Minute)), accepted},
		{"exp more than 60 minutes after nbf", es(times(-30*time.Minute, 30*time.Minute+time.Second)), bad},
		{"exp 70 minutes after nbf", es(times(0, 70*time.Minute)), bad},
		{"no nbf", es(map[string]any{"nbf": nil}), bad},
		{"nbf as text", es(map[string]any{"nbf": fmt.Sprint(at(0))}), bad},
		{"nbf 60 minutes old", es(times(-time.Hour+time.Second, -time.Hour+time.Second+time.Hour)), accepted},
		{"nbf more than 60 minutes old", es(times(-61*time.Minute, -time.Minute)), bad},
		{"nbf 70 minutes old", es(times(-70*time.Minute, 2*time.Minute)), bad},
		{"nbf 8 s ahead", es(map[string]any{"nbf": at(8 * time.Second)}), accepted},
		{"nbf 10 s ahead", es(map[string]any{"nbf": at(10 * time.Second)}), accepted},
		{"nbf 61 s ahead", es(map[string]any{"nbf": at(61 * time.Second)}), bad},
		{"iat 10 s ahead", es(map[string]any{"iat": at(10 * time.Second)}), accepted},
		{"iat 61 s ahead", es(map[string]any{"iat": at(61 * time.Second)}), bad},
		{"no iat", es(map[string]any{"iat": nil, "jti": nil}), accepted},

		{"no iss", es(map[string]any{"iss": nil}), bad},
		{"other iss", es(map[string]any{"iss": "other"}), bad},
		{"no client_id", es(map[string]any{"client_id": nil}), bad},
		{"other client_id", es(map[string]any{"client_id": "other"}), bad},
		{"client_id as an array", es(map[string]any{"client_id": []string{"fapi"}}), bad},
		{"sub", es(map[string]any{"sub": "fapi"}), bad},
		{"other sub", es(map[string]any{"sub": "kari"}), bad},
		{"request inside", es(map[string]any{"request": good}), bad},
		{"request_uri inside", es(map[string]any{"request_uri": "urn:ietf:params:oauth:request_uri:x"}), bad},

		{"a member twice", signText(es256, `{"redirect_uri":"https://evil.example/",`+text(nil)[1:]), bad},
		{"a member twice, escaped", signText(es256, `{"redirect_ur\u0069":"https://evil.example/",`+text(nil)[1:]), bad},
		{"text after the object", signText(es256, text(nil)+"{}"), bad},
		{"an array", signText(es256, "["+text(nil)+"]"), bad},
		{"a JWT in a JWT", signText(es256, `"`+good+`"`), bad},
		{"encrypted", strings.Repeat("e30.", 4) + "e30", bad},
		{"JSON serialization", `{"payload":"` + strings.Split(good, ".")[1] + `","signatures":[]}`, bad},
		{"padded", strings.Replace(good, ".", "=.", 1), bad},
		{"percent encoding of a dot", strings.Replace(good, ".", "%2E", 1), bad},
		{"parameter null", es(map[string]any{"state": json.RawMessage("null")}), bad},
		{"parameter true", es(map[string]any{"state": true}), bad},
		{"redirect_uri as an object", es(map[string]any{"redirect_uri": map[string]any{"0": rp}}), "invalid_request"},
		{"redirect_uri as an array", es(map[string]any{"redirect_uri": []string{rp, "https://evil.example/"}}), "invalid_request"},
		{"no redirect_uri", es(map[string]any{"redirect_uri": nil}), "invalid_request"},
		{"no challenge", es(map[string]any{"code_challenge": nil}), "invalid_request"},
		{"plain", es(map[string]any{"code_challenge_method": "plain"}), "invalid_request"},
		{"code id_token", es(map[string]any{"response_type": "code id_token"}), "unsupported_response_type"},
		{"unsigned", "", "invalid_request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, messageSigning)
			form := params("fapi", "request", tc.object)
			res := w.push(form)
			if tc.want == accepted {
				require.Equal(t, http.StatusCreated, res.StatusCode, "%v", jsonBody(t, res))
				return
			}
			require.Equal(t, http.StatusBadRequest, res.StatusCode)
			require.Equal(t, tc.want, jsonBody(t, res)["error"])
			require.Zero(t, w.store.Stats().PushedRequests)
		})
	}
}

// TestRequestObjectOfAnotherClient: the request object of one client is none of another one, which has the same parameters beside it.
func TestRequestObjectOfAnotherClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t, messageSigning)
	object := signText(es256, string(must(json.Marshal(object("fapi", map[string]any{"nbf": epoch.Unix()})))))
	require.Equal(t, http.StatusCreated, w.push(url.Values{"client_id": {"fapi"}, "request": {object}}).StatusCode)
	res := w.push(params("other", "request", object))
	require.Equal(t, http.StatusBadRequest, res.StatusCode)
	require.Equal(t, "invalid_request_object", jsonBody(t, res)["error"])
	// RFC 9126 §2: a client_id beside the object must be that of the authenticated client.
	res = w.push(params("other", "request", object), func(r *http.Request) { r.SetBasicAuth("fapi", clientSecret) })
	require.Contains(t, []int{http.StatusBadRequest, http.StatusUnauthorized}, res.StatusCode)
}

// TestParametersBesideTheObject: every parameter beside a request object is ignored (RFC 9101 §6.3), at the PAR endpoint and, where
// requests need not be pushed, at the authorization endpoint. None is added to those of the object.
func TestParametersBesideTheObject(t *testing.T) {
	t.Parallel()
	beside := map[string]string{
		"redirect_uri": rp + "?a=b", "scope": "openid test:plain", "state": "beside", "nonce": "beside", "dpop_jkt": thumbprint(foreignKey),
		"response_mode": "form_post", "response_type": "token", "code_challenge": strings.Repeat("A", 43), "code_challenge_method": "plain", "prompt": "none",
		"max_age": "0", "login_hint": "beside", "resource": "https://evil.example/", "claims": "{", "acr_values": "unknown", "authorization_details": "[]", "onbehalfof": "kunde",
	}
	form := url.Values{"client_id": {"fapi"}}
	for name, value := range beside {
		form.Set(name, value)
	}
	minimal := object("fapi", map[string]any{"nbf": epoch.Unix(), "scope": "openid profile", "state": nil, "nonce": nil})
	form.Set("request", signText(es256, string(must(json.Marshal(minimal)))))
	check := func(t *testing.T, w *world, form url.Values) {
		t.Helper()
		b := w.browser()
		res := b.loginAs(b.authorize(form), "kari")
		at, _, _ := strings.Cut(res.Header.Get("Location"), "?")
		require.Equal(t, rp, at)
		require.False(t, answered(t, res).Has("state"))
		code := must(w.store.Code(t.Context(), storage.HashOf(requireCode(t, res)), w.clock()))
		require.Equal(t, []string{"openid", "profile"}, code.Grant.Scopes)
		require.Equal(t, rp, code.RedirectURI)
		require.Empty(t, code.Nonce)
		require.Empty(t, code.DPoPKey)
		require.Empty(t, code.Grant.Resources)
		require.Equal(t, minimal["code_challenge"], code.CodeChallenge)
		require.NotContains(t, code.Grant.Customer, "974761076", "the customer of onbehalfof")
	}
	t.Run("pushed", func(t *testing.T) {
		t.Parallel()
		w, _ := dpopWorld(t, messageSigning)
		form := cloneForm(form)
		uri := w.pushed(form)
		form.Del("request")
		form.Set("request_uri", uri)
		check(t, w, form)
	})
	t.Run("not pushed", func(t *testing.T) {
		t.Parallel()
		w, _ := dpopWorld(t, messageSigning, func(c *authorize.Config) { c.RequiredParameters = []string{"request"} })
		check(t, w, form)
	})
}

// TestUnsignedRequest: a client that must sign its requests sends none without a signature, at either endpoint, whatever is beside it.
func TestUnsignedRequest(t *testing.T) {
	t.Parallel()
	var all registry
	w := newWorld(t, func(c *authorize.Config) {
		messageSigning(c)
		all = c.Clients.(registry)
		c.RequireNBF, c.RequiredParameters = false, nil // the registration alone requires the signature
	})
	require.Equal(t, "error invalid_request", outcome(t, w.browser().authorize(params("fapi"))))
	res := w.push(params("fapi"))
	require.Equal(t, http.StatusBadRequest, res.StatusCode)
	require.Equal(t, "invalid_request", jsonBody(t, res)["error"])
	require.Equal(t, "error invalid_request_object", outcome(t, w.browser().authorize(params("fapi", "request", "e30.e30."))))
	// A client that need not sign yet: its pushed request does not outlive the change of its registration.
	uri := w.pushed(params("signing"))
	all["signing"].RequireSignedRequestObject = true
	require.Equal(t, "error invalid_request", outcome(t, w.browser().authorize(use("signing", uri))))
}
