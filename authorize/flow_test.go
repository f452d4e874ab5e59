package authorize_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// stored returns the record of a code.
func (w *world) stored(code string) storage.AuthorizationCode {
	w.t.Helper()
	c, err := w.store.Code(w.t.Context(), storage.HashOf(code), w.clock())
	require.NoError(w.t, err)
	return c
}

func TestLogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	res := b.authorize(params("sidtaker", "scope", "openid profile test:plain", "ui_locales", "de nn-NO", "resource", "https://api.example.no", "onbehalfof", "kunde", "max_age", "600"))
	w.sleep(10 * time.Second)
	res = b.loginAs(res, "kari", acr.High)
	code := w.stored(requireCode(t, res))
	require.Equal(t, "xyz", answered(t, res).Get("state"))

	require.Equal(t, rp, code.RedirectURI)
	require.Equal(t, "n-0S6", code.Nonce)
	require.True(t, code.ExpiresAt.Equal(w.clock().Add(60*time.Second)))
	g := code.Grant
	require.Equal(t, []string{"openid", "profile", "test:plain"}, g.Scopes)
	require.Equal(t, []string{"https://api.example.no"}, g.Resources)
	require.Equal(t, []string{acr.High, "BankID", "nn", "991825827//974761076/kunde"}, []string{g.ACR, g.AMR[0], g.Locale, g.Customer})
	require.True(t, g.AuthTime.Equal(w.clock()))
	require.True(t, g.ExpiresAt.Equal(w.clock().Add(7200*time.Second)))
	require.False(t, g.LoginOnly)
	require.False(t, g.Pseudonymous)
	require.NotEmpty(t, g.SID)
	require.NotEmpty(t, g.SessionID)
	who, err := w.vault.Open(g.Identity, g.ID)
	require.NoError(t, err)
	require.Equal(t, "kari", who.Subject)
	require.Equal(t, w.vault.UserKey("kari"), g.UserKey)

	name, _ := w.lastEvent()
	require.Equal(t, portner.EventAuthorized, name)
}

// TestNothingIsStoredBeforeLogin: requests without a login write nothing to the store.
func TestNothingIsStoredBeforeLogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.store.Stats()
	for range 10 {
		b := w.browser()
		b.open(b.authorize(params("web")), "/login")
	}
	require.Equal(t, before, w.store.Stats())
}

func TestSSO(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	first := w.stored(requireCode(t, b.loginAs(b.authorize(params("web")), "kari"))).Grant
	w.sleep(29 * time.Minute)
	second := w.stored(requireCode(t, b.authorize(params("silent", "prompt", "none")))).Grant
	require.True(t, first.AuthTime.Equal(second.AuthTime), "SSO does not change auth_time")
	require.Equal(t, first.SessionID, second.SessionID)
	require.True(t, second.LoginOnly)
	require.Empty(t, second.SID, "the client takes no part in logout")

	require.Equal(t, "login", outcome(t, b.authorize(params("isolated"))), "an isolated client has its own circle")
	w.sleep(30 * time.Minute)
	require.Equal(t, "login", outcome(t, b.authorize(params("web"))), "30 minutes idle")
}

// TestIdleTime: idle is the time between two authorization requests. A valid request of a browser with a live session counts, whatever
// comes of it; an invalid one, and one of another browser, do not. The integration guide: "Inaktivet måles som tiden mellom to
// autentiseringsforespørsler mot ID-porten."
func TestIdleTime(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		params url.Values
		want   string
		counts bool
	}{
		"a code":                                 {params("silent"), "code", true},
		"a login page that the user leaves":      {params("silent", "prompt", "login"), "login", true},
		"a login page of another circle":         {params("isolated"), "login", true},
		"a step-up page that the user leaves":    {params("silent", "acr_values", acr.High), "step-up", true},
		"a consent page that the user leaves":    {params("web", "scope", "openid test:shared"), "consent", true},
		"login_required":                         {params("silent", "prompt", "none", "max_age", "0"), "error login_required", true},
		"interaction_required":                   {params("silent", "prompt", "none", "acr_values", acr.High), "error interaction_required", true},
		"consent_required":                       {params("silent", "prompt", "none", "scope", "openid test:shared"), "error consent_required", true},
		"an invalid request":                     {params("web", "scope", "x:y"), "error invalid_scope", false},
		"a request with an unknown redirect_uri": {params("web", "redirect_uri", "https://evil.example/"), "page Bad Request invalid_request", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			b := w.browser()
			requireCode(t, b.loginAs(b.authorize(params("silent")), "kari"))
			w.sleep(20 * time.Minute)
			require.Equal(t, tc.want, outcome(t, b.authorize(tc.params)))
			require.Equal(t, "login", outcome(t, w.browser().authorize(params("silent"))), "another browser")
			w.sleep(20 * time.Minute)
			res := b.authorize(params("silent"))
			require.Equal(t, map[bool]string{true: "code", false: "login"}[tc.counts], outcome(t, res))
		})
	}
}

// TestIdleTimeHasAnEnd: requests do not extend a session that is idle, nor beyond its maximum.
func TestIdleTimeHasAnEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	requireCode(t, b.loginAs(b.authorize(params("silent")), "kari"))
	for range 5 {
		w.sleep(20 * time.Minute)
		require.Equal(t, "login", outcome(t, b.authorize(params("silent", "prompt", "login"))))
	}
	require.Equal(t, "code", outcome(t, b.authorize(params("silent"))), "100 minutes")
	w.sleep(20 * time.Minute)
	require.Equal(t, "login", outcome(t, b.authorize(params("silent"))), "120 minutes")

	b = w.browser()
	requireCode(t, b.loginAs(b.authorize(params("silent")), "kari"))
	for range 2 {
		w.sleep(30 * time.Minute)
		require.Equal(t, "login", outcome(t, b.authorize(params("silent", "prompt", "login"))))
	}
	require.Equal(t, "login", outcome(t, b.authorize(params("silent"))), "an idle session is not revived")
}

// TestLoginNeeded combines prompt, max_age, level and scope with a live session.
func TestLoginNeeded(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		after  time.Duration // since the login, at level substantial
		params url.Values
		want   string
	}{
		{"usable", time.Minute, params("silent"), "code"},
		{"prompt none", time.Minute, params("silent", "prompt", "none"), "code"},
		{"prompt login", time.Minute, params("silent", "prompt", "login"), "login"},
		{"prompt select_account", time.Minute, params("silent", "prompt", "select_account"), "login"},
		{"prompt consent without consent scopes", time.Minute, params("silent", "prompt", "consent"), "code"},
		{"max_age not reached", time.Minute, params("silent", "max_age", "60"), "code"},
		{"max_age passed", 61 * time.Second, params("silent", "max_age", "60"), "login"},
		{"max_age passed, silent", 61 * time.Second, params("silent", "max_age", "60", "prompt", "none"), "error login_required"},
		{"max_age 0", time.Millisecond, params("silent", "max_age", "0"), "login"},
		{"max_age 0 at the same instant", 0, params("silent", "max_age", "0"), "login"},
		{"prompt login at the same instant", 0, params("silent", "prompt", "login"), "login"},
		{"same level", time.Minute, params("silent", "acr_values", acr.Substantial), "code"},
		{"lower level", time.Minute, params("silent", "acr_values", acr.Low), "code"},
		{"higher level", time.Minute, params("silent", "acr_values", acr.High), "step-up"},
		{"higher level, silent", time.Minute, params("silent", "acr_values", acr.High, "prompt", "none"), "error interaction_required"},
		{"one of two levels", time.Minute, params("silent", "acr_values", acr.High+" "+acr.Substantial), "code"},
		{"scope that needs a login", time.Minute, params("silent", "scope", "openid test:fresh"), "login"},
		{"scope that needs a login, silent", time.Minute, params("silent", "scope", "openid test:fresh", "prompt", "none"), "error login_required"},
		{"consent needed", time.Minute, params("silent", "scope", "openid test:shared"), "consent"},
		{"consent needed, silent", time.Minute, params("silent", "scope", "openid test:shared", "prompt", "none"), "error consent_required"},
		{"isolated, silent", time.Minute, params("isolated"), "login"},
		{"expired", 30 * time.Minute, params("silent"), "login"},
		{"expired, silent", 30 * time.Minute, params("silent", "prompt", "none"), "error login_required"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			b := w.browser()
			requireCode(t, b.loginAs(b.authorize(params("web")), "kari", acr.Substantial))
			w.sleep(tc.after)
			res := b.authorize(tc.params)
			require.Equal(t, tc.want, outcome(t, res))
			if tc.want != "login" && tc.want != "step-up" {
				return
			}
			// One login satisfies the request.
			b.open(res, "/"+tc.want)
			require.NotEmpty(t, w.seen.Reason)
			w.sleep(5 * time.Minute)
			res = b.loginAs(res, "kari", acr.High)
			require.True(t, w.stored(requireCode(t, res)).Grant.AuthTime.Equal(w.clock()))
		})
	}
}

func TestSilentWithoutSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	state := strings.Repeat("Aa0-._~x", 16)
	res := w.browser().authorize(params("silent", "prompt", "none", "state", state))
	require.Equal(t, "error login_required", outcome(t, res))
	require.Equal(t, state, answered(t, res).Get("state"))
}

// TestLoginTooWeak: a login at too low a level leads to the step-up page.
func TestLoginTooWeak(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	res := b.loginAs(b.authorize(params("web", "acr_values", acr.High)), "kari", acr.Substantial)
	require.Equal(t, "step-up", outcome(t, res))
	require.Equal(t, "/step-up", strings.Split(res.Header.Get("Location"), "?")[0])
	g := w.stored(requireCode(t, b.loginAs(res, "kari", acr.High))).Grant
	require.Equal(t, acr.High, g.ACR)

	res = b.loginAs(b.authorize(params("web", "prompt", "login")), "kari", "no-such-level")
	require.Equal(t, "error server_error", outcome(t, res))
	res = b.loginAs(b.authorize(params("web", "prompt", "login")), "", acr.High)
	require.Equal(t, "error server_error", outcome(t, res))
}

// TestLevelsThatAreNotRequested: an eIDAS login or an e-mail login, of the page or of the session, answers only a request that names such
// a level (docs/spec/idporten.md §3.4).
func TestLevelsThatAreNotRequested(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		requested, level string
		code             bool
	}{
		{"", acr.EIDASHigh, false},
		{acr.Substantial, acr.EIDASHigh, false},
		{acr.Low + " " + acr.SelfRegisteredEmail, acr.EIDASHigh, false},
		{acr.Low, acr.SelfRegisteredEmail, false},
		{acr.EIDASLow, acr.SelfRegisteredEmail, false},
		{acr.Substantial + " " + acr.EIDASSubstantial, acr.EIDASHigh, true},
		{acr.EIDASLow, acr.EIDASLow, true},
		{acr.Substantial + " " + acr.SelfRegisteredEmail, acr.SelfRegisteredEmail, true},
		{acr.EIDASSubstantial, acr.High, true},
	} {
		w := newWorld(t)
		b := w.browser()
		login := func(more ...string) []string {
			if tt.requested != "" {
				more = append(more, "acr_values", tt.requested)
			}
			return more
		}
		res := b.loginAs(b.authorize(params("web", login()...)), "kari", tt.level)
		require.Equal(t, tt.code, res.Header.Get("Location") != "" && outcome(t, res) == "code", "%q: %s", tt.requested, outcome(t, res))
		res = b.authorize(params("silent", login("prompt", "none")...))
		require.Equal(t, tt.code, outcome(t, res) == "code", "the session, for %q: %s", tt.requested, outcome(t, res))
	}
}

func TestDefaultLevel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	require.Equal(t, "step-up", outcome(t, b.loginAs(b.authorize(params("web")), "kari", acr.Low)), "the default is substantial")
}

func TestAnotherUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	kari := w.stored(requireCode(t, b.loginAs(b.authorize(params("web")), "kari"))).Grant
	ola := w.stored(requireCode(t, b.loginAs(b.authorize(params("web", "prompt", "login")), "ola"))).Grant
	require.NotEqual(t, kari.SessionID, ola.SessionID)
	require.NotEqual(t, kari.UserKey, ola.UserKey)
}

func TestCancel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	form := b.open(b.authorize(params("web")), "/login")
	form.Set("cancel", "1")
	require.Equal(t, "error access_denied", outcome(t, b.post("/login", form)))
	res := b.loginAs(b.authorize(params("web", "scope", "openid test:shared")), "kari")
	form = b.open(res, "/consent")
	form.Set("cancel", "1")
	require.Equal(t, "error access_denied", outcome(t, b.post("/consent", form)))
}

func TestPendingForThePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	b.cookies[authorize.LanguageCookie] = "se"
	res := b.authorize(params("silent", "ui_locales", "en", "login_hint", "26818000123", "prompt", "login", "acr_values", "x "+acr.High, "onbehalfof", "kunde"))
	b.open(res, "/login")
	p := w.seen
	require.Equal(t, authorize.LoginStep, p.Step)
	require.Equal(t, session.NoSession, p.Reason)
	require.Equal(t, authorize.ClientInfo{ID: "silent", Name: "Kunde", Orgno: "974761076", Supplier: "Min tjeneste"}, p.Client)
	require.Equal(t, "se", p.Locale, "the choice of the user takes precedence over ui_locales")
	require.Equal(t, []string{"login"}, p.Prompt)
	require.Equal(t, []string{acr.High}, p.RequestedACR)
	require.Equal(t, "26818000123", p.LoginHint.Reveal())
	require.Equal(t, "REDACTED", p.LoginHint.String())
	require.Empty(t, p.Scopes)
}

func TestLocale(t *testing.T) {
	t.Parallel()
	for uiLocales, want := range map[string]string{
		"": "nb", "nn": "nn", "EN-gb": "en", "se": "se", "no": "nb", "no-NO": "nb", "de fr": "nb", "de nn en": "nn",
		"zh-Hant-TW en": "en", strings.Repeat("x", 100): "nb", "../../etc/passwd": "nb",
	} {
		w := newWorld(t)
		b := w.browser()
		b.open(b.authorize(params("web", "ui_locales", uiLocales)), "/login")
		require.Equal(t, want, w.seen.Locale, uiLocales)
	}
}

// TestPostedRequest: the form of another site carries no Lax cookies. The endpoint repeats it as a GET, which carries the session.
func TestPostedRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	requireCode(t, b.loginAs(b.authorize(params("web")), "kari"))
	crossSite := w.browser() // without the cookies
	post := func(p url.Values) *http.Response {
		r := httptest.NewRequest(http.MethodPost, "/authorize", strings.NewReader(p.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return crossSite.do(r)
	}
	res := post(params("silent", "prompt", "none"))
	require.Equal(t, http.StatusSeeOther, res.StatusCode)
	require.Empty(t, res.Cookies(), "a new cookie would replace the one that the browser did not send")
	location := res.Header.Get("Location")
	require.True(t, strings.HasPrefix(location, "?portner_posted="))
	require.NotContains(t, location, "web")
	requireCode(t, b.get("/authorize"+location))
	require.Equal(t, "error login_required", outcome(t, w.browser().get("/authorize"+location)))
	require.Equal(t, "page Bad Request invalid_request", outcome(t, b.get("/authorize"+location+"A")), "an altered value")
	require.Equal(t, "page Bad Request invalid_request", outcome(t, b.get("/authorize"+location[:len(location)-1])), "a truncated value")
	w.sleep(time.Minute + time.Second)
	require.Equal(t, "page Bad Request invalid_request", outcome(t, b.get("/authorize"+location)))

	require.Equal(t, "error invalid_scope", outcome(t, post(params("web", "scope", "x:y"))), "errors are sent at once")
	require.Equal(t, "page Bad Request invalid_request", outcome(t, post(params("web", "redirect_uri", ""))))
	requireCode(t, b.post("/authorize", params("web")))
}

// TestForcedLoginIsForThisRequest: a login for another request does not satisfy prompt=login, also if it happens while a posted
// request is repeated as a GET.
func TestForcedLoginIsForThisRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	r := httptest.NewRequest(http.MethodPost, "/authorize", strings.NewReader(params("web", "prompt", "login").Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	location := w.browser().do(r).Header.Get("Location")
	w.sleep(time.Second)
	requireCode(t, b.loginAs(b.authorize(params("web")), "kari"))
	w.sleep(time.Second)
	res := b.get("/authorize" + location)
	require.Equal(t, "login", outcome(t, res))
	requireCode(t, b.loginAs(res, "kari"))
}

// TestLocaleOfErrors: an error page is in the language of the request, as far as its parameters are known.
func TestLocaleOfErrors(t *testing.T) {
	t.Parallel()
	var got authorize.ErrorPage
	keep := func(c *authorize.Config) {
		c.ErrorPage = func(p authorize.ErrorPage) portner.Reply { got = p; return portner.Reply{} }
	}
	w := newWorld(t, keep)
	b := w.browser()
	for name, p := range map[string]url.Values{
		"unknown client": params("nobody", "ui_locales", "nn"),
		"redirect_uri":   params("web", "redirect_uri", "", "ui_locales", "nn"),
		"request_uri":    params("web", "redirect_uri", "", "request_uri", "urn:x:y", "ui_locales", "nn"),
	} {
		require.Equal(t, 400, b.authorize(p).StatusCode)
		require.Equal(t, "nn", got.Locale, name)
	}
	form := b.open(b.authorize(params("web", "ui_locales", "nn")), "/login")
	w.sleep(time.Hour)
	b.get("/login?request=" + form.Get("request"))
	require.Equal(t, []string{"nn", "invalid_request"}, []string{got.Locale, string(got.Code)}, "a page that has expired")
	got = authorize.ErrorPage{}
	b.post("/login", url.Values{"request": form["request"]})
	require.Equal(t, "nn", got.Locale)
	b.get("/login?request=x")
	require.Equal(t, "nb", got.Locale, "the parameters are not known")

	w = newWorld(t, keep, func(c *authorize.Config) { c.AcceptLanguage = true })
	r := httptest.NewRequest(http.MethodGet, "/login?request=x", nil)
	r.Header.Set("Accept-Language", "nn")
	w.browser().do(r)
	require.Equal(t, "nn", got.Locale)
}
