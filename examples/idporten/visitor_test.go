package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/portner-go/portner/internal/standin/idporten"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

// visitor is a browser with cookies, redirects and forms, and without scripts.
type visitor struct {
	t    *testing.T
	home []string // origins; redirects to others are not followed
	http *http.Client
}

// visit returns a browser that follows redirects to the provider only.
func visit(t *testing.T, s *idporten.Server) *visitor {
	t.Helper()
	cookies, err := cookiejar.New(nil)
	require.NoError(t, err)
	v := &visitor{t: t, home: []string{s.Issuer}}
	v.http = &http.Client{Jar: cookies, Transport: s.Outgoing.Transport, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if !v.at(r.URL) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	return v
}

// tour returns a browser that also follows redirects to the services of the demo.
func tour(t *testing.T, s *idporten.Server) *visitor {
	t.Helper()
	v := visit(t, s)
	v.home = append(v.home, s.At.First, s.At.Second, s.At.Isolated)
	return v
}

func (v *visitor) at(u *url.URL) bool {
	for _, origin := range v.home {
		if u.Scheme+"://"+u.Host == origin {
			return true
		}
	}
	return false
}

// page is the last response: a page, or a redirect to another origin.
type page struct {
	url    *url.URL
	status int
	header http.Header
	body   string
	root   *html.Node
	left   *url.URL
}

func (v *visitor) get(address string) *page {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), http.MethodGet, address, nil)
	require.NoError(v.t, err)
	return v.do(r)
}

func (v *visitor) do(r *http.Request) *page {
	v.t.Helper()
	resp, err := v.http.Do(r)
	require.NoError(v.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(v.t, err)
	p := &page{url: resp.Request.URL, status: resp.StatusCode, header: resp.Header, body: string(body)}
	if resp.StatusCode == http.StatusSeeOther {
		p.left, err = resp.Location()
		require.NoError(v.t, err)
		return p
	}
	p.root, err = html.Parse(strings.NewReader(p.body))
	require.NoError(v.t, err)
	return p
}

// submit posts the form with this id. set replaces values of its fields.
func (v *visitor) submit(p *page, id string, set url.Values) *page {
	v.t.Helper()
	form := p.id(id)
	require.NotNil(v.t, form, "no form %q at %s:\n%s", id, p.url, p.body)
	values := fields(form)
	for name, v := range set {
		values[name] = v
	}
	return v.post(p, form, values)
}

func (v *visitor) post(p *page, form *html.Node, values url.Values) *page {
	v.t.Helper()
	target, err := p.url.Parse(attr(form, "action"))
	require.NoError(v.t, err)
	require.Equal(v.t, "post", attr(form, "method"))
	r := formRequest(v.t, http.MethodPost, target.String(), values)
	r.Header.Set("Origin", p.url.Scheme+"://"+p.url.Host)
	return v.do(r)
}

// formRequest returns a request with a form as its body.
func formRequest(t *testing.T, method, address string, form url.Values) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

// press clicks a button of a form, after it ticks boxes.
func (v *visitor) press(p *page, button string, tick ...string) *page {
	v.t.Helper()
	b := p.id(button)
	require.NotNil(v.t, b, "no button %q at %s:\n%s", button, p.url, p.body)
	form := b.Parent
	for form.Data != "form" {
		form = form.Parent
	}
	values := fields(form)
	for _, box := range tick {
		require.Contains(v.t, p.body, `type="checkbox" name="scope" value="`+box+`"`)
		values.Add("scope", box)
	}
	if name := attr(b, "name"); name != "" {
		values.Set(name, attr(b, "value"))
	}
	return v.post(p, form, values)
}

// login posts the login form with a username and the password of the test users.
func (v *visitor) login(p *page, username string) *page {
	v.t.Helper()
	return v.submit(p, "login-form", url.Values{"username": {username}, "password": {"passord"}, "action": {"login"}})
}

// fields returns the values that a browser sends: hidden fields, texts and ticked boxes.
func fields(form *html.Node) url.Values {
	values := url.Values{}
	for n := range form.Descendants() {
		if n.Type != html.ElementNode || n.Data != "input" || attr(n, "name") == "" {
			continue
		}
		if _, ticked := lookup(n, "checked"); attr(n, "type") == "checkbox" && !ticked {
			continue
		}
		values.Add(attr(n, "name"), attr(n, "value"))
	}
	return values
}

func lookup(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

func attr(n *html.Node, name string) string { v, _ := lookup(n, name); return v }

// id returns an element, or nil if there is none.
func (p *page) id(id string) *html.Node {
	if p.root == nil {
		return nil
	}
	for n := range p.root.Descendants() {
		if n.Type == html.ElementNode && attr(n, "id") == id {
			return n
		}
	}
	return nil
}

// text returns the text of an element.
func (p *page) text(id string) string {
	if n := p.id(id); n != nil {
		return textOf(n)
	}
	return ""
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// param returns a parameter of the redirect.
func (p *page) param(t *testing.T, name string) string {
	t.Helper()
	require.NotNil(t, p.left, "still at %s: %d\n%s", p.url, p.status, p.body)
	return p.left.Query().Get(name)
}
