package authorize_test

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/storage"
)

// fapi makes a world with the rules of FAPI 2.0 SP §5.3.2.2. The redirect URI of its second client has a query.
func fapi(c *authorize.Config) {
	c.RequiredParameters, c.PushedRequestLifetime = []string{"request_uri", "code_challenge"}, 90*time.Second
	second := *c.Clients.(registry)["silent"]
	second.ClientID, second.RedirectURIs = "second", []string{secondURI}
	c.Clients.(registry)["second"] = &second
}

const secondURI = rp + "?dummy1=lorem&dummy2=ipsum"

// TestFAPIPushed: which requests the PAR endpoint accepts (FAPI 2.0 SP §5.3.2.2).
func TestFAPIPushed(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		change []string
		want   string // the error, "" for none
	}{
		{"good", nil, ""},
		{"state of 1,000 characters", []string{"state", strings.Repeat("-._~abcdef", 100)}, ""},
		{"nonce of 384 characters", []string{"nonce", strings.Repeat("n", 384)}, ""},
		{"no state", []string{"state", ""}, ""},
		{"no nonce", []string{"nonce", ""}, ""},
		{"other order of scopes", []string{"scope", "profile openid"}, ""},
		{"unknown parameter", []string{"extra", "foobar"}, ""},
		{"code id_token", []string{"response_type", "code id_token"}, "unsupported_response_type"},
		{"id_token", []string{"response_type", "id_token"}, "unsupported_response_type"},
		{"code token", []string{"response_type", "code token"}, "unsupported_response_type"},
		{"token", []string{"response_type", "token"}, "unsupported_response_type"},
		{"none", []string{"response_type", "none"}, "unsupported_response_type"},
		{"other case", []string{"response_type", "Code"}, "unsupported_response_type"},
		{"no response type", []string{"response_type", ""}, "invalid_request"},
		{"no redirect_uri", []string{"redirect_uri", ""}, "invalid_request"},
		{"redirect_uri of another client", []string{"redirect_uri", secondURI}, "invalid_request"},
		{"no challenge", []string{"code_challenge", "", "code_challenge_method", ""}, "invalid_request"},
		{"challenge without method", []string{"code_challenge_method", ""}, "invalid_request"},
		{"plain", []string{"code_challenge_method", "plain"}, "invalid_request"},
		{"method without challenge", []string{"code_challenge", ""}, "invalid_request"},
		{"short challenge", []string{"code_challenge", strings.Repeat("A", 42)}, "invalid_request"},
		{"request_uri", []string{"request_uri", "urn:ietf:params:oauth:request_uri:x"}, "invalid_request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, fapi)
			form := params("web", tc.change...)
			res := w.push(form)
			body := jsonBody(t, res)
			require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
			require.Equal(t, "application/json", res.Header.Get("Content-Type"))
			if tc.want != "" {
				require.Equal(t, http.StatusBadRequest, res.StatusCode)
				require.Equal(t, tc.want, body["error"])
				require.Zero(t, w.store.Stats().PushedRequests)
				return
			}
			require.Equal(t, http.StatusCreated, res.StatusCode)
			require.Equal(t, []string{"expires_in", "request_uri"}, slices.Sorted(maps.Keys(body)))
			require.EqualValues(t, 90, body["expires_in"])
			uri := body["request_uri"].(string)
			require.Regexp(t, `^urn:ietf:params:oauth:request_uri:[A-Za-z0-9_-]{43}$`, uri)
			// The state and the nonce come back byte for byte, and iss is in the response.
			b := w.browser()
			res = b.loginAs(b.authorize(use("web", uri)), "kari")
			code := must(w.store.Code(t.Context(), storage.HashOf(requireCode(t, res)), w.clock()))
			require.Equal(t, form.Get("nonce"), code.Nonce)
			want := []string{"code", "iss", "state"}
			if form.Get("state") == "" {
				want = want[:2]
			}
			require.Equal(t, want, slices.Sorted(maps.Keys(answered(t, res))))
			require.Equal(t, form.Get("state"), answered(t, res).Get("state"))
			require.Equal(t, 60*time.Second, code.ExpiresAt.Sub(epoch))
		})
	}
}

// TestFAPILifetimes: New accepts no lifetime of a request_uri outside of those that RFC 9126 §2.2 recommends.
func TestFAPILifetimes(t *testing.T) {
	t.Parallel()
	for lifetime, ok := range map[time.Duration]bool{
		5*time.Second - 1: false, 5 * time.Second: true, 599 * time.Second: true, 600 * time.Second: true, 600*time.Second + 1: false,
	} {
		cfg := validConfig(t)
		cfg.PushedRequestLifetime = lifetime
		_, err := authorize.New(cfg)
		require.Equal(t, ok, err == nil, "%v: %v", lifetime, err)
	}
}

// TestFAPIFrontChannel: what the authorization endpoint accepts beside a request_uri, and that every response to the client has iss.
func TestFAPIFrontChannel(t *testing.T) {
	t.Parallel()
	full := func(change ...string) url.Values {
		return params("second", append([]string{"redirect_uri", secondURI}, change...)...)
	}
	for _, tc := range []struct {
		name   string
		alone  bool // Config.RequestURIAlone
		beside url.Values
		want   string
	}{
		{"alone", false, nil, "login"},
		{"alone, required", true, nil, "login"},
		{"the same parameters", false, full(), "login"},
		{"the same parameters, alone required", true, full(), "error invalid_request"},
		{"another state", false, url.Values{"state": {"front"}}, "login"},
		{"another state, alone required", true, url.Values{"state": {"front"}}, "error invalid_request"},
		{"another nonce", false, url.Values{"nonce": {"front"}}, "login"},
		{"another scope", false, url.Values{"scope": {"openid test:plain"}}, "login"},
		{"another redirect_uri", false, url.Values{"redirect_uri": {"https://evil.example/"}}, "login"},
		{"another response_type", false, url.Values{"response_type": {"code id_token"}}, "login"},
		{"another response_mode", false, url.Values{"response_mode": {"form_post"}}, "login"},
		{"a weaker challenge", false, url.Values{"code_challenge": {"x"}, "code_challenge_method": {"plain"}}, "login"},
		{"prompt", false, url.Values{"prompt": {"none"}}, "login"},
		{"a request object", false, url.Values{"request": {"x.y.z"}}, "page Bad Request invalid_request"},
		{"request_uri twice", false, url.Values{"request_uri": {"", "urn:x:y"}}, "page Bad Request invalid_request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, fapi, func(c *authorize.Config) { c.RequestURIAlone = tc.alone })
			form := use("second", w.pushed(full("state", "pushed", "nonce", "pushed")))
			for name, values := range tc.beside {
				if name == "request_uri" {
					values = []string{form.Get("request_uri"), values[1]}
				}
				form[name] = values
			}
			b := w.browser()
			res := b.authorize(form)
			require.Equal(t, tc.want, outcome(t, res))
			switch {
			case strings.HasPrefix(tc.want, "error"):
				require.True(t, strings.HasPrefix(res.Header.Get("Location"), secondURI+"&"), "the query of the redirect URI remains")
				require.Equal(t, "pushed", answered(t, res).Get("state"))
				return
			case strings.HasPrefix(tc.want, "page"):
				return
			}
			res = b.loginAs(res, "kari")
			require.True(t, strings.HasPrefix(res.Header.Get("Location"), secondURI+"&"))
			require.Equal(t, "pushed", answered(t, res).Get("state"))
			code := must(w.store.Code(t.Context(), storage.HashOf(requireCode(t, res)), w.clock()))
			require.Equal(t, "pushed", code.Nonce)
			require.Equal(t, []string{"openid", "profile"}, code.Grant.Scopes)
			require.Equal(t, params("web").Get("code_challenge"), code.CodeChallenge)
		})
	}
}

// TestFAPINotPushed: a request that was not pushed is rejected, signed or not, at the redirect URI; the requirement may be that of the
// provider or of the client.
func TestFAPINotPushed(t *testing.T) {
	t.Parallel()
	signed := url.Values{"client_id": {"signing"}, "request": {sign(object("signing", nil), "")}}
	w := newWorld(t, fapi)
	for name, form := range map[string]url.Values{"plain": params("web"), "signed": signed} {
		res := w.browser().authorize(form)
		require.Equal(t, "error invalid_request", outcome(t, res), name)
		require.Equal(t, "xyz", answered(t, res).Get("state"), name)
		_, reason := w.lastEvent()
		require.Equal(t, "request_uri_missing", reason, name)
	}
	w = newWorld(t)
	require.Equal(t, "error invalid_request", outcome(t, w.browser().authorize(params("pushing"))))
	require.Equal(t, "login", outcome(t, w.browser().authorize(params("web"))))
}

// TestFAPIRequestURI: a request_uri may be loaded again until its login is completed (FAPI 2.0 SP §5.3.2.2, note 3), leads to one code, is
// that of one client, and expires.
func TestFAPIRequestURI(t *testing.T) {
	t.Parallel()
	const used = "page Bad Request invalid_request_uri"
	w := newWorld(t, fapi)
	push := func() string { return w.pushed(params("web")) }
	for name, tc := range map[string]struct {
		before func(b *browser, uri string)
		client string
		want   string
	}{
		"loaded once":                {func(*browser, string) {}, "web", "login"},
		"loaded three times":         {func(b *browser, uri string) { b.authorize(use("web", uri)); b.authorize(use("web", uri)) }, "web", "login"},
		"in another browser":         {func(_ *browser, uri string) { w.browser().authorize(use("web", uri)) }, "web", "login"},
		"cancelled before the login": {func(b *browser, uri string) { b.cancelled(b.authorize(use("web", uri))) }, "web", "login"},
		"completed":                  {func(b *browser, uri string) { b.loginAs(b.authorize(use("web", uri)), "kari") }, "web", used},
		"completed elsewhere": {func(_ *browser, uri string) {
			other := w.browser()
			other.loginAs(other.authorize(use("web", uri)), "kari")
		}, "web", used},
		"another client":   {func(*browser, string) {}, "silent", used},
		"second before":    {func(*browser, string) { w.sleep(90*time.Second - 1) }, "web", "login"},
		"expired":          {func(*browser, string) { w.sleep(90 * time.Second) }, "web", used},
		"expired, ignored": {func(b *browser, uri string) { b.authorize(use("web", uri)); w.sleep(90 * time.Second) }, "web", used},
	} {
		b, uri := w.browser(), push()
		tc.before(b, uri)
		clear(b.cookies)
		require.Equal(t, tc.want, outcome(t, b.authorize(use(tc.client, uri))), name)
	}
	// A login that takes longer than the request_uri lives ends with a code.
	b := w.browser()
	res := b.authorize(use("web", push()))
	w.sleep(10 * time.Minute)
	requireCode(t, b.loginAs(res, "kari"))
}

// TestFAPIResponses: every response to the client is a 303 with iss and the state, and with nothing else but a code or an error. The query
// of the redirect URI remains.
func TestFAPIResponses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fapi)
	full := func(change ...string) string {
		return w.pushed(params("second", append([]string{"redirect_uri", secondURI}, change...)...))
	}
	for name, respond := range map[string]func(b *browser) *http.Response{
		"code": func(b *browser) *http.Response { return b.loginAs(b.authorize(use("second", full())), "kari") },
		"access_denied": func(b *browser) *http.Response {
			return b.cancelled(b.authorize(use("second", full())))
		},
		"login_required": func(b *browser) *http.Response { return b.authorize(use("second", full("prompt", "none"))) },
		"invalid_request": func(b *browser) *http.Response {
			return b.authorize(params("second", "redirect_uri", secondURI))
		},
	} {
		res := respond(w.browser())
		require.Equal(t, http.StatusSeeOther, res.StatusCode, name)
		require.True(t, strings.HasPrefix(res.Header.Get("Location"), secondURI+"&"), name)
		q := answered(t, res)
		require.Equal(t, "xyz", q.Get("state"), name)
		q.Del("dummy1")
		q.Del("dummy2")
		if name == "code" {
			require.Equal(t, []string{"code", "iss", "state"}, slices.Sorted(maps.Keys(q)))
			continue
		}
		require.Equal(t, name, q.Get("error"))
		require.Equal(t, []string{"error", "error_description", "iss", "state"}, slices.Sorted(maps.Keys(q)), name)
	}
}
