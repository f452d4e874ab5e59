package provider_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/token"
)

type object = map[string]any

// prover has a key of DPoP proofs.
type prover struct {
	tb  testing.TB
	alg string
	key crypto.Signer
	jwk object // in the header of its proofs
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// newProver returns a prover with a new key.
func newProver(tb testing.TB, alg string) *prover {
	tb.Helper()
	p := &prover{tb: tb, alg: alg}
	var err error
	switch alg {
	case "PS256", "RS256":
		var key *rsa.PrivateKey
		key, err = rsa.GenerateKey(rand.Reader, 2048)
		p.key, p.jwk = key, object{"kty": "RSA", "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes())}
	case "EdDSA":
		var public ed25519.PublicKey
		public, p.key, err = ed25519.GenerateKey(rand.Reader)
		p.jwk = object{"kty": "OKP", "crv": "Ed25519", "x": b64(public)}
	default:
		curve := map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}[alg]
		var key *ecdsa.PrivateKey
		key, err = ecdsa.GenerateKey(curve, rand.Reader)
		require.NoError(tb, err)
		var point []byte
		point, err = key.PublicKey.Bytes()
		half := len(point) / 2
		p.key, p.jwk = key, object{"kty": "EC", "crv": curve.Params().Name, "x": b64(point[1 : half+1]), "y": b64(point[half+1:])}
	}
	require.NoError(tb, err)
	return p
}

// thumbprint is that of RFC 7638.
func (p *prover) thumbprint() string {
	required := object{}
	for _, name := range []string{"kty", "crv", "x", "y", "n", "e"} {
		if v, ok := p.jwk[name]; ok {
			required[name] = v
		}
	}
	text, err := json.Marshal(required) // sorted
	require.NoError(p.tb, err)
	sum := sha256.Sum256(text)
	return b64(sum[:])
}

// sign returns a JWT.
func (p *prover) sign(header, claims any) string {
	p.tb.Helper()
	head, err := json.Marshal(header)
	require.NoError(p.tb, err)
	body, err := json.Marshal(claims)
	require.NoError(p.tb, err)
	message := b64(head) + "." + b64(body)
	return message + "." + b64(p.signature(message))
}

func (p *prover) signature(message string) []byte {
	p.tb.Helper()
	hash := map[string]crypto.Hash{"ES384": crypto.SHA384, "ES512": crypto.SHA512}[p.alg]
	if hash == 0 {
		hash = crypto.SHA256
	}
	h := hash.New()
	h.Write([]byte(message))
	var sig []byte
	var err error
	switch key := p.key.(type) {
	case ed25519.PrivateKey:
		return ed25519.Sign(key, []byte(message))
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, key, h.Sum(nil))
		require.NoError(p.tb, err)
		size := (key.Params().BitSize + 7) / 8
		return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	case *rsa.PrivateKey:
		if p.alg == "PS256" {
			sig, err = rsa.SignPSS(rand.Reader, key, hash, h.Sum(nil), &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		} else {
			sig, err = rsa.SignPKCS1v15(rand.Reader, key, hash, h.Sum(nil))
		}
	}
	require.NoError(p.tb, err)
	return sig
}

// proof returns a new proof for a request at now. set holds names and values of claims in addition.
func (p *prover) proof(now time.Time, method, htu string, set ...any) string {
	p.tb.Helper()
	claims := object{"jti": rand.Text(), "htm": method, "htu": htu, "iat": now.Unix()}
	for i := 0; i+1 < len(set); i += 2 {
		claims[set[i].(string)] = set[i+1]
	}
	return p.sign(object{"typ": "dpop+jwt", "alg": p.alg, "jwk": p.jwk}, claims)
}

// ath is the hash of an access token in a proof.
func ath(accessToken string) string {
	sum := sha256.Sum256([]byte(accessToken))
	return b64(sum[:])
}

// nodes are two providers with one store, one configuration and one clock.
type nodes struct {
	a, b   *optest.OP
	store  *memory.Store
	nanos  *atomic.Int64
	reason atomic.Value // of the last event
}

func (n *nodes) now() time.Time        { return time.Unix(0, n.nanos.Load()) }
func (n *nodes) set(t time.Time)       { n.nanos.Store(t.UnixNano()) }
func (n *nodes) pass(by time.Duration) { n.nanos.Add(int64(by)) }

// newNodes returns two nodes that accept proofs. change is called for each of them with a policy of its own.
func newNodes(tb testing.TB, change func(*provider.Config), clients ...client.Client) *nodes {
	tb.Helper()
	n := &nodes{nanos: &atomic.Int64{}}
	n.set(time.Date(2026, time.March, 1, 12, 0, 0, 500_000_000, time.UTC))
	var cfg provider.Config
	build := func(c *provider.Config) {
		c.DPoP = &dpop.Policy{Replay: c.Replay}
		c.OnEvent = func(_ context.Context, e portner.Event) { n.reason.Store(e.Reason) }
		if change != nil {
			change(c)
		}
	}
	n.a = optest.New(tb, optest.Options{Clients: clients, Scopes: []scope.Scope{{Name: "test:all", AccessibleForAll: true}}, Change: func(c *provider.Config) {
		n.store = c.Store.(*memory.Store)
		c.Profile = provider.OpenIDConnect()
		c.Now = n.now
		c.GrantHandlers = []token.GrantHandler{token.ClientCredentials(n.store)}
		cfg = *c
		build(c)
	}})
	build(&cfg)
	second, err := provider.New(cfg)
	require.NoError(tb, err)
	other := *n.a
	other.Use(second)
	n.b = &other
	return n
}

// boundClients are a service with every grant type, and a public client.
func boundClients(tb testing.TB) []client.Client {
	tb.Helper()
	confidential := client.Client{
		ClientID: "bundet", ClientName: "Bundet", Secrets: optest.Clients(tb)[0].Secrets, RedirectURIs: []string{optest.RedirectURI("bundet")},
		GrantTypes: []string{"authorization_code", "refresh_token", "client_credentials"}, Scopes: []string{"openid", "profile", "offline_access", "test:all"},
	}
	public := confidential
	public.ClientID, public.Secrets, public.TokenEndpointAuthMethod, public.ApplicationType = "app", nil, client.None, client.Native
	public.RedirectURIs = []string{optest.RedirectURI("app")}
	public.GrantTypes = []string{"authorization_code", "refresh_token"}
	return []client.Client{confidential, public}
}

// request is a request of a direct endpoint.
type request struct {
	method, path, clientID string
	form                   url.Values
	proofs                 []string
	header                 http.Header
	certificate            *x509.Certificate
}

// send sends a request to a node.
func send(tb testing.TB, op http.Handler, r request) optest.Answer {
	tb.Helper()
	if r.method == "" {
		r.method = http.MethodPost
	}
	form := url.Values{}
	for name, v := range r.form {
		form[name] = v
	}
	if r.clientID == "app" {
		form.Set("client_id", r.clientID)
	}
	hr := httptest.NewRequestWithContext(tb.Context(), r.method, optest.Issuer+r.path, strings.NewReader(form.Encode()))
	if r.method == http.MethodPost && r.form != nil {
		hr.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, v := range r.header {
		if name == "Host" {
			hr.Host = v[0]
			continue
		}
		hr.Header[name] = v
	}
	if r.clientID != "" && r.clientID != "app" {
		hr.SetBasicAuth(r.clientID, url.QueryEscape(optest.Secret))
	}
	for _, p := range r.proofs {
		hr.Header.Add("DPoP", p)
	}
	if r.certificate != nil {
		hr.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{r.certificate}}
	}
	w := httptest.NewRecorder()
	op.ServeHTTP(w, hr)
	a := optest.Answer{Status: w.Code, Header: w.Header()}
	if w.Body.Len() > 0 {
		require.NoError(tb, json.Unmarshal(w.Body.Bytes(), &a.JSON), w.Body.String())
	}
	return a
}

const (
	tokenURL    = optest.Issuer + "/token"
	parURL      = optest.Issuer + "/par"
	userInfoURL = optest.Issuer + "/userinfo"
)

// machine is a request for a token of the client "bundet" itself.
func machine(proofs ...string) request {
	return request{path: "/token", clientID: "bundet", form: url.Values{"grant_type": {"client_credentials"}, "scope": {"test:all"}}, proofs: proofs}
}

// infoRequest is a request for userinfo.
func infoRequest(scheme, accessToken string, proofs ...string) request {
	return request{method: http.MethodGet, path: "/userinfo", header: http.Header{"Authorization": {scheme + " " + accessToken}}, proofs: proofs}
}

// redemption is a request with a code.
func redemption(r optest.Request, code string, proofs ...string) request {
	return request{path: "/token", clientID: r.ClientID, proofs: proofs, form: url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {optest.RedirectURI(r.ClientID)}, "code_verifier": {r.Verifier},
	}}
}

// refreshing is a request with a refresh token.
func refreshing(clientID, refreshToken string, proofs ...string) request {
	return request{path: "/token", clientID: clientID, proofs: proofs, form: url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}}}
}

// boundTokens logs kari in at a client and redeems the code with a proof of p.
func (n *nodes) boundTokens(tb testing.TB, clientID string, p *prover) optest.Answer {
	tb.Helper()
	r := n.a.Request(clientID, "openid offline_access")
	code := n.a.Browser().Login(tb, r, "kari").Code(tb)
	a := send(tb, n.a, redemption(r, code, p.proof(n.now(), http.MethodPost, tokenURL)))
	require.Equal(tb, http.StatusOK, a.Status, "%v", a.JSON)
	require.Equal(tb, "DPoP", a.String("token_type"))
	return a
}

func requireRefused(tb testing.TB, status int, code string, a optest.Answer, name string) {
	tb.Helper()
	require.Equal(tb, status, a.Status, "%s: %v", name, a.JSON)
	if code != "" {
		require.Equal(tb, code, a.String("error"), name)
	}
}
