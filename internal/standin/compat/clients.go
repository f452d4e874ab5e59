package compat

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
)

// clients finds registrations: those of the configuration, and with switches what requests name.
type clients struct {
	registry *client.Registry
	on       Switches
	rotate   bool
	jwks     json.RawMessage // of the key of assertions that are signed anew; see Server.sign
	now      func() time.Time
	log      *slog.Logger
	proposed func(registration string) // may be nil

	mu      sync.Mutex
	learned map[string]*learned // by client_id
}

// learned is what requests of one client have named.
type learned struct {
	unknown      bool // the client is not configured
	method       string
	secret       string // the first one
	redirectURIs []string
	logoutURIs   []string
	scopes       []string // that the switch any-scope registers

	grants    []string // of its requests, for the proposal
	requested []string // scopes, for the proposal
	openLogin bool     // a login without PKCE
	logged    string   // the last proposal
}

// proposal is the registration that the requests of a client need, for the member clients of the configuration.
type proposal struct {
	ClientID               string   `json:"client_id"`
	ApplicationType        string   `json:"application_type,omitempty"`
	AuthMethod             string   `json:"token_endpoint_auth_method,omitempty"`
	Secret                 string   `json:"client_secret,omitempty"`
	GrantTypes             []string `json:"grant_types,omitempty"`
	RedirectURIs           []string `json:"redirect_uris,omitempty"`
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris,omitempty"`
	Scopes                 []string `json:"scopes,omitempty"`
	CodeChallengeMethod    string   `json:"code_challenge_method,omitempty"`
}

// Bounds of what is learned.
const (
	maxClients = 1000
	maxLearned = 50 // of each list
)

// Client implements client.Source.
func (s *clients) Client(ctx context.Context, id string) (*client.Client, error) {
	r := requestOf(ctx)
	if r != nil && slices.Contains(r.apis, id) {
		return nil, storage.ErrNotFound // it is the API that the new token is for
	}
	registered, err := s.registry.Client(ctx, id)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.learn(r, id, registered)
	if registered == nil && (l == nil || !l.unknown) {
		return nil, err
	}
	return s.relaxed(r, id, registered, l), nil
}

// learn records what a request names, as far as a switch says so. It returns nil if nothing is known beside the registration.
func (s *clients) learn(r *request, id string, registered *client.Client) *learned {
	l := s.learned[id]
	if r == nil || id != r.clientID && r.endpoint != "/endsession" {
		return l
	}
	if l == nil {
		l = &learned{unknown: registered == nil}
	}
	if l.unknown && !s.on[AnyClient] || s.learned[id] == nil && len(s.learned) >= maxClients {
		return s.learned[id]
	}
	if r.authenticates() && r.method != "" || l.method == "" {
		l.method = r.method
	}
	if l.secret == "" {
		l.secret = r.secret
	}
	if s.on[AnyRedirectURI] {
		l.redirectURIs = addURI(l.redirectURIs, r.form.Get("redirect_uri"))
		l.logoutURIs = addURI(l.logoutURIs, r.form.Get("post_logout_redirect_uri"))
	}
	names, _ := scope.Parse(r.form.Get("scope"))
	if s.on[AnyScope] {
		for _, name := range append(names, anyScope) {
			l.scopes = add(l.scopes, name)
		}
	}
	if l.unknown && s.learned[id] == nil {
		c := s.compose(r, id, l)
		if err := c.Validate(testEnvironment); err != nil {
			s.log.Warn("lenient: an unknown client cannot be registered", "switch", string(AnyClient), "client_id", id, "error", err)
			return nil
		}
	}
	s.learned[id] = l
	if l.unknown {
		s.propose(r, id, l, names)
	}
	return l
}

// propose shows the registration that the requests of an unknown client need so far, whenever it changes, without the secret.
func (s *clients) propose(r *request, id string, l *learned, scopes []string) {
	for _, name := range scopes {
		l.requested = add(l.requested, name)
	}
	switch r.endpoint {
	case "/token":
		l.grants = add(l.grants, r.form.Get("grant_type"))
	case "/authorize":
		l.grants = add(l.grants, client.AuthorizationCode)
		l.openLogin = l.openLogin || r.method == "" && !r.form.Has("code_challenge")
	}
	p := proposal{
		ClientID: id, GrantTypes: l.grants, RedirectURIs: l.redirectURIs, PostLogoutRedirectURIs: l.logoutURIs, Scopes: l.requested,
		AuthMethod: l.method, Secret: "…",
	}
	switch {
	case r.authenticates() && r.method == "":
		p.ApplicationType, p.AuthMethod, p.Secret = client.Browser, "", ""
	case l.method == client.PrivateKeyJWT:
		p.Secret = ""
	}
	if l.openLogin && p.Secret != "" {
		p.CodeChallengeMethod = "none"
	}
	text, err := json.Marshal(p)
	if err != nil || string(text) == l.logged {
		return
	}
	l.logged = string(text)
	s.log.Warn("lenient: an unknown client is served; add its registration to clients of the configuration", "switch", string(AnyClient), "client_id", id)
	if s.proposed != nil {
		s.proposed(string(text))
	}
}

// add adds a value to a list that has room and does not have it.
func add(list []string, value string) []string {
	if value == "" || len(list) >= maxLearned || slices.Contains(list, value) {
		return list
	}
	return append(slices.Clip(list), value)
}

// addURI is add for a URI that a registration may have.
func addURI(list []string, uri string) []string {
	probe := client.Client{ClientID: "probe", RedirectURIs: []string{uri}, Secrets: secretOf("probe")}
	if uri == "" || probe.Validate(testEnvironment) != nil {
		return list
	}
	return add(list, uri)
}

// compose returns the registration of an unknown client.
func (s *clients) compose(r *request, id string, l *learned) client.Client {
	c := client.Client{
		ClientID: id, Scopes: []string{scope.OpenID, scope.Profile, scope.Email, scope.OfflineAccess}, RedirectURIs: l.redirectURIs,
		GrantTypes: []string{client.AuthorizationCode, client.RefreshToken, client.ClientCredentials, client.JWTBearer, exchangeGrant},
	}
	switch {
	case r != nil && r.authenticates() && r.clientID == id && r.method == "":
		c.ApplicationType, c.TokenEndpointAuthMethod = client.Browser, client.None
		c.GrantTypes = []string{client.AuthorizationCode, client.RefreshToken}
	case l.method == client.PrivateKeyJWT:
		c.TokenEndpointAuthMethod = client.PrivateKeyJWT
		c.JWKS, c.KeysUploadedAt, c.AllowTokenEndpointAudience = s.jwks, s.now(), true
	case l.method == client.ClientSecretPost:
		c.TokenEndpointAuthMethod = client.ClientSecretPost
	}
	if c.TokenEndpointAuthMethod == "" || c.TokenEndpointAuthMethod == client.ClientSecretPost {
		c.Secrets = secretOf(l.secret)
	}
	if !s.rotate && !c.Public() {
		c.RefreshTokenUsage = client.Reuse
	}
	if len(c.RedirectURIs) == 0 {
		c.RedirectURIs = []string{"http://localhost/unknown"} // a client with logins needs one
	}
	return c
}

// secretOf returns the registered secrets of a secret in clear. Without one no secret matches.
func secretOf(text string) []client.Secret {
	secret, err := client.InsecureSecret(text, time.Time{})
	if err != nil {
		secret, _ = client.NewSecret(client.GenerateSecret(), time.Time{})
	}
	return []client.Secret{secret}
}

// relaxed returns a registration with what the switches add to it.
func (s *clients) relaxed(r *request, id string, registered *client.Client, l *learned) *client.Client {
	if len(s.on) == 0 {
		return registered
	}
	var c client.Client
	if registered != nil {
		c = *registered
	} else {
		c = s.compose(r, id, l)
	}
	if l != nil {
		c.RedirectURIs = union(c.RedirectURIs, l.redirectURIs)
		c.PostLogoutRedirectURIs = union(c.PostLogoutRedirectURIs, l.logoutURIs)
		c.Scopes = union(c.Scopes, l.scopes)
	}
	if s.on[MissingVerifier] && !c.Public() {
		c.CodeChallengeMethod = "none"
	}
	if s.on[PasswordGrant] && !c.Public() {
		c.GrantTypes = union(c.Grants(), []string{passwordGrant})
	}
	if r != nil && r.clientID == id && r.authenticates() {
		s.relaxCredentials(r, &c)
	}
	return &c
}

// relaxCredentials makes what the request presents the registered credentials.
func (s *clients) relaxCredentials(r *request, c *client.Client) {
	switch {
	case s.on[AnySecret] && isSecret(r.method) && isSecret(c.AuthMethod()):
		c.TokenEndpointAuthMethod, c.Secrets = r.method, secretOf(r.secret)
	case s.on[UnverifiedAssertion] && c.AuthMethod() == client.PrivateKeyJWT:
		c.JWKS, c.KeysUploadedAt, c.AllowTokenEndpointAudience = s.jwks, s.now(), true
	}
}

func isSecret(method string) bool {
	return method == client.ClientSecretBasic || method == client.ClientSecretPost
}

// union returns the elements of both lists once.
func union(a, b []string) []string {
	all := slices.Clone(a)
	for _, v := range b {
		if !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all
}

// HasOrigin reports whether a browser client has the origin, for preflight requests.
func (s *clients) HasOrigin(ctx context.Context, origin string) (bool, error) {
	if ok, err := s.registry.HasOrigin(ctx, origin); ok || err != nil || len(s.on) == 0 {
		return ok, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.learned {
		for _, uri := range l.redirectURIs {
			if u, err := url.Parse(uri); err == nil && u.Scheme+"://"+u.Host == origin {
				return true, nil
			}
		}
	}
	return false, nil
}

// anyScope is the scope of requests that name none, with the switch any-scope.
const anyScope = "default"

// scopes finds scopes: those that a registration names, and with the switch any-scope all.
type scopes struct {
	any   bool
	known map[string]bool
}

func newScopes(registered []client.Client, on Switches) *scopes {
	s := &scopes{any: on[AnyScope], known: map[string]bool{}}
	for i := range registered {
		for _, name := range registered[i].Scopes {
			s.known[name] = true
		}
	}
	return s
}

// Scope implements scope.Source. The built-in and standard scopes are not here, so that the provider has its own.
func (s *scopes) Scope(name string) *scope.Scope {
	if scope.Reserved(name) || !s.any && !s.known[name] {
		return nil
	}
	return &scope.Scope{Name: name, AccessibleForAll: true}
}

// Access implements scope.Source.
func (s *scopes) Access(string, string) scope.AccessState { return "" }
