package portnertest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
)

// registrations are those of a provider. They grow while it runs, so that a test need not name what it uses twice.
type registrations interface {
	Client(ctx context.Context, clientID string) (*client.Client, error)
	// addClient adds a registration, with the credentials of this package.
	addClient(c client.Client, now time.Time) error
	addScope(s scope.Scope)
	learnRedirect(clientID, uri string)
	learnLogout(clientID, uri string)
	// secretOf returns the secret of a client.
	secretOf(clientID string) string
	// first returns the client_id of the client that a test means if it names none.
	first() string
}

// registry holds the registrations and scopes of a Config.
type registry struct {
	cfg              *Config
	profileScopes    bool   // the profile has the records of the scopes
	delegationSource string // of every scope

	mu      sync.RWMutex
	clients map[string]*client.Client
	open    map[string]bool // clients that accept every redirect URI on loopback
	any     map[string]bool // clients that may use every scope
	scopes  map[string]*scope.Scope
}

func newRegistry(cfg *Config, base client.Client, profileScopes bool, now time.Time) (*registry, error) {
	r := &registry{cfg: cfg, profileScopes: profileScopes, clients: map[string]*client.Client{}, open: map[string]bool{}, any: map[string]bool{}, scopes: map[string]*scope.Scope{}}
	for _, s := range cfg.Scopes {
		r.addScope(s)
	}
	all := cfg.Clients
	if !slices.ContainsFunc(all, func(c client.Client) bool { return c.ClientID == ClientID }) {
		all = append([]client.Client{base}, all...)
	}
	for i := range all {
		if err := r.addClient(all[i], now); err != nil {
			return nil, invalid("Clients", "%q: %w", all[i].ClientID, err)
		}
	}
	return r, nil
}

// addClient adds a registration, with the credentials of this package.
func (r *registry) addClient(c client.Client, now time.Time) error {
	if err := addCredentials(&c, now); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.HasGrant("authorization_code") && len(c.RedirectURIs) == 0 {
		r.open[c.ClientID] = true
		c.RedirectURIs = []string{ownRedirect}
	}
	if len(c.Scopes) == 0 {
		r.any[c.ClientID] = true
		c.Scopes = slices.Concat([]string{"openid", "profile"}, slices.Sorted(maps.Keys(r.scopes)))
	}
	if err := c.Validate(client.Environment{Test: true}); err != nil {
		return err
	}
	r.clients[c.ClientID] = &c
	return nil
}

// Client implements client.Source.
func (r *registry) Client(_ context.Context, clientID string) (*client.Client, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if c := r.clients[clientID]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("client %q: %w", clientID, storage.ErrNotFound)
}

// Scope implements scope.Source.
func (r *registry) Scope(name string) *scope.Scope {
	if r.profileScopes {
		return nil
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.scopes[name]
}

// Access implements scope.Source: every organisation has access.
func (r *registry) Access(name, _ string) scope.AccessState {
	if r.Scope(name) == nil {
		return ""
	}
	return scope.Approved
}

// secretOf implements registrations.
func (*registry) secretOf(string) string { return ClientSecret }

// first implements registrations.
func (*registry) first() string { return ClientID }

// addScope adds a scope with the defaults of a test, unless it is known.
func (r *registry) addScope(s scope.Scope) {
	if s.OwnerOrgno == "" {
		s.OwnerOrgno = Organisation
	}
	if s.RequiresUserConsent && s.Description == "" {
		s.Description = s.Name
	}
	s.DelegationSource = cmp.Or(s.DelegationSource, r.delegationSource)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.scopes[s.Name] == nil {
		r.scopes[s.Name] = &s
		for id := range r.any {
			r.change(id, func(c *client.Client) { c.Scopes = append(slices.Clone(c.Scopes), s.Name) })
		}
	}
}

// change replaces a registration by a changed copy. Registrations in use do not change.
func (r *registry) change(clientID string, f func(*client.Client)) {
	if c := r.clients[clientID]; c != nil {
		next := *c
		f(&next)
		r.clients[clientID] = &next
	}
}

// learnRedirect adds a redirect URI on loopback to an open client, and the logout URIs at its origin.
func (r *registry) learnRedirect(clientID, uri string) {
	u, err := url.Parse(uri)
	if err != nil || !fields.IsLoopback(u.Hostname()) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.open[clientID] || slices.Contains(r.clients[clientID].RedirectURIs, uri) {
		return
	}
	origin := u.Scheme + "://" + u.Host
	r.change(clientID, func(c *client.Client) {
		c.RedirectURIs = append([]string{uri}, c.RedirectURIs...)
		if uri == ownRedirect {
			return
		}
		if r.cfg.FrontchannelLogoutPath != "" {
			c.FrontchannelLogoutURI, c.FrontchannelLogoutSessionRequired = origin+r.cfg.FrontchannelLogoutPath, true
		}
		if r.cfg.BackchannelLogoutPath != "" {
			c.BackchannelLogoutURI = origin + r.cfg.BackchannelLogoutPath
		}
	})
}

// learnLogout adds a post_logout_redirect_uri on loopback to an open client.
func (r *registry) learnLogout(clientID, uri string) {
	u, err := url.Parse(uri)
	if err != nil || !fields.IsLoopback(u.Hostname()) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open[clientID] && !slices.Contains(r.clients[clientID].PostLogoutRedirectURIs, uri) {
		r.change(clientID, func(c *client.Client) {
			c.PostLogoutRedirectURIs = append(slices.Clone(c.PostLogoutRedirectURIs), uri)
		})
	}
}

// addCredentials adds ClientSecret, or the key of ClientKey, to the credentials of a client.
func addCredentials(c *client.Client, now time.Time) error {
	switch c.AuthMethod() {
	case client.ClientSecretBasic, client.ClientSecretPost:
		secret, err := client.NewSecret(ClientSecret, now.AddDate(0, 11, 0))
		if err != nil {
			return err
		}
		if len(c.Secrets) < 2 {
			c.Secrets = append(slices.Clone(c.Secrets), secret)
		}
	case client.PrivateKeyJWT:
		own, err := clientJWK()
		if err != nil {
			return err
		}
		var set struct {
			Keys []json.RawMessage `json:"keys"`
		}
		if len(c.JWKS) > 0 {
			if err := json.Unmarshal(c.JWKS, &set); err != nil {
				return fmt.Errorf("jwks: %w", err)
			}
		}
		set.Keys = append(set.Keys, own)
		c.JWKS, err = json.Marshal(set)
		return err
	}
	return nil
}

// clientJWK returns the public key of ClientKey.
func clientJWK() (json.RawMessage, error) {
	key, err := testKey(clientKey)
	if err != nil {
		return nil, err
	}
	return jose.MarshalJWK(jose.PublicKey{KID: key.KID, Alg: key.Alg, Key: key.Signer.Public()})
}

// hasOrigin reports whether a client has a redirect URI of an origin.
func (r *registry) hasOrigin(_ context.Context, origin string) (bool, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, c := range r.clients {
		if slices.Contains(c.CORSOrigins(), origin) {
			return true, nil
		}
	}
	return false, nil
}
