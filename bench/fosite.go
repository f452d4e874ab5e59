package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v3"
	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/storage"
	"github.com/ory/fosite/token/jwt"
)

func fositeSubject() subject {
	const documents = "the library has no metadata and no JWKS: the host writes them"
	return subject{name: "fosite", open: openFosite, oneKind: true, lacks: map[string]string{
		opProof: "the library has no DPoP", opUserInfo: "the library has no userinfo endpoint: the host writes it", opMetadata: documents, opJWKS: documents,
	}}
}

// openFosite opens a provider of ory/fosite with the store of its module and the handlers that the operations need.
func openFosite(s settings) (*server, error) {
	key, err := s.signer()
	if err != nil {
		return nil, err
	}
	client, err := s.clientSigner()
	if err != nil {
		return nil, err
	}
	var signing any = key
	if _, ok := key.(ed25519.PrivateKey); ok {
		signing = &jose.JSONWebKey{Key: key, Algorithm: eddsa}
	}
	keys := func(context.Context) (any, error) { return signing, nil }
	config := &fosite.Config{
		AccessTokenLifespan: lifetime, RefreshTokenLifespan: 30 * 24 * time.Hour, AuthorizeCodeLifespan: time.Minute, IDTokenLifespan: lifetime,
		IDTokenIssuer: issuer, AccessTokenIssuer: issuer, TokenURL: issuer + "/token", EnforcePKCE: true, GlobalSecret: []byte(rand.Text() + rand.Text())[:32],
		RefreshTokenScopes: []string{"offline"}, ClientSecretsHasher: fositeHasher{},
	}
	hmac := compose.NewOAuth2HMACStrategy(config)
	strategy := &compose.CommonStrategy{
		CoreStrategy: hmac, OpenIDConnectTokenStrategy: compose.NewOpenIDConnectStrategy(keys, config), Signer: &jwt.DefaultSigner{GetPrivateKey: keys},
	}
	if !s.Opaque {
		strategy.CoreStrategy = compose.NewOAuth2JWTStrategy(keys, hmac, config)
	}
	memory := storage.NewMemoryStore()
	maps.Copy(memory.Clients, fositeClients(&jose.JSONWebKey{Key: client.Public(), KeyID: clientKID, Algorithm: es256, Use: "sig"}))
	store := &fositeStore{MemoryStore: memory, used: map[string]time.Time{}}
	provider := compose.Compose(config, store, strategy, compose.OAuth2AuthorizeExplicitFactory, compose.OAuth2RefreshTokenGrantFactory,
		compose.OpenIDConnectExplicitFactory, compose.OpenIDConnectRefreshFactory, compose.OAuth2TokenIntrospectionFactory, compose.OAuth2PKCEFactory)
	h := newHost()
	return &server{
		Handler: fositeMux(provider, h), paths: paths{authorize: "/authorize", token: "/token", introspection: "/introspect"},
		scopes: "openid offline", opaqueScopes: "openid offline", plainScopes: "offline", audience: config.TokenURL, keep: []any{store, h},
	}, nil
}

// fositeMux has the endpoints of a host: the library parses and answers requests, and has no handlers.
func fositeMux(provider fosite.OAuth2Provider, h *host) http.Handler {
	mux := http.NewServeMux()
	authorize := func(w http.ResponseWriter, r *http.Request, user func(http.ResponseWriter, *http.Request) string) {
		ctx := r.Context()
		request, err := provider.NewAuthorizeRequest(ctx, r)
		if err != nil {
			provider.WriteAuthorizeError(ctx, w, request, err)
			return
		}
		name := user(w, r)
		if name == "" {
			w.Header()["Location"] = []string{"/login?" + r.URL.RawQuery}
			w.WriteHeader(http.StatusSeeOther)
			return
		}
		for _, scope := range request.GetRequestedScopes() {
			request.GrantScope(scope)
		}
		response, err := provider.NewAuthorizeResponse(ctx, request, newFositeSession(name))
		if err != nil {
			provider.WriteAuthorizeError(ctx, w, request, err)
			return
		}
		provider.WriteAuthorizeResponse(ctx, w, request, response)
	}
	mux.HandleFunc("GET /authorize", func(w http.ResponseWriter, r *http.Request) {
		authorize(w, r, func(_ http.ResponseWriter, r *http.Request) string { return h.user(r) })
	})
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		authorize(w, r, func(w http.ResponseWriter, _ *http.Request) string { return h.logIn(w) })
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		request, err := provider.NewAccessRequest(ctx, r, newFositeSession(""))
		if err != nil {
			provider.WriteAccessError(ctx, w, request, err)
			return
		}
		response, err := provider.NewAccessResponse(ctx, request)
		if err != nil {
			provider.WriteAccessError(ctx, w, request, err)
			return
		}
		provider.WriteAccessResponse(ctx, w, request, response)
	})
	mux.HandleFunc("POST /introspect", func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		response, err := provider.NewIntrospectionRequest(ctx, r, newFositeSession(""))
		if err != nil {
			provider.WriteIntrospectionError(ctx, w, err)
			return
		}
		provider.WriteIntrospectionResponse(ctx, w, response)
	})
	return mux
}

// fositeHasher replaces bcrypt, which would cost more than everything else.
type fositeHasher struct{}

var errSecret = errors.New("wrong secret")

// Compare returns an error if data is not the secret of the clients. The hash of the registration is not read: each client has the same.
func (fositeHasher) Compare(_ context.Context, _, data []byte) error {
	if !secretOK(string(data)) {
		return errSecret
	}
	return nil
}

// Hash returns the SHA-256 hash of a secret.
func (fositeHasher) Hash(_ context.Context, data []byte) ([]byte, error) {
	sum := sha256.Sum256(data)
	return sum[:], nil
}

func fositeClients(key *jose.JSONWebKey) map[string]fosite.Client {
	registration := func(id string) *fosite.DefaultClient {
		return &fosite.DefaultClient{
			ID: id, Secret: hashedSecret[:], RedirectURIs: []string{callback}, GrantTypes: []string{"authorization_code", "refresh_token"},
			ResponseTypes: []string{"code"}, Scopes: []string{"openid", "offline"},
		}
	}
	return map[string]fosite.Client{
		webClient: registration(webClient), opaqueClient: registration(opaqueClient),
		keyClient: &fosite.DefaultOpenIDConnectClient{
			DefaultClient: registration(keyClient), JSONWebKeys: &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{*key}},
			TokenEndpointAuthMethod: "private_key_jwt", TokenEndpointAuthSigningAlgorithm: es256,
		},
	}
}

// fositeStore is the store of the module, except for used assertions: the store of the module visits all of them for each.
type fositeStore struct {
	*storage.MemoryStore
	mu   sync.Mutex
	used map[string]time.Time
}

// ClientAssertionJWTValid returns fosite.ErrJTIKnown if a client assertion with this jti was used.
func (s *fositeStore) ClientAssertionJWTValid(_ context.Context, jti string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.used[jti]; ok {
		return fosite.ErrJTIKnown
	}
	return nil
}

// SetClientAssertionJWT records the use of a client assertion. It returns fosite.ErrJTIKnown if another call was first.
func (s *fositeStore) SetClientAssertionJWT(_ context.Context, jti string, exp time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.used[jti]; ok {
		return fosite.ErrJTIKnown
	}
	s.used[jti] = exp
	return nil
}

// fositeSession is a session for id_tokens and JWT access tokens.
type fositeSession struct {
	*openid.DefaultSession
	claims *jwt.JWTClaims
	header *jwt.Headers
}

func newFositeSession(user string) *fositeSession {
	now := time.Now().UTC()
	return &fositeSession{
		DefaultSession: &openid.DefaultSession{
			Claims: &jwt.IDTokenClaims{Subject: user, RequestedAt: now, AuthTime: now.Truncate(time.Second)}, Headers: &jwt.Headers{}, Subject: user,
		},
		claims: &jwt.JWTClaims{Subject: user}, header: &jwt.Headers{},
	}
}

// GetJWTClaims returns the claims of a JWT access token.
func (s *fositeSession) GetJWTClaims() jwt.JWTClaimsContainer { return s.claims }

// GetJWTHeader returns the header of a JWT access token, to which the library adds kid and alg.
func (s *fositeSession) GetJWTHeader() *jwt.Headers { return s.header }

// Clone copies what the library changes. The copy by reflection of the module costs more.
func (s *fositeSession) Clone() fosite.Session {
	session, id, claims := *s.DefaultSession, *s.Claims, *s.claims
	session.Claims, session.ExpiresAt = &id, maps.Clone(s.ExpiresAt)
	return &fositeSession{DefaultSession: &session, claims: &claims, header: s.header}
}
