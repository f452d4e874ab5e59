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

func (s *zitadelStore) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.requests[id]; r != nil {
		return r, nil
	}
	return nil, errUnknown
}

func (s *zitadelStore) AuthRequestByCode(_ context.Context, code string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.requests[s.codes[code]]; r != nil {
		return r, nil
	}
	return nil, errUnknown
}

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

func (s *zitadelStore) DeleteAuthRequest(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.requests[id]; r != nil {
		delete(s.codes, r.code)
		delete(s.requests, id)
	}
	return nil
}

func (s *zitadelStore) CreateAccessToken(_ context.Context, r op.TokenRequest) (string, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := newZitadelToken(r)
	s.access[t.id] = t
	return t.id, t.expires, nil
}

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

func (s *zitadelStore) SetUserinfoFromToken(_ context.Context, info *oidc.UserInfo, id, subject, _ string) error {
	if t := s.token(id); t == nil || t.user != subject {
		return errUnknown
	}
	info.Subject = subject
	return nil
}

func (s *zitadelStore) SetUserinfoFromScopes(_ context.Context, info *oidc.UserInfo, user, _ string, _ []string) error {
	info.Subject = user // the sub of the id_token
	return nil
}

func (s *zitadelStore) SetIntrospectionFromToken(_ context.Context, info *oidc.IntrospectionResponse, id, subject, client string) error {
	t := s.token(id)
	if t == nil || t.user != subject || !slices.Contains(t.audience, client) {
		return errUnknown
	}
	info.Subject, info.ClientID, info.Scope, info.Audience = subject, t.client, t.scopes, t.audience
	info.Expiration = oidc.FromTime(t.expires)
	return nil
}

func (s *zitadelStore) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	if c := zitadelClients[id]; c != nil {
		return c, nil
	}
	return nil, errUnknown
}

func (s *zitadelStore) AuthorizeClientIDSecret(_ context.Context, id, given string) error {
	if c := zitadelClients[id]; c == nil || c.method != oidc.AuthMethodBasic || !secretOK(given) {
		return errUnknown
	}
	return nil
}

func (s *zitadelStore) GetKeyByIDAndClientID(_ context.Context, kid, client string) (*jose.JSONWebKey, error) {
	if kid != clientKID || client != keyClient {
		return nil, errUnknown
	}
	return s.client, nil
}

func (s *zitadelStore) SigningKey(context.Context) (op.SigningKey, error) { return &s.key, nil }

func (s *zitadelStore) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{s.key.alg}, nil
}

func (s *zitadelStore) KeySet(context.Context) ([]op.Key, error) {
	return []op.Key{zitadelPublicKey{&s.key}}, nil
}

// What the operations do not use.

func (s *zitadelStore) Health(context.Context) error                           { return nil }
func (s *zitadelStore) TerminateSession(context.Context, string, string) error { return nil }
func (s *zitadelStore) RevokeToken(context.Context, string, string, string) *oidc.Error {
	return oidc.ErrServerError()
}

func (s *zitadelStore) GetRefreshTokenInfo(context.Context, string, string) (string, string, error) {
	return "", "", op.ErrInvalidRefreshToken
}

func (s *zitadelStore) GetPrivateClaimsFromScopes(context.Context, string, string, []string) (map[string]any, error) {
	return nil, nil
}

func (s *zitadelStore) ValidateJWTProfileScopes(context.Context, string, []string) ([]string, error) {
	return nil, errUnknown
}

type zitadelKey struct {
	alg             jose.SignatureAlgorithm
	private, public any
}

func (k *zitadelKey) SignatureAlgorithm() jose.SignatureAlgorithm { return k.alg }
func (k *zitadelKey) Key() any                                    { return k.private }
func (k *zitadelKey) ID() string                                  { return "signing-key" }

type zitadelPublicKey struct{ key *zitadelKey }

func (k zitadelPublicKey) ID() string                         { return k.key.ID() }
func (k zitadelPublicKey) Algorithm() jose.SignatureAlgorithm { return k.key.alg }
func (k zitadelPublicKey) Use() string                        { return "sig" }
func (k zitadelPublicKey) Key() any                           { return k.key.public }

// zitadelRequest implements op.AuthRequest.
type zitadelRequest struct {
	id, client, redirect, state, nonce, user, code string
	scopes                                         []string
	challenge                                      oidc.CodeChallenge
	authTime                                       time.Time
	done                                           bool
}

var passwordMethod = []string{"pwd"}

func (r *zitadelRequest) GetID() string                         { return r.id }
func (r *zitadelRequest) GetACR() string                        { return "" }
func (r *zitadelRequest) GetAMR() []string                      { return passwordMethod }
func (r *zitadelRequest) GetAudience() []string                 { return []string{r.client} }
func (r *zitadelRequest) GetAuthTime() time.Time                { return r.authTime }
func (r *zitadelRequest) GetClientID() string                   { return r.client }
func (r *zitadelRequest) GetCodeChallenge() *oidc.CodeChallenge { return &r.challenge }
func (r *zitadelRequest) GetNonce() string                      { return r.nonce }
func (r *zitadelRequest) GetRedirectURI() string                { return r.redirect }
func (r *zitadelRequest) GetResponseType() oidc.ResponseType    { return oidc.ResponseTypeCode }
func (r *zitadelRequest) GetResponseMode() oidc.ResponseMode    { return "" }
func (r *zitadelRequest) GetScopes() []string                   { return r.scopes }
func (r *zitadelRequest) GetState() string                      { return r.state }
func (r *zitadelRequest) GetSubject() string                    { return r.user }
func (r *zitadelRequest) Done() bool                            { return r.done }

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

func (r *zitadelRefresh) GetAMR() []string                 { return passwordMethod }
func (r *zitadelRefresh) GetAudience() []string            { return r.audience }
func (r *zitadelRefresh) GetAuthTime() time.Time           { return r.authTime }
func (r *zitadelRefresh) GetClientID() string              { return r.client }
func (r *zitadelRefresh) GetScopes() []string              { return r.scopes }
func (r *zitadelRefresh) GetSubject() string               { return r.user }
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

func (c *zitadelClient) GetID() string                        { return c.id }
func (c *zitadelClient) RedirectURIs() []string               { return callbacks }
func (c *zitadelClient) PostLogoutRedirectURIs() []string     { return nil }
func (c *zitadelClient) ApplicationType() op.ApplicationType  { return op.ApplicationTypeWeb }
func (c *zitadelClient) AuthMethod() oidc.AuthMethod          { return c.method }
func (c *zitadelClient) ResponseTypes() []oidc.ResponseType   { return responseTypes }
func (c *zitadelClient) GrantTypes() []oidc.GrantType         { return grantTypes }
func (c *zitadelClient) LoginURL(id string) string            { return "/login?id=" + id }
func (c *zitadelClient) AccessTokenType() op.AccessTokenType  { return c.tokens }
func (c *zitadelClient) IDTokenLifetime() time.Duration       { return lifetime }
func (c *zitadelClient) DevMode() bool                        { return false }
func (c *zitadelClient) IsScopeAllowed(string) bool           { return false }
func (c *zitadelClient) IDTokenUserinfoClaimsAssertion() bool { return false }
func (c *zitadelClient) ClockSkew() time.Duration             { return 0 }

func (c *zitadelClient) RestrictAdditionalIdTokenScopes() func([]string) []string { return allScopes }

func (c *zitadelClient) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return allScopes
}
