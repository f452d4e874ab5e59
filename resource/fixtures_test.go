package resource_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/resource"
)

const (
	maskinporten = "https://test.maskinporten.no/"
	api          = "https://api.example.no"
	synthetic    = "21879498012" // month + 80
	another      = "45840375084"
	thumbprint   = "IxSUCTtzAn5x6OAE4wIrMvTVaOT05P-F3Whveob0pe4" // has the form of one
)

// rsaKey returns an RSA key that the tests share: generating one is slow.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	raw, err := os.ReadFile("../internal/jose/testdata/rsa2048.pem")
	if err != nil {
		panic(err)
	}
	block, _ := pem.Decode(raw)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		panic(err)
	}
	return key.(*rsa.PrivateKey)
})

var ecKey = sync.OnceValue(func() *ecdsa.PrivateKey { return newECKey() })

func newECKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

// keySet returns the JWKS of keys by kid.
func keySet(t testing.TB, keys map[string]crypto.Signer) []byte {
	t.Helper()
	list := []json.RawMessage{}
	for kid, key := range keys {
		jwk, err := jose.MarshalJWK(jose.PublicKey{KID: kid, Alg: jose.AlgFor(key.Public()), Key: key.Public()})
		require.NoError(t, err)
		list = append(list, jwk)
	}
	doc, err := json.Marshal(map[string]any{"keys": list})
	require.NoError(t, err)
	return doc
}

// issuerKeys returns the key set of the issuer in most tests.
func issuerKeys(t testing.TB) resource.StaticKeys {
	return keySet(t, map[string]crypto.Signer{"rsa": rsaKey(), "ec": ecKey()})
}

// sign signs a payload with the key named kid.
func sign(t testing.TB, kid, typ string, payload []byte) string {
	t.Helper()
	alg, key := jose.ES256, crypto.Signer(ecKey())
	if kid == "rsa" {
		alg, key = jose.RS256, rsaKey()
	}
	return signWith(t, alg, kid, key, typ, payload)
}

func signWith(t testing.TB, alg, kid string, key crypto.Signer, typ string, payload []byte) string {
	t.Helper()
	s, err := jose.NewSigner(alg, kid, key, nil, typ)
	require.NoError(t, err)
	token, err := s.Sign(typ, payload)
	require.NoError(t, err)
	return token
}

type claims map[string]any

// with returns a copy with other members. The value nil removes a member.
func (c claims) with(pairs ...any) claims {
	out := maps.Clone(c)
	for i := 0; i < len(pairs); i += 2 {
		if out[pairs[i].(string)] = pairs[i+1]; pairs[i+1] == nil {
			delete(out, pairs[i].(string))
		}
	}
	return out
}

func (c claims) json(t testing.TB) []byte {
	t.Helper()
	raw, err := json.Marshal(c)
	require.NoError(t, err)
	return raw
}

func parse(t testing.TB, raw string) claims {
	t.Helper()
	var c claims
	require.NoError(t, json.Unmarshal([]byte(raw), &c))
	return c
}

func org(id string) map[string]any {
	return map[string]any{"authority": "iso6523-actorid-upis", "ID": id}
}

// epoch is the time at which most tests use their tokens.
var epoch = time.Unix(1584693600, 0)

// machine returns the claims of a Maskinporten token and person those of an ID-porten login, both valid at epoch.
func machine(t testing.TB) claims {
	return parse(t, `{"iss":"https://test.maskinporten.no/","scope":"difitest:test2","client_amr":"virksomhetssertifikat","client_id":"c1",
		"token_type":"Bearer","iat":1584693565,"exp":1584694565,"jti":"IYRtIEzOYb8fHiIMEaqVHq_tXYGWe6OEOjOdsK-P_30",
		"consumer":{"authority":"iso6523-actorid-upis","ID":"0192:991825827"}}`)
}

func person(t testing.TB) claims {
	return machine(t).with("sub", "pairwise-1", "acr", "idporten-loa-substantial", "pid", synthetic, "client_amr", "private_key_jwt", "token_type", nil)
}

func at(now time.Time) func() time.Time { return func() time.Time { return now } }

// config returns the configuration of most tests.
func config(t testing.TB) resource.Config {
	return resource.Config{Issuer: maskinporten, URL: api, Keys: issuerKeys(t), Now: at(epoch)}
}

func verifier(t testing.TB, cfg resource.Config) *resource.Verifier {
	t.Helper()
	v, err := resource.New(cfg)
	require.NoError(t, err)
	return v
}

// call sends a token to a resource with these rules and returns the response. If token is "", the request has none.
func call(v *resource.Verifier, rules resource.Rules, token string) *httptest.ResponseRecorder {
	h := v.Protect(rules, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Consumer", resource.FromContext(r.Context()).Consumer.Orgno)
	}))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// rejection returns err as an *Error.
func rejection(t testing.TB, err error) *resource.Error {
	t.Helper()
	var e *resource.Error
	require.ErrorAs(t, err, &e)
	return e
}
