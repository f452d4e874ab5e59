package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

func zitadel() subject {
	return subject{name: "zitadel", open: openZitadel, lacks: map[string]string{
		opProof: "the library has no DPoP",
	}}
}

// openZitadel opens the provider of zitadel/oidc. The library has no store: zitadelStore is the least that works.
func openZitadel(s settings) (*server, error) {
	key, err := s.signer()
	if err != nil {
		return nil, err
	}
	client, err := s.clientSigner()
	if err != nil {
		return nil, err
	}
	store := &zitadelStore{
		key:      zitadelKey{alg: jose.SignatureAlgorithm(s.Alg), private: key, public: key.Public()},
		client:   &jose.JSONWebKey{Key: client.Public(), KeyID: clientKID, Algorithm: es256, Use: "sig"},
		requests: map[string]*zitadelRequest{}, codes: map[string]string{}, access: map[string]*zitadelToken{}, refresh: map[string]*zitadelToken{},
	}
	provider, err := op.NewProvider(&op.Config{
		CryptoKey: sha256.Sum256([]byte(rand.Text())), CodeMethodS256: true, AuthMethodPrivateKeyJWT: true, GrantTypeRefreshToken: true,
	}, store, op.StaticIssuer(issuer), op.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, err
	}
	h, mux := newHost(), http.NewServeMux()
	mux.Handle("/{path...}", provider)
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		user, id := h.user(r), strings.TrimPrefix(r.URL.RawQuery, "id=")
		if user == "" {
			user = h.logIn(w)
		}
		if !store.finish(id, user) {
			http.Error(w, "unknown request", http.StatusBadRequest)
			return
		}
		w.Header()["Location"] = []string{"/authorize/callback?id=" + id}
		w.WriteHeader(http.StatusSeeOther)
	})
	return &server{
		Handler: mux, paths: paths{"/authorize", "/oauth/token", "/userinfo", "/oauth/introspect", "/.well-known/openid-configuration", "/keys"},
		scopes: "openid offline_access", opaqueScopes: "openid offline_access", plainScopes: "openid offline_access",
		audience: issuer, keep: []any{store, h},
	}, nil
}

// zitadelStore implements op.Storage with maps. Nothing expires in it.
type zitadelStore struct {
	key    zitadelKey
	client *jose.JSONWebKey

	mu       sync.Mutex
	requests map[string]*zitadelRequest
	codes    map[string]string // request IDs
	access   map[string]*zitadelToken
	refresh  map[string]*zitadelToken
}

var errUnknown = errors.New("unknown")

// finish records the user of a request.
func (s *zitadelStore) finish(id, user string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.requests[id]
	if r == nil {
		return false
	}
	done := *r // a request that was returned does not change
	done.user, done.authTime, done.done = user, time.Now(), true
	s.requests[id] = &done
	return true
}

// CreateAuthRequest stores an authorization request under a random ID.
func (s *zitadelStore) CreateAuthRequest(_ context.Context, r *oidc.AuthRequest, _ string) (op.AuthRequest, error) {
	a := &zitadelRequest{
		id: rand.Text(), client: r.ClientID, redirect: r.RedirectURI, state: r.State, nonce: r.Nonce, scopes: r.Scopes,
		challenge: oidc.CodeChallenge{Challenge: r.CodeChallenge, Method: r.CodeChallengeMethod},
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests[a.id] = a
	return a, nil
}

// AuthRequestByID loads an authorization request by its ID.
func (s *zitadelStore) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.requests[id]; r != nil {
		return r, nil
	}
	return nil, errUnknown
}

// AuthRequestByCode loads the authorization request of a code.
func (s *zitadelStore) AuthRequestByCode(_ context.Context, code string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.requests[s.codes[code]]; r != nil {
		return r, nil
	}
	return nil, errUnknown
}

// SaveAuthCode gives a code to an authorization request.
func (s *zitadelStore) SaveAuthCode(_ context.Context, id, code string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.requests[id]
	if r == nil {
		return errUnknown
	}
	s.codes[code] = id
	with := *r
	with.code = code
	s.requests[id] = &with
	return nil
}

// DeleteAuthRequest deletes an authorization request and its code, which ends the validity of the code.
func (s *zitadelStore) DeleteAuthRequest(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.requests[id]; r != nil {
		delete(s.codes, r.code)
		delete(s.requests, id)
	}
	return nil
}

// CreateAccessToken stores an access token and returns its ID and expiry.
func (s *zitadelStore) CreateAccessToken(_ context.Context, r op.TokenRequest) (string, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := newZitadelToken(r)
	s.access[t.id] = t
	return t.id, t.expires, nil
}

// CreateAccessAndRefreshTokens stores an access token and a refresh token. If current is set, it deletes that refresh token and its access
// token, and returns op.ErrInvalidRefreshToken if there is none.
func (s *zitadelStore) CreateAccessAndRefreshTokens(_ context.Context, r op.TokenRequest, current string) (string, string, time.Time, error) {
	t := newZitadelToken(r)
	next := rand.Text() + rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	if current != "" {
		if s.refresh[current] == nil {
			return "", "", time.Time{}, op.ErrInvalidRefreshToken
		}
		delete(s.access, s.refresh[current].id)
		delete(s.refresh, current)
	}
	s.access[t.id], s.refresh[next] = t, t
	return t.id, next, t.expires, nil
}

// TokenRequestByRefreshToken loads what a refresh token was issued for.
func (s *zitadelStore) TokenRequestByRefreshToken(_ context.Context, token string) (op.RefreshTokenRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.refresh[token]; t != nil {
		return &zitadelRefresh{*t}, nil
	}
	return nil, op.ErrInvalidRefreshToken
}

func (s *zitadelStore) token(id string) *zitadelToken {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.access[id]; t != nil && time.Now().Before(t.expires) {
		return t
	}
	return nil
}

// SetUserinfoFromToken sets the sub of a userinfo response from a live access token.
func (s *zitadelStore) SetUserinfoFromToken(_ context.Context, info *oidc.UserInfo, id, subject, _ string) error {
	if t := s.token(id); t == nil || t.user != subject {
		return errUnknown
	}
	info.Subject = subject
	return nil
}

// SetUserinfoFromScopes sets the sub of an id_token.
func (s *zitadelStore) SetUserinfoFromScopes(_ context.Context, info *oidc.UserInfo, user, _ string, _ []string) error {
	info.Subject = user // the sub of the id_token
	return nil
}

// SetIntrospectionFromToken sets the members of an introspection response. It fails for a client outside the audience of the token.
func (s *zitadelStore) SetIntrospectionFromToken(_ context.Context, info *oidc.IntrospectionResponse, id, subject, client string) error {
	t := s.token(id)
	if t == nil || t.user != subject || !slices.Contains(t.audience, client) {
		return errUnknown
	}
	info.Subject, info.ClientID, info.Scope, info.Audience = subject, t.client, t.scopes, t.audience
	info.Expiration = oidc.FromTime(t.expires)
	return nil
}

// GetClientByClientID finds a client.
func (s *zitadelStore) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	if c := zitadelClients[id]; c != nil {
		return c, nil
	}
	return nil, errUnknown
}

// AuthorizeClientIDSecret verifies the secret of a client that authenticates with client_secret_basic.
func (s *zitadelStore) AuthorizeClientIDSecret(_ context.Context, id, given string) error {
	if c := zitadelClients[id]; c == nil || c.method != oidc.AuthMethodBasic || !secretOK(given) {
		return errUnknown
	}
	return nil
}

// GetKeyByIDAndClientID returns the public key that verifies the assertions of the client with private_key_jwt.
func (s *zitadelStore) GetKeyByIDAndClientID(_ context.Context, kid, client string) (*jose.JSONWebKey, error) {
	if kid != clientKID || client != keyClient {
		return nil, errUnknown
	}
	return s.client, nil
}

// SigningKey returns the key that signs tokens.
func (s *zitadelStore) SigningKey(context.Context) (op.SigningKey, error) { return &s.key, nil }

// SignatureAlgorithms returns the algorithm of the signing key.
func (s *zitadelStore) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{s.key.alg}, nil
}

// KeySet returns the published keys: one.
func (s *zitadelStore) KeySet(context.Context) ([]op.Key, error) {
	return []op.Key{zitadelPublicKey{&s.key}}, nil
}

// What the operations do not use.

// Health reports no fault.
func (s *zitadelStore) Health(context.Context) error { return nil }

// TerminateSession does nothing: no operation logs out.
func (s *zitadelStore) TerminateSession(context.Context, string, string) error { return nil }

// RevokeToken fails: no operation revokes a token.
func (s *zitadelStore) RevokeToken(context.Context, string, string, string) *oidc.Error {
	return oidc.ErrServerError()
}

// GetRefreshTokenInfo fails: it serves revocation.
func (s *zitadelStore) GetRefreshTokenInfo(context.Context, string, string) (string, string, error) {
	return "", "", op.ErrInvalidRefreshToken
}

// GetPrivateClaimsFromScopes adds no claims to JWT access tokens.
func (s *zitadelStore) GetPrivateClaimsFromScopes(context.Context, string, string, []string) (map[string]any, error) {
	return nil, nil
}

// ValidateJWTProfileScopes fails: it serves the JWT bearer grant.
func (s *zitadelStore) ValidateJWTProfileScopes(context.Context, string, []string) ([]string, error) {
	return nil, errUnknown
}

type zitadelKey struct {
	alg             jose.SignatureAlgorithm
	private, public any
}

// SignatureAlgorithm returns the algorithm that the key signs with.
func (k *zitadelKey) SignatureAlgorithm() jose.SignatureAlgorithm { return k.alg }

// Key returns the private key.
func (k *zitadelKey) Key() any { return k.private }

// ID returns the kid.
func (k *zitadelKey) ID() string { return "signing-key" }

type zitadelPublicKey struct{ key *zitadelKey }

// ID returns the kid, that of the private key.
func (k zitadelPublicKey) ID() string { return k.key.ID() }

// Algorithm returns the algorithm that the key verifies.
func (k zitadelPublicKey) Algorithm() jose.SignatureAlgorithm { return k.key.alg }

// Use returns "sig": the key is not for encryption.
func (k zitadelPublicKey) Use() string { return "sig" }

// Key returns the public key.
func (k zitadelPublicKey) Key() any { return k.key.public }

// zitadelRequest implements op.AuthRequest.
type zitadelRequest struct {
	id, client, redirect, state, nonce, user, code string
	scopes                                         []string
	challenge                                      oidc.CodeChallenge
	authTime                                       time.Time
	done                                           bool
}

var passwordMethod = []string{"pwd"}

// GetID returns the random ID that CreateAuthRequest chose.
func (r *zitadelRequest) GetID() string { return r.id }

// GetACR returns the empty string: id_tokens have no acr.
func (r *zitadelRequest) GetACR() string { return "" }

// GetAMR returns "pwd", the amr of each login.
func (r *zitadelRequest) GetAMR() []string { return passwordMethod }

// GetAudience returns the client, the audience of its id_tokens and access tokens.
func (r *zitadelRequest) GetAudience() []string { return []string{r.client} }

// GetAuthTime returns the instant of the login, or the zero time before it.
func (r *zitadelRequest) GetAuthTime() time.Time { return r.authTime }

// GetClientID returns the client that sent the request.
func (r *zitadelRequest) GetClientID() string { return r.client }

// GetCodeChallenge returns the PKCE challenge of the request.
func (r *zitadelRequest) GetCodeChallenge() *oidc.CodeChallenge { return &r.challenge }

// GetNonce returns the nonce of the request.
func (r *zitadelRequest) GetNonce() string { return r.nonce }

// GetRedirectURI returns the redirect URI of the request.
func (r *zitadelRequest) GetRedirectURI() string { return r.redirect }

// GetResponseType returns "code", the one response type of the clients.
func (r *zitadelRequest) GetResponseType() oidc.ResponseType { return oidc.ResponseTypeCode }

// GetResponseMode returns the empty string: the default of the response type.
func (r *zitadelRequest) GetResponseMode() oidc.ResponseMode { return "" }

// GetScopes returns the requested scopes, all of which are granted.
func (r *zitadelRequest) GetScopes() []string { return r.scopes }

// GetState returns the state of the request.
func (r *zitadelRequest) GetState() string { return r.state }

// GetSubject returns the user, or the empty string before the login.
func (r *zitadelRequest) GetSubject() string { return r.user }

// Done reports whether the user has logged in.
func (r *zitadelRequest) Done() bool { return r.done }

// zitadelToken is an access token and the refresh token beside it.
type zitadelToken struct {
	id, client, user string
	scopes, audience []string
	authTime         time.Time
	expires          time.Time
}

func newZitadelToken(r op.TokenRequest) *zitadelToken {
	t := &zitadelToken{id: rand.Text(), user: r.GetSubject(), scopes: r.GetScopes(), audience: r.GetAudience(), expires: time.Now().Add(lifetime)}
	switch r := r.(type) {
	case *zitadelRequest:
		t.client, t.authTime = r.client, r.authTime
	case *zitadelRefresh:
		t.client, t.authTime = r.client, r.authTime
	}
	return t
}

// zitadelRefresh implements op.RefreshTokenRequest.
type zitadelRefresh struct{ zitadelToken }

// GetAMR returns "pwd", the amr of each login.
func (r *zitadelRefresh) GetAMR() []string { return passwordMethod }

// GetAudience returns the audience of the access token that is refreshed.
func (r *zitadelRefresh) GetAudience() []string { return r.audience }

// GetAuthTime returns the instant of the login.
func (r *zitadelRefresh) GetAuthTime() time.Time { return r.authTime }

// GetClientID returns the client of the login.
func (r *zitadelRefresh) GetClientID() string { return r.client }

// GetScopes returns the granted scopes.
func (r *zitadelRefresh) GetScopes() []string { return r.scopes }

// GetSubject returns the user.
func (r *zitadelRefresh) GetSubject() string { return r.user }

// SetCurrentScopes narrows the scopes of the tokens that are issued next.
func (r *zitadelRefresh) SetCurrentScopes(scopes []string) { r.scopes = scopes }

// zitadelClient implements op.Client.
type zitadelClient struct {
	id     string
	method oidc.AuthMethod
	tokens op.AccessTokenType
}

var zitadelClients = map[string]*zitadelClient{
	webClient:    {webClient, oidc.AuthMethodBasic, op.AccessTokenTypeJWT},
	opaqueClient: {opaqueClient, oidc.AuthMethodBasic, op.AccessTokenTypeBearer},
	keyClient:    {keyClient, oidc.AuthMethodPrivateKeyJWT, op.AccessTokenTypeJWT},
}

var (
	callbacks     = []string{callback}
	responseTypes = []oidc.ResponseType{oidc.ResponseTypeCode}
	grantTypes    = []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken}
)

func allScopes(scopes []string) []string { return scopes }

// GetID returns the client_id.
func (c *zitadelClient) GetID() string { return c.id }

// RedirectURIs returns the one redirect URI of the clients.
func (c *zitadelClient) RedirectURIs() []string { return callbacks }

// PostLogoutRedirectURIs returns nil: no operation logs out.
func (c *zitadelClient) PostLogoutRedirectURIs() []string { return nil }

// ApplicationType returns the type of a client on a server.
func (c *zitadelClient) ApplicationType() op.ApplicationType { return op.ApplicationTypeWeb }

// AuthMethod returns how the client authenticates.
func (c *zitadelClient) AuthMethod() oidc.AuthMethod { return c.method }

// ResponseTypes returns the one response type of the clients, code.
func (c *zitadelClient) ResponseTypes() []oidc.ResponseType { return responseTypes }

// GrantTypes returns the code and refresh grants.
func (c *zitadelClient) GrantTypes() []oidc.GrantType { return grantTypes }

// LoginURL returns the login page for the request with this ID.
func (c *zitadelClient) LoginURL(id string) string { return "/login?id=" + id }

// AccessTokenType returns whether access tokens are JWTs or opaque.
func (c *zitadelClient) AccessTokenType() op.AccessTokenType { return c.tokens }

// IDTokenLifetime returns the lifetime of each token.
func (c *zitadelClient) IDTokenLifetime() time.Duration { return lifetime }

// DevMode reports false: redirect URIs are checked as in production.
func (c *zitadelClient) DevMode() bool { return false }

// IsScopeAllowed reports false: no scope beyond those of OpenID Connect is allowed.
func (c *zitadelClient) IsScopeAllowed(string) bool { return false }

// IDTokenUserinfoClaimsAssertion reports false: id_tokens have no claims of userinfo.
func (c *zitadelClient) IDTokenUserinfoClaimsAssertion() bool { return false }

// ClockSkew returns 0: one process has one clock.
func (c *zitadelClient) ClockSkew() time.Duration { return 0 }

// RestrictAdditionalIdTokenScopes returns a function that keeps all scopes.
func (c *zitadelClient) RestrictAdditionalIdTokenScopes() func([]string) []string { return allScopes }

// RestrictAdditionalAccessTokenScopes returns a function that keeps all scopes.
func (c *zitadelClient) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return allScopes
}
