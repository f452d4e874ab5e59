package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/standin/standintest"
)

// fapiBed is a server with conformance-fapi2.json, reached over https only, and what the suite is configured with.
type fapiBed struct {
	t       *testing.T
	issuer  string
	now     func() time.Time
	advance func(time.Duration)
	roots   *x509.CertPool

	http         [3]*http.Client // without a certificate, and with that of the first and of the second client
	jar          http.CookieJar  // of a browser whose user is logged in
	private      map[string]*rsa.PrivateKey
	proofs       [3]*ecdsa.PrivateKey // DPoP keys: of the first client, of the second one, and another one
	metaOpenID   map[string]any       // metadata of OIDC Discovery
	metaOAuth    map[string]any       // metadata of RFC 8414
	jwks         jose.JSONWebKeySet
	certificates [3]tls.Certificate
}

func newFAPIBed(t *testing.T) *fapiBed { t.Helper(); return newFAPIBedOf(t, "conformance-fapi2.json") }

func newFAPIBedOf(t *testing.T, config string) *fapiBed {
	t.Helper()
	b := &fapiBed{t: t, private: map[string]*rsa.PrivateKey{}}
	cert, key := standintest.SelfSigned(t, nil)
	s, advance := startWithClock(t, "-demo=false", "-config", config, "-mtls-addr", "localhost:0", "-tls-cert", cert, "-tls-key", key)
	b.issuer, b.now, b.advance = s.Issuer, s.Now, advance
	pem, err := os.ReadFile(cert)
	require.NoError(t, err)
	b.roots = x509.NewCertPool()
	require.True(t, b.roots.AppendCertsFromPEM(pem))
	b.readKeys()
	for i := range b.http {
		b.http[i] = b.dial(i)
		b.proofs[i], err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
	}
	b.jar, err = cookiejar.New(nil)
	require.NoError(t, err)
	b.metaOpenID, b.metaOAuth = b.get(b.issuer+"/.well-known/openid-configuration"), b.get(b.issuer+"/.well-known/oauth-authorization-server")
	text, err := json.Marshal(b.get(b.metaOpenID["jwks_uri"].(string)))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &b.jwks))
	return b
}

// readKeys reads the private keys of the clients.
func (b *fapiBed) readKeys() {
	b.t.Helper()
	text, err := os.ReadFile("conformance-fapi2-keys.json")
	require.NoError(b.t, err)
	var all map[string]struct {
		Keys      []jose.JSONWebKey
		Cert, Key string
	}
	require.NoError(b.t, json.Unmarshal(text, &all))
	for id, v := range all {
		if v.Cert == "" {
			b.private[id] = v.Keys[0].Key.(*rsa.PrivateKey)
			continue
		}
		cert, err := tls.X509KeyPair([]byte(v.Cert), []byte(v.Key))
		require.NoError(b.t, err)
		b.certificates[map[string]int{"mtls": 1, "mtls2": 2}[id]] = cert
	}
}

// client returns an HTTP client with the certificate of a client, or with none.
func (b *fapiBed) dial(n int) *http.Client {
	cfg := &tls.Config{RootCAs: b.roots, MinVersion: tls.VersionTLS12}
	if n > 0 {
		cfg.Certificates = []tls.Certificate{b.certificates[n]}
	}
	tr := &http.Transport{TLSClientConfig: cfg}
	b.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (b *fapiBed) get(address string) map[string]any {
	b.t.Helper()
	res, err := b.http[0].Get(address)
	require.NoError(b.t, err)
	return jsonOf(b.t, res)
}

// jws is a JWT before it is signed.
type jws struct {
	header, claims map[string]any
	key            crypto.Signer
}

func (j *jws) sign(t *testing.T) string {
	t.Helper()
	part := func(v map[string]any) string {
		text, err := json.Marshal(v)
		require.NoError(t, err)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	input := part(j.header) + "." + part(j.claims)
	digest := sha256.Sum256([]byte(input))
	var signature []byte
	var err error
	switch alg, _ := j.header["alg"].(string); {
	case alg == "none":
		return input + "."
	case alg == "RS256":
		signature, err = j.key.Sign(rand.Reader, digest[:], crypto.SHA256)
	default:
		signature, err = signPSSOrECDSA(j.key, digest[:])
	}
	require.NoError(t, err)
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func signPSSOrECDSA(key crypto.Signer, digest []byte) ([]byte, error) {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return rsa.SignPSS(rand.Reader, k, crypto.SHA256, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, k, digest)
		if err != nil {
			return nil, err
		}
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...), nil
	}
	panic("unknown key")
}

// publicJWK returns the public JWK of a DPoP key.
func publicJWK(k *ecdsa.PrivateKey) map[string]any {
	point, err := k.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	return map[string]any{"kty": "EC", "crv": "P-256", "x": base64.RawURLEncoding.EncodeToString(point[1:33]), "y": base64.RawURLEncoding.EncodeToString(point[33:])}
}

// thumbprint returns the RFC 7638 thumbprint of a DPoP key.
func thumbprint(k *ecdsa.PrivateKey) string {
	jwk := publicJWK(k)
	sum := sha256.Sum256([]byte(`{"crv":"P-256","kty":"EC","x":"` + jwk["x"].(string) + `","y":"` + jwk["y"].(string) + `"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// verified verifies a JWT of the provider, and returns its claims.
func (b *fapiBed) verified(t *testing.T, token string) map[string]any {
	t.Helper()
	signed, err := jose.ParseSigned(token, []jose.SignatureAlgorithm{jose.PS256, jose.ES256, jose.EdDSA})
	require.NoError(t, err)
	keys := b.jwks.Key(signed.Signatures[0].Header.KeyID)
	require.Len(t, keys, 1)
	payload, err := signed.Verify(keys[0])
	require.NoError(t, err)
	var claims map[string]any
	require.NoError(t, json.Unmarshal(payload, &claims))
	return claims
}

// browser returns a browser: the one whose user is logged in, or a new one.
func (b *fapiBed) browser(t *testing.T, fresh bool) *visitor {
	t.Helper()
	jar := b.jar
	if fresh {
		var err error
		jar, err = cookiejar.New(nil)
		require.NoError(t, err)
	}
	v := &visitor{t: t, home: []string{b.issuer}}
	v.http = &http.Client{Jar: jar, Transport: b.http[0].Transport, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if !v.at(r.URL) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	return v
}

func form(pairs ...string) url.Values {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return q
}
