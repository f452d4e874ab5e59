package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// config is a configuration with two issuers: users log in at one, and their tokens are exchanged at the other.
const config = `{
	"interactiveLogin": true,
	"tokenProvider": {"keyProvider": {"algorithm": "ES256"}},
	"tokenCallbacks": [
		{"issuerId": "login", "requestMappings": [
			{"requestParam": "subject", "match": "alice", "claims": {"aud": "urn:app:api", "acr": "Level4", "pid": "21879498012"}},
			{"requestParam": "grant_type", "match": "client_credentials", "claims": {"aud": "urn:app:api", "roles": ["access_as_application"]}}
		]},
		{"issuerId": "exchange", "requestMappings": [{"requestParam": "audience", "match": "urn:app:.*", "claims": {"idp": "login"}}]}
	],
	"audiences": ["urn:app:next"],
	"clients": [
		{"client_id": "app", "client_secret": "of the test", "redirect_uris": ["http://app.example.com/callback"], "scopes": ["openid", "profile", "api:read"],
		 "grant_types": ["authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:token-exchange"]}
	]
}`

// start runs the program until the end of the test and returns its first issuer.
func start(t *testing.T) string {
	t.Helper()
	t.Setenv("JSON_CONFIG", config)
	t.Setenv("SERVER_PORT", "0")
	ctx, stop := context.WithCancel(context.Background())
	out, w := io.Pipe()
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, nil, w, t.Output())
		_ = w.Close()
	}()
	t.Cleanup(func() {
		stop()
		require.Zero(t, <-done)
	})
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan())
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return strings.TrimPrefix(lines.Text(), "issuer:  ")
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// logIn fills in the login page and returns the code that the application receives.
func logIn(t *testing.T, address string) string {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	var last *url.URL
	browser := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if last = r.URL; r.URL.Host == "app.example.com" {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	page, err := browser.Get(address)
	require.NoError(t, err)
	text, err := io.ReadAll(page.Body)
	require.NoError(t, err)
	require.NoError(t, page.Body.Close())
	csrf := csrfField.FindSubmatch(text)
	require.Len(t, csrf, 2, string(text))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, last.String(), strings.NewReader(url.Values{"csrf": {string(csrf[1])}, "username": {"alice"}}.Encode()))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", last.Scheme+"://"+last.Host)
	res, err := browser.Do(r)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, "s1", last.Query().Get("state"), last.String())
	return last.Query().Get("code")
}

// TestRealClient: an application with go-oidc and x/oauth2 logs a user in, refreshes, exchanges the token at another issuer and acts for itself.
func TestRealClient(t *testing.T) {
	issuer := start(t)
	ctx := t.Context()
	provider, err := oidc.NewProvider(ctx, issuer)
	require.NoError(t, err)
	app := oauth2.Config{
		ClientID: "app", ClientSecret: "of the test", Endpoint: provider.Endpoint(), RedirectURL: "http://app.example.com/callback", Scopes: []string{"openid", "profile", "api:read"},
	}
	verifier := oauth2.GenerateVerifier()
	code := logIn(t, app.AuthCodeURL("s1", oidc.Nonce("n1"), oauth2.S256ChallengeOption(verifier)))
	tokens, err := app.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	require.NoError(t, err)
	raw, _ := tokens.Extra("id_token").(string)
	id, err := provider.Verifier(&oidc.Config{ClientID: "app"}).Verify(ctx, raw)
	require.NoError(t, err)
	require.Equal(t, []string{"alice", "n1"}, []string{id.Subject, id.Nonce})
	var claims struct{ ACR, PID string }
	require.NoError(t, id.Claims(&claims))
	require.Equal(t, []string{"Level4", "21879498012"}, []string{claims.ACR, claims.PID})
	_, err = provider.Verifier(&oidc.Config{ClientID: "urn:app:api"}).Verify(ctx, tokens.AccessToken)
	require.NoError(t, err, "an API verifies the access token")
	info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
	require.NoError(t, err)
	require.Equal(t, "alice", info.Subject)
	_, err = app.TokenSource(ctx, &oauth2.Token{RefreshToken: tokens.RefreshToken}).Token()
	require.NoError(t, err)

	machine := clientcredentials.Config{ClientID: "app", ClientSecret: "of the test", TokenURL: provider.Endpoint().TokenURL, Scopes: []string{"api:read"}}
	own, err := machine.Token(ctx)
	require.NoError(t, err)
	_, err = provider.Verifier(&oidc.Config{ClientID: "urn:app:api"}).Verify(ctx, own.AccessToken)
	require.NoError(t, err)
	machine.ClientSecret = "of another"
	_, err = machine.Token(ctx)
	require.ErrorContains(t, err, "invalid_client")

	other := strings.TrimSuffix(issuer, "login") + "exchange"
	exchanged := post(t, other+"/token", url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {tokens.AccessToken},
		"subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"}, "audience": {"urn:app:next"},
	})
	second, err := oidc.NewProvider(ctx, other)
	require.NoError(t, err)
	at, err := second.Verifier(&oidc.Config{ClientID: "urn:app:next"}).Verify(ctx, exchanged["access_token"].(string))
	require.NoError(t, err)
	var derived struct{ Sub, PID, IDP string }
	require.NoError(t, at.Claims(&derived))
	require.Equal(t, []string{"alice", "21879498012", "login"}, []string{derived.Sub, derived.PID, derived.IDP})
	obo := post(t, issuer+"/token", url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {tokens.AccessToken}, "scope": {"api:read"}, "requested_token_use": {"on_behalf_of"},
	})
	require.NotEmpty(t, obo["access_token"])
	require.Equal(t, true, post(t, issuer+"/introspect", url.Values{"token": {tokens.AccessToken}})["active"])
}

// post sends a form as the application.
func post(t *testing.T, address string, form url.Values) map[string]any {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("app", url.QueryEscape("of the test"))
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer res.Body.Close()
	var out map[string]any
	require.NoError(t, json.NewDecoder(res.Body).Decode(&out))
	require.Equal(t, http.StatusOK, res.StatusCode, out)
	return out
}
