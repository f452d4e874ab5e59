package portnertest

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/portner-go/portner/storage"
)

// Browser returns a browser that answers the provider's pages as l says. It follows redirects into the tested app, and keeps the cookies of each
// origin apart.
//
// Before the first login at an app, the browser plays the same login with answers that an app must reject: another state, and id_tokens with
// another nonce, a lower acr, a foreign signature, audience and issuer, and an expired one. Each of these seven logins begins at the
// address that the first request had, with cookies of its own. An app that accepts one fails the test. Config.Lenient turns the probes off.
func (p *Provider) Browser(t testing.TB, l Login) *http.Client {
	t.Helper()
	if err := p.checkLogin(l); err != nil {
		t.Fatalf("portnertest: Browser: %v", err)
	}
	b := p.newBrowser(l, "")
	p.mu.Lock()
	p.browsers = append(p.browsers, b)
	p.mu.Unlock()
	return &http.Client{Transport: b, Jar: b.jar}
}

func (l Login) user() string {
	if l.User == "" {
		return "kari"
	}
	return l.User
}

// play is one login of a browser.
type play struct {
	login Login
	probe Rule // "" for a real login
	own   bool // of LogIn, without an app

	recorded int // position of the authorization request in Provider.requests, from 1; Provider.mu guards it

	mu       sync.Mutex
	clientID string
	acr      string // what the request requires
	redeemed bool   // the app sent the code to the token endpoint
	applied  bool   // the answer was changed
}

// browser is the transport of an http.Client. It answers the provider's pages.
type browser struct {
	p    *Provider
	jar  *jar
	play *play
	id   string // of the play

	mu      sync.Mutex
	landing *outcome // the page after the last login
	waiting bool     // for that page
	results []result // of probes, judged by the landing
}

func (p *Provider) newBrowser(l Login, probe Rule) *browser {
	b := &browser{p: p, jar: newJar(), play: &play{login: l, probe: probe}}
	p.mu.Lock()
	defer p.mu.Unlock()
	b.id = strconv.Itoa(len(p.plays) + 1)
	p.plays[b.id] = b.play
	return b
}

// RoundTrip implements http.RoundTripper.
func (b *browser) RoundTrip(r *http.Request) (*http.Response, error) {
	if !b.p.owns(r.URL) {
		return b.app(r)
	}
	if endpoint(r.URL.Path) == "authorize" && b.play.probe == "" && b.p.probes(r) {
		results := b.p.probeAll(b.play.login, first(r))
		b.mu.Lock()
		b.results = append(b.results, results...)
		b.mu.Unlock()
	}
	resp, err := b.provider(r)
	if err != nil {
		return nil, err
	}
	b.leave(resp)
	b.frames(resp)
	return resp, nil
}

// first returns the first address of a chain of redirects.
func first(r *http.Request) *http.Request {
	for r.Response != nil && r.Response.Request != nil {
		r = r.Response.Request
	}
	return r
}

// app sends a request to the tested app. The first page after a login is kept.
func (b *browser) app(r *http.Request) (*http.Response, error) {
	resp, err := b.p.transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	waiting := b.waiting
	b.mu.Unlock()
	if !waiting || resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return resp, nil
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	b.mu.Lock()
	b.waiting, b.landing = false, &outcome{resp.StatusCode, resp.Request.URL, string(body)}
	if resp.Request.URL == nil {
		b.landing.url = r.URL
	}
	results, landing := b.results, b.landing
	b.results = nil
	b.mu.Unlock()
	b.p.judge(results, landing)
	return resp, nil
}

// provider sends a request to the provider and answers its pages.
func (b *browser) provider(r *http.Request) (*http.Response, error) {
	for range 10 {
		sent := r.Clone(r.Context())
		if sent.Header.Get(headerPlay) == "" {
			sent.Header.Set(headerPlay, b.id)
		}
		resp, err := b.p.transport.RoundTrip(sent)
		if err != nil {
			return nil, err
		}
		next, err := b.answer(r, resp)
		if next == nil || err != nil {
			resp.Request = r
			return resp, err
		}
		_ = resp.Body.Close()
		r = next
	}
	return nil, fmt.Errorf("portnertest: the provider shows the page %s again and again", r.URL.Path)
}

// answer returns the request that answers a page of the provider, or nil if the response is no such page.
func (b *browser) answer(r *http.Request, resp *http.Response) (*http.Request, error) {
	if b.p.cfg.File != "" {
		if err := readPage(resp); err != nil {
			return nil, err
		}
	}
	form := b.fill(resp.Header)
	if form == nil {
		return nil, nil
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	b.jar.SetCookies(r.URL, resp.Cookies())
	target := r.URL
	if action := resp.Header.Get(headerAction); action != "" {
		var err error
		if target, err = r.URL.Parse(action); err != nil {
			return nil, err
		}
	}
	post, err := http.NewRequestWithContext(r.Context(), http.MethodPost, target.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	post.Header.Set("Origin", b.p.origin)
	post.Header.Set("Sec-Fetch-Site", "same-origin")
	post.Header.Set(headerPlay, r.Header.Get(headerPlay))
	for _, cookie := range b.jar.Cookies(target) {
		post.AddCookie(cookie)
	}
	return post, nil
}

// fill returns the answer to a page, by its header fields, or nil.
func (b *browser) fill(h http.Header) url.Values {
	step := h.Get(headerStep)
	if step == "" {
		return nil
	}
	l := b.play.login
	form := url.Values{h.Get(headerField): {h.Get(headerCSRF)}}
	switch {
	case step == "logout":
		return form
	case l.Cancel:
		form.Set("action", "cancel")
	case step == "consent":
		form.Set("action", "deny")
		if !l.Decline {
			form["scope"] = h[headerChoice]
			form.Set("action", "approve")
		}
	case step == "representation":
		if choices := h[headerChoice]; l.Represent == "" && len(choices) > 0 {
			form.Set("choice", choices[0])
		} else if l.Represent != "" {
			form.Set("choice", l.Represent)
		}
	default:
		form.Set("user", l.user())
		form.Set("acr", l.ACR)
		form.Set("username", l.user())
		form.Set("password", b.p.cfg.Users[l.user()].password)
	}
	return form
}

// leave notes that a response leads back to the app, and changes it for a probe.
func (b *browser) leave(resp *http.Response) {
	to, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || to.Host == "" || b.p.owns(to) {
		return
	}
	b.mu.Lock()
	b.waiting = true
	b.mu.Unlock()
	q := to.Query()
	if b.play.probe == StateUnchecked && q.Get("state") != "" && q.Get("code") != "" {
		q.Set("state", "portnertest-"+q.Get("state"))
		to.RawQuery = q.Encode()
		resp.Header.Set("Location", to.String())
		b.play.mu.Lock()
		b.play.applied = true
		b.play.mu.Unlock()
	}
}

// follow connects a code and tokens with the login that they are part of, and changes the id_token for a probe.
func (p *Provider) follow(c *call) {
	if token := c.text("id_token"); token != "" && !c.own {
		p.remember(p.history.idTokens, token)
	}
	if uri := c.text("request_uri"); uri != "" {
		p.mu.Lock()
		p.pushed[uri] = c.parameter("acr_values")
		p.mu.Unlock()
	}
	if c.play == nil {
		return
	}
	if u, err := url.Parse(c.answer.Header().Get("Location")); err == nil && u.Query().Get("code") != "" {
		p.mu.Lock()
		p.playOf[storage.HashOf(u.Query().Get("code"))] = c.play
		p.mu.Unlock()
	}
	if c.Endpoint == "authorize" {
		p.mu.Lock()
		levels := cmp.Or(p.pushed[c.raw.Get("request_uri")], c.parameter("acr_values"))
		p.mu.Unlock()
		c.play.mu.Lock()
		c.play.clientID, c.play.acr = c.ClientID, levels
		c.play.mu.Unlock()
	}
	if c.Endpoint != "token" {
		return
	}
	c.play.mu.Lock()
	c.play.redeemed = true
	c.play.mu.Unlock()
	if token := c.text("access_token"); token != "" {
		p.mu.Lock()
		p.playOf[storage.HashOf(token)] = c.play
		p.mu.Unlock()
	}
	if c.probing() {
		p.tamper(c)
	}
}

func (p *Provider) remember(set map[storage.Hash]bool, value string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	set[storage.HashOf(value)] = true
}

// jar keeps the cookies of each origin apart. A browser keeps those of a host together, and in tests every origin is one host.
type jar struct {
	mu   sync.Mutex
	jars map[string]*cookiejar.Jar
}

func newJar() *jar { return &jar{jars: map[string]*cookiejar.Jar{}} }

func (j *jar) of(u *url.URL) *cookiejar.Jar {
	j.mu.Lock()
	defer j.mu.Unlock()
	origin := u.Scheme + "://" + u.Host
	if j.jars[origin] == nil {
		j.jars[origin], _ = cookiejar.New(nil) // it never fails
	}
	return j.jars[origin]
}

// SetCookies implements http.CookieJar.
func (j *jar) SetCookies(u *url.URL, cookies []*http.Cookie) { j.of(u).SetCookies(u, cookies) }

// Cookies implements http.CookieJar.
func (j *jar) Cookies(u *url.URL) []*http.Cookie { return j.of(u).Cookies(u) }
