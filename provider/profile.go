package provider

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/token"
)

// Profile holds what differs between services: levels of assurance, claims, subject identifiers, required parameters, lifetimes. [IDPorten],
// [OpenIDConnect], [FAPI2] and [FAPI2MessageSigning] return one, and packages digdir/ansattporten and nhn/helseid others. A host may change fields of the
// value they return, or write a Profile of its own.
type Profile struct {
	// Name is used in logs only. Required.
	Name string
	// Levels are the acr values, and their order. If nil, acr_values are ignored and tokens have no acr.
	Levels *acr.Levels
	// DefaultACRValues apply to requests without acr_values. If empty, every level satisfies such a request.
	DefaultACRValues []string
	// RequireKnownACR rejects requests whose acr_values name no level of Levels. If false, such a request is one without acr_values
	// (OIDC Core §5.5.1.1).
	RequireKnownACR bool
	// PromptValues are the values of prompt that clients without prompt_values in their registration may send (OIDC Core
	// §3.1.2.1). If nil, only login is allowed.
	PromptValues []string
	// Locales are the languages of the pages. The first one is the fallback.
	Locales []string
	// AcceptLanguage makes the field Accept-Language of the browser choose the language of a page where neither the user nor ui_locales
	// did. If false, the field is ignored.
	AcceptLanguage bool
	// Scopes are the standard scopes of the service. A scope of the same name that Config.Scopes has when New is called takes the
	// place of one of these, also if Config.Scopes returns nil for it later. To remove a standard scope, leave it out here.
	Scopes []scope.Scope
	// Claims add the claims of the profile, before those of Config.Claims.
	Claims []token.ClaimsFunc
	// ScopeClaims maps scopes to the claims of [token.User] that userinfo returns for them (OIDC Core §5.4).
	ScopeClaims map[string][]string
	// ClaimsSupported is claims_supported of the metadata.
	ClaimsSupported []string
	// ClaimsParameter enables the request parameter claims (OIDC Core §5.5). If false, the parameter is ignored.
	ClaimsParameter bool
	// SubjectType applies to clients whose registration has no subject type: client.Public or client.Pairwise.
	// Grants whose scopes require pseudonymity have a pairwise subject in any case. Required.
	SubjectType string
	// SubjectTypesSupported is subject_types_supported of the metadata. It includes SubjectType. If empty, it is SubjectType alone.
	SubjectTypesSupported []string
	// UserInfoScope is the scope that an access token needs at the userinfo endpoint. If "", it is openid.
	UserInfoScope string
	// NoUserInfo removes the userinfo endpoint from the paths of the provider and from the metadata.
	NoUserInfo bool
	// AccessTokenType is the header typ of self-contained access tokens: "at+jwt" (RFC 9068), or "" for none.
	AccessTokenType string
	// UntypedAccessTokens leaves out the typ of AccessTokenType, for resource servers that reject at+jwt: Spring Boot 3.5 and 4.0 and
	// NAV's token-validation do so by default. The claims of RFC 9068 stay.
	UntypedAccessTokens bool
	// TokenForm holds where the form of tokens and token responses departs from that of the RFCs.
	TokenForm token.Form
	// AdjustTokens may narrow the scopes and audiences of each token, and replace its authorization_details: see [token.Config]. It may be nil.
	AdjustTokens func(ctx context.Context, c *token.Contents) error
	// DefaultAudience returns the audience of an access token for which neither the request nor a scope names one: see [token.Config]. It may
	// be nil.
	DefaultAudience func(ctx context.Context, c *token.Contents) ([]string, error)
	// MachineSubject is the sub of access tokens without a user: "client_id" (RFC 9068 §2.2), or "" for none.
	MachineSubject string
	// IDTokenOnRefresh adds an id_token to the response to a refresh.
	IDTokenOnRefresh bool
	// SIDForEveryClient adds sid to the id_tokens of every client, as the metadata says. If false, only clients that register
	// frontchannel_logout_session_required or a backchannel_logout_uri have one (docs.digdir.no: oidc_func_sso).
	SIDForEveryClient bool
	// RequiredParameters are parameters that every client must send to the authorization endpoint: state, nonce, code_challenge,
	// request and request_uri (pushed requests only).
	RequiredParameters []string
	// RequestURIAlone rejects requests that have parameters other than client_id beside the request_uri of a pushed request. If false,
	// these parameters are ignored (RFC 9126 §4).
	RequestURIAlone bool
	// MergeRequestObject takes the parameters that the request object of a pushed request leaves out from those beside it; see
	// authorize.Config.
	MergeRequestObject bool
	// RequireNBF rejects request objects without nbf, and those with more than an hour between nbf and exp.
	RequireNBF bool
	// AssertionAudience is the rule for the aud of client assertions. The zero value is the issuer as a string.
	AssertionAudience client.AudienceRule
	// AssertionLifetime is the longest time from iat to exp of a client assertion, at most an hour. If 0, it is 120 s.
	AssertionLifetime time.Duration
	// TypedAssertions rejects client assertions whose typ is not client-authentication+jwt. If false, JWT and no typ are accepted too.
	TypedAssertions bool
	// RequireClientID rejects a client assertion without the parameter client_id beside it. If false, the sub of the assertion names
	// the client (RFC 7521 §4.2).
	RequireClientID bool
	// ClientMethods are the token_endpoint_auth_method values that registrations may have; without none, clients are confidential. If
	// nil, every method is allowed.
	ClientMethods []string
	// SigningAlgorithms are the algorithms of everything that is signed: client assertions, request objects and DPoP proofs, and the
	// id_tokens, access tokens and responses of the provider: New rejects keys and a policy for proofs with others. If nil, every one is allowed.
	SigningAlgorithms []string
	// SenderConstrained binds every access token to a key of the client, by a DPoP proof or a client certificate, and rejects token
	// requests without one. If false, a client may choose.
	SenderConstrained bool
	// DPoPNonce requires a nonce of the provider in DPoP proofs at the token endpoint (RFC 9449 §8). Config.DPoP must have Nonces.
	DPoPNonce bool
	// ReuseRefreshTokens keeps refresh tokens of confidential clients: registrations without refresh_token_usage have "reuse", and
	// OneTime is rejected. If false, the registration decides.
	ReuseRefreshTokens bool
	// IssuerAudienceOnly rejects registrations with allow_token_endpoint_audience.
	IssuerAudienceOnly bool
	// SecureRedirectURIs rejects registrations with http redirect URIs, except those of native applications on loopback, also in a test
	// environment.
	SecureRedirectURIs bool
	// ResponseModes are the response_modes that registrations may have, those of registrations without, and response_modes_supported of the
	// metadata. With jwt, query.jwt or form_post.jwt, responses are signed (JARM). If nil, they are query and form_post.
	ResponseModes []string
	// CustomerParameter is the parameter of authorization requests that names the customer of a supplier's client: an element of onbehalfof
	// of the registration. If "", it is onbehalfof.
	CustomerParameter string
	// RequestURIPrefix is the first part of every request_uri of a pushed authorization request. It begins with "urn:" and ends
	// with a colon. If "", it is [authorize.DefaultRequestURIPrefix].
	RequestURIPrefix string
	// Circle returns the name of the circle of a client: clients of one circle share logins. It applies if Config.Session has no
	// Circle. If nil, it is session.CircleOf.
	Circle func(clientID string, isolated bool) string
	// SingleUseLogin reports whether a login answers only the request that it was made for. It applies if Config.Session has no
	// SingleUse. If nil, every login can answer later requests.
	SingleUseLogin func(acr string, amr []string) bool
	// LogoutRequiresSession answers a logout request of a browser without a session cookie with an error page. If false, the user is
	// logged out already, and a valid id_token_hint leads back to the client.
	LogoutRequiresSession bool
	// ConfirmLogout shows a confirmation page before a logout whose request has no id_token_hint (OIDC RP-Initiated Logout §2). If false,
	// such a request, with or without client_id, ends the session. A hint of another session is confirmed in any case.
	ConfirmLogout bool
	// Paths are the paths of the endpoints. Zero fields have the defaults of [Paths].
	Paths Paths
	// Lifetimes are the lifetimes of the service. A registration can replace AccessToken, RefreshToken and Authorization.
	// PushedRequest and Pending have the defaults of package authorize; the other fields are required.
	Lifetimes Lifetimes

	// rules are the requirements of a specification that New verifies. FAPI2 sets them.
	rules []rule
}

// Paths holds the paths of the endpoints below the issuer; those of Authorize and EndSession are below Config.BrowserURL. Each begins
// with a slash and is different from the others. The metadata documents are where OIDC Discovery §4 and RFC 8414 §3 put them.
type Paths struct {
	Authorize      string // the default is /authorize
	PushedRequests string // the default is /par
	Token          string // the default is /token
	UserInfo       string // the default is /userinfo
	Introspection  string // the default is /tokeninfo, and /introspect and /tokenintrospect too
	Revocation     string // the default is /revoke
	EndSession     string // the default is /logout, and /endsession too
	JWKS           string // the default is /jwks.json
}

var defaultPaths = Paths{
	Authorize: "/authorize", PushedRequests: "/par", Token: "/token", UserInfo: "/userinfo", Introspection: "/tokeninfo", Revocation: "/revoke",
	EndSession: "/logout", JWKS: "/jwks.json",
}

// introspectionAliases are further paths of the introspection endpoint beside its default one: ID-porten's pages name two (docs.digdir.no:
// oidc_protocol_tokenintrospect), and other providers the third.
var introspectionAliases = [...]string{"/introspect", "/tokenintrospect"}

// fields returns the fields by name.
func (p *Paths) fields() map[string]*string {
	return map[string]*string{
		"Authorize": &p.Authorize, "PushedRequests": &p.PushedRequests, "Token": &p.Token, "UserInfo": &p.UserInfo,
		"Introspection": &p.Introspection, "Revocation": &p.Revocation, "EndSession": &p.EndSession, "JWKS": &p.JWKS,
	}
}

// withDefaults returns p with the defaults of zero fields.
func (p Paths) withDefaults() Paths {
	defaults := defaultPaths
	for name, to := range p.fields() {
		*to = cmp.Or(*to, *defaults.fields()[name])
	}
	return p
}

// Lifetimes holds lifetimes in whole seconds.
type Lifetimes struct {
	// AccessToken is the lifetime of access tokens.
	AccessToken time.Duration
	// IDToken is the lifetime of id_tokens.
	IDToken time.Duration
	// RefreshToken is the lifetime of an unused refresh token.
	RefreshToken time.Duration
	// Authorization is the lifetime of a grant: no token that derives from it lives longer.
	Authorization time.Duration
	// Code is the lifetime of authorization codes, at most 600 s.
	Code time.Duration
	// PushedRequest is the lifetime of a request_uri, from 5 s to 600 s.
	PushedRequest time.Duration
	// Pending is how long a user may take to log in and consent, at most 1 h.
	Pending time.Duration
}

// withDefaults returns pr with its defaults. The lists that decide which registrations obey the profile are copies: the host may change its own.
func (pr Profile) withDefaults() Profile {
	pr.ClientMethods, pr.SigningAlgorithms, pr.ResponseModes = slices.Clone(pr.ClientMethods), slices.Clone(pr.SigningAlgorithms), slices.Clone(pr.ResponseModes)
	if len(pr.SubjectTypesSupported) == 0 && pr.SubjectType != "" {
		pr.SubjectTypesSupported = []string{pr.SubjectType}
	}
	pr.Paths = pr.Paths.withDefaults()
	pr.RequestURIPrefix = cmp.Or(pr.RequestURIPrefix, authorize.DefaultRequestURIPrefix)
	pr.Lifetimes.PushedRequest = cmp.Or(pr.Lifetimes.PushedRequest, authorize.DefaultPushedRequestLifetime)
	pr.Lifetimes.Pending = cmp.Or(pr.Lifetimes.Pending, authorize.DefaultPendingLifetime)
	return pr
}

// with returns l with the fields of other that are set.
func (l Lifetimes) with(other Lifetimes) Lifetimes {
	for _, f := range [...]struct {
		to   *time.Duration
		from time.Duration
	}{
		{&l.AccessToken, other.AccessToken},
		{&l.IDToken, other.IDToken},
		{&l.RefreshToken, other.RefreshToken},
		{&l.Authorization, other.Authorization},
		{&l.Code, other.Code},
		{&l.PushedRequest, other.PushedRequest},
		{&l.Pending, other.Pending},
	} {
		if f.from != 0 {
			*f.to = f.from
		}
	}
	return l
}

// IDPorten returns the profile of ID-porten, Norway's national login (docs.digdir.no: OIDC-protokollen i ID-porten): its levels,
// claims and languages, prompt=login only, pairwise subjects, the level substantial unless the client requests another, and logout
// without a confirmation: any site can log a user out by a link.
func IDPorten() Profile {
	return Profile{
		Name:             "ID-porten",
		Levels:           acr.IDPorten,
		DefaultACRValues: []string{acr.Substantial},
		RequireKnownACR:  true,
		PromptValues:     []string{"login"},
		Locales:          httpx.DefaultLocales(),
		Scopes:           scope.IDPortenScopes(),
		Claims:           []token.ClaimsFunc{idPortenClaims},
		ClaimsSupported:  []string{"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "jti", "sid", "locale", "pid"},
		SubjectType:      client.Pairwise,
		UserInfoScope:    scope.Profile,
		RequireClientID:  true, AssertionAudience: client.IssuerString,
		RequestURIPrefix: authorize.IDPortenRequestURIPrefix,
		RequestURIAlone:  true, LogoutRequiresSession: true,
		SingleUseLogin: isEIDASLogin,
		Lifetimes:      defaultLifetimes(),
	}
}

// OpenIDConnect returns the profile of a plain OpenID provider: the standard scopes and claims, every value of prompt, the
// claims parameter, public subjects, JWT access tokens of RFC 9068, and no levels of assurance. Access tokens and id_tokens live an hour,
// unused refresh tokens 30 days, and grants 90 days. PKCE is required unless the
// registration of a confidential client says otherwise.
func OpenIDConnect() Profile {
	claims := []string{"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "jti", "sid"}
	for _, name := range [...]string{scope.Profile, scope.Email, scope.Address, scope.Phone} {
		claims = append(claims, standardClaims[name]...)
	}
	return Profile{
		Name:            "OpenID Connect",
		PromptValues:    []string{"login", "none", "consent", "select_account"},
		Locales:         httpx.DefaultLocales(),
		AcceptLanguage:  true,
		Scopes:          scope.StandardScopes(),
		Claims:          []token.ClaimsFunc{openIDClaims, requestedClaims},
		ScopeClaims:     standardClaims,
		ClaimsSupported: claims,
		ClaimsParameter: true,
		SubjectType:     client.Public, SubjectTypesSupported: []string{client.Public, client.Pairwise},
		AssertionAudience: client.IssuerOrList, AssertionLifetime: time.Hour,
		AccessTokenType:   "at+jwt",
		MachineSubject:    "client_id",
		SIDForEveryClient: true,
		IDTokenOnRefresh:  true,
		ConfirmLogout:     true,
		Lifetimes:         openIDLifetimes(),
	}
}

// defaultLifetimes are those of ID-porten (docs.digdir.no: Levetider).
func defaultLifetimes() Lifetimes {
	return Lifetimes{
		AccessToken: 120 * time.Second, IDToken: 120 * time.Second, RefreshToken: 600 * time.Second, Authorization: authorize.DefaultAuthorizationLifetime,
		Code: authorize.DefaultCodeLifetime,
	}
}

// openIDLifetimes are those of an ordinary product: a client that is used once a month needs no further login for 90 days.
func openIDLifetimes() Lifetimes {
	const day = 24 * time.Hour
	return Lifetimes{AccessToken: time.Hour, IDToken: time.Hour, RefreshToken: 30 * day, Authorization: 90 * day, Code: authorize.DefaultCodeLifetime}
}
