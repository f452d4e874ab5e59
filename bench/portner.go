package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage/memory"
)

func portnerSubject() subject { return subject{name: "portner", open: openPortner} }

// openPortner opens the plain profile with its in-memory store, without logger and events.
func openPortner(s settings) (*server, error) {
	key, err := s.signer()
	if err != nil {
		return nil, err
	}
	keys, err := keyset.New(keyset.Config{Keys: []keyset.Key{{Alg: s.Alg, Signer: key}}})
	if err != nil {
		return nil, err
	}
	clients, err := portnerClients(s)
	if err != nil {
		return nil, err
	}
	scopes, err := scope.NewRegistry([]scope.Scope{{Name: "opaque:read", TokenType: scope.Opaque, AccessibleForAll: true}}, nil)
	if err != nil {
		return nil, err
	}
	const many = 8_000_000 // a bound is for two owners
	store, err := memory.NewWith(memory.Config{MaxSessions: many, MaxGrants: many, MaxTokens: many, MaxReplays: many})
	if err != nil {
		return nil, err
	}
	var ahead atomic.Int64 // of the clock
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	profile := provider.OpenIDConnect()
	profile.Lifetimes.AccessToken, profile.Lifetimes.IDToken = lifetime, lifetime
	op, err := provider.New(provider.Config{
		Issuer: issuer, Profile: profile, Store: store, Keys: keys, Clients: clients, Scopes: scopes, Replay: store, Page: portnerPage(),
		Secrets: []portner.Secret{portner.NewSecret()}, PairwiseKey: portner.NewSecret(), Now: now,
	})
	if err != nil {
		return nil, err
	}
	check, err := portnerProof(key, s.Alg)
	if err != nil {
		return nil, err
	}
	return &server{
		Handler: op, paths: paths{"/authorize", "/token", "/userinfo", "/introspect", "/.well-known/openid-configuration", "/jwks.json"},
		scopes: "openid", opaqueScopes: "openid opaque:read", plainScopes: "opaque:read",
		audience: issuer, check: check, keep: store,
		expire: func() error {
			ahead.Store(int64(400 * 24 * time.Hour))
			_, err := store.Sweep(context.Background(), now())
			return err
		},
	}, nil
}

// portnerPage logs in another user at each call, without a form: as a host does whose users come from another identity provider.
func portnerPage() authorize.PageFunc {
	var users atomic.Int64
	return func(_ http.ResponseWriter, r *http.Request, p *authorize.Pending) *authorize.Decision {
		user := userPrefix + strconv.FormatInt(users.Add(1), 10)
		return p.LogIn(r.Context(), session.Authentication{Identity: session.Identity{Subject: user}, AMR: []string{"pwd"}})
	}
}

func portnerClients(s settings) (*client.Registry, error) {
	hashed, err := client.NewSecret(secret, time.Time{})
	if err != nil {
		return nil, err
	}
	signer, err := s.clientSigner()
	if err != nil {
		return nil, err
	}
	public, err := jwk(signer)
	if err != nil {
		return nil, err
	}
	public["kid"], public["alg"], public["use"] = clientKID, es256, "sig"
	set, err := json.Marshal(map[string]any{"keys": []any{public}})
	if err != nil {
		return nil, err
	}
	registration := func(id string) client.Client {
		return client.Client{
			ClientID: id, Secrets: []client.Secret{hashed}, RedirectURIs: []string{callback},
			GrantTypes: []string{"authorization_code", "refresh_token"}, Scopes: []string{"openid", "opaque:read"},
		}
	}
	key := registration(keyClient)
	key.TokenEndpointAuthMethod, key.JWKS, key.Secrets = "private_key_jwt", set, nil
	return client.NewRegistry(client.Environment{}, registration(webClient), registration(opaqueClient), key)
}

// portnerProof returns a function that checks the DPoP proof of a request to an API, with a nonce and everything but replay.
func portnerProof(key crypto.Signer, alg string) (func() error, error) {
	if alg == rs256 {
		return nil, nil
	}
	nonces, err := dpop.NewNonces(issuer, portner.NewSecret())
	if err != nil {
		return nil, err
	}
	now, token, target := time.Now(), rand.Text()+rand.Text(), issuer+"/userinfo"
	public, err := jwk(key)
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256([]byte(token))
	proof, err := newJWT(key, map[string]any{"typ": "dpop+jwt", "alg": alg, "jwk": public}, map[string]any{
		"jti": rand.Text(), "htm": http.MethodGet, "htu": target, "iat": now.Unix(), "ath": encode(hash[:]), "nonce": nonces.Current(now),
	})
	if err != nil {
		return nil, err
	}
	policy := &dpop.Policy{AllowReplay: true, Algorithms: []string{alg}, Nonces: nonces}
	members, err := json.Marshal(public) // in the order of RFC 7638 §3.3
	if err != nil {
		return nil, err
	}
	thumbprint := sha256.Sum256(members)
	request := dpop.Request{Proofs: []string{proof}, Method: http.MethodGet, URL: target, AccessToken: token, Key: encode(thumbprint[:])}
	other := request
	other.Method = http.MethodPost
	if _, err := policy.Check(other, now); !errors.Is(err, dpop.ErrProof) {
		return nil, errors.New("a DPoP proof of another method is accepted")
	}
	return func() error {
		_, err := policy.Check(request, now)
		return err
	}, nil
}
