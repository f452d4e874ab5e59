package token_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/pkce"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/token"
)

const (
	issuer   = "https://idporten.dev"
	pid      = "21879498012" // synthetic
	email    = "kari@example.no"
	secret   = "q8H2vTz5yWm0RkN7uXc4LbP9sJdF1gAe"
	callback = "https://client.example.no/callback"
	verifier = "gEVARFlOi5LNYfVGSMHvhZCXoG_TPzdmXQQGqzKJkz0"

	consumerOrgno = "991825827"
	ownerOrgno    = "974761076"
)

var (
	start     = time.Date(2023, 3, 9, 15, 24, 52, 0, time.UTC)
	challenge = pkce.Challenge(verifier)
	testKey   = sync.OnceValue(func() keyset.Key { return must(keyset.Generate(keyset.ES256)) })
	testVault = sync.OnceValue(func() *session.Vault {
		return must(session.NewVault(issuer, vaultSecret))
	})

	vaultSecret = portner.Secret("q8H2vTz5yWm0RkN7uXc4LbP9sJdF1gAe")
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// fixture is a token endpoint with its store, keys, clients, scopes and users.
type fixture struct {
	t       testing.TB
	store   *memory.Store
	clients map[string]*client.Client
	scopes  map[string]*scope.Scope
	keys    *keyset.Set
	ep      *token.Endpoint
	cfg     token.Config

	mu     sync.Mutex
	now    time.Time
	events []portner.Event
}

// Client implements client.Source over the fixture's map.
func (f *fixture) Client(_ context.Context, id string) (*client.Client, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.clients[id]; c != nil {
		return c, nil
	}
	return nil, storage.ErrNotFound
}

// Scope and Access implement scope.Source.
func (f *fixture) Scope(name string) *scope.Scope {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.scopes[name]
}

func (f *fixture) Access(string, string) scope.AccessState { return "" }

func (f *fixture) HasOrigin(_ context.Context, origin string) (bool, error) {
	for _, c := range f.clients {
		if slices.Contains(c.CORSOrigins(), origin) {
			return true, nil
		}
	}
	return false, nil
}

func (f *fixture) clock() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *fixture) advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

func newFixture(t testing.TB, change ...func(*token.Config)) *fixture {
	t.Helper()
	f := &fixture{t: t, store: memory.New(), now: start, clients: testClients(), scopes: testScopes()}
	f.keys = must(keyset.New(keyset.Config{Keys: []keyset.Key{testKey()}}))
	f.cfg = token.Config{
		Issuer: issuer, Store: f.store, Clients: f, Scopes: f, Keys: f.keys, Vault: testVault(),
		Authenticator: must(client.NewAuthenticator(client.Config{Issuer: issuer, Clients: f, Replay: f.store, Attempts: noLimit{}})),
		Pairwise:      must(pseudonym.NewPairwise([]byte("0123456789abcdef0123456789abcdef"))),
		Origins:       f.HasOrigin, Now: f.clock, AuthorizationDetails: lastingTypes("example", "other", "idporten:fullmakt"),
		Claims: provider.IDPorten().Claims, UserInfoScope: "profile",
		OnEvent: func(_ context.Context, e portner.Event) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.events = append(f.events, e)
		},
	}
	for _, c := range change {
		c(&f.cfg)
	}
	ep, err := token.New(f.cfg)
	require.NoError(t, err)
	f.ep = ep
	return f
}

// lastingTypes returns types of authorization_details that rest on no right that can end.
func lastingTypes(names ...string) *rar.Registry {
	var types []rar.Type
	for _, name := range names {
		types = append(types, rar.Type{
			Name: name,
			Grant: func(context.Context, rar.Request, []rar.Detail, []string) ([]json.RawMessage, error) {
				return nil, rar.ErrDenied
			},
			Refresh: func(_ context.Context, _ rar.Request, granted []rar.Detail) (all []json.RawMessage, err error) {
				for _, d := range granted {
					all = append(all, d.JSON)
				}
				return all, nil
			},
		})
	}
	return must(rar.NewRegistry(types...))
}

// withProfile sets the claims of a profile.
func withProfile(p provider.Profile) func(*token.Config) {
	return func(c *token.Config) {
		c.Claims, c.ScopeClaims, c.UserInfoScope, c.AccessTokenType = p.Claims, p.ScopeClaims, p.UserInfoScope, p.AccessTokenType
	}
}

// noLimit is an AttemptLimiter without a limit.
type noLimit struct{}

func (noLimit) Wait(context.Context, string, string, time.Time) time.Duration { return 0 }
func (noLimit) Failed(context.Context, string, string, time.Time)             {}

func testClients() map[string]*client.Client {
	secrets := []client.Secret{must(client.NewSecret(secret, time.Time{}))}
	both := []string{client.AuthorizationCode, client.RefreshToken}
	all := map[string]*client.Client{}
	for _, c := range []*client.Client{
		{ClientID: "web", OrganisationNo: consumerOrgno, GrantTypes: both, Secrets: secrets},
		{ClientID: "other", OrganisationNo: consumerOrgno, GrantTypes: both, Secrets: secrets, TokenEndpointAuthMethod: client.ClientSecretPost},
		{ClientID: "codeonly", OrganisationNo: consumerOrgno, Secrets: secrets},
		{ClientID: "reuse", OrganisationNo: consumerOrgno, GrantTypes: both, Secrets: secrets, RefreshTokenUsage: client.Reuse},
		{
			ClientID: "spa", OrganisationNo: consumerOrgno, GrantTypes: both, ApplicationType: client.Browser,
			TokenEndpointAuthMethod: client.None, RefreshTokenUsage: client.Reuse, RedirectURIs: []string{"https://spa.example.no/cb"},
		},
		{
			ClientID: "spa2", OrganisationNo: consumerOrgno, GrantTypes: both, ApplicationType: client.Browser,
			TokenEndpointAuthMethod: client.None, RedirectURIs: []string{"https://spa2.example.no/cb"},
		},
		{ClientID: "nopkce", OrganisationNo: consumerOrgno, GrantTypes: both, Secrets: secrets, CodeChallengeMethod: "none"},
		{ClientID: "api", OrganisationNo: ownerOrgno, Secrets: secrets},
		{ClientID: "listed", OrganisationNo: consumerOrgno, Secrets: secrets},
		{ClientID: "nosy", OrganisationNo: consumerOrgno, Secrets: secrets},
		{ClientID: "powerless", OrganisationNo: ownerOrgno, Secrets: secrets},
	} {
		c.RedirectURIs = append(c.RedirectURIs, callback)
		c.Scopes = []string{"openid", "profile", "email", "api:read", "api:write", "api:opaque", "api:pseudo", "api:short", "api:aud", "api:consent", "api:consent2"}
		if slices.Contains([]string{"web", "api", "listed", "nosy"}, c.ClientID) {
			c.Scopes = append(c.Scopes, scope.Introspection)
		}
		all[c.ClientID] = c
	}
	return all
}

func testScopes() map[string]*scope.Scope {
	all := map[string]*scope.Scope{}
	for _, s := range []scope.Scope{
		{Name: "api:read", EnforcedAudForIntrospection: []string{"listed"}},
		{Name: "api:write"},
		{Name: "api:opaque", TokenType: scope.Opaque, EnforcedAudForIntrospection: []string{"listed"}},
		{Name: "api:pseudo", RequiresPseudonymousTokens: true, EnforcedAudForIntrospection: []string{"listed"}},
		{Name: "api:short", ATMaxAge: 30},
		{Name: "api:aud", EnforcedAudForAccessToken: "https://api.example.no"},
		{Name: "api:consent", RequiresUserConsent: true},
		{Name: "api:consent2", RequiresUserConsent: true},
		{Name: "email"},
	} {
		s.AccessibleForAll, s.OwnerOrgno = true, ownerOrgno
		all[s.Name] = &s
	}
	return all
}

// code stores a code for client "web" and returns it.
func (f *fixture) code(change ...func(*storage.AuthorizationCode)) string {
	f.t.Helper()
	value, grantID, now := seal.NewToken(), seal.NewID(), f.clock()
	identity := session.Identity{Subject: "user-1", Identifiers: identified(session.TypePID, pid)}
	c := storage.AuthorizationCode{
		Hash: storage.HashOf(value),
		Grant: storage.Grant{
			ID: grantID, ClientID: "web", UserKey: testVault().UserKey(identity.Subject),
			Identity: testVault().Seal(identity, grantID),
			Scopes:   []string{"openid", "profile"},
			ACR:      "idporten-loa-substantial", AMR: []string{"TestID"}, AuthTime: now.Add(-time.Second), Locale: "nb",
			CreatedAt: now, ExpiresAt: now.Add(2 * time.Hour),
		},
		RedirectURI: callback, CodeChallenge: challenge, Nonce: "nonce-1",
		ExpiresAt: now.Add(time.Minute),
	}
	for _, ch := range change {
		ch(&c)
	}
	if registered := f.clients[c.Grant.ClientID]; registered != nil && c.Grant.Customer == "" {
		c.Grant.Customer = registered.Party(client.OnBehalfOf{})
	}
	o := storage.Outcome{
		RequestID: seal.NewID(), Code: &c, RetainTo: now.Add(3 * time.Hour),
		Consents: storage.ConsentKey{UserKey: c.Grant.UserKey, ClientID: c.Grant.ClientID, Customer: c.Grant.Customer},
	}
	for _, name := range c.Grant.Scopes {
		o.Granted = append(o.Granted, storage.Consent{Scope: name, GrantedAt: now, ExpiresAt: c.Grant.ExpiresAt})
	}
	require.NoError(f.t, f.store.FinishRequest(f.t.Context(), o, now))
	return value
}

// forClient changes the client of a code.
func forClient(id string, scopes ...string) func(*storage.AuthorizationCode) {
	return func(c *storage.AuthorizationCode) {
		c.Grant.ClientID = id
		if len(scopes) > 0 {
			c.Grant.Scopes = scopes
		}
	}
}

// answer is a response with its JSON body.
type answer struct {
	*httptest.ResponseRecorder
	body map[string]any
}

func (a answer) str(name string) string { s, _ := a.body[name].(string); return s }

// send posts a form to a handler as a client; credentials follow the client's method.
func (f *fixture) send(h http.Handler, clientID string, form url.Values) answer {
	f.t.Helper()
	return f.sendRequest(h, f.request(clientID, form))
}

func (f *fixture) request(clientID string, form url.Values) *http.Request {
	form = cloneForm(form)
	basic := false
	if c := f.clients[clientID]; c != nil {
		switch c.TokenEndpointAuthMethod {
		case client.None:
			form.Set("client_id", clientID)
		case client.ClientSecretPost:
			form.Set("client_id", clientID)
			form.Set("client_secret", secret)
		default:
			basic = true
		}
	}
	r := httptest.NewRequest(http.MethodPost, "https://idporten.dev/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if basic {
		r.SetBasicAuth(url.QueryEscape(clientID), url.QueryEscape(secret))
	}
	return r
}

func cloneForm(form url.Values) url.Values {
	out := url.Values{}
	for k, v := range form {
		out[k] = slices.Clone(v)
	}
	return out
}

func (f *fixture) sendRequest(h http.Handler, r *http.Request) answer {
	f.t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	a := answer{ResponseRecorder: w}
	if w.Body.Len() > 0 {
		require.Equal(f.t, "application/json", w.Header().Get("Content-Type"))
		require.NoError(f.t, json.Unmarshal(w.Body.Bytes(), &a.body), w.Body.String())
	}
	require.Equal(f.t, "no-store", w.Header().Get("Cache-Control"))
	return a
}

func codeForm(code string) url.Values {
	return url.Values{
		"grant_type": {client.AuthorizationCode}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier},
	}
}

func refreshForm(value string) url.Values {
	return url.Values{"grant_type": {client.RefreshToken}, "refresh_token": {value}}
}

// redeem exchanges a code as a client.
func (f *fixture) redeem(clientID, code string) answer {
	f.t.Helper()
	return f.send(f.ep, clientID, codeForm(code))
}

// login issues tokens to a client.
func (f *fixture) login(clientID string, scopes ...string) answer {
	f.t.Helper()
	a := f.redeem(clientID, f.code(forClient(clientID, scopes...)))
	require.Equal(f.t, http.StatusOK, a.Code, a.Body.String())
	return a
}

func (f *fixture) refresh(clientID, value string) answer {
	f.t.Helper()
	return f.send(f.ep, clientID, refreshForm(value))
}

func (f *fixture) introspect(clientID, value string) answer {
	f.t.Helper()
	a := f.send(f.ep.Introspection(), clientID, url.Values{"token": {value}})
	require.Equal(f.t, http.StatusOK, a.Code, a.Body.String())
	return a
}

func (f *fixture) userInfo(value string) answer {
	f.t.Helper()
	r := httptest.NewRequest(http.MethodGet, "https://idporten.dev/userinfo", nil)
	r.Header.Set("Authorization", "Bearer "+value)
	return f.sendRequest(f.ep.UserInfo(), r)
}

// active reports whether an access token is live in the store.
func (f *fixture) active(value string) bool {
	f.t.Helper()
	_, _, err := f.store.AccessToken(f.t.Context(), storage.HashOf(value), f.clock())
	return err == nil
}

func (f *fixture) requireError(a answer, status int, code portner.ErrorCode) {
	f.t.Helper()
	require.Equal(f.t, status, a.Code, a.Body.String())
	require.Equal(f.t, string(code), a.str("error"))
}

// eventNames returns the names of the events and removes them.
func (f *fixture) eventNames() []portner.EventName {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []portner.EventName
	for _, e := range f.events {
		names = append(names, e.Name)
	}
	f.events = nil
	return names
}

// segments decodes header and claims of a JWT.
func segments(t testing.TB, jwt string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(jwt, ".")
	require.Len(t, parts, 3)
	for i, into := range []*map[string]any{&header, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(raw, into))
	}
	return header, claims
}

func textLogger(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

var onBehalfOf = []client.OnBehalfOf{{Value: "customer", Name: "Customer", Orgno: ownerOrgno}}

// field reads one string member of a JSON body.
func field(body, name string) string {
	var m map[string]any
	if json.Unmarshal([]byte(body), &m) != nil {
		return ""
	}
	s, _ := m[name].(string)
	return s
}
