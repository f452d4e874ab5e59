package portnertest

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/pkce"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/token"
)

// buildLogin builds a provider with a login.
func buildLogin(p *Provider) error {
	profile := p.cfg.Profile
	if !p.cfg.hasProfile() {
		profile = provider.IDPorten()
	}
	return p.buildProvider(profile, client.Client{
		ClientID: ClientID, ClientName: "The tested app", OrganisationNo: Organisation, GrantTypes: []string{"authorization_code", "refresh_token"},
		IntegrationType: "api_klient",
	}, false, nil)
}

// buildProvider builds a provider with a profile. change may be nil.
func (p *Provider) buildProvider(profile provider.Profile, base client.Client, profileScopes bool, change func(*provider.Config) error) (err error) {
	clients, err := newRegistry(&p.cfg, base, profileScopes, p.now)
	if err != nil {
		return err
	}
	p.clients = clients
	p.system = system{login: true, metadata: "/.well-known/openid-configuration", mint: p.mintLogin, levels: profile.Levels, authenticate: authenticate}
	if p.system.levels == nil {
		p.system.levels = &acr.Levels{}
	}
	if len(profile.DefaultACRValues) > 0 {
		p.system.lowest = profile.DefaultACRValues[0]
	}
	store := p.store.(*memory.Store) //nolint:forcetypeassert // of start
	cfg := provider.Config{
		Issuer: p.Issuer, Profile: profile, Store: store, Keys: p.keys, Clients: clients, Scopes: clients, Environment: client.Environment{Test: true},
		Origins: clients.hasOrigin, Page: p.page, LogoutPages: p.logoutPages(), Backchannel: sender{p},
		Secrets: []portner.Secret{portner.NewSecret()}, PairwiseKey: portner.NewSecret(), PushedRequests: store, Replay: store, History: store,
		Users: directory{p}, Claims: p.cfg.Claims, Now: p.Now, Logger: logger(p.t),
	}
	if change != nil {
		if err := change(&cfg); err != nil {
			return err
		}
	}
	op, err := provider.New(cfg)
	if err == nil {
		p.system.handler = op
	}
	return err
}

// authenticate returns a login with the identifiers of ID-porten.
func authenticate(name string, u User, level string) (session.Authentication, error) {
	a := session.Authentication{ACR: level, AMR: u.methods(), Identity: session.Identity{Subject: subjectPrefix + name}}
	for _, id := range []struct{ typ, value string }{{session.TypePID, u.PID}, {session.TypeEmail, u.email(level)}} {
		if id.value == "" {
			continue
		}
		identifier, err := pseudonym.NewIdentifier(id.typ, id.value)
		if err != nil {
			return a, err
		}
		a.Identity.Identifiers = append(a.Identity.Identifiers, identifier)
	}
	return a, nil
}

// subjectPrefix precedes the name of a user in the subject of the host.
const subjectPrefix = "user:"

func (u User) methods() []string {
	if len(u.AMR) == 0 {
		return []string{"TestID"}
	}
	return u.AMR
}

// email returns the e-mail address of a login that has no other identifier.
func (u User) email(level string) string {
	if level != acr.SelfRegisteredEmail {
		return ""
	}
	email, _ := u.Claims["email"].(string)
	return email
}

// directory is the token.UserSource of a provider.
type directory struct{ p *Provider }

// User implements token.UserSource.
func (d directory) User(_ context.Context, subject string) (token.User, error) {
	u, known := d.p.cfg.Users[strings.TrimPrefix(subject, subjectPrefix)]
	if !known {
		return token.User{}, fmt.Errorf("user: %w", storage.ErrNotFound)
	}
	return token.User{Disabled: u.Disabled, Claims: u.Claims}, nil
}

// Tokens are the tokens of a login.
type Tokens struct {
	AccessToken, RefreshToken, IDToken string // as the token endpoint returned them
	// Claims are the claims of the id_token, whose signature, iss, aud, nonce and exp are verified.
	Claims map[string]any
}

// ownRedirect is the redirect URI of LogIn. No request is sent to it.
const ownRedirect = "http://127.0.0.1/portnertest"

// LogIn plays a whole code flow over HTTP, as a client of the provider, and returns its tokens. It needs no app.
func (p *Provider) LogIn(t testing.TB, l Login) Tokens {
	t.Helper()
	tokens, err := p.logIn(l, nil)
	if err != nil {
		t.Fatalf("portnertest: LogIn: %v", err)
	}
	return tokens
}

func (p *Provider) logIn(l Login, key *Prover) (Tokens, error) {
	if err := p.checkLogin(l); err != nil {
		return Tokens{}, err
	}
	for _, name := range l.Scopes {
		p.clients.addScope(scope.Scope{Name: name})
	}
	c, err := p.registered(cmp.Or(l.ClientID, p.clients.first()))
	if err != nil {
		return Tokens{}, err
	}
	f := p.newFlow(c, l)
	if f.key = key; key == nil && (p.system.bound || c.DPoPBoundAccessTokens) {
		f.key = NewProver()
	}
	code, err := f.authorize()
	if err != nil {
		return Tokens{}, err
	}
	return f.redeem(code)
}

// flow is a code flow of this package.
type flow struct {
	p                      *Provider
	c                      *client.Client
	l                      Login
	redirect               string
	verifier, state, nonce string
	key                    *Prover // nil without DPoP
}

func (p *Provider) newFlow(c *client.Client, l Login) *flow {
	f := &flow{p: p, c: c, l: l, redirect: ownRedirect, verifier: pkce.NewVerifier(), state: rand.Text(), nonce: rand.Text()}
	if len(c.RedirectURIs) > 0 && !slices.Contains(c.RedirectURIs, ownRedirect) {
		f.redirect = c.RedirectURIs[0]
	}
	return f
}

// authorize sends the authorization request and returns the code.
func (f *flow) authorize() (string, error) {
	q := url.Values{
		"response_type": {"code"}, "client_id": {f.c.ClientID}, "redirect_uri": {f.redirect}, "scope": {strings.Join(f.scopes(), " ")},
		"state": {f.state}, "nonce": {f.nonce}, "code_challenge": {pkce.Challenge(f.verifier)}, "code_challenge_method": {"S256"},
	}
	if f.l.ACR != "" {
		q.Set("acr_values", f.l.ACR)
	}
	for name, value := range f.l.Parameters {
		q.Set(name, value)
	}
	b := f.p.newBrowser(f.l, "")
	b.play.own = true
	f.p.mu.Lock()
	f.p.browsers = append(f.p.browsers, b)
	f.p.mu.Unlock()
	if f.p.system.bound || f.c.RequirePushedAuthorizationRequests {
		answer, err := f.p.post(f.c, "par", q, nil)
		if err != nil {
			return "", err
		}
		q = url.Values{"client_id": {f.c.ClientID}, "request_uri": {fmt.Sprint(answer["request_uri"])}}
	}
	browser := http.Client{Transport: b, Jar: b.jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if !f.p.owns(r.URL) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	resp, err := browser.Get(f.p.endpointURL("authorize") + "?" + q.Encode())
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	to, err := resp.Location()
	if err != nil {
		body, _ := io.ReadAll(resp.Body)
		return "", fmt.Errorf("the provider answers the authorization request with status %d: %s", resp.StatusCode, body)
	}
	switch answer := to.Query(); {
	case answer.Get("error") != "":
		return "", fmt.Errorf("%s: %s", answer.Get("error"), answer.Get("error_description"))
	case answer.Get("state") != f.state:
		return "", errors.New("the state of the response is not that of the request")
	default:
		return answer.Get("code"), nil
	}
}

// scopes returns the scopes of the request.
func (f *flow) scopes() []string {
	scopes := []string{"openid"}
	for _, name := range append([]string{"profile"}, f.l.Scopes...) {
		if !slices.Contains(scopes, name) && (name != "profile" || slices.Contains(f.c.RegisteredScopes(), name)) {
			scopes = append(scopes, name)
		}
	}
	return scopes
}

// redeem redeems the code and verifies the id_token.
func (f *flow) redeem(code string) (Tokens, error) {
	answer, err := f.p.post(f.c, "token", url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {f.redirect}, "code_verifier": {f.verifier},
	}, f.key)
	if err != nil {
		return Tokens{}, err
	}
	var tokens Tokens
	tokens.AccessToken, _ = answer["access_token"].(string)
	tokens.RefreshToken, _ = answer["refresh_token"].(string)
	tokens.IDToken, _ = answer["id_token"].(string)
	tokens.Claims, err = f.p.verify(tokens.IDToken, f.c.ClientID, f.nonce)
	return tokens, err
}

// verify verifies an id_token with the published keys (OIDC Core §3.1.3.7).
func (p *Provider) verify(idToken, clientID, nonce string) (map[string]any, error) {
	body, err := p.get(p.endpointURL("jwks_uri"))
	if err != nil {
		return nil, err
	}
	keys, err := jose.ParseJWKS(body)
	if err != nil {
		return nil, err
	}
	verified, err := jose.Verify(idToken, maxToken, []string{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA}, keys, jose.IDToken)
	if err != nil {
		return nil, fmt.Errorf("the id_token: %w", err)
	}
	var claims map[string]any
	if err := json.Unmarshal(verified.Payload, &claims); err != nil {
		return nil, err
	}
	exp, _ := claims["exp"].(float64)
	switch {
	case claims["iss"] != p.Issuer, claims["aud"] != clientID, claims["nonce"] != nonce:
		return nil, errors.New("the id_token has another iss, aud or nonce")
	case !p.Now().Before(time.Unix(int64(exp), 0)):
		return nil, errors.New("the id_token is expired")
	}
	return claims, nil
}
