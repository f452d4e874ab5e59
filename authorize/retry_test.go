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
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/session"
)

// posts returns the forms that a user posts for a request with a consent page, in their order, and the code. The last one leads to the
// code.
func (b *browser) posts(clientID, redirect string) (forms []url.Values, paths []string, code string) {
	b.t.Helper()
	login := b.open(b.authorize(params(clientID, "scope", "openid test:shared", "redirect_uri", redirect)), "/login")
	login.Set("user", "kari")
	res := b.post("/login", login)
	consent := b.open(res, "/consent")
	consent["scope"] = []string{"test:shared"}
	u := must(url.Parse(b.post("/consent", consent).Header.Get("Location")))
	require.NotEmpty(b.t, u.Query().Get("code"), u)
	return []url.Values{login, consent}, []string{"/login", "/consent"}, u.Query().Get("code")
}

// TestPostedAgain: every posted page can be posted and loaded again, at any later time. The user is sent to the client with the same
// code, or gets a page that says what happened and leads back. There is one session.
func TestPostedAgain(t *testing.T) {
	t.Parallel()
	var shown authorize.ErrorPage
	w := newWorld(t, func(c *authorize.Config) {
		c.ErrorPage = func(p authorize.ErrorPage) portner.Reply { shown = p; return portner.Reply{} }
	})
	b := w.browser()
	forms, paths, code := b.posts("web", rp)
	for i, form := range forms {
		require.Equal(t, code, requireCode(t, b.post(paths[i], form)), "%s, before the client has used the code", paths[i])
	}
	page := func(res *http.Response) authorize.ErrorPage {
		t.Helper()
		require.Equal(t, http.StatusBadRequest, res.StatusCode)
		require.Equal(t, "https://rp.example.no/", shown.BackURL)
		require.Equal(t, "Min tjeneste", shown.Client.Name)
		return shown
	}
	redeem(t, w, code)
	for i, form := range forms {
		p := page(b.post(paths[i], form))
		require.True(t, p.Completed && !p.Expired, "%s, after the client has used the code", paths[i])
	}
	require.Equal(t, http.StatusOK, b.get("/login?request="+forms[0].Get("request")).StatusCode, "the back button shows the form")
	require.True(t, page(b.get("/consent?request="+forms[1].Get("request"))).Completed)
	require.Equal(t, 1, w.store.Stats().Sessions)
	require.Equal(t, 1, w.store.Stats().Grants)

	other := w.browser()
	other.authorize(params("web"))
	w.sleep(16 * time.Hour) // the next morning
	for _, who := range []*browser{b, other, w.browser()} {
		for i, form := range forms {
			require.True(t, page(who.get(paths[i]+"?request="+form.Get("request"))).Expired)
			require.True(t, page(who.post(paths[i], form)).Expired)
		}
	}
	require.Equal(t, 1, w.store.Stats().Sessions)
}

// TestNativeApplicationOpensAgain: an application without a page of its own gets an error instead of a page without a way back.
func TestNativeApplicationOpensAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	forms, paths, code := b.posts("app", "no.example.app:/cb")
	opened := func(res *http.Response) {
		t.Helper()
		require.Equal(t, http.StatusSeeOther, res.StatusCode)
		u := must(url.Parse(res.Header.Get("Location")))
		require.Equal(t, "no.example.app", u.Scheme)
		require.Equal(t, []string{"invalid_request", "xyz", issuer}, []string{u.Query().Get("error"), u.Query().Get("state"), u.Query().Get("iss")})
		require.Empty(t, u.Query().Get("code"))
	}
	redeem(t, w, code)
	for i, form := range forms {
		opened(b.post(paths[i], form))
		opened(w.browser().get(paths[i] + "?request=" + form.Get("request")))
	}
	w.sleep(time.Hour)
	for i, form := range forms {
		opened(b.post(paths[i], form))
		opened(b.get(paths[i] + "?request=" + form.Get("request")))
	}
	require.Equal(t, "page Bad Request invalid_request", outcome(t, b.get("/login?request=x")), "the application is not known")
}

// TestPostedRequestLeadsBack: the address of a request that another site posted leads back to the client when it is opened again too late.
func TestPostedRequestLeadsBack(t *testing.T) {
	t.Parallel()
	var shown authorize.ErrorPage
	w := newWorld(t, func(c *authorize.Config) {
		c.ErrorPage = func(p authorize.ErrorPage) portner.Reply { shown = p; return portner.Reply{} }
	})
	b := w.browser()
	r := httptest.NewRequest(http.MethodPost, "/authorize", strings.NewReader(params("web").Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	address := "/authorize" + b.do(r).Header.Get("Location")
	requireCode(t, b.loginAs(b.get(address), "kari"))
	w.sleep(2 * time.Minute)
	require.Equal(t, http.StatusBadRequest, b.get(address).StatusCode)
	require.True(t, shown.Expired)
	require.Equal(t, "https://rp.example.no/", shown.BackURL)
}

// TestSessionEndsBetweenPages: if the session expires while a page is shown, the user logs in again and the request continues.
func TestSessionEndsBetweenPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *authorize.Config) {
		c.Sessions = must(session.New(session.Config{Store: c.Store.(session.Store), Vault: c.Vault, Rules: session.Rules{Limits: session.Limits{Max: 4 * time.Minute, Idle: 2 * time.Minute}}}))
	})
	for _, wait := range []time.Duration{2 * time.Minute, 5 * time.Minute} {
		b := w.browser()
		form := b.open(b.loginAs(b.authorize(params("web", "scope", "openid test:shared", "state", "kept", "prompt", "login")), "kari"), "/consent")
		form["scope"] = []string{"test:shared"}
		w.sleep(wait)
		res := b.post("/consent", form)
		require.Equal(t, "login", outcome(t, res))
		require.Equal(t, "login", outcome(t, b.post("/consent", form)), "posted twice")
		require.Equal(t, "login", outcome(t, b.get("/consent?request="+form.Get("request"))), "loaded again")
		res = b.consentTo(b.loginAs(res, "kari"), "test:shared")
		require.Equal(t, "kept", answered(t, res).Get("state"))
		requireCode(t, res)
		must(w.store.Sweep(t.Context(), w.clock()))
		require.Equal(t, 1, w.store.Stats().Sessions)
		w.sleep(time.Hour)
		must(w.store.Sweep(t.Context(), w.clock()))
	}
}
