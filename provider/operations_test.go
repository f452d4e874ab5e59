package provider_test

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/pkce"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// The operations whose cost is measured (bench_test.go) and whose allocations are bounded
// (allocations_test.go). Requests go to Provider.ServeHTTP without a socket. What a request needs to
// exist, a code or a session, and the request itself are made beforehand.

// operation is one thing a provider does.
type operation struct {
	name       string
	signatures int // made on the way
	perAlg     bool
	// allocs is the most it may allocate, by algorithm; "" is for every other. They are counted with Go
	// 1.26: another Go may need other numbers, mostly for ES256, whose signature alone is 63 of them.
	allocs map[string]float64
	// prepare makes n of them ready and returns how to do the i-th, which answers whether it was done.
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
	{name: bareName, signatures: 2, perAlg: true, prepare: bareSignatures, allocs: map[string]float64{keyset.ES256: 130, "": 8}},
	{name: "code exchange", signatures: 2, perAlg: true, prepare: codeExchange, allocs: map[string]float64{keyset.ES256: 210, "": 80}},
	{name: "refresh", signatures: 1, perAlg: true, prepare: refresh, allocs: map[string]float64{keyset.ES256: 135, "": 60}},
	{name: "introspection, opaque token", prepare: introspection, allocs: map[string]float64{"": 38}},
	{name: "userinfo, JWT", prepare: userInfo("openid profile"), allocs: map[string]float64{"": 24}},
	{name: "userinfo, opaque token", prepare: userInfo("openid profile test:opaque"), allocs: map[string]float64{"": 24}},
	{name: "authorize, live SSO session", prepare: authorizeSSO, allocs: map[string]float64{"": 60}},
	{name: "authorize, to the login page", prepare: authorizeLogin, allocs: map[string]float64{"": 35}},
	{name: "discovery", prepare: get("/.well-known/openid-configuration"), allocs: map[string]float64{"": 5}},
	{name: "JWKS", prepare: get("/jwks.json"), allocs: map[string]float64{"": 8}},
	{name: "PKCE verify", prepare: pkceVerify, allocs: map[string]float64{"": 0}},
	{name: "scope evaluation", prepare: scopeEvaluation, allocs: map[string]float64{"": 2}},
	{name: "session check", prepare: sessionCheck, allocs: map[string]float64{"": 0}},
	{name: harness, prepare: constant, allocs: map[string]float64{"": 2}},
}

// bareName is the row of what everything is compared with.
const bareName = "two bare signatures"

// harness is the row of what the measurement itself costs: a ServeMux, a handler that answers a
// constant, and the writer that takes it.
const harness = "harness: a constant answer"

// bed is a provider to work with, and a person's live session at it.
type bed struct {
	*optest.OP
	key     keyset.Key
	browser *optest.Browser
	sizes   [2]int // of the two tokens of an exchange: what is signed
}

func newBed(tb testing.TB, alg string) *bed {
	tb.Helper()
	key := signingKey(tb, alg)
	keys, err := keyset.New(keyset.Config{Keys: []keyset.Key{key}})
	require.NoError(tb, err)
	b := &bed{OP: optest.New(tb, optest.Options{Keys: keys}), key: key}
	b.browser = b.Browser()
	p := b.browser.Login(tb, b.Request("tjeneste", "openid profile"), "kari")
	require.NotNil(tb, p.Left)
	answer := b.tokens(tb, "openid profile")
	for i, name := range [...]string{"access_token", "id_token"} {
		b.sizes[i] = strings.LastIndexByte(answer.String(name), '.')
	}
	return b
}

// signingKey is a fresh key, or for RSA the one of keyset's tests: making one is slow.
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

// code makes a request and, by the live session, its code.
func (b *bed) code(tb testing.TB, scopes string) (optest.Request, string) {
	tb.Helper()
	r := b.Request("tjeneste", scopes)
	return r, b.browser.Get(tb, r.URL()).Code(tb)
}

// tokens are what a code is good for.
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

// sink is a response writer that keeps the status and, as a connection does, takes everything else.
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

// bareSignatures hashes and signs two messages of the tokens' sizes with the standard library, and
// does nothing else.
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

// codeExchange answers with an access token, an id_token and a refresh token.
func codeExchange(tb testing.TB, b *bed, n int) work {
	tb.Helper()
	return serve(b.Provider, http.StatusOK, repeat(n, func() *http.Request {
		r, code := b.code(tb, "openid profile")
		return post("/token", "tjeneste", url.Values{
			"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {optest.RedirectURI("tjeneste")}, "code_verifier": {r.Verifier},
		})
	}))
}

// refresh rotates: it answers with an access token and a refresh token, as ID-porten does.
func refresh(tb testing.TB, b *bed, n int) work {
	tb.Helper()
	return serve(b.Provider, http.StatusOK, repeat(n, func() *http.Request {
		value := b.tokens(tb, "openid profile").String("refresh_token")
		return post("/token", "tjeneste", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {value}})
	}))
}

// introspection is asked by the owner of the API, who learns who the person is.
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

// authorizeSSO answers with a code at once.
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

// authorizeLogin seals the request and sends a browser nobody knows to the login page.
func authorizeLogin(_ testing.TB, b *bed, n int) work {
	return serve(b.Provider, http.StatusSeeOther, repeat(n, func() *http.Request {
		return httptest.NewRequest(http.MethodGet, b.Request("tjeneste", "openid profile").URL(), nil)
	}))
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
