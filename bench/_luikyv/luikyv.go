package main

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/luikyv/go-oidc/pkg/goidc"
	"github.com/luikyv/go-oidc/pkg/provider"
)

func init() {
	more = append(more, subject{name: luikyv, open: openLuikyv, lacks: map[string]string{
		opProof: "the library checks proofs at its endpoints only: it has no function for one",
	}})
}

// openLuikyv opens the provider of luikyv/go-oidc. Its own store is for at most 100 records and visits all of them to find one:
// luikyvStore is the least that works.
func openLuikyv(s settings) (*server, error) {
	key, err := s.signer()
	if err != nil {
		return nil, err
	}
	client, err := s.clientSigner()
	if err != nil {
		return nil, err
	}
	h, alg := newHost(), goidc.SignatureAlgorithm(s.Alg)
	store := &luikyvStore{
		sessions: map[string]goidc.AuthnSession{}, grants: map[string]goidc.Grant{}, codes: map[string]string{}, refresh: map[string]string{},
		tokens: map[string]goidc.Token{}, used: map[string]struct{}{},
	}
	signing := goidc.JSONWebKeySet{Keys: []goidc.JSONWebKey{{Key: key, KeyID: "signing-key", Algorithm: s.Alg, Use: "sig"}}}
	seconds := int(lifetime.Seconds())
	op, err := provider.New(issuer, store, func(context.Context) (goidc.JSONWebKeySet, error) { return signing, nil },
		provider.WithAuthCodeGrant(store, goidc.ResponseTypeCode), provider.WithAuthCodeLifetime(60), provider.WithPKCERequired(goidc.CodeChallengeMethodSHA256),
		provider.WithRefreshTokenGrant(store), provider.WithRefreshTokenRotation(), provider.WithRefreshTokenLifetime(30*24*3600),
		provider.WithOpaqueTokens(store), provider.WithIDTokenSignatureAlgs(alg), provider.WithIDTokenLifetime(seconds),
		provider.WithTokenOptions(func(_ context.Context, _ *goidc.Grant, c *goidc.Client) goidc.TokenOptions {
			if c.ID == opaqueClient {
				return goidc.NewOpaqueTokenOptions(seconds)
			}
			return goidc.NewJWTTokenOptions(alg, seconds)
		}),
		provider.WithTokenIntrospection(func(_ context.Context, c *goidc.Client, t goidc.TokenInfo) bool { return c.ID == t.ClientID }),
		provider.WithSecretBasicAuthn(), provider.WithPrivateKeyJWTAuthn(es256), provider.WithJTIConsumer(store.consume),
		provider.WithClientSecretVerifier(func(_ context.Context, _, given string) error {
			if !secretOK(given) {
				return errLuikyvSecret
			}
			return nil
		}),
		provider.WithScopes(goidc.ScopeOpenID, goidc.ScopeOfflineAccess), provider.WithStaticClients(luikyvClient(webClient), luikyvClient(opaqueClient),
			luikyvClient(keyClient, goidc.JSONWebKey{Key: client.Public(), KeyID: clientKID, Algorithm: es256, Use: "sig"})),
		provider.WithPolicies(luikyvPolicy(h)),
	)
	if err != nil {
		return nil, err
	}
	return &server{
		Handler: op.Handler(), paths: paths{"/authorize", "/token", "/userinfo", "/introspect", "/.well-known/openid-configuration", "/jwks"},
		scopes: "openid offline_access", opaqueScopes: "openid offline_access", plainScopes: "offline_access", audience: issuer, keep: []any{store, h},
	}, nil
}

var errLuikyvSecret = errors.New("wrong secret")

func luikyvClient(id string, keys ...goidc.JSONWebKey) *goidc.Client {
	c := &goidc.Client{ID: id, ClientMeta: goidc.ClientMeta{
		RedirectURIs: []string{callback}, GrantTypes: []goidc.GrantType{goidc.GrantAuthorizationCode, goidc.GrantRefreshToken},
		ResponseTypes: []goidc.ResponseType{goidc.ResponseTypeCode}, ScopeIDs: "openid offline_access", TokenAuthnMethod: goidc.AuthnMethodSecretBasic,
	}}
	if keys != nil {
		c.TokenAuthnMethod, c.TokenAuthnSigAlg, c.JWKS = goidc.AuthnMethodPrivateKeyJWT, es256, &goidc.JSONWebKeySet{Keys: keys}
	}
	return c
}

// luikyvPolicy logs users in. The login page is at the path where the library continues a request.
func luikyvPolicy(h *host) goidc.AuthnPolicy {
	setUp := func(*http.Request, *goidc.AuthnSession, *goidc.Client) bool { return true }
	return goidc.NewPolicy("login", setUp, func(w http.ResponseWriter, r *http.Request, s *goidc.AuthnSession, _ *goidc.Client) (goidc.Status, error) {
		user := h.user(r)
		if user == "" && r.PathValue("callback") == "" {
			w.Header()["Location"] = []string{"/authorize/" + s.ID}
			w.WriteHeader(http.StatusSeeOther)
			return goidc.StatusPending, nil
		}
		if user == "" {
			user = h.logIn(w)
		}
		s.Subject, s.GrantedScopes = user, s.Scopes
		return goidc.StatusSuccess, nil
	})
}

// luikyvStore implements the interfaces of the library with maps. Records are values, so that one that was returned does not change. A
// request that is finished is deleted; nothing else expires.
type luikyvStore struct {
	mu       sync.Mutex
	sessions map[string]goidc.AuthnSession
	grants   map[string]goidc.Grant
	codes    map[string]string // grant IDs
	refresh  map[string]string // grant IDs
	tokens   map[string]goidc.Token
	used     map[string]struct{} // identifiers of assertions
}

// SaveSession stores a pending authorization request, and deletes one that is finished.
func (s *luikyvStore) SaveSession(_ context.Context, session *goidc.AuthnSession) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if session.Status == goidc.StatusPending {
		s.sessions[session.ID] = *session
	} else {
		delete(s.sessions, session.ID)
	}
	return nil
}

// Session loads a pending authorization request.
func (s *luikyvStore) Session(_ context.Context, id string) (*goidc.AuthnSession, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return luikyvRecord(s.sessions, id)
}

// SaveGrant stores a grant and makes it findable by its code and its refresh token. A refresh token that it replaces finds nothing.
func (s *luikyvStore) SaveGrant(_ context.Context, g *goidc.Grant) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.grants[g.ID]; old.RefreshToken != g.RefreshToken {
		delete(s.refresh, old.RefreshToken)
	}
	s.grants[g.ID] = *g
	s.codes[g.AuthCode], s.refresh[g.RefreshToken] = g.ID, g.ID
	return nil
}

// Grant loads a grant by its ID.
func (s *luikyvStore) Grant(_ context.Context, id string) (*goidc.Grant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return luikyvRecord(s.grants, id)
}

// GrantByAuthCode loads the grant of a code.
func (s *luikyvStore) GrantByAuthCode(_ context.Context, code string) (*goidc.Grant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return luikyvRecord(s.grants, s.codes[code])
}

// GrantByRefreshToken loads the grant of a refresh token.
func (s *luikyvStore) GrantByRefreshToken(_ context.Context, token string) (*goidc.Grant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return luikyvRecord(s.grants, s.refresh[token])
}

// SaveToken stores an access token.
func (s *luikyvStore) SaveToken(_ context.Context, t *goidc.Token) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[t.ID] = *t
	return nil
}

// Token loads an access token by its ID.
func (s *luikyvStore) Token(_ context.Context, id string) (*goidc.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return luikyvRecord(s.tokens, id)
}

func (s *luikyvStore) consume(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.used[id]; ok {
		return errLuikyvUsed
	}
	s.used[id] = struct{}{}
	return nil
}

var errLuikyvUsed = errors.New("used before")

// luikyvRecord returns a copy of a record.
func luikyvRecord[T any](records map[string]T, id string) (*T, error) {
	r, ok := records[id]
	if !ok {
		return nil, goidc.ErrNotFound
	}
	return &r, nil
}
