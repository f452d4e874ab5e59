package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/portner-go/portner/internal/standin/idporten"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// machines is a configuration with a client that acts for itself, and an API that introspects.
const machines = `{
	"profile": "%s",
	"clients": [
		{"client_id":"jobb","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","grant_types":["client_credentials"],"scopes":["eksempel:les","eksempel:skriv"]},
		{"client_id":"api","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","client_orgno":"974761076","resource_server":true},
		{"client_id":"ordre-api","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","resource_server":true,"resources":["https://api.example.no"]},
		{"client_id":"nysgjerrig","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","resource_server":true,"resources":["https://another.example.no"]}
	],
	"scopes": [
		{"name":"eksempel:les","owner_orgno":"974761076","accessible_for_all":true,"description":"Lese"},
		{"name":"eksempel:skriv","owner_orgno":"974761076","accessible_for_all":true,"description":"Skrive"}
	]}`

// RFC 6749 §4.4 with an unmodified client: golang.org/x/oauth2/clientcredentials.
func TestClientCredentials(t *testing.T) {
	t.Parallel()
	s := start(t, "-config", write(t, strings.Replace(machines, "%s", "openid", 1)), "-demo=false")
	require.Contains(t, grantTypes(t, s), "client_credentials")
	cfg := clientcredentials.Config{ClientID: "jobb", ClientSecret: clientSecret, TokenURL: s.Issuer + "/token", AuthStyle: oauth2.AuthStyleInHeader}
	tok, err := cfg.Token(t.Context())
	require.NoError(t, err)
	require.Equal(t, "eksempel:les eksempel:skriv", tok.Extra("scope"))
	require.Empty(t, tok.RefreshToken)
	require.Nil(t, tok.Extra("id_token"))

	cfg.Scopes, cfg.EndpointParams = []string{"eksempel:les"}, url.Values{"resource": {"https://api.example.no"}}
	tok, err = cfg.Token(t.Context())
	require.NoError(t, err)
	for _, caller := range []string{"jobb", "api", "ordre-api"} { // itself, the owner of the scope, and the audience
		seen := introspect(t, s, caller, tok.AccessToken)
		require.Equal(t, []any{true, "jobb", "jobb", "eksempel:les", "https://api.example.no"},
			[]any{seen["active"], seen["sub"], seen["client_id"], seen["scope"], seen["aud"]}, caller)
	}
	require.Equal(t, map[string]any{"active": false}, introspect(t, s, "nysgjerrig", tok.AccessToken))

	cfg.Scopes = []string{"openid"}
	_, err = cfg.Token(t.Context())
	require.ErrorContains(t, err, "invalid_scope")

	old := start(t, "-config", write(t, strings.Replace(machines, "%s", "idporten", 1)), "-demo=false")
	require.NotContains(t, grantTypes(t, old), "client_credentials", "ID-porten does not have the grant type")
	cfg.TokenURL = old.Issuer + "/token"
	_, err = cfg.Token(t.Context())
	require.ErrorContains(t, err, "unsupported_grant_type")
}

// grantTypes returns grant_types_supported of the metadata.
func grantTypes(t *testing.T, s *idporten.Server) []string {
	t.Helper()
	res, err := http.Get(s.Issuer + "/.well-known/openid-configuration")
	require.NoError(t, err)
	defer res.Body.Close()
	var meta struct {
		GrantTypes []string `json:"grant_types_supported"`
	}
	require.NoError(t, json.NewDecoder(res.Body).Decode(&meta))
	return meta.GrantTypes
}

// introspect returns the response to an introspection (RFC 7662).
func introspect(t *testing.T, s *idporten.Server, clientID, token string) (seen map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.Issuer+"/introspect", strings.NewReader(url.Values{"token": {token}}.Encode()))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(clientID, clientSecret)
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer res.Body.Close()
	require.NoError(t, json.NewDecoder(res.Body).Decode(&seen))
	return seen
}
