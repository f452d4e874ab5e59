package main

import (
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/examples/internal/browsertest"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/storage/memory"
)

// gate holds requests of one kind until a number of them have arrived.
type gate struct {
	mu      sync.Mutex
	holds   func(*http.Request) bool
	missing int
	arrived chan struct{}
	open    chan struct{}
}

// hold makes the next n requests wait for each other.
func (g *gate) hold(n int, holds func(*http.Request) bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.missing, g.holds, g.arrived, g.open = n, holds, make(chan struct{}, n), make(chan struct{})
}

// arrival returns when one of the requests has arrived.
func (g *gate) arrival() { <-g.arrived }

func (g *gate) wait(r *http.Request) {
	g.mu.Lock()
	open := g.open
	if g.missing == 0 || !g.holds(r) {
		g.mu.Unlock()
		return
	}
	g.arrived <- struct{}{}
	if g.missing--; g.missing == 0 {
		close(open)
	}
	g.mu.Unlock()
	<-open // also if the browser has cancelled the request
}

// TestNoDeadEnds plays what people do with several tabs, two clicks, the back button, reloads and old pages, at a service behind a broker.
// Each step ends at the service, or on a page with a link or a button that leads on.
func TestNoDeadEnds(t *testing.T) {
	slow.Test(t)
	t.Parallel()
	broker := browsertest.NewBroker(t, "")
	s := prepare(t, "-config", write(t, fmt.Sprintf(`{"confirm_logout":true,"session":{"idle":60,"max":3600},"clients":[
		{"client_id":"tjeneste","client_secret":"%[2]s","client_name":"Tjeneste","client_orgno":"991825827","integration_type":"api_klient",
		 "redirect_uris":["%[1]s/cb"],"post_logout_redirect_uris":["%[1]s/ut"],"scopes":["openid","profile","demo:inntekt.read"]},
		{"client_id":"skjema","client_secret":"%[2]s","client_name":"Skjema","client_orgno":"991825827","integration_type":"idporten","response_modes":["form_post"],
		 "redirect_uris":["%[1]s/cb"]}]}`, broker.Base, clientSecret)))
	var later atomic.Int64 // how much later it is
	s.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	var g gate
	site := s.Sites[0].Handler()
	s.Sites[0].Handle(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.wait(r)
		site.ServeHTTP(w, r)
	}))
	serve(t, s)
	b := browsertest.New(t, "")
	request := func(clientID string, scopes ...string) *party {
		return newParty(t, s, clientID, clientSecret, broker.Base+"/cb", append([]string{"openid"}, scopes...)...)
	}
	login := func(clientID string, scopes ...string) *party {
		p := request(clientID, scopes...)
		b.Open(p.url("prompt", "login"), "#login-form")
		return p
	}

	// Three tabs at once, before the browser has a cookie. Each completes with its own state.
	tabs, parties, urls := []*browsertest.Browser{b, b.Tab(), b.Tab()}, make([]*party, 3), make([]string, 3)
	for i := range parties {
		parties[i] = request("tjeneste")
		urls[i] = parties[i].url()
	}
	g.hold(3, func(r *http.Request) bool { return r.URL.Path == "/authorize" })
	browsertest.OpenTogether(tabs, urls, "#login-form")
	for _, i := range []int{2, 0, 1} {
		tabs[i].Click("#user-ola", "#service")
		parties[i].exchange(tabs[i].Arrived()) // compares the state
	}

	// Two clicks: the second form is posted before the first one is answered.
	p := login("tjeneste")
	g.hold(2, func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Path == "/login" })
	b.ClickTwice("#user-ola", g.arrival)
	b.Wait("#service")
	p.exchange(b.Arrived())
	require.Equal(t, 1, s.State.Store.(interface{ Stats() memory.Stats }).Stats().Sessions)

	// Back after the login, and the form again: the login is completed.
	b.Back("#login-form")
	b.NoDeadEnd()
	b.Click("#user-ola", "#error-page")
	require.Equal(t, "Innloggingen er fullført", b.Text("h1"))
	b.NoDeadEnd()
	b.Reload("#error-page") // posts the form again
	b.NoDeadEnd()
	b.Click("#error-back", "#service")
	require.Equal(t, 1, s.State.Store.(interface{ Stats() memory.Stats }).Stats().Sessions)

	// Each posted page is loaded again: the login that failed, consent, the form for the client.
	p = login("tjeneste", "demo:inntekt.read")
	b.Fill("#username", "kari")
	b.Fill("#password", "feil")
	b.Click("#login-submit", "#login-failed")
	b.Reload("#login-failed")
	b.Fill("#password", "passord")
	b.Click("#login-submit", "#consent-form")
	b.Reload("#consent-form")
	b.Click("#consent-approve", "#service")
	p.exchange(b.Arrived())
	b.Reload("#service")
	b.Back("main")
	b.NoDeadEnd()
	p = login("skjema")
	b.Click("#user-kari", "#service")
	p.exchange(b.Arrived())
	b.Back("main")
	b.NoDeadEnd()

	// A logout that is confirmed, and loaded again. A second logout, with a hint and without.
	p = request("tjeneste")
	b.Open(p.url(), "#service")
	tok, _ := p.exchange(b.Arrived())
	b.Open(s.Issuer+"/logout", "#logout-form")
	b.Click("#logout-confirm", "#logged-out")
	b.NoDeadEnd()
	b.Reload("#logged-out")
	b.NoDeadEnd()
	out := url.Values{"id_token_hint": {tok.Extra("id_token").(string)}, "post_logout_redirect_uri": {broker.Base + "/ut"}, "state": {"ut"}}
	for _, again := range []string{"/logout?" + out.Encode(), "/logout"} {
		b.Open(s.Issuer+again, "#error-page")
		require.Contains(t, b.Text("#error-text"), "Utloggingen")
		b.NoDeadEnd()
	}

	// The session expires while the consent page is shown.
	b.Open(request("tjeneste", "demo:inntekt.read").url("prompt", "login"), "#login-form")
	b.Click("#user-ola", "#consent-form")
	later.Add(int64(2 * time.Minute))
	b.Click("#consent-approve", "#login-form")
	b.NoDeadEnd()
	b.Click("#user-ola", "#consent-form")
	b.Click("#consent-approve", "#service")
	require.NotEmpty(t, b.Arrived().Get("code"))

	// A page that was left open until the next morning, loaded again and posted.
	login("tjeneste")
	later.Add(int64(16 * time.Hour))
	b.Click("#user-ola", "#error-page")
	require.Equal(t, "Innloggingen er utløpt", b.Text("h1"))
	b.NoDeadEnd()
	b.Open(b.Location(), "#error-page")
	b.Click("#error-back", "#service")
}
