package logout_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/logout"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

func withoutConfirmation(c *logout.Config) { c.WithoutConfirmation = true }

// TestFittingHint: a hint of this session logs the user out, another one needs a confirmation, and an invalid one is rejected.
func TestFittingHint(t *testing.T) {
	t.Parallel()
	set := func(name string, value any) func(map[string]any) {
		return func(c map[string]any) { c[name] = value }
	}
	const (
		atOnce = iota
		confirms
		refused
	)
	tests := []struct {
		name     string
		clientID string
		spoil    func(map[string]any)
		want     int
	}{
		{"sid of this session", "front", nil, atOnce},
		{"sid of another session", "front", set("sid", strings.Repeat("A", 43)), confirms},
		{"sid matches, sub does not", "front", set("sub", "someone"), atOnce},
		{"sub, client without sid", "a", nil, atOnce},
		{"sub of another user", "a", set("sub", "someone"), confirms},
		{"sub, older than the session", "a", set("iat", epoch.Unix()-1), confirms},
		{"sub, from a node whose clock runs ahead", "a", set("iat", epoch.Add(session.MaxSkew).Unix()), atOnce},
		{"sub, before the clock was set back", "a", set("iat", epoch.Add(session.MaxSkew).Unix()+1), confirms},
		{"client not in the session", "b", nil, confirms},
		{"another issuer", "a", set("iss", "https://evil.example"), refused},
		{"issuer with a slash", "a", set("iss", issuer+"/"), refused},
		{"audience not registered", "a", set("aud", "nobody"), refused},
		{"audience as a list", "a", set("aud", []string{"a"}), refused},
		{"no subject", "a", func(c map[string]any) { delete(c, "sub") }, refused},
		{"subject not text", "a", set("sub", 7), refused},
		{"no iat", "a", func(c map[string]any) { delete(c, "iat") }, refused},
		{"a logout token", "a", set("events", map[string]any{}), refused},
		{"an access token", "a", set("client_id", "a"), refused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newWorld(t).login("kari", "a", "front")
			var hint string
			if tt.spoil != nil {
				hint = b.idToken(tt.clientID, tt.spoil)
			} else {
				hint = b.idToken(tt.clientID)
			}
			a := b.get("id_token_hint", hint)
			switch tt.want {
			case atOnce:
				a.isLoggedOut()
				require.False(t, b.alive())
			case confirms:
				b.confirm(a).isLoggedOut()
			case refused:
				a.isError(400, "id_token_hint")
				require.True(t, b.alive())
			}
		})
	}
}

// TestTokenSubstitution: only id_tokens are accepted as hints.
func TestTokenSubstitution(t *testing.T) {
	t.Parallel()
	b := newWorld(t).login("kari", "a")
	claims := map[string]any{"iss": issuer, "aud": "a", "sub": "s", "iat": epoch.Unix(), "exp": epoch.Unix() + 1}
	for _, typ := range []string{"at+jwt", "logout+jwt", "foo+jwt", "oauth-authz-req+jwt"} {
		b.get("id_token_hint", b.sign(typ, claims)).isError(400, "id_token_hint")
	}
	for _, junk := range []string{"x", "a.b.c", strings.Repeat("A", 10<<10)} {
		b.get("id_token_hint", junk).isError(400, "id_token_hint")
	}
	b.confirm(b.get("id_token_hint", b.sign("JWT", claims))).isLoggedOut()
}

func TestClientID(t *testing.T) {
	t.Parallel()
	t.Run("equals the hint", func(t *testing.T) {
		t.Parallel()
		b := newWorld(t).login("kari", "a")
		b.get("id_token_hint", b.idToken("a"), "client_id", "a", "post_logout_redirect_uri", back).isRedirect(back)
	})
	t.Run("differs from the hint", func(t *testing.T) {
		t.Parallel()
		b := newWorld(t).login("kari", "a", "b")
		b.get("id_token_hint", b.idToken("a"), "client_id", "b", "post_logout_redirect_uri", "https://b.example/post_logout_redirect").isError(400, "client_id")
		require.True(t, b.alive())
	})
	t.Run("without a hint", func(t *testing.T) {
		t.Parallel()
		b := newWorld(t).login("kari", "a")
		a := b.get("client_id", "a", "post_logout_redirect_uri", back, "state", "s")
		require.Contains(t, a.body, "Service a")
		require.NotContains(t, a.header.Get("Content-Security-Policy"), "form-action", "browsers apply form-action to every redirect after the form")
		b.confirm(a).isRedirect(back + "?state=s")
	})
	t.Run("URI of another client", func(t *testing.T) {
		t.Parallel()
		b := newWorld(t, withoutConfirmation).login("kari", "a")
		b.get("client_id", "b", "post_logout_redirect_uri", back).isLoggedOut()
	})
	t.Run("unknown", func(t *testing.T) {
		t.Parallel()
		b := newWorld(t, withoutConfirmation).login("kari", "a")
		b.get("client_id", "nobody", "post_logout_redirect_uri", back).isLoggedOut()
	})
	t.Run("disabled", func(t *testing.T) {
		t.Parallel()
		b := newWorld(t, withoutConfirmation).login("kari", "a")
		b.clients["a"].Disabled = true
		b.get("client_id", "a", "post_logout_redirect_uri", back).isLoggedOut()
	})
}

// TestReturnsToLogoutURIsOnly: a URI that is registered for another purpose, or of another client, is not one to return to.
func TestReturnsToLogoutURIsOnly(t *testing.T) {
	t.Parallel()
	const own = "https://front.example/post_logout_redirect"
	for name, uri := range map[string]string{
		"redirect_uri":           "https://front.example/cb",
		"frontchannel_logout":    "https://front.example/out",
		"another client's":       back,
		"with a query":           own + "?x=1",
		"with a slash":           own + "/",
		"in other case":          "https://FRONT.example/post_logout_redirect",
		"http":                   "http://front.example/post_logout_redirect",
		"of a name that extends": own + ".evil.example",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newWorld(t).login("kari", "front")
			a := b.get("id_token_hint", b.idToken("front"), "post_logout_redirect_uri", uri)
			require.NotContains(t, a.body, uri+`"`)
			require.NotEqual(t, 303, a.code)
			require.Contains(t, strings.Join(b.events(), " "), "post_logout_redirect_uri_mismatch/front")
		})
	}
}

// TestWithoutConfirmation: without a hint the user is logged out at once, if configured.
func TestWithoutConfirmation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutConfirmation)
	w.login("kari", "a").get().isLoggedOut()
	w.login("kari", "a").get("client_id", "a", "post_logout_redirect_uri", back).isRedirect(back)
	b := w.login("kari", "front")
	b.confirm(b.get("id_token_hint", b.idToken("front", func(c map[string]any) { c["sid"] = "another" }))).isLoggedOut()
}

func requireSession(c *logout.Config) { c.RequireSession = true }

// TestWithoutSession: without a session cookie the user is logged out already, or the request is an error, as configured.
func TestWithoutSession(t *testing.T) {
	t.Parallel()
	const unregistered = "https://evil.example/"
	b := newWorld(t).login("kari", "a")
	hint := b.idToken("a")
	b.cookie = ""
	for _, send := range []func(...string) answer{b.get, b.post} {
		send("id_token_hint", hint, "post_logout_redirect_uri", back, "state", "s").leadsTo(back + "?state=s")
		send().isLoggedOut()
		page := send("client_id", "a", "post_logout_redirect_uri", back)
		page.isLoggedOut()
		require.Contains(t, page.body, `<a id="back" href="https://a.example/">`, "without a hint the user decides")
		require.NotContains(t, page.body, "script")
		page = send("id_token_hint", hint, "post_logout_redirect_uri", unregistered)
		page.isLoggedOut()
		require.NotContains(t, page.body, unregistered)
		send("id_token_hint", "x", "post_logout_redirect_uri", back).isError(400, "id_token_hint")
	}
	require.True(t, b.alive())
	require.NotContains(t, strings.Join(b.events(), " "), "logout.done", "nothing was logged out")

	b = newWorld(t, requireSession).login("kari", "a")
	hint = b.idToken("a")
	b.cookie = ""
	for _, params := range [][]string{nil, {"id_token_hint", hint, "post_logout_redirect_uri", back}} {
		b.get(params...).isError(400, "The logout cannot continue")
		b.post(params...).isError(400, "no user was logged out")
		require.Equal(t, []string{"req.refused/session_missing", "req.refused/session_missing"}, b.events())
	}
	require.True(t, b.alive())

	t.Run("two cookies", func(t *testing.T) { // one may be that of a live session
		t.Parallel()
		b := newWorld(t, withoutConfirmation).login("kari", "a")
		r := httptest.NewRequest("GET", endpoint, nil)
		r.Header.Set("Cookie", session.DefaultCookieName+"="+strings.Repeat("A", 43))
		b.do(r).isError(400, "invalid_request")
		require.True(t, b.alive())
	})
}

// TestLoggedOutBefore: a request whose session has ended has the result of the logout, also with RequireSession.
func TestLoggedOutBefore(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*logout.Config){"": func(*logout.Config) {}, "required": requireSession} {
		t.Run("hint"+name, func(t *testing.T) {
			t.Parallel()
			b := newWorld(t, change).login("kari", "a")
			kept, params := b.cookie, []string{"id_token_hint", b.idToken("a"), "post_logout_redirect_uri", back, "state", "s"}
			b.get(params...).isRedirect(back + "?state=s")
			b.cookie = kept
			b.get(params...).leadsTo(back + "?state=s")
			require.Equal(t, []string{"logout.done/id_token_hint/a"}, b.events(), "once")
		})
		t.Run("confirmation"+name, func(t *testing.T) {
			t.Parallel()
			b := newWorld(t, change).login("kari", "a")
			page := b.get("client_id", "a", "post_logout_redirect_uri", back, "state", "s")
			kept := b.cookie
			b.confirm(page).isRedirect(back + "?state=s")
			for _, cookie := range []string{kept, ""} { // two clicks; the page from the history
				b.cookie = cookie
				b.post(page.fields()...).leadsTo(back + "?state=s")
				b.post(append(page.fields(), "logout_cancelled", "1")...).leadsTo(back + "?state=s")
			}
			b.now = b.now.Add(12 * time.Hour)
			b.post(page.fields()...).leadsTo(back + "?state=s")
			b.clients["a"].PostLogoutRedirectURIs = nil
			b.post(page.fields()...).isLoggedOut()
			require.Equal(t, 1, strings.Count(strings.Join(b.events(), " "), "logout.done"))
		})
		t.Run("idle"+name, func(t *testing.T) {
			t.Parallel()
			b := newWorld(t, change).login("kari", "a")
			params := []string{"id_token_hint", b.idToken("a"), "post_logout_redirect_uri", back}
			b.now = b.now.Add(session.DefaultIdle)
			b.get(params...).isRedirect(back)
			require.Equal(t, []string{"logout.done/id_token_hint/a"}, b.events(), "it ends for its clients")
		})
		t.Run("expired"+name, func(t *testing.T) {
			t.Parallel()
			b := newWorld(t, change).login("kari", "a")
			hint := b.idToken("a")
			b.now = b.now.Add(session.DefaultMax)
			b.get().isLoggedOut()
			b.get("id_token_hint", hint, "post_logout_redirect_uri", back).leadsTo(back)
		})
	}
}

// TestLogoutRace: of two requests at once both lead back, and one logs the user out.
func TestLogoutRace(t *testing.T) {
	t.Parallel()
	b := newWorld(t, requireSession).login("kari", "a")
	hint := b.idToken("a")
	b.store.beforeEnd = func() { // the other request is faster
		b.store.beforeEnd = nil
		other := &browser{b.world, b.cookie, b.s}
		other.get("id_token_hint", hint, "post_logout_redirect_uri", back).isRedirect(back)
	}
	b.get("id_token_hint", hint, "post_logout_redirect_uri", back).isRedirect(back)
	require.Equal(t, []string{"logout.done/id_token_hint/a"}, b.events())
}

// TestConfirmationShownAgain: the form of a page that has expired, or of a session before, shows the page again.
func TestConfirmationShownAgain(t *testing.T) {
	t.Parallel()
	b := newWorld(t).login("kari", "a")
	first := b.get("client_id", "a", "post_logout_redirect_uri", back)
	b.now = b.now.Add(15 * time.Minute)
	second := b.post(first.fields()...)
	require.NotEqual(t, first.fields(), second.fields())
	require.Contains(t, second.body, "Service a")
	b.confirm(second).isRedirect(back)

	b = b.login("kari", "a")
	third := b.post(first.fields()...)
	b.confirm(third).isRedirect(back)
}

// TestCrossSitePost: the form of another site arrives without the Lax cookie and is posted again.
func TestCrossSitePost(t *testing.T) {
	t.Parallel()
	b := newWorld(t).login("kari", "a")
	params := []string{"id_token_hint", b.idToken("a"), "post_logout_redirect_uri", back, "state", `"><script>'&+ `, "logout_confirmation", "", "unknown", "x"}
	a := b.crossPost(params...)
	require.Equal(t, 200, a.code)
	require.Contains(t, a.body, `id="logout-resubmit"`)
	require.Contains(t, a.body, `<button type="submit">`, "works without script")
	require.NotContains(t, a.header.Get("Content-Security-Policy"), "form-action")
	require.Equal(t, "same-origin", a.header.Get("Referrer-Policy"))
	require.NotContains(t, a.body, "<script>")
	require.NotContains(t, a.body, "unknown")
	require.True(t, b.alive())
	again := b.post(a.fields()...)
	again.isRedirect(back + "?state=%22%3E%3Cscript%3E%27%26%2B+")
	require.False(t, b.alive())

	other := newWorld(t, requireSession).login("kari", "a")
	other.cookie = ""
	other.post(a.fields()...).isError(400, "invalid_request")
	marked := append([]string{"logout_resubmitted", "1"}, params...)
	other.crossPost(marked...).isError(400, "invalid_request")
}

// TestCrossSitePostNeverConfirms: the page that posts a form again does not post a confirmation.
func TestCrossSitePostNeverConfirms(t *testing.T) {
	t.Parallel()
	b := newWorld(t).login("kari", "a")
	token := b.get().fields()[1]
	b.crossPost("logout_confirmation", token).isError(403, "access_denied")
	require.True(t, b.alive())
	a := b.crossPost("client_id", "a")
	page := b.post(a.fields()...)
	b.confirm(page).isLoggedOut()
}

// TestConfirmationCSRF: a confirmation is valid for one session, from the origin of the provider, for 15 minutes. Nothing else ends a
// session.
func TestConfirmationCSRF(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	kari, ola := w.login("kari", "a"), w.login("ola", "a")
	page := kari.get()
	token := page.fields()[1]
	w.events()
	refused := func(a answer, reason string) {
		t.Helper()
		a.isError(403, "access_denied")
		require.True(t, kari.alive() && ola.alive())
		require.Contains(t, w.events(), "sec.csrf/"+reason)
	}
	again := func(b *browser, token string) {
		t.Helper()
		require.Contains(t, b.post("logout_confirmation", token).body, `id="logout-confirm"`)
		require.True(t, kari.alive() && ola.alive())
	}
	again(ola, token)
	refused(kari.post("logout_confirmation", "x"), "confirmation_invalid")
	refused(kari.post("logout_confirmation", token[:len(token)-1]), "confirmation_invalid")
	refused(kari.post("logout_confirmation", token, "logout_confirmation", token), "confirmation_repeated")
	refused(kari.do(kari.formRequest("cross-site", "https://evil.example", "logout_confirmation", token)), "form_origin")
	refused(kari.do(kari.formRequest("same-site", "https://sibling.op.example", "logout_confirmation", token)), "form_origin")
	refused(kari.do(kari.formRequest("same-origin", "null", "logout_confirmation", token)), "form_origin")
	bare := kari.formRequest("", "", "logout_confirmation", token)
	bare.Header.Del("Origin")
	bare.Header.Del("Sec-Fetch-Site")
	refused(kari.do(bare), "form_origin")
	require.Contains(t, kari.get("logout_confirmation", token).body, `id="logout-confirm"`, "GET does not confirm")

	w.now = epoch.Add(10 * time.Minute)
	later := kari.get().fields()[1]
	w.now = epoch // the clock is set back
	again(kari, later)
	w.now = epoch.Add(15*time.Minute - time.Second)
	cancelled := kari.post("logout_confirmation", token, "logout_cancelled", "1")
	require.Equal(t, 200, cancelled.code)
	require.Contains(t, cancelled.body, `id="logout-cancelled"`)
	require.True(t, kari.alive())
	w.now = epoch.Add(15 * time.Minute)
	again(kari, token)
	w.now = epoch.Add(15*time.Minute - time.Second)
	kari.post("logout_confirmation", token).isLoggedOut()
	require.True(t, ola.alive())
}

// TestStoreFailure: after a fault the page says that the user is still logged in.
func TestStoreFailure(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"Session", "EndSession", "Client"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			b := newWorld(t, withoutConfirmation).login("kari", "a")
			b.store.down = verb
			var a answer
			if verb == "Client" {
				a = b.get("client_id", "fault")
			} else {
				a = b.get()
			}
			a.isError(503, "NOT logged out")
			require.Equal(t, "2", a.header.Get("Retry-After"))
			require.NotContains(t, a.body, "fire", "the text of the fault is not shown")
			require.Empty(t, a.header["Set-Cookie"])
			require.NotEmpty(t, b.cookie)
			require.Contains(t, strings.Join(b.events(), " "), "sys.fault")
			b.store.down = ""
			require.True(t, b.alive())
			b.get().isLoggedOut()
		})
	}
}

// TestGrants: login-only grants end with the session, those with a scope of an API do not.
func TestGrants(t *testing.T) {
	t.Parallel()
	b := newWorld(t).login("kari", "a")
	issue := func(id string, loginOnly bool) storage.Hash {
		code := storage.AuthorizationCode{
			Hash: storage.HashOf("code " + id), ExpiresAt: epoch.Add(time.Minute),
			Grant: storage.Grant{ID: id, ClientID: "a", UserKey: b.s.UserKey, SessionID: b.s.ID, LoginOnly: loginOnly, CreatedAt: epoch, ExpiresAt: epoch.Add(2 * time.Hour)},
		}
		require.NoError(t, b.store.FinishRequest(t.Context(), storage.Outcome{RequestID: id, Code: &code, RetainTo: epoch.Add(time.Hour)}, epoch))
		return code.Hash
	}
	redeem := func(h storage.Hash, id string) storage.Hash {
		access := storage.AccessToken{Hash: storage.HashOf("token " + id), GrantID: id, IssuedAt: epoch, ExpiresAt: epoch.Add(time.Hour)}
		code, err := b.store.Code(t.Context(), h, epoch)
		require.NoError(t, err)
		require.NoError(t, b.store.RedeemCode(t.Context(), h, &storage.Issuance{Grant: code.Grant, Access: access}, epoch))
		return access.Hash
	}
	login, api := redeem(issue("login", true), "login"), redeem(issue("api", false), "api")
	unused := issue("unused", false)

	b.get("id_token_hint", b.idToken("a"), "post_logout_redirect_uri", back).isRedirect(back)
	_, _, err := b.store.AccessToken(t.Context(), login, epoch)
	require.Error(t, err)
	_, _, err = b.store.AccessToken(t.Context(), api, epoch)
	require.NoError(t, err)
	_, err = b.store.Code(t.Context(), unused, epoch)
	require.Error(t, err)
}

func TestLocale(t *testing.T) {
	t.Parallel()
	pages := &recordingPages{}
	w := newWorld(t, func(c *logout.Config) { c.Pages = pages.pages() })
	for name, tt := range map[string]struct{ cookie, uiLocales, want string }{
		"fallback":           {"", "", "nb"},
		"ui_locales":         {"", "fr nn en", "nn"},
		"region":             {"", "en-GB", "en"},
		"cookie wins":        {"se", "en", "se"},
		"unknown cookie":     {"../../etc", "en", "en"},
		"unknown locales":    {"", "fr de", "nb"},
		"other case":         {"", "NB", "nb"},
		"hostile ui_locales": {"", strings.Repeat("x", 5000), "nb"},
	} {
		b := w.login("kari", "a")
		r := httptest.NewRequest("GET", endpoint+"?"+form("ui_locales", tt.uiLocales).Encode(), nil)
		if tt.cookie != "" {
			r.Header.Set("Cookie", "IDPORTEN_SELECTED_LANGUAGE="+tt.cookie)
		}
		b.do(r)
		require.Equal(t, tt.want, pages.confirm.Locale, name)
		b.post("logout_confirmation", pages.confirm.Token)
		require.Equal(t, tt.want, pages.loggedOut.Locale, "both pages have the same language")
	}
}

// TestLocaleOfErrors: a request that is rejected at once is answered in the language of the browser.
func TestLocaleOfErrors(t *testing.T) {
	t.Parallel()
	pages := &recordingPages{}
	w := newWorld(t, func(c *logout.Config) { c.Pages, c.AcceptLanguage, c.RequireSession = pages.pages(), true, true })
	for name, tt := range map[string]struct{ method, cookie, accept, query, want string }{
		"method":         {"PUT", "se", "", "", "se"},
		"malformed":      {"GET", "se", "", "a=%zz", "se"},
		"accept":         {"GET", "", "nn", "a=%zz", "nn"},
		"invalid hint":   {"GET", "", "nn", "id_token_hint=x&ui_locales=en", "en"},
		"session absent": {"GET", "", "nn", "", "nn"},
	} {
		r := httptest.NewRequest(tt.method, endpoint+"?"+tt.query, nil)
		if tt.cookie != "" {
			r.Header.Set("Cookie", "IDPORTEN_SELECTED_LANGUAGE="+tt.cookie)
		}
		r.Header.Set("Accept-Language", tt.accept)
		w.ep.ServeHTTP(httptest.NewRecorder(), r)
		require.Equal(t, tt.want, pages.err.Locale, name)
	}
}
