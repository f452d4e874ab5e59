package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/internal/standin/idporten"
)

// TestLanguageOfEveryPage: the choice of the user takes precedence over ui_locales, and these, in the OpenID profile only, over
// Accept-Language: on pages of login, error and logout alike.
func TestLanguageOfEveryPage(t *testing.T) {
	t.Parallel()
	for profile, accepts := range map[string]bool{"idporten": false, "openid": true} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			s := start(t, "-demo=false", "-config", write(t, strings.Replace(plain, `"profile": "openid"`, `"confirm_logout": true, "profile": "`+profile+`"`, 1)))
			for _, tc := range []struct {
				name, cookie, uiLocales, accept, want string
				onlyAccept                            bool
			}{
				{name: "nothing", want: "nb"},
				{name: "Accept-Language", accept: "de, nn-NO;q=0.9, en;q=0.5", want: "nn", onlyAccept: true},
				{name: "ui_locales", uiLocales: "de en-GB", accept: "nn", want: "en"},
				{name: "ui_locales with the tag no", uiLocales: "no-NO", accept: "nn", want: "nb"},
				{name: "choice", cookie: "se", uiLocales: "en", accept: "nn", want: "se"},
				{name: "choice that is no language", cookie: "xx", uiLocales: "en", accept: "nn", want: "en"},
			} {
				if tc.onlyAccept && !accepts {
					tc.want = "nb"
				}
				for name, page := range everyPage(t, s, tc.cookie, tc.uiLocales, tc.accept) {
					require.Equal(t, tc.want, lang(page), "%s: %s\n%s", tc.name, name, page.body)
				}
			}
		})
	}
}

// everyPage opens a page of each kind.
func everyPage(t *testing.T, s *idporten.Server, cookie, uiLocales, accept string) map[string]*page {
	t.Helper()
	v := visit(t, s)
	open := func(path string, params ...string) *page {
		q := url.Values{}
		for i := 0; i < len(params); i += 2 {
			q.Set(params[i], params[i+1])
		}
		if uiLocales != "" {
			q.Set("ui_locales", uiLocales)
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Issuer+path+"?"+q.Encode(), nil)
		require.NoError(t, err)
		if accept != "" {
			r.Header.Set("Accept-Language", accept)
		}
		if cookie != "" {
			r.AddCookie(&http.Cookie{Name: authorize.LanguageCookie, Value: cookie})
		}
		return v.do(r)
	}
	p := newParty(t, s, "conf-1", clientSecret, nobody, "openid")
	request := func(change ...string) []string {
		all := []string{
			"client_id", "conf-1", "redirect_uri", nobody, "response_type", "code", "scope", "openid", "state", "s", "nonce", "n",
		}
		return append(all, change...)
	}
	pages := map[string]*page{
		"home":              open("/"),
		"login":             open("/authorize", request()...),
		"redirect_uri":      open("/authorize", request("redirect_uri", "http://localhost:1/other")...),
		"unknown client":    open("/authorize", request("client_id", "nobody")...),
		"request_uri":       open("/authorize", "client_id", "conf-1", "request_uri", "urn:x:y"),
		"logout, no login":  open("/logout"),
		"logout, bad hint":  open("/logout", "id_token_hint", "x.y.z"),
		"logout, bad state": open("/logout", "state", "\u00e6"),
	}
	require.NotNil(t, pages["login"].id("login-form"))
	require.NotNil(t, v.login(v.get(p.url()), "conf").left)
	pages["logout question"] = open("/logout")
	require.NotNil(t, pages["logout question"].id("logout-confirm"))
	pages["logged out"] = open("/logout", "id_token_hint", hintOf(t, v, p))
	require.NotNil(t, pages["logged out"].id("logged-out"))
	return pages
}

// hintOf returns an id_token of the session of the browser.
func hintOf(t *testing.T, v *visitor, p *party) string {
	t.Helper()
	tok, _ := p.exchange(v.get(p.url()).left.Query())
	return tok.Extra("id_token").(string)
}

// lang returns the lang attribute of a page.
func lang(p *page) string {
	for n := range p.root.Descendants() {
		if n.Type == html.ElementNode && n.Data == "html" {
			return attr(n, "lang")
		}
	}
	return ""
}
