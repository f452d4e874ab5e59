package main

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// The page on token kinds, columns "Autentiseringsbevis (OIDC id_token)" (scope openid) and "bruker innlogget i tjeneste uten delegering
// (oauth2 access_token)" (scope svv:pkk). "OIDC: unik, tjenestespesifikk ikke-meningsbærende identifikator(strengt matematisk definert)".
// "pid: personidentifikator i folkeregisteret". "`aud` utlevers kun når klient ber om det". Of the claims, acr has the name that replaced
// Level4, amr is an array, and consumer replaced client_orgno.
func TestLoginTokensOfThePageOnTokenKinds(t *testing.T) {
	t.Parallel()
	s := start(t, "-demo=false", "-config", write(t, `{
		"clients": [
			{"client_id":"oidc_kongsvingerkommune_acos","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","client_orgno":"991825827","integration_type":"api_klient","redirect_uris":["`+nobody+`"],"scopes":["openid"]},
			{"client_id":"oidc_svv_vitecautodata","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","client_orgno":"944117784","integration_type":"api_klient","redirect_uris":["`+nobody+`"],"scopes":["svv:pkk"]}
		],
		"scopes": [{"name":"svv:pkk","owner_orgno":"944117784","accessible_for_all":true,"description":"Kjøretøykontroll"}],
		"users": [{"pid":"21879498012","username":"kari","password":"passord","acr":"idporten-loa-high","amr":["BankID"]}]}`))
	v := visit(t, s)
	login := func(clientID, scope string) map[string]any {
		p := newParty(t, s, clientID, clientSecret, nobody, scope)
		page := v.get(p.url("acr_values", "idporten-loa-high"))
		if page.left == nil {
			page = v.login(page, "kari")
		}
		tok, err := p.conf.Exchange(p.ctx, p.code(page.left.Query()), pairs("code_verifier", p.verifier)...)
		require.NoError(t, err)
		if scope == "openid" {
			return p.claims(p.verify(tok))
		}
		require.Nil(t, tok.Extra("id_token"))
		return payloadOf(t, tok.AccessToken)
	}
	varying := []string{"exp", "iat", "jti", "sub"}
	idToken, access := login("oidc_kongsvingerkommune_acos", "openid"), login("oidc_svv_vitecautodata", "svv:pkk")
	for _, claims := range []map[string]any{idToken, access} {
		for _, name := range varying {
			require.NotEmpty(t, claims[name], name)
		}
		require.Equal(t, []any{s.Issuer, "21879498012", "idporten-loa-high"}, []any{claims["iss"], claims["pid"], claims["acr"]})
	}
	require.NotEqual(t, idToken["sub"], access["sub"], "organisations get different subjects")
	require.Equal(t, []any{"oidc_kongsvingerkommune_acos", []any{"BankID"}}, []any{idToken["aud"], idToken["amr"]})
	require.NotContains(t, idToken, "scope")
	maps.DeleteFunc(access, func(name string, _ any) bool { return slices.Contains(varying, name) })
	require.Equal(t, map[string]any{
		"iss": s.Issuer, "scope": "svv:pkk", "client_id": "oidc_svv_vitecautodata", "client_amr": "client_secret_basic", "acr": "idporten-loa-high", "pid": "21879498012",
		"consumer": map[string]any{"authority": "iso6523-actorid-upis", "ID": "0192:944117784"},
	}, access)
}
