package authorize_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

const consentScopes = "openid test:shared test:plain test:second"

func TestConsent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	res := b.loginAs(b.authorize(params("web", "scope", consentScopes)), "kari")
	b.open(res, "/consent")
	require.Equal(t, []scope.Shown{
		{Name: "test:shared", Description: "Lese test:shared", Lasts: time.Hour},
		{Name: "test:second", Description: "Lese test:second", Lasts: 2 * time.Hour},
	}, w.seen.Scopes)
	g := w.stored(requireCode(t, b.consentTo(res, "test:shared"))).Grant
	require.Equal(t, []string{"openid", "test:shared", "test:plain"}, g.Scopes, "declined scopes are not granted")
	require.True(t, g.ExpiresAt.Equal(w.clock().Add(time.Hour)), "the shortest authorization_max_lifetime")

	consents, err := w.store.Consents(t.Context(), storage.ConsentKey{UserKey: w.vault.UserKey("kari"), ClientID: "web", Customer: "991825827///"}, w.clock())
	require.NoError(t, err)
	require.Len(t, consents, 1)
	require.Equal(t, "test:shared", consents[0].Scope)
	require.True(t, consents[0].ExpiresAt.Equal(g.ExpiresAt))
}

func TestConsentIsRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	p := params("silent", "scope", "openid test:shared")
	requireCode(t, b.consentTo(b.loginAs(b.authorize(p), "kari"), "test:shared"))
	requireCode(t, b.authorize(p))
	p.Set("prompt", "none")
	requireCode(t, b.authorize(p))
	p.Set("prompt", "consent")
	require.Equal(t, "consent", outcome(t, b.authorize(p)), "prompt=consent ignores the remembered consent")
	g := w.stored(requireCode(t, b.consentTo(b.authorize(p)))).Grant
	require.Equal(t, []string{"openid"}, g.Scopes, "a remembered consent does not count")
	p.Del("prompt")
	require.Equal(t, "consent", outcome(t, b.authorize(p)), "declining withdraws the remembered consent")
	requireCode(t, b.consentTo(b.authorize(p), "test:shared"))
	requireCode(t, b.authorize(p))

	require.Equal(t, "consent", outcome(t, b.authorize(params("silent", "scope", "openid test:shared test:second"))), "not for another scope")
	require.Equal(t, "consent", outcome(t, b.authorize(params("web", "scope", "openid test:shared"))), "not for another client")
	other := w.browser()
	require.Equal(t, "consent", outcome(t, other.loginAs(other.authorize(p), "ola")), "not for another user")
	for range 3 {
		w.sleep(20 * time.Minute)
		b.authorize(params("web")) // the session stays live
	}
	require.Equal(t, "consent", outcome(t, b.authorize(p)), "not for longer than the authorization")
}

func TestDecline(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ scope, want string }{
		{"openid test:shared", "code"},
		{"test:shared test:plain", "code"},
		{"test:shared", "error access_denied"},
		{"test:shared test:second", "error access_denied"},
	} {
		w := newWorld(t)
		b := w.browser()
		form := b.open(b.loginAs(b.authorize(params("web", "scope", tc.scope)), "kari"), "/consent")
		form.Set("deny", "1")
		require.Equal(t, tc.want, outcome(t, b.post("/consent", form)), tc.scope)
	}
}

// TestPseudonymityIsSticky: pseudonymity follows from the requested scopes, also if the user declines them.
func TestPseudonymityIsSticky(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *authorize.Config) {
		c.Scopes = must(scope.NewRegistry([]scope.Scope{{
			Name: "test:pseudo", Description: "x", AccessibleForAll: true, RequiresPseudonymousTokens: true, RequiresUserConsent: true,
		}}, nil))
	})
	b := w.browser()
	g := w.stored(requireCode(t, b.consentTo(b.loginAs(b.authorize(params("web", "scope", "openid test:pseudo")), "kari")))).Grant
	require.Equal(t, []string{"openid"}, g.Scopes)
	require.True(t, g.Pseudonymous)
}

// versioned is a Source with one scope whose texts change.
type versioned struct{ version string }

func (v *versioned) Scope(name string) *scope.Scope {
	if name != "test:shared" {
		return nil
	}
	return &scope.Scope{Name: name, Description: "x", AccessibleForAll: true, RequiresUserConsent: true, ConsentVersion: v.version}
}

func (*versioned) Access(string, string) scope.AccessState { return scope.Approved }

// TestConsentIsForTheVersionShown verifies that a form does not count if the texts of a scope got another version after the page was
// shown: the store would remember a consent to texts that the user has not seen.
func TestConsentIsForTheVersionShown(t *testing.T) {
	t.Parallel()
	source := &versioned{"1"}
	w := newWorld(t, func(c *authorize.Config) { c.Scopes = source })
	b := w.browser()
	res := b.loginAs(b.authorize(params("web", "scope", "openid test:shared")), "kari")
	form := b.open(res, "/consent")
	form["scope"] = []string{"test:shared"}
	source.version = "2"
	require.Equal(t, "consent", outcome(t, b.post("/consent", form)))
	requireCode(t, b.consentTo(res, "test:shared"))
	consents, err := w.store.Consents(t.Context(), storage.ConsentKey{UserKey: w.vault.UserKey("kari"), ClientID: "web", Customer: "991825827///"}, w.clock())
	require.NoError(t, err)
	require.Len(t, consents, 1)
	require.Equal(t, "2", consents[0].Version)
}

// TestConsentsHaveTheVersionsShown: each of several consents is stored with the version of its own scope, in whatever order the form has
// them.
func TestConsentsHaveTheVersionsShown(t *testing.T) {
	t.Parallel()
	for _, approved := range [][]string{{"test:shared", "test:second"}, {"test:second", "test:shared"}, {"test:second"}} {
		w := newWorld(t, func(c *authorize.Config) {
			var all []scope.Scope
			for name, version := range map[string]string{"test:shared": "1", "test:second": "2"} {
				all = append(all, scope.Scope{Name: name, Description: "x", AccessibleForAll: true, RequiresUserConsent: true, ConsentVersion: version})
			}
			c.Scopes = must(scope.NewRegistry(all, nil))
		})
		b := w.browser()
		requireCode(t, b.consentTo(b.loginAs(b.authorize(params("web", "scope", "openid test:shared test:second")), "kari"), approved...))
		consents, err := w.store.Consents(t.Context(), storage.ConsentKey{UserKey: w.vault.UserKey("kari"), ClientID: "web", Customer: "991825827///"}, w.clock())
		require.NoError(t, err)
		require.Len(t, consents, len(approved))
		for _, c := range consents {
			require.Equal(t, map[string]string{"test:shared": "1", "test:second": "2"}[c.Scope], c.Version, c.Scope)
		}
	}
}

// TestGrantIsNotOlderThanItsConsents: a grant that rests on a remembered consent is as old as the request, or as the consent if that was
// given on a node whose clock runs ahead.
func TestGrantIsNotOlderThanItsConsents(t *testing.T) {
	t.Parallel()
	for _, later := range []time.Duration{-2 * time.Second, 0, time.Minute} {
		w := newWorld(t)
		b := w.browser()
		p := params("web", "scope", "openid test:shared")
		requireCode(t, b.consentTo(b.loginAs(b.authorize(p), "kari"), "test:shared"))
		given := w.clock().Truncate(time.Microsecond)
		w.sleep(later)
		want := w.clock()
		if want.Before(given) {
			want = given
		}
		g := w.stored(requireCode(t, b.authorize(p))).Grant
		require.True(t, g.CreatedAt.Equal(want), "%s later: %s, not %s", later, g.CreatedAt, want)
	}
}

// TestConsentOfAnotherUser: the consent page of one user is not valid for another user who logged in meanwhile.
func TestConsentOfAnotherUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	res := b.loginAs(b.authorize(params("web", "scope", "openid test:shared")), "kari")
	form := b.open(res, "/consent")
	form["scope"] = []string{"test:shared"}
	requireCode(t, b.loginAs(b.authorize(params("web", "prompt", "login")), "ola"))
	require.Equal(t, "login", outcome(t, b.get("/consent?request="+form.Get("request"))))
	res = b.post("/consent", form)
	require.Equal(t, "login", outcome(t, res), "the session has changed")
	require.Equal(t, "consent", outcome(t, b.loginAs(res, "ola")), "the consent page is shown again")

	b = w.browser()
	form = b.open(b.loginAs(b.authorize(params("web", "scope", "openid test:shared")), "kari"), "/consent")
	form["scope"] = []string{"test:shared"}
	w.sleep(14 * time.Minute)
	delete(b.cookies, "__Host-portner-session")
	require.Equal(t, "login", outcome(t, b.post("/consent", form)))
}

// TestForms: a form is accepted only if its page was shown to this browser.
func TestForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	evil := w.browser()
	evilForm := evil.open(evil.authorize(params("web")), "/login")
	for _, tc := range []struct {
		name   string
		change func(b *browser, r *http.Request, form map[string][]string)
		want   string
	}{
		{"good", func(*browser, *http.Request, map[string][]string) {}, "code"},
		{"no token", func(_ *browser, _ *http.Request, f map[string][]string) { delete(f, "csrf") }, "csrf_token_missing"},
		{"empty token", func(_ *browser, _ *http.Request, f map[string][]string) { f["csrf"] = []string{""} }, "csrf_token_missing"},
		{"token twice", func(_ *browser, _ *http.Request, f map[string][]string) { f["csrf"] = append(f["csrf"], "x") }, "csrf_token_missing"},
		{"another browser's token", func(_ *browser, _ *http.Request, f map[string][]string) { f["csrf"] = evilForm["csrf"] }, "csrf_token_mismatch"},
		{"another browser's request", func(_ *browser, _ *http.Request, f map[string][]string) { f["request"] = evilForm["request"] }, "Bad Request"},
		{"another browser's request and token", func(_ *browser, _ *http.Request, f map[string][]string) {
			f["request"], f["csrf"] = evilForm["request"], evilForm["csrf"]
		}, "Bad Request"},
		{"origin null", func(_ *browser, r *http.Request, _ map[string][]string) { r.Header.Set("Origin", "null") }, "form_origin"},
		{"other origin", func(_ *browser, r *http.Request, _ map[string][]string) {
			r.Header.Set("Origin", "https://evil.example")
		}, "form_origin"},
		{"cross-site", func(_ *browser, r *http.Request, _ map[string][]string) {
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			r.Header.Del("Origin")
		}, "form_origin"},
		{"same-site sibling", func(_ *browser, r *http.Request, _ map[string][]string) {
			r.Header.Set("Sec-Fetch-Site", "same-site")
		}, "form_origin"},
		{"neither header", func(_ *browser, r *http.Request, _ map[string][]string) {
			r.Header.Del("Origin")
			r.Header.Del("Sec-Fetch-Site")
		}, "form_origin"},
		{"no browser cookie", func(b *browser, _ *http.Request, _ map[string][]string) { clear(b.cookies) }, "Bad Request"},
		{"no request", func(_ *browser, _ *http.Request, f map[string][]string) { delete(f, "request") }, "Bad Request"},
		{"broken seal", func(_ *browser, _ *http.Request, f map[string][]string) { f["request"][0] += "A" }, "Bad Request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := w.browser()
			form := b.open(b.authorize(params("web")), "/login")
			form.Set("user", "kari")
			r := newPost("/login")
			tc.change(b, r, form)
			res := b.do(withBody(r, form))
			if tc.want == "code" {
				requireCode(t, res)
				return
			}
			require.NotContains(t, b.cookies, "__Host-portner-session")
			if tc.want == "Bad Request" {
				require.Equal(t, "page Bad Request invalid_request", outcome(t, res))
				return
			}
			require.Equal(t, "page Forbidden invalid_request", outcome(t, res))
			event, reason := w.lastEvent()
			require.Equal(t, portner.EventCSRF, event)
			require.Equal(t, tc.want, reason, "the reason tells the host what is wrong with its page")
		})
	}
}

// TestHijack: a pending request is continued only in the browser that started it.
func TestHijack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	attacker, victim := w.browser(), w.browser()
	location := attacker.authorize(params("web", "scope", "openid test:shared")).Header.Get("Location")
	require.Equal(t, "page Bad Request invalid_request", outcome(t, victim.get(location)), "the victim has no cookie")
	victim.open(victim.authorize(params("web")), "/login")
	require.Equal(t, "page Bad Request invalid_request", outcome(t, victim.get(location)), "the victim has a cookie of its own")
	event, reason := w.lastEvent()
	require.Equal(t, portner.EventCSRF, event)
	require.Equal(t, "browser_mismatch", reason)

	// The reverse: the victim logs in, and the attacker knows the URL of the consent page.
	res := victim.loginAs(victim.authorize(params("web", "scope", "openid test:shared")), "kari")
	require.Equal(t, "page Bad Request invalid_request", outcome(t, attacker.get(res.Header.Get("Location"))))

	r := httptest.NewRequest(http.MethodGet, location, nil)
	name, value := attacker.id()
	_, other := victim.id()
	r.Header.Set("Cookie", name+"="+other+"; "+name+"="+value)
	require.Equal(t, "page Bad Request invalid_request", outcome(t, w.browser().do(r)), "one of two cookies is planted")
}

// TestTokensAreNotInterchangeable: a CSRF token is valid for one request in one browser.
func TestTokensAreNotInterchangeable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, other := w.browser(), w.browser()
	one, two := b.open(b.authorize(params("web")), "/login"), b.open(b.authorize(params("web")), "/login")
	one["csrf"] = two["csrf"]
	require.Equal(t, "page Forbidden invalid_request", outcome(t, b.post("/login", one)))

	uri := w.pushed(params("web"))
	mine, theirs := b.open(b.authorize(use("web", uri)), "/login"), other.open(other.authorize(use("web", uri)), "/login")
	mine["csrf"] = theirs["csrf"]
	require.Equal(t, "page Forbidden invalid_request", outcome(t, b.post("/login", mine)))
}

// TestConsentForms: the token of one page is invalid for another, and only shown scopes can be approved.
func TestConsentForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	login := b.authorize(params("web", "scope", "openid test:shared"))
	loginForm := b.open(login, "/login")
	res := b.loginAs(login, "kari")
	form := b.open(res, "/consent")

	stolen := cloneForm(form)
	stolen["csrf"] = loginForm["csrf"]
	require.Equal(t, "page Forbidden invalid_request", outcome(t, b.post("/consent", stolen)), "the login page's token")

	wider := cloneForm(form)
	wider["scope"] = []string{"test:shared", "test:second"}
	require.Equal(t, "page Forbidden invalid_request", outcome(t, b.post("/consent", wider)), "a scope that was not shown")
	_, reason := w.lastEvent()
	require.Equal(t, "scope_not_shown", reason)

	require.Equal(t, "page Forbidden invalid_request", outcome(t, b.post("/login", form)), "the consent form at the login page")

	other := b.open(b.authorize(params("web", "scope", "openid test:second")), "/consent")
	swapped := cloneForm(form)
	swapped["csrf"] = other["csrf"]
	require.Equal(t, "page Forbidden invalid_request", outcome(t, b.post("/consent", swapped)), "another request's token")

	consents, err := w.store.Consents(t.Context(), storage.ConsentKey{UserKey: w.vault.UserKey("kari"), ClientID: "web", Customer: "991825827///"}, w.clock())
	require.NoError(t, err)
	require.Empty(t, consents)
	form["scope"] = []string{"test:shared"}
	requireCode(t, b.post("/consent", form))
}

// TestConsentNeedsAPost: a page that approves scopes on GET is rejected.
func TestConsentNeedsAPost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mux.Handle("/careless", w.endpoint.Page(func(_ http.ResponseWriter, r *http.Request, p *authorize.Pending) *authorize.Decision {
		return p.Consent(r.Context(), []string{"test:shared"})
	}))
	b := w.browser()
	form := b.open(b.loginAs(b.authorize(params("web", "scope", "openid test:shared")), "kari"), "/consent")
	require.Equal(t, "page Forbidden invalid_request", outcome(t, b.get("/careless?request="+form.Get("request"))))
}

// TestSubmittedTwice: a form that is posted twice leads to the same code in the same session, until the code is used.
func TestSubmittedTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, again := w.browser(), w.browser()
	form := b.open(b.authorize(params("web")), "/login")
	form.Set("user", "kari")
	again.isAlso(b) // it did not receive the response
	code := requireCode(t, b.post("/login", form))
	require.Equal(t, code, requireCode(t, again.post("/login", form)))
	require.Equal(t, b.cookies[session.DefaultCookieName], again.cookies[session.DefaultCookieName])
	require.Equal(t, 1, w.store.Stats().Sessions)
	require.Equal(t, code, requireCode(t, b.post("/login", form)), "also with the cookie of the first login")

	other := cloneForm(form)
	other.Set("user", "ola")
	third := w.browser()
	third.isAlso(b)
	require.Equal(t, "page Bad Request invalid_request", outcome(t, third.post("/login", other)), "another user")
	_, reason := w.lastEvent()
	require.Equal(t, "request_completed", reason)

	redeem(t, w, code)
	require.Equal(t, "page Bad Request invalid_request", outcome(t, b.post("/login", form)), "the code was used")
	_, reason = w.lastEvent()
	require.Equal(t, "request_completed", reason)
}

// TestSubmittedTwiceAtOnce: two posts at the same time get the same code in the same session.
func TestSubmittedTwiceAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rounds := slow.Rounds(500)
	for range rounds {
		b := w.browser()
		form := b.open(b.authorize(params("web")), "/login")
		form.Set("user", "kari")
		results := make(chan *http.Response, 2)
		for range 2 {
			go func() {
				again := w.browser()
				again.isAlso(b)
				results <- again.post("/login", form)
			}()
		}
		require.Equal(t, requireCode(t, <-results), requireCode(t, <-results))
	}
	require.LessOrEqual(t, w.store.Stats().Sessions, rounds)
	require.Equal(t, rounds, w.store.Stats().Grants)
}

// TestSubmittedTwiceAfterNewSecret: a new secret in front does not change the code of a request.
func TestSubmittedTwiceAfterNewSecret(t *testing.T) {
	t.Parallel()
	var cfg authorize.Config
	w := newWorld(t, func(c *authorize.Config) { cfg = *c })
	b := w.browser()
	form := b.open(b.authorize(params("web")), "/login")
	form.Set("user", "kari")
	code := requireCode(t, b.post("/login", form))
	cfg.Secrets = append([]portner.Secret{portner.NewSecret()}, cfg.Secrets...)
	rotated, err := authorize.New(cfg)
	require.NoError(t, err)
	w.mux.Handle("/rotated", rotated.Page(func(_ http.ResponseWriter, r *http.Request, p *authorize.Pending) *authorize.Decision {
		return p.LogIn(r.Context(), session.Authentication{Identity: session.Identity{Subject: "kari"}, ACR: acr.High})
	}))
	require.Equal(t, code, requireCode(t, b.post("/rotated", form)))
}

// TestCancelledInOneTab: after a cancelled consent page another tab gets no code, and cancelling twice is the same.
func TestCancelledInOneTab(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	form := b.open(b.loginAs(b.authorize(params("web", "scope", "openid test:shared")), "kari"), "/consent")
	cancelled := cloneForm(form)
	cancelled.Set("cancel", "1")
	for range 2 {
		require.Equal(t, "error access_denied", outcome(t, b.post("/consent", cancelled)))
	}
	form["scope"] = []string{"test:shared"}
	require.Equal(t, "page Bad Request invalid_request", outcome(t, b.post("/consent", form)))
}

// TestConsentForOneCustomer: a consent for one customer of a supplier's client does not count for another, or for the supplier.
func TestConsentForOneCustomer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	request := func(more ...string) url.Values {
		return params("web", append([]string{"scope", "openid test:shared"}, more...)...)
	}
	requireCode(t, b.consentTo(b.loginAs(b.authorize(request("onbehalfof", "kunde")), "kari"), "test:shared"))
	requireCode(t, b.authorize(request("onbehalfof", "kunde")))
	require.Equal(t, "consent", outcome(t, b.authorize(request("onbehalfof", "kunde2"))))
	require.Equal(t, "consent", outcome(t, b.authorize(request())))
	requireCode(t, b.consentTo(b.authorize(request()), "test:shared"))
	require.Equal(t, "consent", outcome(t, b.authorize(request("onbehalfof", "kunde2"))))
}

// TestDeclinedTwice: a form that declines every scope can be posted twice, too.
func TestDeclinedTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	form := b.open(b.loginAs(b.authorize(params("web", "scope", "test:shared")), "kari"), "/consent")
	for range 2 {
		require.Equal(t, "error access_denied", outcome(t, b.post("/consent", form)))
	}
	form["scope"] = []string{"test:shared"}
	require.Equal(t, "page Bad Request invalid_request", outcome(t, b.post("/consent", form)), "approving afterwards")
}

func TestPendingExpires(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	form := b.open(b.authorize(params("web")), "/login")
	form.Set("user", "kari")
	w.sleep(15*time.Minute - time.Microsecond)
	requireCode(t, b.post("/login", form))
	w.sleep(time.Microsecond - time.Duration(w.clock().Nanosecond()%1000)) // sealed times have microseconds
	form = b.open(b.authorize(params("web", "prompt", "login")), "/login")
	form.Set("user", "kari")
	w.sleep(15 * time.Minute) // a record is valid if now is before its expiry
	require.Equal(t, "page Bad Request invalid_request", outcome(t, b.post("/login", form)))
}

// TestTwoTabs: two tabs share the cookie of the browser, and each has a request of its own.
func TestTwoTabs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	one, two := b.authorize(params("web")), b.authorize(params("web", "state", "two"))
	requireCode(t, b.loginAs(one, "kari"))
	res := b.loginAs(two, "kari")
	requireCode(t, res)
	require.Equal(t, "two", answered(t, res).Get("state"))
}

// TestSecretRotation: requests and pages from before a rotation stay valid while the old secret is configured.
func TestSecretRotation(t *testing.T) {
	t.Parallel()
	before := newWorld(t)
	b := before.browser()
	form := b.open(b.authorize(params("web")), "/login")
	form.Set("user", "kari")
	newSecret := portner.NewSecret()
	after := newWorld(t, func(c *authorize.Config) { c.Secrets = []portner.Secret{newSecret, secret} })
	b.world = after
	requireCode(t, b.post("/login", form))
	without := newWorld(t, func(c *authorize.Config) { c.Secrets = []portner.Secret{newSecret} })
	b.world = without
	require.Equal(t, "page Bad Request invalid_request", outcome(t, b.post("/login", form)))
}
