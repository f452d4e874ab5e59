package authorize_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// thief is a store that an attacker reads and changes.
type thief struct {
	authorize.PushedRequestStore
	rows []storage.PushedRequest
	swap *storage.PushedRequest // returned in place of every row
}

func (s *thief) PushRequest(ctx context.Context, p storage.PushedRequest, now time.Time) error {
	s.rows = append(s.rows, p)
	return s.PushedRequestStore.PushRequest(ctx, p, now)
}

func (s *thief) PushedRequest(ctx context.Context, h storage.Hash, now time.Time) (storage.PushedRequest, error) {
	p, err := s.PushedRequestStore.PushedRequest(ctx, h, now)
	if s.swap != nil {
		p.Params = s.swap.Params
	}
	return p, err
}

// TestPushedAtRest: pushed requests may identify a user by login_hint or id_token_hint, so they are sealed in the store. A sealed row
// does not open in place of another.
func TestPushedAtRest(t *testing.T) {
	t.Parallel()
	store := &thief{}
	w := newWorld(t, func(c *authorize.Config) {
		store.PushedRequestStore = c.PushedRequests
		c.PushedRequests = store
	})
	b := w.browser()
	uri := w.pushed(params("web", "login_hint", testPID.Reveal(), "state", "state-canary"))
	require.Len(t, store.rows, 1)
	row := store.rows[0]
	for _, secret := range []string{testPID.Reveal(), "state-canary", "login_hint", "rp.example.no"} {
		require.False(t, bytes.Contains(row.Params, []byte(secret)), secret)
		require.False(t, bytes.Contains(row.Params, []byte(base64.RawURLEncoding.EncodeToString([]byte(secret)))), secret)
	}
	b.open(b.authorize(use("web", uri)), "/login")
	require.Equal(t, testPID.Reveal(), w.seen.LoginHint.Reveal(), "the page receives it")

	w.pushed(params("web", "scope", "openid test:plain"))
	store.swap = &store.rows[1]
	require.Equal(t, "page Internal Server Error server_error", outcome(t, b.authorize(use("web", uri))), "another row's parameters")
	store.swap = &storage.PushedRequest{Params: append([]byte("p"), params("web").Encode()...)}
	require.Equal(t, "page Internal Server Error server_error", outcome(t, b.authorize(use("web", uri))), "parameters that the store made")
}

// TestLoggedOutMeanwhile: a request whose user logs out meanwhile ends with login_required. It is not reported as a fault.
func TestLoggedOutMeanwhile(t *testing.T) {
	t.Parallel()
	f := &failing{err: storage.ErrRevoked}
	w := newWorld(t, func(c *authorize.Config) {
		f.Store, f.PushedRequestStore = c.Store, c.PushedRequests
		c.Store = f
	})
	b := w.browser()
	f.verb = "FinishRequest"
	require.Equal(t, "error login_required", outcome(t, b.loginAs(b.authorize(params("web")), "kari")))
	name, reason := w.lastEvent()
	require.Equal(t, portner.EventRefused, name)
	require.Equal(t, "session_ended", reason)
}

// TestOnlyGetAndPost: pages reject methods other than GET and POST, because the forms of others are not checked.
func TestOnlyGetAndPost(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead, http.MethodOptions, "LINK"} {
		w := newWorld(t)
		b := w.browser()
		form := b.open(b.authorize(params("web")), "/login")
		form.Set("user", "mallory")
		before := w.store.Stats()
		for _, body := range []string{"", form.Encode()} {
			r := httptest.NewRequest(method, "/login?request="+form.Get("request"), strings.NewReader(body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			res := b.do(r)
			require.NotEqual(t, http.StatusSeeOther, res.StatusCode, method)
			require.Empty(t, b.cookies["__Host-portner-session"], method)
			require.Equal(t, before, w.store.Stats(), method)
		}
		requireCode(t, b.loginAs(b.authorize(params("web")), "kari"))
	}
}

// TestPageHeaders: pages without header fields of their own cannot be framed or cached, and send no referrer to other sites.
func TestPageHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	res := b.authorize(params("web", "scope", "openid test:shared"))
	login := b.get(res.Header.Get("Location"))
	consent := b.get(b.loginAs(res, "kari").Header.Get("Location"))
	for name, page := range map[string]*http.Response{"login": login, "consent": consent} {
		require.Equal(t, http.StatusOK, page.StatusCode, name)
		require.Equal(t, "DENY", page.Header.Get("X-Frame-Options"), name)
		require.Contains(t, page.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'", name)
		require.Equal(t, "no-store", page.Header.Get("Cache-Control"), name)
		require.Equal(t, "nosniff", page.Header.Get("X-Content-Type-Options"), name)
		require.Equal(t, "same-origin", page.Header.Get("Referrer-Policy"), name+": no-referrer would remove the Origin from its form")
	}
}

// TestPageHeadersInPlace: the same for a page that a host renders in the response to the authorization request.
func TestPageHeadersInPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.endpoint.Authorize(t.Context(), w.request(params("web")))
	require.NotNil(t, d.Interaction)
	require.Equal(t, d.Header, d.Interaction.Header)
	require.Equal(t, "DENY", d.Header.Get("X-Frame-Options"))
	require.Contains(t, d.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
	require.Equal(t, "same-origin", d.Header.Get("Referrer-Policy"))
	require.Equal(t, "no-store", d.Header.Get("Cache-Control"))
}

// TestOneRequestOneCode: a request is recognised for as long as it may be pending, so that its second tab gets no second code, also
// after a short authorization.
func TestOneRequestOneCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *authorize.Config) {
		c.PendingLifetime, c.AuthorizationLifetime = time.Hour, time.Second
	})
	b := w.browser()
	res := b.authorize(params("web"))
	form := b.open(res, "/login")
	requireCode(t, b.loginAs(res, "kari"))
	w.sleep(45 * time.Minute)
	_, err := w.store.Sweep(t.Context(), w.clock())
	require.NoError(t, err)
	form.Set("user", "kari")
	require.Equal(t, "page Bad Request invalid_request", outcome(t, b.post("/login", form)))
}

// TestPlantedBrowserCookie: of two browser cookies one is planted. Neither is used, the cookie is cleared, and an event reports it.
func TestPlantedBrowserCookie(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	form := b.open(b.authorize(params("web")), "/login")
	r := httptest.NewRequest(http.MethodGet, "/login?request="+form.Get("request"), nil)
	own, _ := b.id()
	r.Header.Set("Cookie", own+"="+strings.Repeat("A", 43))
	require.Equal(t, "page Bad Request invalid_request", outcome(t, b.do(r)))
	name, _ := w.lastEvent()
	require.Equal(t, portner.EventCookieDuplicate, name)
	require.Empty(t, b.ids(), "the next request gets a new cookie")

	// A cookie whose name does not belong to its value is none.
	r = httptest.NewRequest(http.MethodGet, "/authorize?"+params("web").Encode(), nil)
	r.Header.Set("Cookie", browserCookie+"AAAAAAAA="+strings.Repeat("A", 43))
	require.Equal(t, "login", outcome(t, b.do(r)))
	require.Len(t, b.ids(), 1)
	requireCode(t, b.loginAs(b.authorize(params("web")), "kari"))
}

// TestPanicsEverywhere: a panic of any function of the host leads to an error, whose page does not call that function.
func TestPanicsEverywhere(t *testing.T) {
	t.Parallel()
	const serverError = "page Internal Server Error server_error"
	w := newWorld(t, func(c *authorize.Config) {
		c.Sessions = must(session.New(session.Config{Store: panickingSessions{}, Vault: c.Vault}))
		c.ErrorPage = func(authorize.ErrorPage) portner.Reply { panic("secret") }
	})
	b := w.browser()
	b.cookies[session.DefaultCookieName] = strings.Repeat("s", 43)
	require.Equal(t, serverError, outcome(t, b.authorize(params("web"))))
	require.Equal(t, "page Bad Request invalid_client", outcome(t, w.browser().authorize(params("nobody"))))
	require.Equal(t, "page Bad Request invalid_request", outcome(t, w.browser().get("/login")))

	w = newWorld(t, func(c *authorize.Config) { c.OnEvent = func(context.Context, portner.Event) { panic("secret") } })
	require.Equal(t, "page Bad Request invalid_client", outcome(t, w.browser().authorize(params("nobody"))))
	require.Equal(t, "error invalid_scope", outcome(t, w.browser().authorize(params("web", "scope", "x:y"))))
	require.Equal(t, http.StatusUnauthorized, w.push(params("web"), func(r *http.Request) { r.SetBasicAuth("web", "x") }).StatusCode)
	b = w.browser()
	requireCode(t, b.loginAs(b.authorize(params("web")), "kari"))
}

// panickingSessions is a store of sessions that panics.
type panickingSessions struct{ session.Store }

func (panickingSessions) Session(context.Context, storage.Hash, time.Time) (storage.Session, error) {
	panic("secret")
}

// loose is a Source that returns the client of another client_id, or nil without an error.
type loose struct{ client.Source }

func (l loose) Client(ctx context.Context, id string) (*client.Client, error) {
	if id == "nil" {
		return nil, nil
	}
	return l.Source.Client(ctx, strings.ToLower(id))
}

// TestAnotherClient: a Source that returns another client is a fault.
func TestAnotherClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *authorize.Config) { c.Clients = loose{c.Clients} })
	b := w.browser()
	for _, id := range []string{"WEB", "nil"} {
		require.Equal(t, "page Internal Server Error server_error", outcome(t, b.authorize(params(id))), id)
	}
	require.Equal(t, "login", outcome(t, b.authorize(params("web"))))
}

// TestNoDowngrade: the requirements of a pending request are sealed. Parameters in the URL or the form do not change them.
func TestNoDowngrade(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	requireCode(t, b.loginAs(b.authorize(params("web")), "kari", acr.Substantial))
	w.sleep(time.Minute)
	res := b.authorize(params("web", "acr_values", acr.High, "prompt", "login", "max_age", "1", "response_mode", "form_post"))
	form := b.open(res, "/login")
	for name, value := range map[string]string{
		"acr_values": acr.Low, "prompt": "none", "max_age": "100000", "response_mode": "query", "redirect_uri": "https://evil.example/cb",
		"client_id": "silent", "state": "evil", "scope": "openid test:plain", "code_challenge": "", "step": "consent", "reason": "use",
	} {
		form.Set(name, value)
	}
	form.Set("user", "kari")
	form.Set("acr", acr.Substantial)
	res = b.post("/login?"+form.Encode()+"&acr_values="+acr.Low, form)
	require.Equal(t, "step-up", outcome(t, res), "the level is still too low")
	res = b.loginAs(res, "kari", acr.High)
	require.Equal(t, http.StatusOK, res.StatusCode)
	body := new(bytes.Buffer)
	_, err := body.ReadFrom(res.Body)
	require.NoError(t, err)
	require.Contains(t, body.String(), `action="`+rp+`"`)
	require.Contains(t, body.String(), `value="xyz"`)
	require.NotContains(t, body.String(), "evil")
}

// TestStepsAreNotInterchangeable: a pending request is continued by the method of its step only.
func TestStepsAreNotInterchangeable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	res := b.authorize(params("web", "scope", "openid test:shared"))
	login := b.open(res, "/login")
	consent := b.open(b.loginAs(res, "kari"), "/consent")
	consent.Set("user", "mallory")
	require.Equal(t, "page Forbidden invalid_request", outcome(t, b.post("/login", consent)), "consent at the login page")
	login["scope"] = []string{"test:shared"}
	require.Equal(t, "page Forbidden invalid_request", outcome(t, b.post("/consent", login)), "login at the consent page")
	location := b.authorize(params("web", "prompt", "login")).Header.Get("Location")
	sealed := strings.TrimPrefix(location, "/login?request=")
	require.Equal(t, "page Bad Request invalid_request", outcome(t, b.get("/authorize?continue="+sealed)), "a pending request is not a posted one")
}

// TestHostileRequestsAreCheap: every parameter that fills the allowed size is processed with little memory, in linear time.
func TestHostileRequestsAreCheap(t *testing.T) { // not parallel: it counts the allocations of the process
	slow.WithoutRaceDetector(t) // with it a sync.Pool loses values at random
	w := newWorld(t)
	const room = 60 << 10
	fill := func(s string) string { return strings.Repeat(s, room/len(s)) }
	var names strings.Builder
	for i := 0; names.Len() < room/2; i++ {
		names.WriteString(`,"` + strconv.Itoa(i) + `":0`)
	}
	for name, value := range map[string]string{
		"scope": fill("a "), "acr_values": fill("idporten-loa-high "), "ui_locales": fill("a "), "prompt": fill("login "), "state": fill("x"),
		"claims": `{"x":0` + names.String() + "}", "id_token_hint": fill("."), "request": fill("a."), "request_uri": fill("u"),
		"resource": "https://" + fill("a"), "login_hint": fill("x"), "redirect_uri": rp + fill("/"), "code_challenge": fill("A"), "max_age": fill("9"),
		"client_id": fill("c"), "nonce": fill("n"), "response_mode": fill("q"), "onbehalfof": fill("o"), "authorization_details": fill("["),
	} {
		body := params("web", name, value).Encode()
		send := func() {
			r := httptest.NewRequest(http.MethodPost, "/authorize", strings.NewReader(body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			rec := httptest.NewRecorder()
			w.mux.ServeHTTP(rec, r)
			require.Less(t, rec.Body.Len(), 4<<10, name)
			require.Less(t, len(rec.Header().Get("Location")), 12<<10, name)
		}
		send()
		var before, after runtime.MemStats
		const rounds = 4
		runtime.ReadMemStats(&before)
		for range rounds {
			send()
		}
		runtime.ReadMemStats(&after)
		require.Less(t, (after.TotalAlloc-before.TotalAlloc)/rounds, uint64(1<<20), name)
	}
}

// leaver is a store during one method of which the browser disconnects.
type leaver struct {
	authorize.Store
	authorize.PushedRequestStore
	verb  string
	leave context.CancelFunc
	after []string // methods called since
	bad   []string // methods called with an ended context, or one without a deadline
}

func (l *leaver) at(ctx context.Context, verb string) {
	if l.leave == nil {
		return
	}
	if verb == l.verb {
		l.leave()
	}
	deadline, ok := ctx.Deadline()
	if ctx.Err() != nil || !ok || time.Until(deadline) > 5*time.Second {
		l.bad = append(l.bad, verb)
	}
	l.after = append(l.after, verb)
}

func (l *leaver) ConsumePushedRequest(ctx context.Context, h storage.Hash, now time.Time) error {
	l.at(ctx, "ConsumePushedRequest")
	return l.PushedRequestStore.ConsumePushedRequest(ctx, h, now)
}

func (l *leaver) FinishRequest(ctx context.Context, o storage.Outcome, now time.Time) error {
	l.at(ctx, "FinishRequest")
	return l.Store.FinishRequest(ctx, o, now)
}

// TestBrowserGone: after the first write of a code all others follow within five seconds, also if the browser disconnects.
func TestBrowserGone(t *testing.T) {
	t.Parallel()
	all := []string{"ConsumePushedRequest", "FinishRequest"}
	for _, verb := range all {
		l := &leaver{verb: verb}
		w := newWorld(t, func(c *authorize.Config) {
			l.Store, l.PushedRequestStore = c.Store, c.PushedRequests
			c.Store, c.PushedRequests = l, l
		})
		b := w.browser()
		res := b.loginAs(b.authorize(use("web", w.pushed(params("web", "scope", "openid test:shared")))), "kari")
		form := b.open(res, "/consent")
		form["scope"] = []string{"test:shared"}
		var ctx context.Context
		ctx, l.leave = context.WithCancel(t.Context())
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/consent", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", issuer)
		requireCode(t, b.do(r))
		require.Error(t, ctx.Err())
		require.Equal(t, all, l.after, verb)
		require.Empty(t, l.bad, verb)
	}
}
