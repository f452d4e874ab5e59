package authorize_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/storage"
)

// push sends a pushed authorization request, as the client the form names.
func (w *world) push(form url.Values, change ...func(*http.Request)) *http.Response {
	r := httptest.NewRequest(http.MethodPost, "/par", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if id := form.Get("client_id"); id != "spa" && id != "app" {
		r.SetBasicAuth(id, clientSecret)
	}
	for _, c := range change {
		c(r)
	}
	return w.browser().do(r)
}

// pushed pushes a good request and returns its request_uri.
func (w *world) pushed(form url.Values) string {
	w.t.Helper()
	res := w.push(form)
	require.Equal(w.t, http.StatusCreated, res.StatusCode)
	return jsonBody(w.t, res)["request_uri"].(string)
}

// use makes an authorization request of a request_uri.
func use(clientID, uri string, more ...string) url.Values {
	v := url.Values{"client_id": {clientID}, "request_uri": {uri}}
	for i := 0; i+1 < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	return v
}

func TestPush(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *authorize.Config) { c.RequestURIPrefix = authorize.IDPortenRequestURIPrefix })
	res := w.push(params("pushing"))
	require.Equal(t, http.StatusCreated, res.StatusCode)
	require.Equal(t, "application/json", res.Header.Get("Content-Type"))
	require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
	body := jsonBody(t, res)
	require.Len(t, body, 2)
	require.EqualValues(t, 120, body["expires_in"])
	uri := body["request_uri"].(string)
	require.Regexp(t, `^urn:idporten:[A-Za-z0-9_-]{43}$`, uri)

	b := w.browser()
	requireCode(t, b.loginAs(b.authorize(use("pushing", uri)), "kari"))
	require.NotEmpty(t, w.pushed(params("spa")), "public clients push too")
}

func TestPushRefused(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		params url.Values
		change func(*http.Request)
		status int
		want   string
	}{
		{name: "wrong secret", params: params("web"), change: func(r *http.Request) { r.SetBasicAuth("web", strings.Repeat("x", 40)) }, status: 401, want: "invalid_client"},
		{name: "no authentication", params: params("web"), change: func(r *http.Request) { r.Header.Del("Authorization") }, status: 401, want: "invalid_client"},
		{name: "GET", params: params("web"), change: func(r *http.Request) { r.Method = http.MethodGet }, status: 405, want: "invalid_request"},
		{name: "JSON", params: params("web"), change: func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, status: 400, want: "invalid_request"},
		{name: "in the URL", params: params("web"), change: func(r *http.Request) { r.URL.RawQuery = "scope=openid" }, status: 400, want: "invalid_request"},
		{name: "another client's id", params: params("web"), change: func(r *http.Request) { r.SetBasicAuth("silent", clientSecret) }, status: 401, want: "invalid_client"},
		{name: "request_uri", params: params("web", "request_uri", "urn:x:y"), status: 400, want: "invalid_request"},
		{name: "no redirect_uri", params: params("web", "redirect_uri", ""), status: 400, want: "invalid_request"},
		{name: "unregistered redirect_uri", params: params("web", "redirect_uri", "https://evil.example/"), status: 400, want: "invalid_request"},
		{name: "scope", params: params("web", "scope", "nothing:here"), status: 400, want: "invalid_scope"},
		{name: "response_type", params: params("web", "response_type", "token"), status: 400, want: "unsupported_response_type"},
		{name: "no PKCE", params: params("web", "code_challenge", ""), status: 400, want: "invalid_request"},
		{name: "plain", params: params("web", "code_challenge_method", "plain"), status: 400, want: "invalid_request"},
		{name: "unsigned where signed is required", params: params("mustsign"), status: 400, want: "invalid_request"},
		{name: "unsigned object", params: params("signing", "request", "eyJhbGciOiJub25lIn0.e30."), status: 400, want: "invalid_request_object"},
		{name: "twice", params: url.Values{"client_id": {"web"}, "scope": {"openid", "openid"}}, status: 400, want: "invalid_request"},
		{name: "too large for a pending request", params: params("web", "x", strings.Repeat("x", 6<<10)), status: 400, want: "invalid_request"},
		{name: "too large", params: params("web", "x", strings.Repeat("x", 65<<10)), status: 413, want: "invalid_request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			before := w.store.Stats()
			change := tc.change
			if change == nil {
				change = func(*http.Request) {}
			}
			res := w.push(tc.params, change)
			require.Equal(t, tc.status, res.StatusCode)
			require.Empty(t, res.Header.Get("Location"))
			require.Equal(t, tc.want, jsonBody(t, res)["error"])
			require.Equal(t, before, w.store.Stats())
		})
	}
}

// TestPushedIsBoundAndUsedOnce: a request_uri is valid for one client and leads to one code.
func TestPushedIsBoundAndUsedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	uri := w.pushed(params("web", "state", "pushed"))

	require.Equal(t, "page Bad Request invalid_request_uri", outcome(t, b.authorize(use("silent", uri))), "another client's")
	require.Equal(t, "error invalid_request_uri", outcome(t, b.authorize(use("silent", uri, "redirect_uri", rp))))
	require.Equal(t, "page Bad Request invalid_request", outcome(t, b.authorize(url.Values{"request_uri": {uri}})), "client_id is required")
	require.Equal(t, "page Bad Request invalid_request_uri", outcome(t, b.authorize(use("web", uri[:len(uri)-1]))))
	require.Equal(t, "page Bad Request invalid_request", outcome(t, b.authorize(url.Values{"client_id": {"web"}, "request_uri": {uri, uri}})))

	b.open(b.authorize(use("web", uri)), "/login")
	// A reload before the login is valid, and parameters beside request_uri are ignored.
	res := b.loginAs(b.authorize(use("web", uri, "state", "outside", "scope", "openid test:plain", "redirect_uri", rp)), "kari")
	requireCode(t, res)
	require.Equal(t, "pushed", answered(t, res).Get("state"))
	require.Equal(t, "page Bad Request invalid_request_uri", outcome(t, b.authorize(use("web", uri))), "used")

	uri = w.pushed(params("web"))
	w.sleep(120*time.Second - time.Nanosecond)
	require.Equal(t, "code", outcome(t, b.authorize(use("web", uri))))
	uri = w.pushed(params("web"))
	w.sleep(120 * time.Second)
	require.Equal(t, "page Bad Request invalid_request_uri", outcome(t, b.authorize(use("web", uri))), "expired")
}

// renamed is a store that returns pushed requests under the name of another client, or under another request_uri.
type renamed struct {
	authorize.PushedRequestStore
	clientID string
	hash     storage.Hash
}

func (r *renamed) PushedRequest(ctx context.Context, h storage.Hash, now time.Time) (storage.PushedRequest, error) {
	if r.hash != (storage.Hash{}) {
		h = r.hash
	}
	p, err := r.PushedRequestStore.PushedRequest(ctx, h, now)
	if r.clientID != "" {
		p.ClientID = r.clientID
	}
	return p, err
}

// TestPushedOpensForItsClient: whoever can write to the store cannot give a pushed request to another client or request_uri.
func TestPushedOpensForItsClient(t *testing.T) {
	t.Parallel()
	store := &renamed{}
	w := newWorld(t, func(c *authorize.Config) { store.PushedRequestStore, c.PushedRequests = c.PushedRequests, store })
	b := w.browser()
	uri, other := w.pushed(params("web")), w.pushed(params("web"))
	require.Equal(t, "login", outcome(t, b.authorize(use("web", uri))))
	store.clientID = "silent"
	require.Equal(t, "page Internal Server Error server_error", outcome(t, b.authorize(use("silent", uri))))
	store.clientID, store.hash = "", storage.HashOf(other)
	require.Equal(t, "page Internal Server Error server_error", outcome(t, b.authorize(use("web", uri))))
}

// TestPushNeedsPOST: only a POST pushes, also if the host calls Push.
func TestPushNeedsPOST(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	form := must(client.ParseForm(params("spa").Encode()))
	before := w.store.Stats()
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodDelete, "post", ""} {
		_, err := w.endpoint.Push(t.Context(), client.Request{Method: method, Form: form, Header: http.Header{}})
		require.ErrorIs(t, err, portner.InvalidRequest, method)
	}
	require.Equal(t, before, w.store.Stats())
	_, err := w.endpoint.Push(t.Context(), client.Request{Method: http.MethodPost, Form: form, Header: http.Header{}})
	require.NoError(t, err)
}

// TestPushedInTwoTabs: of two tabs one gets a code, also if the login takes long.
func TestPushedInTwoTabs(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ before, between time.Duration }{
		{0, 0}, {0, 3 * time.Minute}, {3 * time.Minute, 0}, {3 * time.Minute, time.Second},
	} {
		w := newWorld(t)
		b := w.browser()
		uri := w.pushed(params("web"))
		one := b.open(b.authorize(use("web", uri)), "/login")
		two := b.open(b.authorize(use("web", uri)), "/login")
		one.Set("user", "kari")
		two.Set("user", "kari")
		w.sleep(tc.before)
		code := requireCode(t, b.post("/login", one))
		redeem(t, w, code)
		w.sleep(tc.between)
		got := outcome(t, b.post("/login", two))
		require.True(t, strings.HasPrefix(got, "page Bad Request invalid_request"), got)
	}
}

// redeem redeems a code.
func redeem(t *testing.T, w *world, code string) {
	t.Helper()
	require.NoError(t, w.store.RedeemCode(t.Context(), storage.HashOf(code), nil, w.clock()))
}

// TestPushedRace: two tabs that finish at the same time get the same code, and if two users log in, one of them gets a code.
func TestPushedRace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for round := range slow.Rounds(500) {
		b := w.browser()
		uri := w.pushed(params("web"))
		var forms [2]url.Values
		for i := range forms {
			forms[i] = b.open(b.authorize(use("web", uri)), "/login")
			forms[i].Set("user", []string{"kari", "kari", "ola"}[i*(1+round%2)])
		}
		codes := make(chan string, len(forms))
		var wg sync.WaitGroup
		for _, form := range forms {
			tab := w.browser()
			tab.isAlso(b)
			wg.Go(func() {
				res := tab.post("/login", form)
				location, err := url.Parse(res.Header.Get("Location"))
				if err != nil || res.StatusCode != http.StatusSeeOther {
					location = &url.URL{}
				}
				codes <- location.Query().Get("code")
			})
		}
		wg.Wait()
		one, two := <-codes, <-codes
		if round%2 == 0 {
			require.NotEmpty(t, one)
			require.Equal(t, one, two)
			continue
		}
		require.True(t, (one == "") != (two == ""), "exactly one user gets a code")
	}
}

// failing is a store with one failing method.
type failing struct {
	authorize.Store
	authorize.PushedRequestStore
	verb string
	err  error
}

func (f *failing) fails(verb string) error {
	if f.verb == verb {
		if f.err == nil {
			panic("hook")
		}
		return f.err
	}
	return nil
}

func (f *failing) FinishRequest(ctx context.Context, o storage.Outcome, now time.Time) error {
	return errors.Join(f.fails("FinishRequest"), f.Store.FinishRequest(ctx, o, now))
}

func (f *failing) PushRequest(ctx context.Context, p storage.PushedRequest, now time.Time) error {
	return errors.Join(f.fails("PushRequest"), f.PushedRequestStore.PushRequest(ctx, p, now))
}

func (f *failing) PushedRequest(ctx context.Context, h storage.Hash, now time.Time) (storage.PushedRequest, error) {
	if err := f.fails("PushedRequest"); err != nil {
		return storage.PushedRequest{}, err
	}
	return f.PushedRequestStore.PushedRequest(ctx, h, now)
}

func (f *failing) ConsumePushedRequest(ctx context.Context, h storage.Hash, now time.Time) error {
	if err := f.fails("ConsumePushedRequest"); err != nil {
		return err
	}
	return f.PushedRequestStore.ConsumePushedRequest(ctx, h, now)
}

func (f *failing) Consents(ctx context.Context, key storage.ConsentKey, now time.Time) ([]storage.Consent, error) {
	if err := f.fails("Consents"); err != nil {
		return nil, err
	}
	return f.Store.Consents(ctx, key, now)
}

// TestFaults: a fault of the store leads to server_error or temporarily_unavailable, and its text is not part of the response.
func TestFaults(t *testing.T) {
	t.Parallel()
	secretText := "pq: password authentication failed for host db7"
	for _, verb := range []string{"FinishRequest", "PushRequest", "PushedRequest", "ConsumePushedRequest", "Consents"} {
		for name, fault := range map[string]error{"error": errors.New(secretText), "full": storage.ErrFull, "panic": nil} {
			t.Run(verb+" "+name, func(t *testing.T) {
				t.Parallel()
				f := &failing{err: fault}
				w := newWorld(t, func(c *authorize.Config) {
					f.Store, f.PushedRequestStore = c.Store, c.PushedRequests
					c.Store, c.PushedRequests = f, f
				})
				b := w.browser()
				p := params("web", "scope", "openid test:shared")
				if verb == "PushRequest" {
					f.verb = verb
					res := w.push(p)
					require.Contains(t, []int{500, 503}, res.StatusCode)
					require.Contains(t, []any{"server_error", "temporarily_unavailable"}, jsonBody(t, res)["error"])
					return
				}
				uri := w.pushed(p)
				res := b.authorize(use("web", uri))
				if verb == "PushedRequest" {
					f.verb = verb
					res = b.authorize(use("web", uri))
				} else {
					res = b.loginAs(res, "kari")
					form := b.open(res, "/consent")
					form["scope"] = []string{"test:shared"}
					f.verb = verb
					res = b.post("/consent", form)
				}
				got := outcome(t, res)
				require.Contains(t, []string{
					"error temporarily_unavailable", "page Service Unavailable temporarily_unavailable", "page Internal Server Error server_error",
				}, got)
				require.NotContains(t, res.Header.Get("Location"), "password")
				event, _ := w.lastEvent()
				require.Equal(t, portner.EventFault, event)
			})
		}
	}
}
