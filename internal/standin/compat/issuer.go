package compat

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"sync"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/token"
)

// issuer is one issuer: a provider with the paths of mock-oauth2-server.
type issuer struct {
	issuerPlan
	server   *Server
	url      string
	provider *provider.Provider
	store    *memory.Store
	scopes   scope.Source
	known    remembered
}

// openIssuer makes the provider of an issuer.
func (s *Server) openIssuer(p issuerPlan) (*issuer, error) {
	is := &issuer{issuerPlan: p, server: s, url: s.base + "/" + p.id, store: memory.New()}
	profile := provider.OpenIDConnect()
	profile.Name = "mock-oauth2-server"
	profile.Paths = provider.Paths{JWKS: "/jwks", Introspection: "/introspect", EndSession: "/endsession"}
	profile.Levels = p.levels
	profile.TokenForm.NotBefore = true
	profile.ConfirmLogout = false
	profile.UntypedAccessTokens = !p.typed
	profile.AdjustTokens, profile.DefaultAudience = is.adjust, is.audience
	is.scopes = newScopes(s.plan.clients, s.on)
	var err error
	is.provider, err = provider.New(provider.Config{
		Issuer: is.url, Profile: profile, Store: is.store, Environment: testEnvironment, Keys: s.keys, Clients: s.clients, Origins: s.clients.HasOrigin,
		Scopes: is.scopes, Page: is.page, Secrets: []portner.Secret{portner.NewSecret()}, PairwiseKey: portner.NewSecret(), Replay: is.store,
		Lifetimes: provider.Lifetimes{AccessToken: p.expiry, IDToken: p.expiry, Authorization: max(p.expiry, profile.Lifetimes.Authorization)}, GrantHandlers: is.grants(), Claims: is.claims,
		Now: s.now, Logger: s.log, OnEvent: s.onEvent,
	})
	if err != nil {
		return nil, fmt.Errorf("compat: issuer %s: %w", p.id, err)
	}
	return is, nil
}

// Attributes of a login in session.Identity. No standard claim has these names.
const (
	attrUsername = "compat:username"
	attrClaims   = "compat:claims" // of the login page, as JSON
)

// resolve returns the claims for a token request of a client and a user.
func (is *issuer) resolve(form url.Values, clientID string, id *session.Identity) resolved {
	p := parameters{form: form, clientID: clientID}
	if id != nil {
		p.username = id.Attributes[attrUsername]
	}
	return resolve(is.mappings, &p)
}

// adjust is Profile.AdjustTokens. It refuses tokens that would not have the sub or acr of the request mapping: both are part of the login.
func (is *issuer) adjust(ctx context.Context, c *token.Contents) error {
	r := tokenRequest(ctx)
	if r == nil {
		return nil
	}
	want := is.resolve(r.form, c.Client.ClientID, &c.Identity)
	if sub := cmp.Or(c.Identity.Subject, c.Grant.Subject); want.subject != "" && want.subject != sub {
		return refuse(portner.InvalidRequest, "The request mapping has another sub than the login or the presented token.", "mapping_sub_mismatch")
	}
	if want.acr != "" && want.acr != c.Grant.ACR {
		return refuse(portner.InvalidRequest, "The request mapping has another acr than the login or the presented token.", "mapping_acr_mismatch")
	}
	return nil
}

func refuse(code portner.ErrorCode, description, reason string) *portner.Error {
	return &portner.Error{Code: code, Description: description, Err: &audit.Cause{Event: portner.EventRefused, Reason: reason}}
}

// audience is Profile.DefaultAudience: that of the request mapping. Without request mappings it is what mock-oauth2-server has: the scopes that
// are not those of OpenID Connect, or default.
func (is *issuer) audience(ctx context.Context, c *token.Contents) ([]string, error) {
	r := tokenRequest(ctx)
	if r == nil {
		return nil, nil
	}
	all := r.audience
	if all == nil {
		all = is.resolve(r.form, c.Client.ClientID, &c.Identity).audience
	}
	if len(all) == 0 && !is.callback {
		all = slices.DeleteFunc(slices.Clone(c.Plan.Granted), func(name string) bool { return standardScopes[name] || name == anyScope })
		if len(all) == 0 {
			all = []string{"default"}
		}
	}
	if is.server.on[ClientAudience] {
		r.apis = all
	}
	if len(all) > 0 && slices.Contains(c.Plan.Granted, scope.OpenID) && !r.derived {
		all = append(slices.Clip(all), is.url) // the token is for userinfo, too
	}
	return all, nil
}

// standardScopes are the scopes of OpenID Connect.
var standardScopes = map[string]bool{
	scope.OpenID: true, scope.Profile: true, scope.Email: true, scope.Address: true, scope.Phone: true, scope.OfflineAccess: true,
}

// claims is provider.Config.Claims. The claims of a token request are remembered for its grant, for userinfo, introspection and exchanges.
func (is *issuer) claims(ctx context.Context, d *token.Document) error {
	all := is.known.find(d.Grant.ID)
	if r := tokenRequest(ctx); r != nil {
		made, err := is.claimsOf(r, d)
		if err != nil {
			return err
		}
		if len(made) > 0 { // a refresh that no mapping matches keeps the claims
			all = made
			is.known.add(d.Grant.ID, made)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !d.Has(name) {
			d.Set(name, all[name])
		}
	}
	return nil
}

// claimsOf returns the claims for a token request: those of the mapping, and those of the login page and of the presented token with other names.
func (is *issuer) claimsOf(r *request, d *token.Document) (map[string]any, error) {
	all := map[string]any{}
	maps.Copy(all, r.base)
	if page := d.Identity.Attributes[attrClaims]; page != "" {
		if err := json.Unmarshal([]byte(page), &all); err != nil {
			return nil, err
		}
	}
	maps.Copy(all, is.resolve(r.form, d.Client.ClientID, d.Identity).claims)
	if _, ok := all["tid"]; !ok && !is.callback {
		all["tid"] = is.id
	}
	return all, nil
}

// remembered holds the claims of grants, the newest ones.
type remembered struct {
	mu     sync.Mutex
	claims map[string]map[string]any
	order  []string
}

// maxRemembered bounds remembered.
const maxRemembered = 10_000

func (m *remembered) find(grantID string) map[string]any {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.claims[grantID]
}

func (m *remembered) add(grantID string, claims map[string]any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.claims == nil {
		m.claims = map[string]map[string]any{}
	}
	if _, ok := m.claims[grantID]; !ok {
		if m.order = append(m.order, grantID); len(m.order) > maxRemembered {
			delete(m.claims, m.order[0])
			m.order = m.order[1:]
		}
	}
	m.claims[grantID] = claims
}

// newSubject returns a random subject in the form of a UUID, which mock-oauth2-server gives users without a name.
func newSubject() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

var errNoIssuer = errors.New("the path names no issuer")
