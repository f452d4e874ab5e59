package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/examples/internal/browsertest"
	"github.com/portner-go/portner/internal/slow"
)

// appScheme is the scheme of a native app.
const appScheme = "no.example.app:"

// TestServiceBehindABroker: the browser reaches a service whose registered address redirects to further origins, and to an app, from
// every page of the provider.
func TestServiceBehindABroker(t *testing.T) {
	slow.Test(t)
	t.Parallel()
	broker, toApp := browsertest.NewBroker(t, ""), browsertest.NewBroker(t, appScheme+"/hjem")
	s := start(t, "-config", write(t, fmt.Sprintf(`{"clients":[
		{"client_id":"megler","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","client_name":"Megler","client_orgno":"991825827","integration_type":"api_klient",
		 "redirect_uris":["%[1]s/cb"],"post_logout_redirect_uris":["%[1]s/ut"],"frontchannel_logout_uri":"%[1]s/ramme","scopes":["openid","profile","demo:inntekt.read"]},
		{"client_id":"skjema","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","client_name":"Skjema","client_orgno":"991825827","integration_type":"api_klient",
		 "response_modes":["form_post"],"redirect_uris":["%[1]s/cb"],"post_logout_redirect_uris":["%[1]s/ut"],"scopes":["openid","profile","demo:inntekt.read"]},
		{"client_id":"videre","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","client_name":"Videre","client_orgno":"991825827","integration_type":"idporten","redirect_uris":["%[2]s/cb"],
		 "post_logout_redirect_uris":["%[2]s/ut"]},
		{"client_id":"app","client_name":"App","client_orgno":"991825827","integration_type":"idporten","application_type":"native","redirect_uris":["%[3]s/cb"],
		 "post_logout_redirect_uris":["%[3]s/ut"]}],"confirm_logout":true}`, broker.Base, toApp.Base, appScheme)))
	b := browsertest.New(t, "")
	login := func(clientID, redirect string, scopes ...string) *party {
		p := newParty(t, s, clientID, clientSecret, redirect, append([]string{"openid"}, scopes...)...)
		b.Open(p.url("prompt", "login"), "#login-form")
		return p
	}
	away := func(sel browsertest.CSS, address string) string {
		at := b.ClickAway(sel, address)
		b = b.Tab()
		return at
	}

	p := login("megler", broker.Base+"/cb")
	b.Click("#user-ola", "#service")
	p.exchange(b.Arrived())
	p = login("skjema", broker.Base+"/cb")
	b.Click("#user-ola", "#service")
	p.exchange(b.Arrived())
	login("megler", broker.Base+"/cb")
	b.Click("#login-cancel", "#service")
	require.Equal(t, "access_denied", b.Arrived().Get("error"))

	// The consent page.
	for _, clientID := range []string{"megler", "skjema"} {
		p = login(clientID, broker.Base+"/cb", "demo:inntekt.read")
		b.Click("#user-kari", "#consent-form")
		b.Click("#consent-approve", "#service")
		p.exchange(b.Arrived())
	}

	// The confirmation page of a logout, after the frames, which are redirected too.
	leave := func(clientID, address string) { // a logout that has to be confirmed
		b.Open(s.Issuer+"/logout?"+url.Values{"state": {"ut"}, "client_id": {clientID}, "post_logout_redirect_uri": {address}}.Encode(), "#logout-form")
	}
	leave("megler", broker.Base+"/ut")
	framed := b.ClickAway("#logout-confirm", broker.End+"?")
	require.NotContains(t, framed, "state")
	b.Wait("#service")
	require.Equal(t, "ut", b.Arrived().Get("state"))

	login("skjema", broker.Base+"/cb")
	b.Click("#user-ola", "#service")
	leave("skjema", broker.Base+"/ut")
	b.Click("#logout-confirm", "#service")
	require.Equal(t, "ut", b.Arrived().Get("state"))

	// An app, at once and behind the broker.
	login("app", appScheme+"/cb")
	require.Contains(t, away("#user-ola", appScheme+"/cb?"), "code=")
	leave("app", appScheme+"/ut")
	require.Contains(t, away("#logout-confirm", appScheme+"/ut?"), "state=ut")
	p = login("videre", toApp.Base+"/cb")
	arrived, err := url.Parse(away("#user-ola", toApp.End+"?"))
	require.NoError(t, err)
	tok, _ := p.exchange(arrived.Query())

	// A logout that another site posts: the provider posts it again.
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<form method="post" action="%s/logout"><input type="hidden" name="id_token_hint" value="%s"><input type="hidden" name="state" value="ut">
			<input type="hidden" name="post_logout_redirect_uri" value="%s/ut"><button id="leave">Logg ut</button></form>`, s.Issuer, tok.Extra("id_token"), toApp.Base)
	}))
	t.Cleanup(other.Close)
	b.Open(other.URL, "#leave")
	require.Contains(t, b.ClickAway("#leave", toApp.End+"?"), "state=ut")
}
