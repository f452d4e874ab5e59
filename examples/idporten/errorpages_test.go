package main

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/portner-go/portner/internal/standin/idporten"
	"github.com/stretchr/testify/require"
)

// browse opens an address as a browser does.
func (v *visitor) browse(method, address string, form url.Values) *page {
	v.t.Helper()
	r := formRequest(v.t, method, address, form)
	r.Header.Set("Accept", "text/html,*/*;q=0.8")
	return v.do(r)
}

// TestErrorPages: every error page has one way back and the switch of the language, which shows the page again.
func TestErrorPages(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := visit(t, s)
	p := newParty(t, s, "min-tjeneste", idporten.DemoSecret, s.At.First+"/callback", "openid")
	login := v.get(p.url()).url.String()
	for name, tc := range map[string]struct {
		address, back string
		title         string
		status        int
	}{
		"unknown client":         {address: "/authorize?client_id=x", back: "/", title: "Something went wrong", status: 400},
		"unknown redirect_uri":   {address: "/authorize?client_id=min-tjeneste&redirect_uri=http://localhost:1/x", back: s.At.First + "/", title: "Something went wrong", status: 400},
		"a page without request": {address: "/login", back: "/", title: "The login has expired", status: 400},
		"an invalid request":     {address: "/consent?request=x", back: "/", title: "The login has expired", status: 400},
		"logout, no hint":        {address: "/logout?id_token_hint=x.y.z", back: "/", title: "Something went wrong", status: 400},
		"logout, no session":     {address: "/logout", back: "/", title: "Something went wrong", status: 400},
		"no such page":           {address: "/nothing", back: "/", title: "Page not found", status: 404},
		"no such method":         {address: "/token", back: "/", title: "This page cannot be opened like this", status: 405},
		"a form's address":       {address: "/language", back: "/", title: "This page cannot be opened like this", status: 405},
	} {
		page := v.browse(http.MethodGet, s.Issuer+tc.address, nil)
		require.Equal(t, tc.status, page.status, name)
		require.NotNil(t, page.id("error-page"), "%s\n%s", name, page.body)
		require.Equal(t, tc.back, attr(page.id("error-back"), "href"), name)
		form := fields(page.id("language-form"))
		form.Set("lang", "en")
		r := formRequest(t, http.MethodPost, s.Issuer+"/language", form)
		r.Header.Set("Referer", page.url.String())
		r.Header.Set("Accept", "text/html")
		again := v.do(r)
		require.Equal(t, page.url.String(), again.url.String(), name)
		require.Equal(t, "en", lang(again), name)
		require.Equal(t, tc.title, elements(again, "h1")[0], name)
		require.Equal(t, "same-origin", again.header.Get("Referrer-Policy"), "so that the switch knows the page")
		form.Set("lang", "nb")
		v.browse(http.MethodPost, s.Issuer+"/language", form)
	}
	// A form that was posted from elsewhere.
	page := v.browse(http.MethodPost, login, url.Values{"csrf": {"x"}})
	require.Equal(t, http.StatusForbidden, page.status, page.body)
	require.NotNil(t, page.id("language-form"))
	require.NotNil(t, page.id("error-back"))
	page = v.browse(http.MethodPost, s.Issuer+idporten.PathMine, url.Values{"id": {"x"}})
	require.NotNil(t, page.id("error-back"))
	page = v.browse(http.MethodPost, s.Issuer+"/language", url.Values{"lang": {"xx"}})
	require.Equal(t, http.StatusBadRequest, page.status)
	require.NotNil(t, page.id("error-back"))

	// The page names the parameter, and speaks of what failed.
	page = v.get(s.Issuer + "/authorize?client_id=min-tjeneste&redirect_uri=http://localhost:1/x")
	require.Equal(t, "redirect_uri", page.text("error-parameter"))
	require.Equal(t, "Innloggingen kan ikke fortsette.", page.text("error-text"))
	require.Equal(t, "Tilbake til Min tjeneste", page.text("error-back"))
	page = v.get(s.Issuer + "/logout?id_token_hint=x.y.z")
	require.Equal(t, "Utloggingen kan ikke fortsette.", page.text("error-text"))
}
