package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/standin/idporten"
	"github.com/portner-go/portner/internal/standin/standintest"
)

// TestTLS checks the demo with an https issuer: Secure cookies and logins.
func TestTLS(t *testing.T) {
	t.Parallel()
	cert, key := standintest.SelfSigned(t, nil)
	s := start(t, "-tls-cert", cert, "-tls-key", key, "-insecure-trust-self-signed")
	require.True(t, strings.HasPrefix(s.Issuer, "https://localhost:"), s.Issuer)
	v := tour(t, s)
	login := v.press(v.get(s.At.First), "story-login")
	require.Equal(t, s.Issuer, login.url.Scheme+"://"+login.url.Host)
	require.NotContains(t, login.header, "Strict-Transport-Security", "browsers would keep it for every port of localhost")
	english := v.press(login, "lang-en")
	require.Equal(t, "Log in", english.text("login-submit"))
	in := v.press(english, "user-ola")
	require.NotNil(t, in.id("logged-in"), in.body)
	require.Equal(t, "en", in.text("id-locale"))
	require.Equal(t, s.Issuer, in.text("id-iss"))
	require.NotNil(t, v.press(in, "logout").id("logged-out"), "the page that tells the services")

	for _, c := range setCookies(t, s, "/authorize?"+newParty(t, s, "min-tjeneste", idporten.DemoSecret, s.At.First+"/callback", "openid").params().Encode()) {
		require.True(t, c.Secure && c.HttpOnly, c.Name)
		require.Equal(t, http.SameSiteLaxMode, c.SameSite)
	}
	plain, err := http.Get("http://" + strings.TrimPrefix(s.Issuer, "https://"))
	require.NoError(t, err)
	_ = plain.Body.Close()
	require.Equal(t, http.StatusBadRequest, plain.StatusCode, "plain http gets nothing")
}

func setCookies(t *testing.T, s *idporten.Server, path string) []*http.Cookie {
	t.Helper()
	resp, err := s.Outgoing.Get(s.Issuer + path)
	require.NoError(t, err)
	_ = resp.Body.Close()
	cookies := resp.Cookies()
	require.NotEmpty(t, cookies)
	return cookies
}

// TestLanguageCookie checks that the cookie is Secure with an https issuer, and that the redirect stays on the server.
func TestLanguageCookie(t *testing.T) {
	t.Parallel()
	for issuer, want := range map[string]bool{"": false, "https://login.example.no": true} {
		s := start(t, "-issuer", issuer, "-test-issuer", issuer)
		at := "http://" + s.Sites[0].Hosts[0]
		form := url.Values{"lang": {"nn"}, "return": {"/login?request=x"}}
		resp, err := s.Outgoing.PostForm(at+"/language", form)
		require.NoError(t, err)
		_ = resp.Body.Close()
		require.Equal(t, http.StatusSeeOther, resp.StatusCode)
		require.Equal(t, "/login?request=x", resp.Header.Get("Location"))
		require.Equal(t, want, resp.Cookies()[0].Secure)
		for _, back := range []string{"https://evil.example/login", "//evil.example/login", "/\\evil.example", "javascript:alert(1)", "/authorize?x"} {
			resp, err := s.Outgoing.PostForm(at+"/language", url.Values{"lang": {"nn"}, "return": {back}})
			require.NoError(t, err)
			_ = resp.Body.Close()
			require.Equal(t, http.StatusBadRequest, resp.StatusCode, back)
		}
	}
}

// TestUntrustedCertificate checks the page of a service that does not trust the certificate.
func TestUntrustedCertificate(t *testing.T) {
	t.Parallel()
	cert, key := standintest.SelfSigned(t, nil)
	s := start(t, "-tls-cert", cert, "-tls-key", key)
	v := tour(t, s)
	page := v.press(v.get(s.At.First), "story-login")
	require.Equal(t, http.StatusBadGateway, page.status)
	require.Contains(t, page.text("rp-notice"), "-insecure-trust-self-signed")
	require.NotContains(t, page.body, "x509")
	require.NotNil(t, page.id("story-login"), "one can go on from there")
}
