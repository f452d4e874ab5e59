package provider_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"maps"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
)

// strangeKeys are keys in the header of a proof that is signed by p, which are not accepted.
var strangeKeys = map[string]func(p *prover) object{
	"no key":       func(*prover) object { return nil },
	"an empty key": func(*prover) object { return object{} },
	"kty missing":  func(p *prover) object { return without(p.jwk, "kty") },
	"x missing":    func(p *prover) object { return without(p.jwk, "x") },
	"y missing":    func(p *prover) object { return without(p.jwk, "y") },
	"symmetric": func(*prover) object {
		return object{"kty": "oct", "k": b64([]byte("0123456789abcdef0123456789abcdef"))}
	},
	"a set":                 func(p *prover) object { return object{"keys": []object{p.jwk}} },
	"P-384":                 func(p *prover) object { return newProver(p.tb, "ES384").jwk },
	"P-521":                 func(p *prover) object { return newProver(p.tb, "ES512").jwk },
	"the name of P-384":     func(p *prover) object { return with(p.jwk, "crv", "P-384") },
	"secp256k1":             func(p *prover) object { return with(p.jwk, "crv", "secp256k1") },
	"P-224":                 func(p *prover) object { return with(p.jwk, "crv", "P-224") },
	"Ed448":                 func(*prover) object { return object{"kty": "OKP", "crv": "Ed448", "x": b64(make([]byte, 57))} },
	"X25519":                func(*prover) object { return object{"kty": "OKP", "crv": "X25519", "x": b64(make([]byte, 32))} },
	"the point at infinity": func(p *prover) object { return with(p.jwk, "x", "", "y", "") },
	"zeros":                 func(p *prover) object { return with(p.jwk, "x", b64(make([]byte, 32)), "y", b64(make([]byte, 32))) },
	"not on the curve":      func(p *prover) object { return with(p.jwk, "y", p.jwk["x"]) },
	"x and the prime": func(p *prover) object {
		x, err := base64.RawURLEncoding.DecodeString(p.jwk["x"].(string))
		require.NoError(p.tb, err)
		sum := new(big.Int).Add(new(big.Int).SetBytes(x), elliptic.P256().Params().P)
		return with(p.jwk, "x", b64(sum.Bytes()))
	},
	"x with a zero in front": func(p *prover) object {
		x, err := base64.RawURLEncoding.DecodeString(p.jwk["x"].(string))
		require.NoError(p.tb, err)
		return with(p.jwk, "x", b64(append([]byte{0}, x...)))
	},
	"padding":        func(p *prover) object { return with(p.jwk, "x", p.jwk["x"].(string)+"=") },
	"private":        func(p *prover) object { return with(p.jwk, "d", b64(make([]byte, 32))) },
	"private, null":  func(p *prover) object { return with(p.jwk, "d", nil) },
	"oct beside":     func(p *prover) object { return with(p.jwk, "k", "AA") },
	"RSA private":    func(p *prover) object { return with(newProver(p.tb, "PS256").jwk, "p", "AQ", "q", "AQ") },
	"RSA 1024":       func(*prover) object { return rsaJWK(1024, 65537) },
	"RSA 16384":      func(*prover) object { return rsaJWK(16384, 65537) },
	"RSA 4097":       func(*prover) object { return rsaJWK(4097, 65537) },
	"RSA, e is 1":    func(*prover) object { return rsaJWK(2048, 1) },
	"RSA, e is even": func(*prover) object { return rsaJWK(2048, 65536) },
	"RSA, e is huge": func(*prover) object { return with(rsaJWK(2048, 3), "e", strings.Repeat("_", 300)) },
	"huge":           func(p *prover) object { return with(p.jwk, "x5c", []string{strings.Repeat("A", 64<<10)}) },
	"huge kid":       func(p *prover) object { return with(p.jwk, "kid", strings.Repeat("k", 1<<20)) },
}

func with(o object, set ...any) object {
	o = maps.Clone(o)
	for i := 0; i+1 < len(set); i += 2 {
		o[set[i].(string)] = set[i+1]
	}
	return o
}

func without(o object, name string) object {
	o = maps.Clone(o)
	delete(o, name)
	return o
}

// rsaJWK is a public key that nobody has the private key of.
func rsaJWK(bits int, e int64) object {
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	return object{"kty": "RSA", "n": b64(n.Add(n, big.NewInt(1)).Bytes()), "e": b64(big.NewInt(e).Bytes())}
}

// TestStrangeProofKeys: proofs with a key that is private, huge, weak, of another curve or malformed are rejected at every endpoint, and
// before their signature is verified.
func TestStrangeProofKeys(t *testing.T) {
	t.Parallel()
	p := newProver(t, "ES256")
	n := newNodes(t, nil, boundClients(t)...)
	access := n.boundTokens(t, "bundet", p).String("access_token")
	for name, key := range strangeKeys {
		jwk := key(p)
		algs := []string{"ES256", "EdDSA", "PS256", "ES384", "ES256K", "RS256", "HS256", "none"}
		for _, alg := range algs {
			header := object{"typ": "dpop+jwt", "alg": alg, "jwk": jwk}
			if jwk == nil {
				delete(header, "jwk")
			}
			claims := func(method, htu string) object {
				return object{"jti": rand.Text(), "htm": method, "htu": htu, "iat": n.now().Unix(), "ath": ath(access)}
			}
			requireRefused(t, http.StatusBadRequest, "invalid_dpop_proof", send(t, n.a, machine(p.sign(header, claims(http.MethodPost, tokenURL)))), name+" "+alg)
			require.Contains(t, []string{"dpop_jwk", "dpop_alg_mismatch", "dpop_malformed"}, n.reason.Load(), "%s %s: before the signature is verified", name, alg)
			pushed := request{path: "/par", clientID: "bundet", form: n.a.Request("bundet", "openid").Params, proofs: []string{p.sign(header, claims(http.MethodPost, parURL))}}
			requireRefused(t, http.StatusBadRequest, "invalid_dpop_proof", send(t, n.a, pushed), name+" "+alg)
			a := send(t, n.a, infoRequest("DPoP", access, p.sign(header, claims(http.MethodGet, userInfoURL))))
			require.Equal(t, http.StatusUnauthorized, a.Status, "%s %s", name, alg)
		}
	}
	for _, alg := range []string{"ES384", "ES512", "RS256"} {
		other := newProver(t, alg)
		requireRefused(t, http.StatusBadRequest, "invalid_dpop_proof", send(t, n.a, machine(other.proof(n.now(), http.MethodPost, tokenURL))), alg)
	}
	for _, alg := range []string{"ES256", "EdDSA", "PS256"} {
		other := newProver(t, alg)
		a := send(t, n.a, machine(other.proof(n.now(), http.MethodPost, tokenURL)))
		require.Equal(t, http.StatusOK, a.Status, "%s: %v", alg, a.JSON)
		require.Equal(t, other.thumbprint(), claimsOf(t, n.a, a.String("access_token"))["cnf"].(object)["jkt"], alg)
	}
}

// TestProofClockEdges: a proof is accepted from ten seconds before its iat to a minute after it, both included, and at no nanosecond
// outside. It is remembered for that long.
func TestProofClockEdges(t *testing.T) {
	t.Parallel()
	p := newProver(t, "ES256")
	n := newNodes(t, nil, boundClients(t)...)
	iat := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	for after, ok := range map[time.Duration]bool{
		-10*time.Second - 1: false, -10 * time.Second: true, 0: true, 60 * time.Second: true, 60*time.Second + 1: false, time.Hour: false, -time.Hour: false,
	} {
		n.set(iat.Add(after))
		a := send(t, n.a, machine(p.proof(iat, http.MethodPost, tokenURL)))
		if ok {
			require.Equal(t, http.StatusOK, a.Status, "%s: %v", after, a.JSON)
		} else {
			requireRefused(t, http.StatusBadRequest, "invalid_dpop_proof", a, after.String())
		}
	}
	once := machine(p.proof(iat, http.MethodPost, tokenURL))
	n.set(iat.Add(-10 * time.Second))
	require.Equal(t, http.StatusOK, send(t, n.a, once).Status)
	for _, after := range []time.Duration{0, 30 * time.Second, 60 * time.Second} {
		n.set(iat.Add(after))
		requireRefused(t, http.StatusBadRequest, "invalid_dpop_proof", send(t, n.b, once), after.String())
	}
	n.set(iat)
	for name, claim := range map[string]any{
		"text": "1772366400", "missing": nil, "fraction far": 1e300, "negative": -1, "object": object{}, "list": []int{1}, "true": true, "beyond int64": 1e19,
	} {
		requireRefused(t, http.StatusBadRequest, "invalid_dpop_proof", send(t, n.a, machine(p.proof(iat, http.MethodPost, tokenURL, "iat", claim))), name)
	}
}

// newCertificate returns a self-signed certificate of a key.
func newCertificate(tb testing.TB, key *ecdsa.PrivateKey, serial int64) *x509.Certificate {
	tb.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2027, time.January, 1, 0, 0, 0, 0, time.UTC),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	template.Subject.CommonName = "bundet"
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(tb, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(tb, err)
	return cert
}

// certificateClient is a client whose tokens are bound to its certificate.
func certificateClient(tb testing.TB) client.Client {
	tb.Helper()
	c := boundClients(tb)[0]
	c.TLSClientCertificateBoundAccessTokens = true
	return c
}

// TestTokenOfAnotherCertificate: a token is bound to one certificate, not to its name or key.
func TestTokenOfAnotherCertificate(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	own := newCertificate(t, key, 1)
	n := newNodes(t, func(c *provider.Config) { c.MTLSURL = "https://mtls.example.no" }, certificateClient(t))
	r := n.a.Request("bundet", "openid offline_access")
	code := n.a.Browser().Login(t, r, "kari").Code(t)
	without := redemption(r, code)
	a := send(t, n.a, without)
	require.Equal(t, http.StatusBadRequest, a.Status, "no certificate, no token: %v", a.JSON)

	r = n.a.Request("bundet", "openid offline_access")
	withOwn := redemption(r, n.a.Browser().Login(t, r, "kari").Code(t))
	withOwn.certificate = own
	a = send(t, n.a, withOwn)
	require.Equal(t, http.StatusOK, a.Status, "%v", a.JSON)
	require.Equal(t, "Bearer", a.String("token_type"))
	access := a.String("access_token")
	require.Equal(t, client.CertificateThumbprint(own), claimsOf(t, n.a, access)["cnf"].(object)["x5t#S256"])
	for name, cert := range map[string]*x509.Certificate{
		"none": nil, "another key": newCertificate(t, other, 1), "renewed": newCertificate(t, key, 2),
	} {
		info := infoRequest("Bearer", access)
		info.certificate = cert
		a := send(t, n.b, info)
		require.Equal(t, http.StatusUnauthorized, a.Status, name)
		require.Contains(t, a.Header.Get("WWW-Authenticate"), "invalid_token", name)
	}
	info := infoRequest("Bearer", access)
	info.certificate = own
	require.Equal(t, http.StatusOK, send(t, n.b, info).Status)
	refresh := refreshing("bundet", a.String("refresh_token"))
	require.Equal(t, http.StatusBadRequest, send(t, n.b, refresh).Status, "no certificate, no token")
}

// TestForgedProxyFields: fields in which proxies send certificates are nothing to a provider without ClientCertificates.
func TestForgedProxyFields(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	own := newCertificate(t, key, 1)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Raw}))
	der := base64.StdEncoding.EncodeToString(own.Raw)
	fields := http.Header{
		"Client-Cert": {":" + der + ":"}, "Client-Cert-Chain": {":" + der + ":"}, "X-Client-Cert": {url.QueryEscape(text)}, "X-Ssl-Client-Cert": {url.QueryEscape(text)},
		"Ssl-Client-Cert": {url.QueryEscape(text)}, "X-Forwarded-Client-Cert": {"Cert=\"" + url.QueryEscape(text) + "\""}, "X-Forwarded-Tls-Client-Cert": {der},
		"X-Arr-Clientcert": {der}, "X-Amzn-Mtls-Clientcert": {url.QueryEscape(text)}, "X-Client-Certificate": {der}, "X-Ssl-Cert": {der},
	}
	n := newNodes(t, func(c *provider.Config) { c.MTLSURL = "https://mtls.example.no" }, certificateClient(t))
	r := n.a.Request("bundet", "openid")
	honest := redemption(r, n.a.Browser().Login(t, r, "kari").Code(t))
	honest.certificate = own
	a := send(t, n.a, honest)
	require.Equal(t, http.StatusOK, a.Status, "%v", a.JSON)
	info := infoRequest("Bearer", a.String("access_token"))
	for name, v := range fields {
		info.header[name] = v
	}
	require.Equal(t, http.StatusUnauthorized, send(t, n.b, info).Status)

	r = n.a.Request("bundet", "openid")
	forged := redemption(r, n.a.Browser().Login(t, r, "kari").Code(t))
	forged.header = fields
	require.Equal(t, http.StatusBadRequest, send(t, n.a, forged).Status, "the fields bind no token")

	// The certificate of a function of the host replaces that of the connection, which is the one of the proxy.
	proxy := newCertificate(t, key, 2)
	behind := newNodes(t, func(c *provider.Config) {
		c.MTLSURL = "https://mtls.example.no"
		c.ClientCertificates = func(r *http.Request) ([]*x509.Certificate, error) {
			if r.RemoteAddr != "192.0.2.1:1234" || r.Header.Get("Client-Cert") == "" {
				return nil, nil
			}
			return []*x509.Certificate{own}, nil
		}
	}, certificateClient(t))
	r = behind.a.Request("bundet", "openid")
	none := redemption(r, behind.a.Browser().Login(t, r, "kari").Code(t))
	none.certificate = proxy
	require.Equal(t, http.StatusBadRequest, send(t, behind.a, none).Status, "the certificate of the proxy binds no token")
	r = behind.a.Request("bundet", "openid")
	sent := redemption(r, behind.a.Browser().Login(t, r, "kari").Code(t))
	sent.certificate, sent.header = proxy, fields
	a = send(t, behind.a, sent)
	require.Equal(t, http.StatusOK, a.Status, "%v", a.JSON)
	require.Equal(t, client.CertificateThumbprint(own), claimsOf(t, behind.a, a.String("access_token"))["cnf"].(object)["x5t#S256"])
}

// TestSignedResponseOfAnotherClient: the response of one client is not one of another: aud names the client, iss the provider, and the code
// in it is that client's.
func TestSignedResponseOfAnotherClient(t *testing.T) {
	t.Parallel()
	two := boundClients(t)
	for i := range two {
		two[i].AuthorizationSignedResponseAlg, two[i].ResponseModes = "ES256", []string{"jwt", "query.jwt"}
	}
	n := newNodes(t, func(c *provider.Config) {
		c.Profile.ResponseModes = []string{"query", "form_post", "jwt", "query.jwt", "form_post.jwt"}
	}, two...)
	r := n.a.Request("app", "openid", "response_mode", "jwt")
	page := n.a.Browser().Login(t, r, "kari")
	require.Equal(t, []string{"response"}, names(page.Left.Query()), "no parameter is outside the JWT")
	claims := claimsOf(t, n.a, page.Left.Query().Get("response"))
	require.Equal(t, "app", claims["aud"])
	require.Equal(t, optest.Issuer, claims["iss"])
	require.Greater(t, claims["exp"], float64(n.now().Unix()))
	require.Equal(t, "state-app", claims["state"])

	foreign := r
	foreign.ClientID = "bundet"
	requireRefused(t, http.StatusBadRequest, "invalid_grant", send(t, n.b, redemption(foreign, claims["code"].(string))), "the code of another client")
	require.Equal(t, http.StatusOK, send(t, n.b, redemption(r, claims["code"].(string))).Status)

	for _, mode := range []string{"fragment.jwt", "fragment", "JWT", "jwt query.jwt"} {
		bad := n.a.Browser().Get(t, n.a.Request("app", "openid", "response_mode", mode).URL())
		if bad.Left != nil {
			require.Empty(t, bad.Left.Query().Get("code"), mode)
			require.NotEmpty(t, bad.Left.Query().Get("error")+bad.Left.Query().Get("response"), mode)
		}
	}
}

func names(q url.Values) (all []string) {
	for name := range q {
		all = append(all, name)
	}
	return all
}
