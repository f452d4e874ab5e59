package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/stretchr/testify/require"
)

// TestBackChannelLogoutAtRelyingParty: go-oidc accepts the logout token that a service receives when the user logs out at another one, for
// its own client only.
func TestBackChannelLogoutAtRelyingParty(t *testing.T) {
	t.Parallel()
	received := make(chan string, 2)
	back := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { received <- r.PostFormValue("logout_token") }))
	t.Cleanup(back.Close)
	const client = `"client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","client_orgno":"991825827","integration_type":"idporten",`
	s := start(t, "-demo=false", "-config", write(t, `{"clients":[
		{"client_id":"a",`+client+`"redirect_uris":["http://localhost:1/cb"],"post_logout_redirect_uris":["http://localhost:1/ut"]},
		{"client_id":"b",`+client+`"redirect_uris":["`+back.URL+`/cb"],"backchannel_logout_uri":"`+back.URL+`/back"}],
		"users":[{"username":"ola","password":"passord","pid":"45840375084"}]}`))
	v := visit(t, s)
	a, b := newParty(t, s, "a", clientSecret, nobody, "openid"), newParty(t, s, "b", clientSecret, back.URL+"/cb", "openid")
	_, _ = a.exchange(v.login(v.get(a.url()), "ola").left.Query())
	tokB, atB := b.exchange(v.get(b.url()).left.Query())
	tok, _ := a.exchange(v.get(a.url()).left.Query())
	v.get(s.Issuer + "/logout?" + url.Values{"id_token_hint": {tok.Extra("id_token").(string)}, "post_logout_redirect_uri": {"http://localhost:1/ut"}}.Encode())

	raw := <-received
	out, err := b.provider.VerifierContext(b.ctx, &oidc.Config{ClientID: "b"}).VerifyLogout(b.ctx, raw)
	require.NoError(t, err)
	require.Equal(t, atB.Subject, out.Subject)
	require.Equal(t, b.claims(atB)["sid"], out.SessionID)
	require.NotEmpty(t, out.TokenID)
	_, err = b.provider.VerifierContext(b.ctx, &oidc.Config{ClientID: "a"}).VerifyLogout(b.ctx, raw)
	require.ErrorContains(t, err, "audience")
	_, err = b.provider.VerifierContext(b.ctx, &oidc.Config{ClientID: "b"}).VerifyLogout(b.ctx, tokB.Extra("id_token").(string))
	require.ErrorContains(t, err, "backchannel-logout", "an id_token is no logout token")
}
