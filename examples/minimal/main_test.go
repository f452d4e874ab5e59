package main

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
	"golang.org/x/oauth2"
)

const (
	secret   = "q8H2vTz5yWm0RkN7uXc4LbP9sJdF1gAe"
	callback = "http://127.0.0.1:9090/callback"
)

// TestSize checks that the program is as short as the README says.
func TestSize(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("main.go")
	require.NoError(t, err)
	require.LessOrEqual(t, bytes.Count(source, []byte("\n")), 100)
}

// serve runs the provider on a free port.
func serve(t *testing.T) string {
	t.Helper()
	srv := httptest.NewUnstartedServer(nil)
	issuer := "http://" + srv.Listener.Addr().String()
	handler, err := newHandler(issuer, slog.New(slog.NewTextHandler(t.Output(), nil)))
	require.NoError(t, err)
	srv.Config.Handler = handler
	srv.Start()
	t.Cleanup(srv.Close)
	return issuer
}

// person is a browser that follows redirects up to the first one to another origin.
func person(t *testing.T, issuer string) *http.Client {
	t.Helper()
	cookies, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &http.Client{Jar: cookies, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(r.URL.String(), issuer+"/") {
			return http.ErrUseLastResponse
		}
		return nil
	}}
}

// submit fills in the form of a page and posts it.
func submit(t *testing.T, browser *http.Client, page *http.Response, issuer string, set url.Values) *http.Response {
	t.Helper()
	root, err := html.Parse(page.Body)
	require.NoError(t, err)
	_ = page.Body.Close()
	form := url.Values{}
	for n := range root.Descendants() {
		if n.Data != "input" {
			continue
		}
		var name, value string
		for _, a := range n.Attr {
			switch a.Key {
			case "name":
				name = a.Val
			case "value":
				value = a.Val
			}
		}
		form.Set(name, value)
	}
	for name, values := range set {
		form[name] = values
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, page.Request.URL.String(), strings.NewReader(form.Encode()))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", issuer)
	resp, err := browser.Do(r)
	require.NoError(t, err)
	return resp
}

// answer returns the authorization response.
func answer(t *testing.T, resp *http.Response) url.Values {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusSeeOther, resp.StatusCode, "%s", body)
	at, err := resp.Location()
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(at.String(), callback), at)
	return at.Query()
}

// TestMinimal logs in with golang.org/x/oauth2 and go-oidc, refreshes, reads userinfo, and logs out.
func TestMinimal(t *testing.T) {
	t.Parallel()
	issuer := serve(t)
	browser := person(t, issuer)
	provider, err := oidc.NewProvider(t.Context(), issuer)
	require.NoError(t, err)
	conf := oauth2.Config{ClientID: "my-service", ClientSecret: secret, RedirectURL: callback, Scopes: []string{"openid", "profile"}, Endpoint: provider.Endpoint()}
	verifier := oauth2.GenerateVerifier()
	start := conf.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier), oidc.Nonce("nonce"))

	// The wrong password, a forged form, a cancelled login, and the right password.
	open := func() *http.Response {
		page, err := browser.Get(start)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, page.StatusCode)
		require.Equal(t, "/login", page.Request.URL.Path)
		return page
	}
	again := submit(t, browser, open(), issuer, url.Values{"username": {"kari"}, "password": {"wrong"}})
	require.Equal(t, http.StatusOK, again.StatusCode, "the page again")
	_ = again.Body.Close()
	forged := submit(t, browser, open(), issuer, url.Values{"username": {"kari"}, "password": {"correct horse battery staple"}, "csrf": {"x"}})
	require.Equal(t, http.StatusForbidden, forged.StatusCode)
	_ = forged.Body.Close()
	require.Equal(t, "access_denied", answer(t, submit(t, browser, open(), issuer, url.Values{"cancel": {"1"}})).Get("error"))
	got := answer(t, submit(t, browser, open(), issuer, url.Values{"username": {"kari"}, "password": {"correct horse battery staple"}}))
	require.Equal(t, "state", got.Get("state"))
	require.Equal(t, issuer, got.Get("iss"))

	tok, err := conf.Exchange(t.Context(), got.Get("code"), oauth2.VerifierOption(verifier))
	require.NoError(t, err)
	raw, _ := tok.Extra("id_token").(string)
	id, err := provider.Verifier(&oidc.Config{ClientID: "my-service"}).Verify(t.Context(), raw)
	require.NoError(t, err)
	require.Equal(t, "nonce", id.Nonce)

	next, err := conf.TokenSource(t.Context(), &oauth2.Token{RefreshToken: tok.RefreshToken, Expiry: time.Unix(1, 0)}).Token()
	require.NoError(t, err)
	require.NotEqual(t, tok.RefreshToken, next.RefreshToken)
	info, err := provider.UserInfo(t.Context(), oauth2.StaticTokenSource(next))
	require.NoError(t, err)
	require.Equal(t, id.Subject, info.Subject)

	// Single sign-on ends with the logout.
	page, err := browser.Get(start)
	require.NoError(t, err)
	require.NotEmpty(t, answer(t, page).Get("code"))
	out, err := browser.Get(issuer + "/logout?" + url.Values{"id_token_hint": {raw}, "post_logout_redirect_uri": {"http://127.0.0.1:9090/"}, "state": {"bye"}}.Encode())
	require.NoError(t, err)
	_ = out.Body.Close()
	require.Equal(t, "http://127.0.0.1:9090/?state=bye", out.Header.Get("Location"))
	_ = open().Body.Close()
}
