package token

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
)

// MaxRotationGrace is the largest Config.RotationGrace.
const MaxRotationGrace = 60 * time.Second

// Config configures an [Endpoint].
type Config struct {
	// Issuer is the issuer identifier of the provider, byte for byte as in its metadata. It is the iss of every token. Required.
	Issuer string
	// Store keeps codes, grants and tokens. If nil, the endpoint supports the grant types of GrantHandlers only, and there is no
	// introspection, userinfo and revocation.
	Store Store
	// Authenticator authenticates clients. Required with Store.
	Authenticator *client.Authenticator
	// ClientCertificates returns the certificates of the TLS client of a request. If nil, they are those of the TLS connection.
	ClientCertificates client.CertificateFunc
	// Clients finds the clients of grants. Required.
	Clients client.Source
	// Scopes finds scopes and the access of clients to them. Required.
	Scopes scope.Source
	// Keys signs tokens. Required.
	Keys *keyset.Set
	// Pairwise derives pairwise subjects. Required with Store.
	Pairwise *pseudonym.Pairwise
	// Vault opens the identities of grants. It needs the secrets of the authorization endpoint. Required with Store.
	Vault *session.Vault

	// Users finds users: whether they are enabled, and their claims. If nil, users are never disabled and have no claims.
	Users UserSource
	// Origins reports whether any browser client has the origin, for CORS preflight requests, which name no client. Pass HasOrigin
	// of a *client.Registry. If nil, every preflight request is denied. Other requests are subject to the origins of their client.
	Origins func(ctx context.Context, origin string) (bool, error)

	// AuthorizationDetails are the types of authorization_details (RFC 9396). Granted details are evaluated again when a code is
	// redeemed and at each refresh. If nil, grants with details have no more tokens.
	AuthorizationDetails *rar.Registry
	// Claims add claims to documents, in this order.
	Claims []ClaimsFunc
	// ScopeClaims maps scopes to the claims of User.Claims that userinfo returns for them (OIDC Core §5.4). Pseudonymous
	// documents have none of them, and their claims functions do not see them.
	ScopeClaims map[string][]string
	// UserInfoScope is the scope that an access token needs at the userinfo endpoint. The default is openid.
	UserInfoScope string
	// AccessTokenType is the header typ of self-contained access tokens: "at+jwt" or "". With "at+jwt" the tokens have the claims
	// amr, auth_time and aud of RFC 9068; aud is Issuer if no resource was requested and no scope enforces an audience. If "",
	// the tokens have no typ.
	AccessTokenType string
	// UntypedAccessTokens leaves out the typ of AccessTokenType, for resource servers that reject at+jwt. The claims stay.
	UntypedAccessTokens bool
	// MachineSubject is the sub of access tokens without a user that the provider issues to a client itself: "client_id" (RFC 9068
	// §2.2), or "" for none.
	MachineSubject string
	// SubjectType is the subject type of clients whose registration has none: client.Public or client.Pairwise. The default is
	// client.Pairwise.
	SubjectType string
	// Lifetimes apply to clients whose registration has none. Scopes can only shorten them.
	Lifetimes Lifetimes
	// IDTokenOnRefresh adds an id_token to the response to a refresh if openid was granted.
	IDTokenOnRefresh bool
	// RotationGrace is the time after its rotation in which a client may present a refresh token again, because it did not receive
	// the response. The client then receives the same successor and a new access token, unless the successor was used.
	// Otherwise a rotated refresh token that is presented again revokes the grant. The default is 0, and the maximum is
	// MaxRotationGrace.
	RotationGrace time.Duration
	// Form holds where the form of tokens and responses departs from that of the RFCs. The zero value does not.
	Form Form
	// Adjust is called for every token request before its tokens are made, after the grant was checked. It may remove scopes from Plan.Granted,
	// audiences from Resources and Plan.Audience, name removed scopes in RejectedScopes, set Refresh to false, and replace
	// AuthorizationDetails, which are then those of this access token only. It must not change other fields. A *portner.Error is sent to the
	// client, and no code or token is consumed; every other error is a fault. It may be nil.
	Adjust func(ctx context.Context, c *Contents) error
	// DefaultAudience returns the audience of an access token for which neither the request nor a scope names one, for APIs whose clients
	// send no parameter resource. It is called after Adjust, and must not change c. The audience must not be a client: see [client.IsAPI]. A
	// *portner.Error is sent to the client, and no code or token is consumed; every other error is a fault. If nil, and where it returns
	// none, AccessTokenType decides.
	DefaultAudience func(ctx context.Context, c *Contents) ([]string, error)
	// GrantHandlers handle further grant types beside authorization_code and refresh_token.
	GrantHandlers []GrantHandler

	// DPoP checks the proofs of token requests, whose access tokens are bound to the key of the proof (RFC 9449), and those of requests
	// with such a token to userinfo and to [Minter.VerifyAccessToken]. Nonces of the policy are those of the token endpoint. If nil, the
	// header field DPoP is ignored, access tokens are bearer tokens, and clients with dpop_bound_access_tokens are rejected.
	DPoP *dpop.Policy
	// ResourceNonces requires a nonce in the proofs that userinfo and [Minter.VerifyAccessToken] check (RFC 9449 §9). The
	// name of their server differs from that of DPoP. If nil, these proofs need no nonce. It requires DPoP.
	ResourceNonces *dpop.Nonces
	// SenderConstrained rejects token requests without a proof or a certificate that the access token can be bound to (FAPI 2.0 SP
	// §5.3.2.1).
	SenderConstrained bool
	// TokenURL and UserInfoURL are the URLs of the endpoints in the metadata. They are the htu of proofs. Required with DPoP; UserInfoURL
	// only with Store.
	TokenURL, UserInfoURL string
	// MTLSURL takes the place of Issuer in the URLs of the endpoints for clients that send a TLS certificate (RFC 8705 §5): it is that of
	// mtls_endpoint_aliases in the metadata. Proofs are accepted for either. If "", there are no aliases.
	MTLSURL string

	resourceDPoP *dpop.Policy // DPoP with ResourceNonces: a nonce of the token endpoint is not for resource servers (RFC 9449 §9)

	// Now is the clock. It is read once per request. If nil, it is time.Now.
	Now func() time.Time
	// Logger receives one line per decision and fault. If nil, they are discarded.
	Logger *slog.Logger
	// OnEvent receives the same decisions as values, before the response is sent, so it must not block. It may be nil.
	OnEvent func(context.Context, portner.Event)
}

// Form holds where a service departs from the form of tokens and token responses that the RFCs describe. The zero value follows them.
type Form struct {
	// ScopeArray makes scope of self-contained access tokens an array. RFC 9068 §2.2.3 requires a string, and introspection always has one.
	ScopeArray bool
	// NotBefore adds nbf to id_tokens, access tokens and introspection: the time of issue.
	NotBefore bool
	// WithoutACR leaves out acr, where clients and APIs read the level of a login from another claim.
	WithoutACR bool
	// SessionID adds sid to the access tokens of users.
	SessionID bool
	// RTExpiresIn names the lifetime of the refresh token rt_expires_in in the token response, in place of refresh_token_expires_in.
	RTExpiresIn bool
}

// notBefore returns the nbf of a token, 0 for none.
func (f *Form) notBefore(issued time.Time) int64 {
	if !f.NotBefore {
		return 0
	}
	return issued.Unix()
}

// Lifetimes holds the lifetimes of tokens in whole seconds. Zero fields have defaults.
type Lifetimes struct {
	// AccessToken is for clients without access_token_lifetime. The default is 120 s.
	AccessToken time.Duration
	// RefreshToken is the idle lifetime for clients without refresh_token_lifetime. The default is 600 s.
	RefreshToken time.Duration
	// Authorization is the lifetime of a grant without an expiry. The default is 7200 s.
	Authorization time.Duration
	// IDToken is the lifetime of id_tokens. The default is 120 s.
	IDToken time.Duration
}

func (c *Config) setDefaults() {
	l := &c.Lifetimes
	l.AccessToken = cmp.Or(l.AccessToken, 120*time.Second)
	l.RefreshToken = cmp.Or(l.RefreshToken, 600*time.Second)
	l.Authorization = cmp.Or(l.Authorization, 7200*time.Second)
	l.IDToken = cmp.Or(l.IDToken, 120*time.Second)
	c.UserInfoScope = cmp.Or(c.UserInfoScope, scope.OpenID)
	c.SubjectType = cmp.Or(c.SubjectType, client.Pairwise)
	if c.AuthorizationDetails == nil {
		c.AuthorizationDetails = &rar.Registry{}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

// validate reports every problem at once.
func (c *Config) validate() error {
	var f fields.Checker
	f.URL("Issuer", c.Issuer)
	f.RequireValue(c.Clients, "Clients")
	f.RequireValue(c.Scopes, "Scopes")
	f.Require(c.Keys != nil, "Keys")
	f.Made(c.Keys, "Keys", "keyset.New")
	f.OptionalValue(c.Store, "Store")
	f.OptionalValue(c.Users, "Users")
	f.Made(c.Authenticator, "Authenticator", "client.NewAuthenticator")
	f.Made(c.Pairwise, "Pairwise", "pseudonym.NewPairwise")
	f.Made(c.Vault, "Vault", "session.NewVault")
	if c.Store == nil {
		f.Want(len(c.GrantHandlers) > 0, "Store", "is required without GrantHandlers")
	} else {
		f.Require(c.Authenticator != nil, "Authenticator")
		f.Require(c.Pairwise != nil, "Pairwise")
		f.Require(c.Vault != nil, "Vault")
	}
	for i, claims := range c.Claims {
		f.Require(claims != nil, fmt.Sprintf("Claims[%d]", i))
	}
	c.validateScopeClaims(&f)
	f.Want(c.AccessTokenType == "" || c.AccessTokenType == jwtAccessToken, "AccessTokenType", "must be at+jwt or empty")
	f.Want(c.MachineSubject == "" || c.MachineSubject == subjectClientID, "MachineSubject", "must be client_id or empty")
	f.Want(c.SubjectType == client.Public || c.SubjectType == client.Pairwise, "SubjectType", "must be public or pairwise")
	c.Lifetimes.validate(&f)
	f.Want(c.RotationGrace >= 0 && c.RotationGrace <= MaxRotationGrace, "RotationGrace", "must be between 0 and "+MaxRotationGrace.String())
	c.validateGrantHandlers(&f)
	c.validateDPoP(&f)
	return f.Err()
}

// validateDPoP reports the invalid fields about DPoP and mutual TLS.
func (c *Config) validateDPoP(f *fields.Checker) {
	f.Made(c.ResourceNonces, "ResourceNonces", "dpop.NewNonces")
	f.Want(c.ResourceNonces == nil || c.DPoP != nil, "ResourceNonces", "has no effect without DPoP")
	f.Want(c.ResourceNonces == nil || c.ResourceNonces != c.nonces(), "ResourceNonces", "must not be the nonces of DPoP")
	if c.DPoP != nil {
		f.Join("DPoP", c.DPoP.Validate())
		f.URL("TokenURL", c.TokenURL)
		if c.Store != nil {
			f.URL("UserInfoURL", c.UserInfoURL)
		}
	}
	if c.MTLSURL != "" {
		f.URL("MTLSURL", c.MTLSURL)
	}
}

func (c *Config) nonces() *dpop.Nonces {
	if c.DPoP == nil {
		return nil
	}
	return c.DPoP.Nonces
}

// validateScopeClaims rejects claims that no userinfo response can have.
func (c *Config) validateScopeClaims(f *fields.Checker) {
	for s, names := range c.ScopeClaims {
		for i, name := range names {
			f.Want(!reserved(UserInfo, name), fmt.Sprintf("ScopeClaims[%q][%d]", s, i), errReserved.Error())
		}
	}
}

func (l Lifetimes) validate(f *fields.Checker) {
	for _, of := range []struct {
		field string
		d     time.Duration
	}{
		{"AccessToken", l.AccessToken},
		{"RefreshToken", l.RefreshToken},
		{"Authorization", l.Authorization},
		{"IDToken", l.IDToken},
	} {
		f.Want(of.d >= time.Second && of.d%time.Second == 0, "Lifetimes."+of.field, "must be whole seconds, at least one")
	}
}

func (c *Config) validateGrantHandlers(f *fields.Checker) {
	seen := map[string]bool{}
	if c.Store != nil {
		seen[client.AuthorizationCode], seen[client.RefreshToken] = true, true
	}
	for i, g := range c.GrantHandlers {
		field := fmt.Sprintf("GrantHandlers[%d]", i)
		f.Require(g.Handle != nil, field+".Handle")
		f.Require(g.Type != "", field+".Type")
		f.Want(!seen[g.Type], field+".Type", "is repeated")
		f.Want(g.Unauthenticated || c.Authenticator != nil, field, "requires Authenticator")
		seen[g.Type] = g.Type != ""
	}
}
