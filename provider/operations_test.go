package provider_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/pkce"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// The operations whose cost is measured (bench_test.go) and whose allocations are bounded
// (allocations_test.go). Requests go to Provider.ServeHTTP without a socket. The requests, and the codes
// and sessions that they need, are made before the measurement.

// operation is one kind of request to a provider, or one call of a policy.
type operation struct {
	name       string
	signatures int // number of signatures that it makes
	perAlg     bool
	// allocs is the number of allocations, by algorithm; "" is for every other algorithm. The numbers are for Go 1.26; those of RS256
	// are not compared. Another version may need other numbers, mostly for ES256, whose signature alone makes 60 allocations.
	allocs map[string]float64
	// beside is the work that the operation is compared with, in place of two bare signatures.
	beside func(tb testing.TB, b *bed, n int) work
	// most is the largest allowed ratio of its time to that work, by algorithm.
	most map[string]float64
	// prepare prepares n operations and returns a function that runs the i-th one and reports whether it succeeded.
	prepare func(tb testing.TB, b *bed, n int) work
}

type work func(w *sink, i int) bool

func (o operation) bound(alg string) float64 {
	if n, ok := o.allocs[alg]; ok {
		return n
	}
	return o.allocs[""]
}

var operations = []operation{
	{name: bareName, signatures: 2, perAlg: true, prepare: bareSignatures, allocs: map[string]float64{keyset.ES256: 120, "": 2}},
	{name: "code exchange", signatures: 2, perAlg: true, prepare: codeExchange, allocs: map[string]float64{keyset.ES256: 164, "": 44}, most: map[string]float64{keyset.ES256: maxRatio}},
	{name: "refresh", signatures: 1, perAlg: true, prepare: refresh, allocs: map[string]float64{keyset.ES256: 97, "": 37}},
	{name: "introspection, opaque token", prepare: introspection, allocs: map[string]float64{"": 27}},
	{name: "userinfo, JWT", prepare: userInfo("openid profile"), allocs: map[string]float64{"": 16}},
	{name: "userinfo, opaque token", prepare: userInfo("openid profile test:opaque"), allocs: map[string]float64{"": 16}},
	{name: "authorize, live SSO session", prepare: authorizeSSO, allocs: map[string]float64{"": 37}},
	{name: "authorize, to the login page", prepare: authorizeLogin, allocs: map[string]float64{"": 14}},
	{name: "login, new browser, to the code", prepare: firstLogin, allocs: map[string]float64{"": 76}},
	{name: "discovery", prepare: get("/.well-known/openid-configuration"), allocs: map[string]float64{"": 0}},
	{name: "JWKS", prepare: get("/jwks.json"), allocs: map[string]float64{"": 4}},
	{name: "PKCE verify", prepare: pkceVerify, allocs: map[string]float64{"": 0}},
	{name: "scope evaluation", prepare: scopeEvaluation, allocs: map[string]float64{"": 2}},
	{name: "session check", prepare: sessionCheck, allocs: map[string]float64{"": 0}},
	{
		name: "DPoP proof", perAlg: true, prepare: proofCheck, beside: bareVerification,
		allocs: map[string]float64{keyset.ES256: 31, "": 16}, // ecdsa.VerifyASN1 makes 10
		most:   map[string]float64{keyset.ES256: maxProofRatio, keyset.EdDSA: maxProofRatio},
	},
	{name: harness, prepare: constant, allocs: map[string]float64{"": 0}},
}

// bareName is the name of the operation that others are compared with.
const bareName = "two bare signatures"

// harness is the name of the operation that measures the measurement itself: a ServeMux, a handler with a constant response, and the
// response writer.
const harness = "harness: a constant answer"

// bed is a provider, and a browser with a live session.
type bed struct {
	*optest.OP
	key     keyset.Key
	browser *optest.Browser
	sizes   [2]int // lengths of the signed texts of the two JWTs of a code exchange
}

func newBed(tb testing.TB, alg string) *bed {
	tb.Helper()
	key := signingKey(tb, alg)
	keys, err := keyset.New(keyset.Config{Keys: []keyset.Key{key}})
	require.NoError(tb, err)
	b := &bed{OP: optest.New(tb, optest.Options{Keys: keys, Unobserved: true}), key: key}
	b.browser = b.Browser()
	p := b.browser.Login(tb, b.Request("tjeneste", "openid profile"), "kari")
	require.NotNil(tb, p.Left)
	answer := b.tokens(tb, "openid profile")
	for i, name := range [...]string{"access_token", "id_token"} {
		b.sizes[i] = strings.LastIndexByte(answer.String(name), '.')
	}
	return b
}

// signingKey returns a new key, or for RSA the key of the tests of keyset, because generating one is slow.
func signingKey(tb testing.TB, alg string) keyset.Key {
	tb.Helper()
	if alg != "RS256" {
		key, err := keyset.Generate(alg)
		require.NoError(tb, err)
		return key
	}
	data, err := os.ReadFile("../keyset/testdata/rsa2048.pem")
	require.NoError(tb, err)
	key, err := keyset.ParsePEM(data, alg)
	require.NoError(tb, err)
	return key
}

// code returns an authorization request and the code that the live session leads to.
func (b *bed) code(tb testing.TB, scopes string) (optest.Request, string) {
	tb.Helper()
	r := b.Request("tjeneste", scopes)
	return r, b.browser.Get(tb, r.URL()).Code(tb)
}

// tokens returns the response to a code exchange.
func (b *bed) tokens(tb testing.TB, scopes string) optest.Answer {
	tb.Helper()
	r, code := b.code(tb, scopes)
	a := b.Exchange(tb, r, code)
	require.Equal(tb, http.StatusOK, a.Status, a.JSON)
	return a
}

func post(path, clientID string, form url.Values) *http.Request {
	r := httptest.NewRequest(http.MethodPost, optest.Issuer+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(url.QueryEscape(clientID), url.QueryEscape(optest.Secret))
	return r
}

// sink is a response writer that keeps the status and counts the bytes of the body.
type sink struct {
	header http.Header
	status int
	n      int
}

func newSink() *sink { return &sink{header: http.Header{}} }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(status int)      { s.status = status }
func (s *sink) Write(p []byte) (int, error) { s.n += len(p); return len(p), nil }

// serve sends prepared requests, each once.
func serve(h http.Handler, status int, requests []*http.Request) work {
	return func(w *sink, i int) bool {
		clear(w.header)
		w.status, w.n = 0, 0
		h.ServeHTTP(w, requests[i])
		return w.status == status
	}
}

func repeat(n int, request func() *http.Request) []*http.Request {
	requests := make([]*http.Request, n)
	for i := range requests {
		requests[i] = request()
	}
	return requests
}

// bareSignatures hashes and signs two messages of the sizes of the tokens with the standard library.
func bareSignatures(tb testing.TB, b *bed, _ int) work {
	tb.Helper()
	messages := [2][]byte{make([]byte, b.sizes[0]), make([]byte, b.sizes[1])}
	return func(*sink, int) bool {
		for _, m := range messages {
			if bareSignature(b.key, m) != nil {
				return false
			}
		}
		return true
	}
}

func bareSignature(key keyset.Key, message []byte) error {
	if key.Alg == keyset.EdDSA {
		_, err := key.Signer.Sign(rand.Reader, message, crypto.Hash(0))
		return err
	}
	digest := sha256.Sum256(message)
	_, err := key.Signer.Sign(rand.Reader, digest[:], crypto.SHA256)
	return err
}

// codeExchange redeems a code for an access token, an id_token and a refresh token.
func codeExchange(tb testing.TB, b *bed, n int) work {
	tb.Helper()
	return serve(b.Provider, http.StatusOK, repeat(n, func() *http.Request {
		r, code := b.code(tb, "openid profile")
		return post("/token", "tjeneste", url.Values{
			"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {optest.RedirectURI("tjeneste")}, "code_verifier": {r.Verifier},
		})
	}))
}

// refresh rotates a refresh token. The response has an access token and a refresh token, as that of ID-porten.
func refresh(tb testing.TB, b *bed, n int) work {
	tb.Helper()
	return serve(b.Provider, http.StatusOK, repeat(n, func() *http.Request {
		value := b.tokens(tb, "openid profile").String("refresh_token")
		return post("/token", "tjeneste", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {value}})
	}))
}

// introspection introspects a token as the owner of the API, which may read the identity of the user.
func introspection(tb testing.TB, b *bed, n int) work {
	tb.Helper()
	form := url.Values{"token": {b.tokens(tb, "openid test:opaque").String("access_token")}}
	return serve(b.Provider, http.StatusOK, repeat(n, func() *http.Request { return post("/tokeninfo", "owner", form) }))
}

func userInfo(scopes string) func(testing.TB, *bed, int) work {
	return func(tb testing.TB, b *bed, n int) work {
		tb.Helper()
		bearer := "Bearer " + b.tokens(tb, scopes).String("access_token")
		return serve(b.Provider, http.StatusOK, repeat(n, func() *http.Request {
			r := httptest.NewRequest(http.MethodGet, optest.Issuer+"/userinfo", nil)
			r.Header.Set("Authorization", bearer)
			return r
		}))
	}
}

// authorizeSSO sends an authorization request whose response is a code.
func authorizeSSO(tb testing.TB, b *bed, n int) work {
	tb.Helper()
	var cookies []string
	for name, value := range b.browser.Cookies() {
		cookies = append(cookies, name+"="+value)
	}
	header := strings.Join(cookies, "; ")
	return serve(b.Provider, http.StatusSeeOther, repeat(n, func() *http.Request {
		r := httptest.NewRequest(http.MethodGet, b.Request("tjeneste", "openid profile").URL(), nil)
		r.Header.Set("Cookie", header)
		return r
	}))
}

// authorizeLogin sends an authorization request without cookies, whose response is a redirect to the login page.
func authorizeLogin(_ testing.TB, b *bed, n int) work {
	return serve(b.Provider, http.StatusSeeOther, repeat(n, func() *http.Request {
		return httptest.NewRequest(http.MethodGet, b.Request("tjeneste", "openid profile").URL(), nil)
	}))
}

// firstLogin sends an authorization request of a new browser, and the request for the login page, at which another identity provider has
// authenticated a user without a session. The response is a code.
func firstLogin(tb testing.TB, _ *bed, n int) work {
	tb.Helper()
	op := optest.New(tb, optest.Options{Unobserved: true, Change: func(c *provider.Config) {
		c.Page = func(_ http.ResponseWriter, r *http.Request, p *authorize.Pending) *authorize.Decision {
			who := session.Identity{Subject: r.Header.Get("From"), Identifiers: optest.Identifiers(optest.KariPID)}
			return p.LogIn(r.Context(), session.Authentication{Identity: who, ACR: acr.High, AMR: []string{"BankID"}})
		}
	}})
	first := repeat(n, func() *http.Request {
		return httptest.NewRequest(http.MethodGet, op.Request("tjeneste", "openid profile").URL(), nil)
	})
	second := repeat(n, func() *http.Request {
		r := httptest.NewRequest(http.MethodGet, optest.Issuer+"/login", nil)
		r.Header = http.Header{"Cookie": {""}, "From": {pkce.NewVerifier()}}
		return r
	})
	start, page := serve(op.Provider, http.StatusSeeOther, first), serve(op.Provider, http.StatusSeeOther, second)
	return func(w *sink, i int) bool {
		if !start(w, i) {
			return false
		}
		_, second[i].URL.RawQuery, _ = strings.Cut(w.header["Location"][0], "?")
		second[i].Header["Cookie"][0], _, _ = strings.Cut(w.header["Set-Cookie"][0], ";")
		return page(w, i) && strings.HasPrefix(w.header["Location"][0], optest.RedirectURI("tjeneste")+"?code=")
	}
}

func get(path string) func(testing.TB, *bed, int) work {
	return func(_ testing.TB, b *bed, n int) work {
		return serve(b.Provider, http.StatusOK, repeat(n, func() *http.Request {
			return httptest.NewRequest(http.MethodGet, optest.Issuer+path, nil)
		}))
	}
}

func constant(_ testing.TB, _ *bed, n int) work {
	answer := []byte(`{"active":false}`)
	mux := http.NewServeMux()
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write(answer)
	})
	form := url.Values{"grant_type": {"authorization_code"}}
	return serve(mux, http.StatusOK, repeat(n, func() *http.Request { return post("/token", "tjeneste", form) }))
}

func pkceVerify(testing.TB, *bed, int) work {
	verifier := pkce.NewVerifier()
	challenge := pkce.Challenge(verifier)
	return func(*sink, int) bool { return pkce.Policy{}.Verify(challenge, verifier) == nil }
}

func scopeEvaluation(tb testing.TB, _ *bed, _ int) work {
	tb.Helper()
	requested := []string{"openid", "profile", "test:api"}
	registry, err := scope.NewRegistry(optest.Scopes(), []scope.Access{{Scope: "test:api", ConsumerOrgno: optest.Org, State: scope.Approved}})
	require.NoError(tb, err)
	who := scope.Client{ID: "tjeneste", Organisation: optest.Org, IntegrationType: "api_klient", Scopes: requested}
	now := time.Now()
	return func(*sink, int) bool {
		plan, err := scope.Evaluate(scope.Request{Requested: requested, Client: who, Scopes: registry, Now: now})
		return err == nil && len(plan.Granted) == len(requested)
	}
}

func sessionCheck(testing.TB, *bed, int) work {
	now := time.Now()
	s := &storage.Session{
		StartedAt: now.Add(-time.Hour), LastRequestAt: now.Add(-time.Minute),
		Circles: []storage.Circle{{Name: "isolated"}, {ACR: acr.Substantial, AMR: []string{"BankID"}, AuthTime: now.Add(-time.Hour)}},
	}
	req := session.Request{
		Sufficient: func(level string) bool { return acr.IDPorten.AtLeast(level, acr.Substantial) },
		MaxAge:     2 * time.Hour, HasMaxAge: true,
	}
	return func(*sink, int) bool {
		auth, _ := session.Rules{}.Decide(s, req, now)
		return auth != nil
	}
}

// proofCheck checks the DPoP proof of a request to an API, with a nonce and everything but replay.
func proofCheck(tb testing.TB, b *bed, _ int) work {
	tb.Helper()
	nonces, err := dpop.NewNonces(optest.Issuer, portner.NewSecret())
	require.NoError(tb, err)
	p := &dpop.Policy{AllowReplay: true, Algorithms: []string{b.key.Alg}, Nonces: nonces}
	now := time.Now()
	text, thumbprint := b.proof(tb, nonces.Current(now), now)
	r := dpop.Request{Proofs: []string{text}, Method: http.MethodGet, URL: optest.Issuer + "/userinfo", AccessToken: proofToken, Key: thumbprint}
	return func(*sink, int) bool {
		_, err := p.Check(r, now)
		return err == nil
	}
}

const proofToken = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"

// proof returns a proof by the key of the provider, which is as good as another one, and the thumbprint of the key.
func (b *bed) proof(tb testing.TB, nonce string, now time.Time) (text, thumbprint string) {
	tb.Helper()
	jwk, err := jose.MarshalJWK(jose.PublicKey{Key: b.key.Signer.Public()})
	require.NoError(tb, err)
	ath := sha256.Sum256([]byte(proofToken))
	encode := base64.RawURLEncoding.EncodeToString
	input := encode(fmt.Appendf(nil, `{"typ":"dpop+jwt","alg":%q,"jwk":%s}`, b.key.Alg, jwk)) + "." + encode(fmt.Appendf(nil,
		`{"jti":"8b8f7b0e-2e0c-4f1f-9c53-0f0a5f3e0c11","htm":"GET","htu":%q,"iat":%d,"ath":%q,"nonce":%q}`,
		optest.Issuer+"/userinfo", now.Unix(), encode(ath[:]), nonce))
	signature := b.signature(tb, input)
	if b.key.Alg == keyset.ES256 { // RFC 7518 §3.4: r and s
		var der struct{ R, S *big.Int }
		_, err := asn1.Unmarshal(signature, &der)
		require.NoError(tb, err)
		signature = append(der.R.FillBytes(make([]byte, 32)), der.S.FillBytes(make([]byte, 32))...)
	}
	thumbprint, err = jose.Thumbprint(b.key.Signer.Public())
	require.NoError(tb, err)
	return input + "." + encode(signature), thumbprint
}

func (b *bed) signature(tb testing.TB, input string) []byte {
	tb.Helper()
	digest, hash := []byte(input), crypto.Hash(0)
	if b.key.Alg != keyset.EdDSA {
		sum := sha256.Sum256(digest)
		digest, hash = sum[:], crypto.SHA256
	}
	signature, err := b.key.Signer.Sign(rand.Reader, digest, hash)
	require.NoError(tb, err)
	return signature
}

// bareVerification verifies a signature of a text as long as a proof with the standard library.
func bareVerification(tb testing.TB, b *bed, _ int) work {
	tb.Helper()
	now := time.Now()
	text, _ := b.proof(tb, strings.Repeat("x", 52), now)
	message := text[:strings.LastIndexByte(text, '.')]
	signature, input := b.signature(tb, message), []byte(message)
	switch key := b.key.Signer.Public().(type) {
	case ed25519.PublicKey:
		return func(*sink, int) bool { return ed25519.Verify(key, input, signature) }
	case *ecdsa.PublicKey:
		return func(*sink, int) bool {
			digest := sha256.Sum256(input)
			return ecdsa.VerifyASN1(key, digest[:], signature)
		}
	case *rsa.PublicKey:
		return func(*sink, int) bool {
			digest := sha256.Sum256(input)
			return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) == nil
		}
	}
	tb.Fatalf("%T", b.key.Signer.Public())
	return nil
}
