package provider

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/discovery"
	"github.com/portner-go/portner/logout"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// builder configures the packages of a provider. It continues after a problem, so that New reports all of them.
type builder struct {
	cfg      Config
	p        *Provider
	problems *problems

	clients  *client.Authenticator
	pairwise *pseudonym.Pairwise
}

func (b *builder) build() {
	b.shared()
	b.token()
	b.authorize()
	b.logout()
	b.metadata()
}

// shared makes the parts that several endpoints use: vault, pairwise subjects, client authentication and sessions.
func (b *builder) shared() {
	var err error
	b.p.Vault, err = session.NewVault(b.cfg.Issuer, b.cfg.Secrets...)
	b.problems.from(err)
	b.pairwise, err = pseudonym.NewPairwise(b.cfg.PairwiseKey)
	b.problems.once("PairwiseKey", err)
	b.clients, err = client.NewAuthenticator(client.Config{
		Issuer: b.cfg.Issuer, TokenEndpoint: b.cfg.Issuer + b.paths().Token, Clients: b.cfg.Clients, Replay: b.cfg.Replay, Attempts: b.cfg.Attempts,
		Certificates: b.cfg.Certificates, AssertionAudience: b.cfg.Profile.AssertionAudience,
		AssertionLifetime: b.cfg.Profile.AssertionLifetime,
		SigningAlgorithms: b.cfg.Profile.SigningAlgorithms, AuthMethods: b.cfg.Profile.ClientMethods, TLSClientCAs: b.cfg.TLSClientCAs,
		SelfSignedTLSClientAuth: b.cfg.MTLSURL != "", TypedAssertions: b.cfg.Profile.TypedAssertions,
		RequireClientID: b.cfg.Profile.RequireClientID, Logger: b.cfg.Logger, OnEvent: b.cfg.OnEvent,
	})
	b.problems.from(err)
	if err == nil && len(b.clients.Methods()) == 0 {
		b.problems.once("Profile.ClientMethods", errors.New("no method is supported: private_key_jwt needs Replay, tls_client_auth TLSClientCAs, self_signed_tls_client_auth MTLSURL"))
		b.problems.markSeen("TokenEndpointAuthMethodsSupported")
	}
	b.p.Sessions, err = session.New(session.Config{
		Store: b.cfg.Store, Vault: b.p.Vault, URL: b.cfg.BrowserURL, Rules: b.cfg.Session, MaxPerUser: b.cfg.MaxSessionsPerUser,
		OnEnded: b.p.notifyEnded, Logger: b.cfg.Logger, OnEvent: b.cfg.OnEvent,
	})
	b.problems.from(err)
}

// notifyEnded notifies the clients of a session that a login ended. Logout is made after Sessions, and before any request.
func (p *Provider) notifyEnded(ctx context.Context, ended storage.Session, now time.Time) {
	p.Logout.NotifyEnded(ctx, ended, now)
}

// userEnabled reports whether the source of users has an enabled user with a subject.
func (b *builder) userEnabled(ctx context.Context, subject string) (bool, error) {
	return b.p.Token.Minter().UserEnabled(ctx, subject)
}

func (b *builder) token() {
	pr, l, at := b.cfg.Profile, b.cfg.Lifetimes, b.paths()
	cfg := token.Config{
		Issuer: b.cfg.Issuer, Store: b.cfg.Store, Authenticator: b.clients, Clients: b.cfg.Clients, Origins: b.cfg.Origins, Scopes: b.cfg.Scopes,
		Keys: b.cfg.Keys, Pairwise: b.pairwise, SubjectType: pr.SubjectType, Vault: b.p.Vault, Users: b.cfg.Users,
		Claims: slices.Clone(pr.Claims), ScopeClaims: pr.ScopeClaims, UserInfoScope: pr.UserInfoScope, AccessTokenType: pr.AccessTokenType, UntypedAccessTokens: pr.UntypedAccessTokens,
		Form: pr.TokenForm, Adjust: pr.AdjustTokens, DefaultAudience: pr.DefaultAudience,
		MachineSubject:       pr.MachineSubject,
		Lifetimes:            token.Lifetimes{AccessToken: l.AccessToken, IDToken: l.IDToken, RefreshToken: l.RefreshToken, Authorization: l.Authorization},
		AuthorizationDetails: b.cfg.AuthorizationDetails, IDTokenOnRefresh: pr.IDTokenOnRefresh, RotationGrace: b.cfg.RotationGrace,
		DPoP: b.cfg.DPoP, SenderConstrained: pr.SenderConstrained, MTLSURL: b.cfg.MTLSURL,
		TokenURL: b.cfg.Issuer + at.Token, UserInfoURL: b.cfg.Issuer + at.UserInfo,
		GrantHandlers: b.cfg.GrantHandlers, ClientCertificates: b.cfg.ClientCertificates, Now: b.cfg.Now, Logger: b.cfg.Logger, OnEvent: b.cfg.OnEvent,
	}
	if b.cfg.Claims != nil {
		cfg.Claims = append(cfg.Claims, b.cfg.Claims)
	}
	var err error
	b.p.Token, err = token.New(cfg)
	b.problems.from(err)
}

func (b *builder) authorize() {
	pr, l := b.cfg.Profile, b.cfg.Lifetimes
	var err error
	cfg := authorize.Config{
		Issuer: b.cfg.Issuer, URL: b.cfg.BrowserURL + b.paths().Authorize, PushURL: b.cfg.Issuer + b.paths().PushedRequests, Environment: b.cfg.Environment, Clients: b.cfg.Clients, Scopes: b.cfg.Scopes,
		Sessions: b.p.Sessions, Vault: b.p.Vault, Store: b.cfg.Store, Pages: b.pages(), Reserved: b.reserved(), Secrets: b.cfg.Secrets,
		History: b.cfg.History, KeepUserAgent: b.cfg.History != nil, Authenticator: b.clients, PushedRequests: b.cfg.PushedRequests,
		IDTokens: b.cfg.Keys, SigningAlgorithms: pr.SigningAlgorithms, Subject: b.p.Token.Subject, UserEnabled: b.userEnabled,
		Levels: pr.Levels, DefaultACRValues: pr.DefaultACRValues, RequireKnownACR: pr.RequireKnownACR, PromptValues: pr.PromptValues, Locales: pr.Locales, AcceptLanguage: pr.AcceptLanguage,
		SIDForEveryClient: pr.SIDForEveryClient, RequiredParameters: pr.RequiredParameters, RequestURIAlone: pr.RequestURIAlone, MergeRequestObject: pr.MergeRequestObject, RequireNBF: pr.RequireNBF, CustomerParameter: pr.CustomerParameter, ClaimsParameter: pr.ClaimsParameter, RequestURIPrefix: pr.RequestURIPrefix,
		AuthorizationDetails: b.cfg.AuthorizationDetails, CodeLifetime: l.Code, PushedRequestLifetime: l.PushedRequest,
		ClientCertificates: b.cfg.ClientCertificates, PendingLifetime: l.Pending, AuthorizationLifetime: l.Authorization, ErrorPage: b.cfg.ErrorPage, TestLogin: b.cfg.TestLogin,
		Now: b.cfg.Now, Logger: b.cfg.Logger, OnEvent: b.cfg.OnEvent,
	}
	if b.cfg.DPoP != nil {
		policy := *b.cfg.DPoP
		policy.Nonces = nil // those are for the token endpoint: a pushed request would cost a second round trip
		cfg.DPoP = &policy
	}
	if b.cfg.MTLSURL != "" {
		cfg.PushAliasURL = b.cfg.MTLSURL + b.paths().PushedRequests
	}
	if pr.signsResponses() {
		cfg.Keys = b.cfg.Keys
	}
	b.p.Authorize, err = authorize.New(cfg)
	b.problems.from(err)
}

func (b *builder) logout() {
	var err error
	b.p.Logout, err = logout.New(logout.Config{
		Issuer: b.cfg.Issuer, URL: b.cfg.BrowserURL + b.paths().EndSession, Sessions: b.p.Sessions, Clients: b.cfg.Clients, Keys: b.cfg.Keys,
		Subject: b.p.Token.Subject, Secrets: b.cfg.Secrets, Pages: b.cfg.LogoutPages, Backchannel: b.cfg.Backchannel,
		Environment: b.cfg.Environment, WithoutConfirmation: !b.cfg.Profile.ConfirmLogout, RequireSession: b.cfg.Profile.LogoutRequiresSession, Locales: b.cfg.Profile.Locales,
		AcceptLanguage: b.cfg.Profile.AcceptLanguage,
		Now:            b.cfg.Now, Logger: b.cfg.Logger, OnEvent: b.cfg.OnEvent,
	})
	b.problems.from(err)
}

// metadata makes the documents about the provider. It needs the other parts.
func (b *builder) metadata() {
	if !b.cfg.hasKeys() || b.clients == nil || b.p.Token == nil || b.p.Authorize == nil {
		return
	}
	cfg := b.discovery()
	var err error
	b.p.OpenIDConfiguration, err = discovery.New(cfg)
	b.problems.from(err)
	b.p.ServerMetadata, err = discovery.NewOAuth(cfg)
	b.problems.from(err)
	b.p.JWKS = discovery.JWKS(b.cfg.Keys.JWKS, b.cfg.Now)
}

func (b *builder) discovery() discovery.Config {
	pr, at := b.cfg.Profile, b.paths()
	cfg := discovery.Config{
		Issuer:                b.cfg.Issuer,
		AuthorizationEndpoint: b.cfg.BrowserURL + at.Authorize, TokenEndpoint: b.cfg.Issuer + at.Token,
		JWKSURI: b.cfg.Issuer + at.JWKS, EndSessionEndpoint: b.cfg.BrowserURL + at.EndSession, RevocationEndpoint: b.cfg.Issuer + at.Revocation,
		IntrospectionEndpoint: b.cfg.Issuer + at.Introspection, ScopesSupported: pr.scopesSupported(), GrantTypesSupported: b.grantTypes(),
		ResponseModesSupported:                     pr.ResponseModes,
		SubjectTypesSupported:                      pr.SubjectTypesSupported,
		IDTokenSigningAlgValuesSupported:           b.cfg.Keys.Algs(b.cfg.Now()),
		RequestObjectSigningAlgValuesSupported:     b.clients.RequestAlgorithms(),
		TokenEndpointAuthMethodsSupported:          b.clients.Methods(),
		TokenEndpointAuthSigningAlgValuesSupported: b.clients.AssertionAlgorithms(),
		PromptValuesSupported:                      pr.PromptValues, UILocalesSupported: pr.Locales, ClaimsSupported: pr.ClaimsSupported,
		ClaimsParameterSupported:           pr.ClaimsParameter,
		RequirePushedAuthorizationRequests: slices.Contains(pr.RequiredParameters, "request_uri"),
		RequireSignedRequestObject:         slices.Contains(pr.RequiredParameters, "request"),
		DPoPSigningAlgValuesSupported:      b.cfg.DPoP.SupportedAlgorithms(),
		FrontchannelLogoutSupported:        true, BackchannelLogoutSupported: b.cfg.Backchannel != nil,
	}
	if pr.Levels != nil {
		cfg.ACRValuesSupported = pr.Levels.Values()
	}
	if b.cfg.PushedRequests != nil {
		cfg.PushedAuthorizationRequestEndpoint = b.cfg.Issuer + at.PushedRequests
	}
	if !pr.NoUserInfo {
		cfg.UserinfoEndpoint = b.cfg.Issuer + at.UserInfo
	}
	signing := slices.DeleteFunc(b.cfg.Keys.Algs(b.cfg.Now()), func(alg string) bool {
		return pr.SigningAlgorithms != nil && !slices.Contains(pr.SigningAlgorithms, alg)
	})
	if cfg.IntrospectionSigningAlgValuesSupported = signing; pr.signsResponses() {
		cfg.AuthorizationSigningAlgValuesSupported = signing
	}
	if b.cfg.AuthorizationDetails != nil {
		cfg.AuthorizationDetailsTypesSupported = b.cfg.AuthorizationDetails.Names()
	}
	// Every provider signs introspection responses on request. The metadata of plain profiles leaves it out, because the conformance suite
	// warns about unknown members.
	if pr.SigningAlgorithms != nil {
		cfg.IntrospectionSigningAlgValuesSupported = cfg.IDTokenSigningAlgValuesSupported
	}
	b.addMTLS(&cfg)
	return cfg
}

// addMTLS adds the members about clients with TLS certificates.
func (b *builder) addMTLS(cfg *discovery.Config) {
	base, at := b.cfg.MTLSURL, b.paths()
	cfg.TLSClientCertificateBoundAccessTokens = base != ""
	if base == "" || base == b.cfg.Issuer {
		return // the endpoints of the issuer take certificates
	}
	aliases := discovery.MTLSEndpointAliases{
		TokenEndpoint: base + at.Token, RevocationEndpoint: base + at.Revocation, IntrospectionEndpoint: base + at.Introspection,
	}
	if cfg.UserinfoEndpoint != "" {
		aliases.UserinfoEndpoint = base + at.UserInfo
	}
	if cfg.PushedAuthorizationRequestEndpoint != "" {
		aliases.PushedAuthorizationRequestEndpoint = base + at.PushedRequests
	}
	cfg.MTLSEndpointAliases = aliases
}

// signsResponses reports whether responses of the authorization endpoint can be signed (JARM).
func (pr *Profile) signsResponses() bool {
	return slices.ContainsFunc(pr.ResponseModes, func(mode string) bool { return slices.Contains(jarmModes(), mode) })
}

// scopesSupported returns openid, profile and the standard scopes that are public. The scopes of APIs are not.
func (pr *Profile) scopesSupported() []string {
	names := []string{"openid", "profile"}
	for i := range pr.Scopes {
		if v := pr.Scopes[i].Visibility; v == "" || v == scope.VisibilityPublic {
			names = append(names, pr.Scopes[i].Name)
		}
	}
	return names
}

func (b *builder) grantTypes() []string {
	types := []string{client.AuthorizationCode, client.RefreshToken}
	for _, h := range b.cfg.GrantHandlers {
		types = append(types, h.Type)
	}
	return types
}

// Paths that no profile changes.
const (
	pathOpenID = "/.well-known/openid-configuration"
	pathOAuth  = "/.well-known/oauth-authorization-server" // before the path of the issuer: RFC 8414 §3.1
)

func (b *builder) paths() Paths { return b.cfg.Profile.Paths }

// mounted is the handler of a path, and the name that Provider.Endpoint returns for it.
type mounted struct {
	http.Handler

	endpoint string
}

// mount returns every endpoint by its path, and the host's pages if Config.Page is set.
func (b *builder) mount() map[string]mounted {
	base, browser, at := pathOf(b.cfg.Issuer), pathOf(b.cfg.BrowserURL), b.paths()
	introspection, logout := mounted{b.p.Token.Introspection(), "introspection"}, mounted{b.p.Logout, "logout"}
	paths := map[string]mounted{
		browser + at.Authorize: {b.p.Authorize, "authorize"}, browser + at.EndSession: logout,
		base + at.Token: {b.p.Token, "token"}, base + at.Introspection: introspection,
		base + at.Revocation: {b.p.Token.Revocation(), "revocation"}, base + at.JWKS: {b.p.JWKS, "jwks"},
		base + pathOpenID: {b.p.OpenIDConfiguration, "metadata"}, pathOAuth + base: {b.p.ServerMetadata, "metadata"},
	}
	if at.EndSession == defaultPaths.EndSession {
		paths[browser+"/endsession"] = logout
	}
	if at.Introspection == defaultPaths.Introspection {
		for _, alias := range introspectionAliases {
			paths[base+alias] = introspection
		}
	}
	if b.cfg.PushedRequests != nil {
		paths[base+at.PushedRequests] = mounted{b.p.Authorize.PushHandler(), "par"}
	}
	if !b.cfg.Profile.NoUserInfo {
		paths[base+at.UserInfo] = mounted{b.p.Token.UserInfo(), "userinfo"}
	}
	if b.cfg.Page != nil {
		page, at := b.p.Authorize.Page(b.cfg.Page), b.p.Authorize.Pages()
		for name, path := range map[string]string{"login": at.Login, "step_up": at.StepUp, "consent": at.Consent, "representation": at.Representation} {
			paths[path] = mounted{page, name}
		}
	}
	return paths
}

// pages returns the paths of the host's pages, which are below BrowserURL. Those of zero fields are for package authorize.
func (b *builder) pages() authorize.Pages {
	pages, base := b.cfg.Pages, pathOf(b.cfg.BrowserURL)
	for _, path := range [...]*string{&pages.Login, &pages.StepUp, &pages.Consent, &pages.Representation} {
		if strings.HasPrefix(*path, "/") && !strings.HasPrefix(*path, "//") { // package authorize rejects others
			*path = base + *path
		}
	}
	return pages
}

// reserved returns the paths of all endpoints, also of disabled ones. A page must not have one of them.
func (b *builder) reserved() []string {
	base, browser, at := pathOf(b.cfg.Issuer), pathOf(b.cfg.BrowserURL), b.paths()
	paths := []string{browser + at.Authorize, browser + at.EndSession, browser + "/endsession", pathOAuth + base}
	for _, path := range [...]string{
		at.PushedRequests, at.Token, at.UserInfo, at.Introspection, at.Revocation, at.JWKS, pathOpenID,
	} {
		paths = append(paths, base+path)
	}
	for _, alias := range introspectionAliases {
		paths = append(paths, base+alias)
	}
	return paths
}

func pathOf(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	return strings.TrimRight(u.Path, "/") // an issuer that ends in a slash is reported as such
}
