package main

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSecondLogout: a service that logs a user out again gets the browser back with its state. With the profile of ID-porten a browser
// without a session cookie gets a page about the logout, which leads back to the service (docs/spec/idporten.md §15.3).
func TestSecondLogout(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{"idporten", "openid"} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			s := start(t, "-demo=false", "-config", write(t, `{"profile":"`+profile+`","clients":[
				{"client_id":"tjeneste","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","client_name":"Tjeneste","client_orgno":"991825827","integration_type":"idporten",
				 "redirect_uris":["http://localhost:1/cb"],"post_logout_redirect_uris":["http://localhost:1/ut"]}],"users":[{"username":"ola","password":"passord","pid":"45840375084"}]}`))
			v := visit(t, s)
			p := newParty(t, s, "tjeneste", clientSecret, nobody, "openid")
			tok, _ := p.exchange(v.login(v.get(p.url()), "ola").left.Query())
			again := s.Issuer + "/logout?" + url.Values{
				"id_token_hint": {tok.Extra("id_token").(string)}, "post_logout_redirect_uri": {"http://localhost:1/ut"}, "state": {"ut"},
			}.Encode()
			out := v.get(again)
			require.Equal(t, "ut", out.param(t, "state"))

			for range 2 {
				out = v.get(again)
				if profile == "openid" {
					require.Equal(t, "http://localhost:1/ut?state=ut", out.left.String())
					continue
				}
				require.Equal(t, http.StatusBadRequest, out.status)
				require.Contains(t, out.body, "Utloggingen")
				require.NotContains(t, out.body, "Innlogging")
				leadsOn(t, out)
			}
			leadsOn(t, v.get(s.Issuer+"/logout"))
		})
	}
}

// leadsOn requires that a page has a link or a button of its own that leads on.
func leadsOn(t *testing.T, p *page) {
	t.Helper()
	require.NotNil(t, p.root, "the browser has left")
	for n := range p.id("main").Descendants() {
		if n.Data == "a" && attr(n, "href") != "" || n.Data == "button" {
			return
		}
	}
	require.Fail(t, "a dead end", "%s\n%s", p.url, p.body)
}
