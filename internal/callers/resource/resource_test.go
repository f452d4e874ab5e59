package resource

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/resource"
	"github.com/portner-go/portner/storage/memory"
)

func TestProtect(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	require.NoError(t, protect(mux, memory.New(), http.NotFoundHandler(), http.NotFoundHandler()))
	get := func(method, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		return w
	}
	const more = `resource_metadata="https://api.example.no/.well-known/oauth-protected-resource"`
	w := get(http.MethodGet, "/tax")
	require.Equal(t, http.StatusUnauthorized, w.Code)
	require.Equal(t, `Bearer realm="api", `+more+`, DPoP algs="PS256 ES256 EdDSA", `+more, w.Header().Get("Www-Authenticate"))
	require.Equal(t, `DPoP algs="PS256 ES256 EdDSA", `+more, get(http.MethodPut, "/account").Header().Get("Www-Authenticate"))
	require.Equal(t, http.StatusOK, get(http.MethodGet, "/.well-known/oauth-protected-resource").Code)
}

// world is an issuer and a client with a key.
type world struct {
	keys *keyset.Set
	key  *ecdsa.PrivateKey
	jwk  string
	now  time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	issuer, err := keyset.Generate(keyset.ES256)
	require.NoError(t, err)
	w := &world{now: time.Now()}
	w.keys, err = keyset.New(keyset.Config{Keys: []keyset.Key{issuer}})
	require.NoError(t, err)
	w.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	point, err := w.key.PublicKey.Bytes()
	require.NoError(t, err)
	w.jwk = fmt.Sprintf(`{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, encode(point[1:33]), encode(point[33:]))
	return w
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return encode(sum[:])
}

// token returns an access token with further claims.
func (w *world) token(t *testing.T, scope, more string) string {
	t.Helper()
	token, err := w.keys.Sign("", "at+jwt", fmt.Appendf(nil, `{"iss":"https://test.idporten.no","aud":"https://api.example.no","sub":"u1","jti":"1",
		"client_id":"app","scope":%q,"acr":"idporten-loa-high","iat":%d,"exp":%d%s}`, scope, w.now.Unix(), w.now.Unix()+60, more), w.now)
	require.NoError(t, err)
	return token
}

// proof returns a proof of the client for GET /tax.
func (w *world) proof(t *testing.T, token string) string {
	t.Helper()
	signed := encode([]byte(`{"typ":"dpop+jwt","alg":"ES256","jwk":`+w.jwk+`}`)) + "." + encode(fmt.Appendf(nil,
		`{"jti":%q,"htm":"GET","htu":"https://api.example.no/tax","iat":%d,"ath":%q}`, rand.Text(), w.now.Unix(), hash(token)))
	digest := crypto.SHA256.New()
	digest.Write([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, w.key, digest.Sum(nil))
	require.NoError(t, err)
	return signed + "." + encode(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

func TestAllowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	jwks, _ := w.keys.JWKS(w.now)
	api, err := resource.New(resource.Config{
		Issuer: "https://test.idporten.no", Keys: resource.StaticKeys(jwks), URL: "https://api.example.no", DPoP: &dpop.Policy{Replay: memory.New()},
	})
	require.NoError(t, err)
	request := func(authorization string, proofs ...string) resource.Request {
		return resource.Request{Method: http.MethodGet, Path: "/tax", Authorization: []string{authorization}, DPoP: proofs}
	}
	plain, bound := w.token(t, "skatt:les", ""), w.token(t, "skatt:les", `,"cnf":{"jkt":"`+hash(w.jwk)+`"}`)
	for _, r := range []resource.Request{request("Bearer " + plain), request("DPoP "+bound, w.proof(t, bound))} {
		token, err := allowed(t.Context(), api, r)
		require.NoError(t, err)
		require.Equal(t, "u1", token.Subject)
	}
	for reason, r := range map[string]resource.Request{
		"token_missing": {}, "scope_missing": request("Bearer " + w.token(t, "skatt:skriv", "")), "bound_token_as_bearer": request("Bearer " + bound),
		"token_not_bound": request("DPoP "+plain, w.proof(t, plain)), "token_in_query": {Query: "access_token=x"},
	} {
		_, err = allowed(t.Context(), api, r)
		var rejected *resource.Error
		require.ErrorAs(t, err, &rejected, reason)
		require.Equal(t, reason, rejected.Reason)
	}
}
