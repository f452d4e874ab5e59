package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/portner-go/portner/internal/standin/idporten"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// clientSecret is the secret of the clients in the configurations of tests.
const clientSecret = "G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U"

// party is a relying party with golang.org/x/oauth2 and github.com/coreos/go-oidc.
type party struct {
	t        *testing.T
	s        *idporten.Server
	ctx      context.Context
	provider *oidc.Provider
	conf     oauth2.Config
	verifier string
	nonce    string
	state    string
}

func newParty(t *testing.T, s *idporten.Server, clientID, secret, redirect string, scopes ...string) *party {
	t.Helper()
	ctx := oidc.ClientContext(t.Context(), s.Outgoing)
	p, err := oidc.NewProvider(ctx, s.Issuer)
	require.NoError(t, err)
	endpoint := p.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader
	return &party{
		t: t, s: s, ctx: ctx, provider: p,
		conf:     oauth2.Config{ClientID: clientID, ClientSecret: secret, Endpoint: endpoint, RedirectURL: redirect, Scopes: scopes},
		verifier: oauth2.GenerateVerifier(), nonce: rand.Text(), state: rand.Text(),
	}
}

// url returns the authorization request with further parameters, given in pairs.
func (p *party) url(extra ...string) string {
	return p.conf.AuthCodeURL(p.state, p.options(extra...)...)
}

func (p *party) options(extra ...string) []oauth2.AuthCodeOption {
	opts := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(p.verifier), oidc.Nonce(p.nonce)}
	return append(opts, pairs(extra...)...)
}

func pairs(extra ...string) []oauth2.AuthCodeOption {
	var opts []oauth2.AuthCodeOption
	for i := 0; i+1 < len(extra); i += 2 {
		opts = append(opts, oauth2.SetAuthURLParam(extra[i], extra[i+1]))
	}
	return opts
}

// params returns the parameters of the request, for PAR and request objects.
func (p *party) params(extra ...string) url.Values {
	u, err := url.Parse(p.url(extra...))
	require.NoError(p.t, err)
	return u.Query()
}

// code verifies state and iss of an authorization response and returns the code.
func (p *party) code(answer url.Values) string {
	p.t.Helper()
	require.Empty(p.t, answer.Get("error"), "%v", answer)
	require.Equal(p.t, p.state, answer.Get("state"))
	require.Equal(p.t, p.s.Issuer, answer.Get("iss"))
	require.NotEmpty(p.t, answer.Get("code"))
	return answer.Get("code")
}

// exchange redeems the code of an authorization response and verifies the id_token.
func (p *party) exchange(answer url.Values, extra ...string) (*oauth2.Token, *oidc.IDToken) {
	p.t.Helper()
	tok, err := p.conf.Exchange(p.ctx, p.code(answer), append(pairs(extra...), oauth2.VerifierOption(p.verifier))...)
	require.NoError(p.t, err)
	it := p.verify(tok)
	require.Equal(p.t, p.nonce, it.Nonce)
	return tok, it
}

func (p *party) verify(tok *oauth2.Token) *oidc.IDToken {
	p.t.Helper()
	raw, ok := tok.Extra("id_token").(string)
	require.True(p.t, ok, "no id_token")
	it, err := p.provider.Verifier(&oidc.Config{ClientID: p.conf.ClientID, SupportedSigningAlgs: []string{"RS256", "ES256", "PS256", "EdDSA"}}).Verify(p.ctx, raw)
	require.NoError(p.t, err)
	if it.AccessTokenHash != "" {
		require.NoError(p.t, it.VerifyAccessToken(tok.AccessToken))
	}
	return it
}

func (p *party) claims(it *oidc.IDToken) map[string]any {
	p.t.Helper()
	var m map[string]any
	require.NoError(p.t, it.Claims(&m))
	return m
}

// refresh uses a refresh token.
func (p *party) refresh(refreshToken string) (*oauth2.Token, error) {
	return p.conf.TokenSource(p.ctx, &oauth2.Token{RefreshToken: refreshToken, Expiry: time.Unix(1, 0)}).Token()
}

// refusedWith requires an error code of the token endpoint.
func refusedWith(t *testing.T, err error, code string) {
	t.Helper()
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, code, refused.ErrorCode, "%v", err)
}

// post calls an endpoint of the server as a client.
func post(t *testing.T, s *idporten.Server, path, clientID, secret string, form url.Values) (int, map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.Issuer+path, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if secret != "" {
		r.SetBasicAuth(url.QueryEscape(clientID), url.QueryEscape(secret))
	}
	resp, err := s.Outgoing.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	var m map[string]any
	if len(body) > 0 {
		require.NoError(t, json.Unmarshal(body, &m), "%s", body)
	}
	return resp.StatusCode, m
}

// key is the key of a client with its public JWKS.
type key struct {
	private *ecdsa.PrivateKey
	jwks    string
}

func newKey(t *testing.T) key {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	b, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: k.Public(), KeyID: "k1", Algorithm: "ES256", Use: "sig"}}})
	require.NoError(t, err)
	return key{k, string(b)}
}

// sign returns a signed JWT.
func (k key) sign(t *testing.T, typ string, claims map[string]any) string {
	t.Helper()
	opts := (&jose.SignerOptions{}).WithHeader("kid", "k1").WithType(jose.ContentType(typ))
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: crypto.Signer(k.private)}, opts)
	require.NoError(t, err)
	payload, err := json.Marshal(claims)
	require.NoError(t, err)
	sig, err := signer.Sign(payload)
	require.NoError(t, err)
	compact, err := sig.CompactSerialize()
	require.NoError(t, err)
	return compact
}

// assertion returns the parameters that authenticate a client (RFC 7523 §2.2).
func (k key) assertion(t *testing.T, clientID, audience string) []string {
	t.Helper()
	at := time.Now()
	return []string{
		"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
		"client_assertion", k.sign(t, "JWT", map[string]any{
			"iss": clientID, "sub": clientID, "aud": audience, "jti": rand.Text(), "iat": at.Unix(), "exp": at.Add(time.Minute).Unix(),
		}),
	}
}
