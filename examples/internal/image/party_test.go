//go:build linux

package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
	"golang.org/x/oauth2"
)

// party is an application as its variables describe it.
type party struct {
	issuer, id, secret, key, redirect, acr string
	style                                  oauth2.AuthStyle
}

// parties reads the variables of the applications by the heading of their blocks.
var parties = map[string]struct {
	blocks int
	at     func(env map[string]string) party
}{
	"Wonderwall": {at: func(env map[string]string) party {
		return party{
			issuer: env["WONDERWALL_OPENID_WELL_KNOWN_URL"], id: env["WONDERWALL_OPENID_CLIENT_ID"], key: env["WONDERWALL_OPENID_CLIENT_JWK"],
			redirect: env["WONDERWALL_INGRESS"] + "/oauth2/callback", acr: env["WONDERWALL_OPENID_ACR_VALUES"],
		}
	}},
	"Spring Boot": {at: func(env map[string]string) party {
		const registration = "SPRING_SECURITY_OAUTH2_CLIENT_REGISTRATION_IDPORTEN_"
		return party{
			issuer: env["SPRING_SECURITY_OAUTH2_CLIENT_PROVIDER_IDPORTEN_ISSUERURI"], id: env[registration+"CLIENTID"], secret: env[registration+"CLIENTSECRET"],
			redirect: "http://localhost:" + env["SERVER_PORT"] + "/login/oauth2/code/idporten", style: oauth2.AuthStyleInHeader,
		}
	}},
	".NET": {at: func(env map[string]string) party {
		const scheme = "Authentication__Schemes__OpenIdConnect__"
		return party{
			issuer: env[scheme+"Authority"], id: env[scheme+"ClientId"], secret: env[scheme+"ClientSecret"],
			redirect: env["ASPNETCORE_URLS"] + env[scheme+"CallbackPath"], style: oauth2.AuthStyleInParams,
		}
	}},
	"openid-client": {at: func(env map[string]string) party {
		return party{issuer: env["ISSUER"], id: env["CLIENT_ID"], secret: env["CLIENT_SECRET"], redirect: env["REDIRECT_URI"], style: oauth2.AuthStyleInHeader}
	}},
	"Digdir's clients": {blocks: 2, at: func(env map[string]string) party {
		const demo, login = "OIDC_DEMO_CLIENT_OIDC_INTEGRATION_", "LOGIN_APPLICATION_"
		return party{
			issuer: env[demo+"ISSUER"] + env[login+"OP_ISSUER"], id: env[demo+"CLIENT_ID"] + env[login+"RP_SERVICE_CLIENT_ID"],
			secret:   env[demo+"CLIENT_SECRET"] + env[login+"RP_SERVICE_CLIENT_SECRET"],
			redirect: env[demo+"REDIRECT_URI"] + env[login+"RP_WEB_REDIRECT_URI"], style: oauth2.AuthStyleInHeader,
		}
	}},
}

// logIn plays a login of the application with a code, and verifies the id_token.
func (p party) logIn(t *testing.T, hc *http.Client) {
	t.Helper()
	ctx := oidc.ClientContext(context.Background(), hc)
	provider, err := oidc.NewProvider(ctx, strings.TrimSuffix(p.issuer, "/.well-known/openid-configuration"))
	require.NoError(t, err)
	config := oauth2.Config{ClientID: p.id, ClientSecret: p.secret, Endpoint: provider.Endpoint(), RedirectURL: p.redirect, Scopes: []string{oidc.ScopeOpenID, "profile"}}
	config.Endpoint.AuthStyle = p.style
	verifier, state, nonce := oauth2.GenerateVerifier(), rand.Text(), rand.Text()
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier), oidc.Nonce(nonce)}
	if p.acr != "" {
		options = append(options, oauth2.SetAuthURLParam("acr_values", p.acr))
	}
	callback := p.visit(t, hc, config.AuthCodeURL(state, options...))
	require.Equal(t, state, callback.Get("state"), "%v", callback)
	options = []oauth2.AuthCodeOption{oauth2.VerifierOption(verifier)}
	if p.key != "" {
		config.Endpoint.AuthStyle = oauth2.AuthStyleInParams
		options = append(options, oauth2.SetAuthURLParam("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
			oauth2.SetAuthURLParam("client_assertion", signed(t, p.key, map[string]any{"iss": p.id, "sub": p.id, "aud": provider.Endpoint().TokenURL[:strings.LastIndex(provider.Endpoint().TokenURL, "/")]})))
	}
	token, err := config.Exchange(ctx, callback.Get("code"), options...)
	require.NoError(t, err)
	raw, _ := token.Extra("id_token").(string)
	id, err := provider.Verifier(&oidc.Config{ClientID: p.id}).Verify(ctx, raw)
	require.NoError(t, err)
	require.Equal(t, nonce, id.Nonce)
	var claims struct{ ACR, PID string }
	require.NoError(t, id.Claims(&claims))
	require.Equal(t, cmp.Or(p.acr, "idporten-loa-high"), claims.ACR)
	require.Equal(t, "21879498012", claims.PID)
}

// visit logs in as kari in a browser without scripts, and returns the parameters of the redirect to the application.
func (p party) visit(t *testing.T, hc *http.Client, address string) url.Values {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Transport: hc.Transport, Jar: jar, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), p.redirect) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	page, err := browser.Get(address)
	require.NoError(t, err)
	body, err := io.ReadAll(page.Body)
	require.NoError(t, err)
	require.NoError(t, page.Body.Close())
	require.Equal(t, http.StatusOK, page.StatusCode, "%s", body)
	action, form := loginForm(t, string(body))
	form.Set("username", "kari")
	form.Set("password", "passord")
	form.Set("action", "login")
	target, err := page.Request.URL.Parse(action)
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, target.String(), strings.NewReader(form.Encode()))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", target.Scheme+"://"+target.Host)
	answer, err := browser.Do(r)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	location, err := answer.Location()
	require.NoError(t, err, answer.Status)
	require.True(t, strings.HasPrefix(location.String(), p.redirect+"?"), location.String())
	return location.Query()
}

// loginForm returns the address and the fields of the login form.
func loginForm(t *testing.T, page string) (action string, fields url.Values) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	require.NoError(t, err)
	for form := range root.Descendants() {
		if form.Data != "form" || attribute(form, "id") != "login-form" {
			continue
		}
		fields = url.Values{}
		for n := range form.Descendants() {
			if n.Data == "input" {
				fields.Set(attribute(n, "name"), attribute(n, "value"))
			}
		}
		return attribute(form, "action"), fields
	}
	t.Fatalf("no login form:\n%s", page)
	return "", nil
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// signed returns a JWT of the claims for the next minute, signed with a private JWK.
func signed(t *testing.T, key string, claims map[string]any) string {
	t.Helper()
	var jwk jose.JSONWebKey
	require.NoError(t, json.Unmarshal([]byte(key), &jwk))
	require.Equal(t, "RS256", jwk.Algorithm)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jwk}, new(jose.SignerOptions).WithType("JWT"))
	require.NoError(t, err)
	now := time.Now()
	claims["iat"], claims["exp"], claims["jti"] = now.Unix(), now.Add(time.Minute).Unix(), rand.Text()
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	require.NoError(t, err)
	return text
}

// machineToken gets a token of Maskinporten as Texas does.
func machineToken(t *testing.T, hc *http.Client, env map[string]string) string {
	t.Helper()
	var metadata struct {
		Issuer        string
		TokenEndpoint string `json:"token_endpoint"`
	}
	require.NoError(t, json.Unmarshal([]byte(fetch(t, hc, env["MASKINPORTEN_WELL_KNOWN_URL"])), &metadata))
	grant := signed(t, env["MASKINPORTEN_CLIENT_JWK"], map[string]any{"iss": env["MASKINPORTEN_CLIENT_ID"], "aud": metadata.Issuer, "scope": "altinn:serviceowner"})
	resp, err := hc.PostForm(metadata.TokenEndpoint, url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {grant}})
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s", body)
	var token struct {
		AccessToken string `json:"access_token"`
	}
	require.NoError(t, json.Unmarshal(body, &token))
	return token.AccessToken
}
