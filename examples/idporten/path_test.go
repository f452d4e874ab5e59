package main

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/portner-go/portner/internal/standin/idporten"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

// TestIssuerWithPath: the issuer has a path, and a proxy forwards only what is below it. Every redirect, form, link and asset of the
// provider is below the path.
func TestIssuerWithPath(t *testing.T) {
	t.Parallel()
	proxy := httptest.NewUnstartedServer(nil)
	origin := "http://" + proxy.Listener.Addr().String()
	s := start(t, "-issuer", origin+"/idp", "-demo", "-config", write(t, `{"confirm_logout":true}`))
	target, err := url.Parse(s.Sites[0].Base)
	require.NoError(t, err)
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
	}}
	proxy.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/idp/") {
			t.Errorf("%s %s is not below the path of the issuer", r.Method, r.URL)
		}
		forward.ServeHTTP(w, r)
	})
	proxy.Start()
	t.Cleanup(proxy.Close)

	v := tour(t, s)
	v.home = append(v.home, origin)
	check := func(p *page) *page {
		t.Helper()
		if p.url.Scheme+"://"+p.url.Host == origin {
			requireBelow(t, p, "/idp/")
			asset := v.get(origin + "/idp/static/style.css")
			require.Equal(t, http.StatusOK, asset.status)
		}
		return p
	}
	check(v.get(origin + "/idp/"))
	p := check(v.press(v.get(s.At.First), "story-deling"))
	require.Equal(t, "/idp/login", p.url.Path)
	p = check(v.press(p, "lang-en"))
	require.Equal(t, "/idp/login", p.url.Path)
	p = check(v.submit(p, "login-form", url.Values{"username": {"kari"}, "password": {"feil"}, "action": {"login"}}))
	p = check(v.login(p, "kari"))
	require.Equal(t, "/idp/consent", p.url.Path)
	p = v.submit(p, "consent-form", url.Values{"scope": {"demo:inntekt.read", "demo:kontakt.read"}, "action": {"approve"}})
	require.NotNil(t, p.id("logged-in"), p.body)
	p = check(v.get(origin + "/idp" + idporten.PathMine))
	require.NotNil(t, p.id("main"))
	for n := range p.root.Descendants() {
		if n.Data == "form" && attr(n, "action") == "/idp"+idporten.PathMine {
			require.Equal(t, "/idp"+idporten.PathMine, check(v.post(p, n, url.Values{"id": {attr(n.FirstChild, "value")}})).url.Path)
		}
	}
	check(v.get(origin + "/idp/authorize?client_id=unknown"))
	p = check(v.get(origin + "/idp/logout"))
	check(v.press(p, "logout-confirm"))
}

// requireBelow checks every link, form and asset of a page.
func requireBelow(t *testing.T, p *page, path string) {
	t.Helper()
	found := 0
	for n := range p.root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		for _, name := range []string{"href", "src", "action"} {
			if target, ok := lookup(n, name); ok && strings.HasPrefix(target, "/") {
				found++
				require.True(t, strings.HasPrefix(target, path), "<%s %s=%q> at %s", n.Data, name, target, p.url)
			}
		}
	}
	require.GreaterOrEqual(t, found, 2, p.body)
}
