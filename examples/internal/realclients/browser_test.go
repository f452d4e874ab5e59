package realclients_test

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

// browser follows redirects, keeps cookies and posts forms. It loads frames, and runs no script.
type browser struct {
	t    *testing.T
	http *http.Client
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	require.NoError(w.t, err)
	config := &tls.Config{RootCAs: w.roots}
	if w.certificate != nil {
		config.Certificates = []tls.Certificate{*w.certificate}
	}
	return &browser{t: w.t, http: &http.Client{Jar: jar, Transport: &http.Transport{TLSClientConfig: config}}}
}

// page is a response after all redirects.
type page struct {
	url    *url.URL
	status int
	body   string
	root   *html.Node
}

func (b *browser) get(address string) *page {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, address, nil)
	require.NoError(b.t, err)
	return b.do(r)
}

func (b *browser) do(r *http.Request) *page {
	b.t.Helper()
	r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8") // mod_auth_openidc redirects browsers only
	resp, err := b.http.Do(r)
	require.NoError(b.t, err)
	p := &page{url: resp.Request.URL, status: resp.StatusCode, body: readAll(b.t, resp.Body)}
	p.root, err = html.Parse(strings.NewReader(p.body))
	require.NoError(b.t, err)
	for frame := range p.all("iframe") {
		src, err := p.url.Parse(attr(frame, "src"))
		require.NoError(b.t, err)
		b.get(src.String())
	}
	return p
}

// logIn posts the login form of the provider, and what a page with a script would post after it.
func (b *browser) logIn(p *page) *page {
	b.t.Helper()
	return b.continued(b.submit(p, "login-form", url.Values{"username": {"kari"}, "password": {"passord"}, "action": {"login"}}))
}

// continued posts the form of a page of response_mode=form_post.
func (b *browser) continued(p *page) *page {
	b.t.Helper()
	for form := range p.all("form") {
		if target, err := p.url.Parse(attr(form, "action")); err == nil && target.Host != p.url.Host {
			return b.post(p, form, nil)
		}
	}
	return p
}

// submit posts the form with an ID. set replaces values of its fields.
func (b *browser) submit(p *page, id string, set url.Values) *page {
	b.t.Helper()
	for form := range p.all("form") {
		if attr(form, "id") == id {
			return b.post(p, form, set)
		}
	}
	b.t.Fatalf("no form %q at %s:\n%s", id, p.url, p.body)
	return nil
}

func (b *browser) post(p *page, form *html.Node, set url.Values) *page {
	b.t.Helper()
	values := url.Values{}
	for n := range form.Descendants() {
		if n.Data == "input" && attr(n, "name") != "" {
			values.Set(attr(n, "name"), attr(n, "value"))
		}
	}
	for name, v := range set {
		values[name] = v
	}
	target, err := p.url.Parse(attr(form, "action"))
	require.NoError(b.t, err)
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, target.String(), strings.NewReader(values.Encode()))
	require.NoError(b.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", p.url.Scheme+"://"+p.url.Host)
	return b.do(r)
}

// json decodes a page of the client.
func (p *page) json(t *testing.T) object {
	t.Helper()
	require.Equal(t, http.StatusOK, p.status, "%s: %s", p.url, p.body)
	var o object
	require.NoError(t, json.Unmarshal([]byte(p.body), &o), "%s: %s", p.url, p.body)
	return o
}

// all yields the elements with a name.
func (p *page) all(name string) func(yield func(*html.Node) bool) {
	return func(yield func(*html.Node) bool) {
		for n := range p.root.Descendants() {
			if n.Type == html.ElementNode && n.Data == name && !yield(n) {
				return
			}
		}
	}
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
