package logout_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/logout"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
)

const (
	issuer   = "https://op.example"
	endpoint = issuer + "/logout"
	back     = "https://a.example/post_logout_redirect"
)

var epoch = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// world is an endpoint with a store, keys, sessions and registrations.
type world struct {
	t       *testing.T
	ep      *logout.Endpoint
	keeper  *session.Keeper
	vault   *session.Vault
	store   *faultyStore
	keys    *keyset.Set
	clients map[string]*client.Client
	subject func(c *client.Client, id *session.Identity, pseudonymous bool) (string, error)
	mu      sync.Mutex
	words   []string
	now     time.Time
}

// faultyStore is a store whose method down fails.
type faultyStore struct {
	*memory.Store
	down      string
	beforeEnd func() // of EndSession
}

var errDown = errors.New("the database is on fire")

func (s *faultyStore) Session(ctx context.Context, h storage.Hash, now time.Time) (storage.Session, error) {
	if s.down == "Session" {
		return storage.Session{}, errDown
	}
	return s.Store.Session(ctx, h, now)
}

func (s *faultyStore) EndSession(ctx context.Context, h storage.Hash, now time.Time) (storage.Session, error) {
	if s.down == "EndSession" {
		return storage.Session{}, errDown
	}
	if s.beforeEnd != nil {
		s.beforeEnd()
	}
	return s.Store.EndSession(ctx, h, now)
}

// Client makes the world a client.Source.
func (w *world) Client(_ context.Context, id string) (*client.Client, error) {
	if id == "fault" {
		return nil, errDown
	}
	if c, ok := w.clients[id]; ok {
		return c, nil
	}
	return nil, storage.ErrNotFound
}

func (w *world) event(_ context.Context, e portner.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	word := string(e.Name) + "/" + e.Reason
	if e.ClientID != "" {
		word += "/" + e.ClientID
	}
	w.words = append(w.words, word)
}

func (w *world) events() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	words := w.words
	w.words = nil
	return words
}

var testKey = sync.OnceValues(func() (keyset.Key, error) { return keyset.Generate(keyset.ES256) })

func web(id string) *client.Client {
	return &client.Client{
		ClientID: id, ClientName: "Service " + id, RedirectURIs: []string{"https://" + id + ".example/cb"},
		PostLogoutRedirectURIs: []string{"https://" + id + ".example/post_logout_redirect"},
	}
}

// newWorld returns a world. Its clients a and b are not notified, front, plain (without sid) and query by the front channel,
// and direct by the back channel.
func newWorld(t *testing.T, change ...func(*logout.Config)) *world {
	t.Helper()
	w := &world{t: t, store: &faultyStore{Store: memory.New()}, clients: map[string]*client.Client{}, now: epoch}
	for _, id := range []string{"a", "b", "front", "plain", "query", "direct", "native"} {
		w.clients[id] = web(id)
	}
	w.clients["front"].FrontchannelLogoutURI = "https://front.example/out"
	w.clients["front"].FrontchannelLogoutSessionRequired = true
	w.clients["plain"].FrontchannelLogoutURI = "https://plain.example/out"
	w.clients["query"].FrontchannelLogoutURI = "https://query.example/out?k=v&w=%26"
	w.clients["query"].FrontchannelLogoutSessionRequired = true
	w.clients["direct"].BackchannelLogoutURI = "https://direct.example/out"
	w.clients["native"].ApplicationType = client.Native
	w.clients["native"].PostLogoutRedirectURIs = []string{"no.example.app:/out", "http://127.0.0.1/out"}
	key, err := testKey()
	require.NoError(t, err)
	w.keys, err = keyset.New(keyset.Config{Keys: []keyset.Key{key}})
	require.NoError(t, err)
	pairwise, err := pseudonym.NewPairwise([]byte(strings.Repeat("p", 32)))
	require.NoError(t, err)
	w.subject = func(c *client.Client, id *session.Identity, pseudonymous bool) (string, error) {
		protection := pseudonym.Open
		if pseudonymous {
			protection = pseudonym.Pseudonymous
		}
		return pairwise.Subject(protection, c.ClientID, id.PairwiseIdentifier())
	}
	secret := portner.NewSecret()
	w.vault, err = session.NewVault(issuer, secret)
	require.NoError(t, err)
	w.keeper, err = session.New(session.Config{Store: w.store, Vault: w.vault})
	require.NoError(t, err)
	cfg := logout.Config{
		Issuer: issuer, URL: endpoint, Sessions: w.keeper, Clients: w, Keys: w.keys, Subject: w.subject,
		Secrets: []portner.Secret{secret}, Now: func() time.Time { return w.now }, OnEvent: w.event,
	}
	for _, c := range change {
		c(&cfg)
	}
	w.ep, err = logout.New(cfg)
	require.NoError(t, err)
	return w
}

// browser is the browser of a user. It keeps the cookie.
type browser struct {
	*world
	cookie string
	s      *storage.Session
}

// login starts a session with logins to the clients.
func (w *world) login(subject string, clients ...string) *browser {
	w.t.Helper()
	rec := httptest.NewRecorder()
	s, err := w.keeper.LogIn(w.t.Context(), rec.Header(), nil, session.Authentication{
		Identity: session.Identity{Subject: subject}, ACR: "idporten-loa-high",
	}, "", w.now)
	require.NoError(w.t, err)
	for _, c := range clients {
		w.visit(s, c)
	}
	return &browser{world: w, cookie: rec.Result().Cookies()[0].Value, s: s}
}

// visit finishes a request of a client that the session answered.
func (w *world) visit(s *storage.Session, clientID string) {
	w.t.Helper()
	v, id := w.keeper.Visit(s, session.ClientLogin{ClientID: clientID, Open: true}, w.now), seal.NewID()
	require.NoError(w.t, w.store.FinishRequest(w.t.Context(), storage.Outcome{
		RequestID: id, RetainTo: w.now.Add(time.Minute), Visit: &v, Code: &storage.AuthorizationCode{
			Hash: storage.HashOf(id), ExpiresAt: w.now.Add(time.Minute),
			Grant: storage.Grant{ID: id, ClientID: clientID, UserKey: s.UserKey, SessionID: s.ID, ExpiresAt: w.now.Add(time.Hour)},
		},
	}, w.now))
	v.Apply(s)
}

// idToken returns an id_token of this session for the client, with changed claims.
func (b *browser) idToken(clientID string, change ...func(map[string]any)) string {
	b.t.Helper()
	who, err := b.keeper.Identity(b.s, "")
	require.NoError(b.t, err)
	c := b.clients[clientID]
	sub, err := b.subject(c, &who, false)
	require.NoError(b.t, err)
	claims := map[string]any{"iss": issuer, "aud": clientID, "sub": sub, "iat": b.now.Unix(), "exp": b.now.Unix() + 120}
	if c.TakesSID() {
		claims["sid"] = b.keeper.SID(b.s, clientID)
	}
	for _, f := range change {
		f(claims)
	}
	return b.sign("", claims)
}

func (w *world) sign(typ string, claims map[string]any) string {
	w.t.Helper()
	doc, err := json.Marshal(claims)
	require.NoError(w.t, err)
	token, err := w.keys.Sign("", typ, doc, w.now)
	require.NoError(w.t, err)
	return token
}

// answer is a response of the endpoint.
type answer struct {
	t      *testing.T
	code   int
	header http.Header
	body   string
}

func (b *browser) do(r *http.Request) answer {
	b.t.Helper()
	if b.cookie != "" {
		r.AddCookie(&http.Cookie{Name: session.DefaultCookieName, Value: b.cookie})
	}
	rec := httptest.NewRecorder()
	b.ep.ServeHTTP(rec, r)
	res := rec.Result()
	for _, c := range res.Cookies() {
		if c.Name == session.DefaultCookieName {
			b.cookie = c.Value
		}
	}
	body, err := io.ReadAll(res.Body)
	require.NoError(b.t, err)
	a := answer{b.t, res.StatusCode, res.Header, string(body)}
	a.checkHeaders()
	return a
}

// checkHeaders checks the header fields of every response.
func (a answer) checkHeaders() {
	require.Equal(a.t, "no-store", a.header.Get("Cache-Control"))
	require.Equal(a.t, "nosniff", a.header.Get("X-Content-Type-Options"))
	if a.code >= 300 && a.code < 400 {
		require.Equal(a.t, 303, a.code)
		return
	}
	require.Empty(a.t, a.header["Location"])
	require.Equal(a.t, "DENY", a.header.Get("X-Frame-Options"))
	csp := a.header.Get("Content-Security-Policy")
	require.Contains(a.t, csp, "default-src 'none'")
	require.Contains(a.t, csp, "frame-ancestors 'none'")
	for directive := range strings.SplitSeq(csp, "; ") {
		if strings.HasPrefix(directive, "form-action") {
			require.Equal(a.t, "form-action 'self'", directive)
		}
	}
	require.NotContains(a.t, csp, "unsafe")
}

// get follows a link of another site. Browsers send the Lax cookie with it.
func (b *browser) get(params ...string) answer {
	b.t.Helper()
	r := httptest.NewRequestWithContext(b.t.Context(), "GET", endpoint+"?"+form(params...).Encode(), nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	return b.do(r)
}

// post posts a form of the provider.
func (b *browser) post(params ...string) answer {
	b.t.Helper()
	return b.do(b.formRequest("same-origin", issuer, params...))
}

// crossPost posts a form of another site. Browsers send no Lax cookie with it.
func (b *browser) crossPost(params ...string) answer {
	b.t.Helper()
	kept := b.cookie
	b.cookie = ""
	defer func() { b.cookie = kept }()
	return b.do(b.formRequest("cross-site", "https://a.example", params...))
}

func (b *browser) formRequest(site, origin string, params ...string) *http.Request {
	r := httptest.NewRequestWithContext(b.t.Context(), "POST", endpoint, strings.NewReader(form(params...).Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", site)
	r.Header.Set("Origin", origin)
	return r
}

func form(params ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(params); i += 2 {
		v.Add(params[i], params[i+1])
	}
	return v
}

// alive reports whether the session of the login still exists.
func (b *browser) alive() bool {
	_, err := b.store.Store.Session(b.t.Context(), b.s.Hash, b.now)
	return err == nil
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// fields returns the hidden fields of the form.
func (a answer) fields() []string {
	var all []string
	for _, m := range hidden.FindAllStringSubmatch(a.body, -1) {
		all = append(all, m[1], strings.NewReplacer("&#43;", "+", "&amp;", "&", "&#34;", `"`, "&#39;", "'", "&lt;", "<", "&gt;", ">").Replace(m[2]))
	}
	return all
}

// confirm presses the button "Log out" of a confirmation page.
func (b *browser) confirm(a answer) answer {
	b.t.Helper()
	require.Equal(b.t, 200, a.code)
	require.Contains(b.t, a.body, `id="logout-confirm"`)
	require.True(b.t, b.alive(), "the confirmation page changes nothing")
	return b.post(a.fields()...)
}

func (a answer) isError(code int, word string) {
	a.t.Helper()
	require.Equal(a.t, code, a.code, a.body)
	require.Contains(a.t, a.body, `id="error-page"`)
	require.Contains(a.t, a.body, word)
}

func (a answer) isLoggedOut() {
	a.t.Helper()
	require.Equal(a.t, 200, a.code, a.body)
	require.Contains(a.t, a.body, `id="logged-out"`)
	require.Equal(a.t, `"cache"`, a.header.Get("Clear-Site-Data"))
}

// leadsTo requires a redirect of a user who may have been logged out before.
func (a answer) leadsTo(to string) {
	a.t.Helper()
	require.Equal(a.t, 303, a.code, a.body)
	require.Equal(a.t, to, a.header.Get("Location"))
	require.Equal(a.t, `"cache"`, a.header.Get("Clear-Site-Data"))
}

// isRedirect requires a redirect that logs the user out.
func (a answer) isRedirect(to string) {
	a.t.Helper()
	a.leadsTo(to)
	require.Equal(a.t, []string{session.DefaultCookieName + "=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"}, a.header["Set-Cookie"])
}
