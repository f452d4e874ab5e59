package provider

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/discovery"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/logout"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/token"
)

// Provider is an OpenID provider. It is safe for concurrent use and keeps nothing between requests.
type Provider struct {
	// Authorize is /authorize, and what the login and consent pages call.
	Authorize *authorize.Endpoint
	// PushedRequests is /par; nil without Config.PushedRequests.
	PushedRequests http.Handler
	// Token is /token.
	Token *token.Endpoint
	// UserInfo is /userinfo; nil with Profile.NoUserInfo.
	UserInfo http.Handler
	// Introspection is /tokeninfo and /introspect.
	Introspection http.Handler
	// Revocation is /revoke.
	Revocation http.Handler
	// Logout is /logout and /endsession.
	Logout http.Handler
	// JWKS is /jwks.json.
	JWKS http.Handler
	// OpenIDConfiguration is /.well-known/openid-configuration.
	OpenIDConfiguration http.Handler
	// ServerMetadata is /.well-known/oauth-authorization-server.
	ServerMetadata http.Handler
	// Sessions are the SSO sessions, for hosts with pages of their own about them.
	Sessions *session.Keeper
	// Vault opens and finds people in the store's records, for package authorizations.
	Vault *session.Vault

	paths map[string]http.Handler
}

// New builds a provider. It reports all problems of the configuration at once.
func New(cfg Config) (*Provider, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("provider: %w", err)
	}
	b := &builder{cfg: cfg, p: &Provider{}}
	for _, step := range []func() error{b.shared, b.token, b.authorize, b.logout, b.metadata} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("provider: %w", err)
		}
	}
	b.mount()
	return b.p, nil
}

// ServeHTTP answers all endpoints at the paths of the metadata, and every other path with 404. Paths are
// compared as they are: an http.ServeMux would redirect //token to /token by a 307, which posts the
// credentials once more, and answer 404 without the headers of security row I1.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := p.paths[r.URL.Path]; h != nil {
		h.ServeHTTP(w, r)
		return
	}
	httpx.WriteError(w, &portner.Error{Code: portner.InvalidRequest, Status: http.StatusNotFound, Description: "There is nothing at this address."})
}

// builder holds what the blocks share while they are put together.
type builder struct {
	cfg      Config
	p        *Provider
	vault    *session.Vault
	clients  *client.Authenticator
	pairwise *pseudonym.Pairwise
}

func (b *builder) shared() error {
	var err error
	if b.vault, err = session.NewVault(b.cfg.Secrets...); err != nil {
		return err
	}
	b.p.Vault = b.vault
	if b.pairwise, err = pseudonym.NewPairwise(b.cfg.PairwiseKey); err != nil {
		return err
	}
	b.clients, err = client.NewAuthenticator(client.Config{
		Issuer: b.cfg.Issuer, AssertionAudience: b.cfg.Profile.AssertionAudience, TokenEndpoint: b.cfg.Issuer + pathToken, Clients: b.cfg.Clients, Replay: b.cfg.Replay, Attempts: b.cfg.Attempts,
		Certificates: b.cfg.Certificates, Logger: b.cfg.Logger, OnEvent: b.cfg.OnEvent,
	})
	if err != nil {
		return err
	}
	b.p.Sessions, err = session.New(session.Config{
		Store: b.cfg.Store, Vault: b.vault, Rules: b.cfg.Session, MaxPerUser: b.cfg.MaxSessionsPerPerson,
		Logger: b.cfg.Logger, OnEvent: b.cfg.OnEvent,
	})
	return err
}

// hintedSubject returns the sub that an id_token_hint of the client has for a user. The hint of a pseudonymous grant of a public
// client does not match; the user logs in again.
func (b *builder) hintedSubject(c *client.Client, who session.Identity) string {
	sub, _ := b.p.Token.Subject(c, &who, false) // "" matches no hint
	return sub
}

// logoutSubject returns the sub for logout tokens. A client that may get pseudonymous grants receives the pairwise subject, because
// the session does not tell which kind of grant it has.
func (b *builder) logoutSubject(c *client.Client, who session.Identity) string {
	scopes := c.RegisteredScopes()
	pseudonymous, _ := scope.Privacy(scopes, b.cfg.Scopes)
	sub, _ := b.p.Token.Subject(c, &who, pseudonymous || slices.Contains(scopes, scope.NoPID)) // "" leaves sid alone
	return sub
}

func (b *builder) token() error {
	cfg := token.Config{
		Issuer: b.cfg.Issuer, Store: b.cfg.Store, Authenticator: b.clients, Clients: b.cfg.Clients, Origins: b.cfg.Origins, Scopes: b.cfg.Scopes,
		Keys: b.cfg.Keys, Pairwise: b.pairwise, Vault: b.vault, Users: b.cfg.Users, Claims: b.cfg.Profile.Claims, ScopeClaims: b.cfg.Profile.ScopeClaims,
		UserInfoScope: b.cfg.Profile.UserInfoScope, AccessTokenType: b.cfg.Profile.AccessTokenType, SubjectType: b.cfg.Profile.SubjectType,
		Lifetimes: b.cfg.Lifetimes.Lifetimes, IDTokenOnRefresh: b.cfg.Profile.IDTokenOnRefresh, RotationGrace: b.cfg.RotationGrace,
		GrantHandlers: b.cfg.GrantHandlers, Now: b.cfg.Now, Logger: b.cfg.Logger, OnEvent: b.cfg.OnEvent,
	}
	if b.cfg.Claims != nil {
		cfg.Claims = append(slices.Clone(cfg.Claims), b.cfg.Claims)
	}
	ep, err := token.New(cfg)
	if err != nil {
		return err
	}
	b.p.Token, b.p.Introspection, b.p.Revocation = ep, ep.Introspection(), ep.Revocation()
	if !b.cfg.Profile.NoUserInfo {
		b.p.UserInfo = ep.UserInfo()
	}
	return nil
}

func (b *builder) authorize() error {
	pr := b.cfg.Profile
	cfg := authorize.Config{
		Issuer: b.cfg.Issuer, URL: b.cfg.BrowserURL + pathAuthorize, Environment: b.cfg.Environment, Clients: b.cfg.Clients, Scopes: b.cfg.Scopes, Sessions: b.p.Sessions, Vault: b.vault, Store: b.cfg.Store,
		Pages: b.cfg.Pages, Reserved: b.reserved(), Secrets: b.cfg.Secrets, History: b.cfg.History, KeepUserAgent: b.cfg.History != nil, IDTokens: b.cfg.Keys, Subject: b.hintedSubject,
		Levels: pr.Levels, DefaultACRValues: pr.DefaultACRValues, PromptValues: pr.PromptValues, Locales: pr.Locales,
		RequiredParameters: pr.RequiredParameters, ClaimsParameter: pr.ClaimsParameter, AllowNoPID: pr.AllowNoPID, RequestURIPrefix: pr.RequestURIPrefix,
		AuthorizationDetails: b.cfg.AuthorizationDetails, CodeLifetime: b.cfg.Lifetimes.Code, PushedRequestLifetime: b.cfg.Lifetimes.PushedRequest, PendingLifetime: b.cfg.Lifetimes.Pending,
		AuthorizationLifetime: b.cfg.Lifetimes.Authorization, ErrorPage: b.cfg.ErrorPage, TestLogin: b.cfg.TestLogin,
		Now: b.cfg.Now, Logger: b.cfg.Logger, OnEvent: b.cfg.OnEvent,
	}
	cfg.Authenticator = b.clients
	if b.cfg.PushedRequests != nil {
		cfg.PushedRequests = b.cfg.PushedRequests
	}
	ep, err := authorize.New(cfg)
	if err != nil {
		return err
	}
	b.p.Authorize = ep
	if b.cfg.PushedRequests != nil {
		b.p.PushedRequests = ep.PushHandler()
	}
	return nil
}

func (b *builder) logout() error {
	ep, err := logout.New(logout.Config{
		Issuer: b.cfg.Issuer, URL: b.cfg.BrowserURL + pathLogout, Sessions: b.p.Sessions, Clients: b.cfg.Clients, Keys: b.cfg.Keys,
		Subject: b.logoutSubject, Secrets: b.cfg.Secrets, Pages: b.cfg.LogoutPages, Backchannel: b.cfg.Backchannel,
		Environment: b.cfg.Environment, WithoutConfirmation: !b.cfg.Profile.ConfirmLogout, Locales: b.cfg.Profile.Locales,
		Now: b.cfg.Now, Logger: b.cfg.Logger, OnEvent: b.cfg.OnEvent,
	})
	if err != nil {
		return err
	}
	b.p.Logout = ep
	return nil
}

func (b *builder) metadata() error {
	now := b.cfg.Now()
	pr := b.cfg.Profile
	cfg := discovery.Config{
		Issuer:                b.cfg.Issuer,
		AuthorizationEndpoint: b.cfg.BrowserURL + pathAuthorize, TokenEndpoint: b.cfg.Issuer + pathToken,
		JWKSURI: b.cfg.Issuer + pathJWKS, EndSessionEndpoint: b.cfg.BrowserURL + pathLogout, RevocationEndpoint: b.cfg.Issuer + pathRevoke,
		IntrospectionEndpoint: b.cfg.Issuer + pathTokenInfo, ScopesSupported: pr.scopesSupported(), GrantTypesSupported: b.grantTypes(),
		ACRValuesSupported: pr.Levels.Values(), SubjectTypesSupported: pr.SubjectTypesSupported, IDTokenSigningAlgValuesSupported: b.cfg.Keys.Algs(now),
		RequestObjectSigningAlgValuesSupported:     b.clients.AssertionAlgorithms(),
		TokenEndpointAuthMethodsSupported:          b.clients.Methods(),
		TokenEndpointAuthSigningAlgValuesSupported: b.clients.AssertionAlgorithms(),
		PromptValuesSupported:                      pr.PromptValues, UILocalesSupported: pr.Locales, ClaimsSupported: pr.ClaimsSupported,
		ClaimsParameterSupported: pr.ClaimsParameter, FrontchannelLogoutSupported: true, BackchannelLogoutSupported: b.cfg.Backchannel != nil,
	}
	if b.cfg.PushedRequests != nil {
		cfg.PushedAuthorizationRequestEndpoint = b.cfg.Issuer + pathPAR
	}
	if b.p.UserInfo != nil {
		cfg.UserinfoEndpoint = b.cfg.Issuer + pathUserInfo
	}
	if b.cfg.AuthorizationDetails != nil {
		cfg.AuthorizationDetailsTypesSupported = b.cfg.AuthorizationDetails.Names()
	}
	oidc, err := discovery.New(cfg)
	if err != nil {
		return err
	}
	oauth, err := discovery.NewOAuth(cfg)
	if err != nil {
		return err
	}
	b.p.OpenIDConfiguration, b.p.ServerMetadata = oidc, oauth
	b.p.JWKS = discovery.JWKS(b.cfg.Keys.JWKS, b.cfg.Now)
	return nil
}

func (b *builder) grantTypes() []string {
	types := []string{"authorization_code", "refresh_token"}
	for _, g := range b.cfg.GrantHandlers {
		types = append(types, g.Type)
	}
	return types
}

// The paths below the issuer.
const (
	pathAuthorize = "/authorize"
	pathPAR       = "/par"
	pathToken     = "/token"
	pathUserInfo  = "/userinfo"
	pathTokenInfo = "/tokeninfo"
	pathRevoke    = "/revoke"
	pathLogout    = "/logout"
	pathJWKS      = "/jwks.json"
)

// mount puts every endpoint at its path, and the pages of Config.Page at theirs. An issuer with a path has its metadata where OIDC
// Discovery §4 and where RFC 8414 §3.1 expect it.
func (b *builder) mount() {
	paths := b.endpoints()
	if b.cfg.Page != nil {
		page, at := b.p.Authorize.Page(b.cfg.Page), b.p.Authorize.Pages()
		for _, path := range [...]string{at.Login, at.StepUp, at.Consent, at.Representation} {
			paths[path] = page
		}
	}
	b.p.paths = paths
}

// endpoints returns the endpoints by path. A disabled endpoint has no path.
func (b *builder) endpoints() map[string]http.Handler {
	base, browser := pathOf(b.cfg.Issuer), pathOf(b.cfg.BrowserURL)
	paths := map[string]http.Handler{
		browser + pathAuthorize: b.p.Authorize, browser + pathLogout: b.p.Logout, browser + "/endsession": b.p.Logout,
	}
	for path, h := range map[string]http.Handler{
		pathPAR: b.p.PushedRequests, pathToken: b.p.Token, pathUserInfo: b.p.UserInfo,
		pathTokenInfo: b.p.Introspection, "/introspect": b.p.Introspection, pathRevoke: b.p.Revocation,
		pathJWKS:                            b.p.JWKS,
		"/.well-known/openid-configuration": b.p.OpenIDConfiguration,
	} {
		if h != nil {
			paths[base+path] = h
		}
	}
	paths["/.well-known/oauth-authorization-server"+base] = b.p.ServerMetadata
	return paths
}

// reserved returns the paths of all endpoints, also of disabled ones. A page must not have one of them.
func (b *builder) reserved() []string {
	base, browser := pathOf(b.cfg.Issuer), pathOf(b.cfg.BrowserURL)
	paths := []string{browser + pathAuthorize, browser + pathLogout, browser + "/endsession", "/.well-known/oauth-authorization-server" + base}
	for _, path := range [...]string{
		pathPAR, pathToken, pathUserInfo, pathTokenInfo, "/introspect", pathRevoke, pathJWKS, "/.well-known/openid-configuration",
	} {
		paths = append(paths, base+path)
	}
	return paths
}

func pathOf(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	return u.Path
}

func (c Config) withDefaults() Config {
	if c.Profile.isZero() {
		c.Profile = IDPorten()
	}
	if c.Scopes == nil {
		// The profile's own scopes are right by construction; a mistake shows at the first test.
		c.Scopes, _ = scope.NewRegistry(c.Profile.Scopes, nil)
	}
	if c.BrowserURL == "" {
		c.BrowserURL = c.Issuer
	}
	if strings.HasPrefix(c.Issuer, "http://") {
		c.Environment.Test = true
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Session.Circle == nil {
		c.Session.Circle = c.Profile.Circle
	}
	if c.Session.SingleUse == nil {
		c.Session.SingleUse = c.Profile.SingleUseLogin
	}
	c.Secrets = slices.Clone(c.Secrets)
	return c
}
