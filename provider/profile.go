package provider

import (
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/token"
)

// Profile is a set of rules for a whole provider. IDPorten and OpenIDConnect make one, and package ansattporten
// another; change fields of what they return to choose otherwise where ID-porten's documents leave a question open (idporten section 21).
type Profile struct {
	// Levels are the acr values the provider knows, and their order.
	Levels *acr.Levels
	// DefaultACRValues stand in for acr_values in a request without. nil: any level will do.
	DefaultACRValues []string
	// PromptValues are for clients that do not name their own.
	PromptValues []string
	// Locales are the languages of the pages, the fallback first.
	Locales []string
	// Scopes are standard scopes the profile adds to Config.Scopes.
	Scopes []scope.Scope
	// SubjectType applies to clients that do not name theirs: client.Public or client.Pairwise. The default is client.Pairwise.
	SubjectType string
	// SubjectTypesSupported is subject_types_supported of the metadata.
	SubjectTypesSupported []string
	// Claims add the claims of the profile, before those of Config.
	Claims []token.ClaimsFunc
	// ScopeClaims maps scopes to the claims of token.User that userinfo returns for them.
	ScopeClaims map[string][]string
	// UserInfoScope is the scope that an access token needs at the userinfo endpoint. If "", it is openid.
	UserInfoScope string
	// AccessTokenType is the header typ of self-contained access tokens: "at+jwt" (RFC 9068), or "" for none.
	AccessTokenType string
	// ClaimsSupported is claims_supported of the metadata.
	ClaimsSupported []string
	// RequestURIPrefix begins the request_uri values of PAR.
	RequestURIPrefix string
	// AssertionAudience is the rule for the aud of client assertions. The zero value is the issuer as a string.
	AssertionAudience client.AudienceRule
	// IDTokenOnRefresh adds an id_token to the answer of a refresh.
	IDTokenOnRefresh bool
	// RequiredParameters are parameters that every client must send to the authorization endpoint: state, nonce, code_challenge,
	// request and request_uri. See authorize.Config.
	RequiredParameters []string
	// NoUserInfo leaves the userinfo endpoint out, and out of the metadata.
	NoUserInfo bool
	// Circle names the circle of trust of each client, where Config.Session does not: see session.Rules.
	Circle func(clientID string, isolated bool) string
	// SingleUseLogin reports whether a login answers only the request that it was made for, unless Config.Session has a rule.
	SingleUseLogin func(acr string, amr []string) bool
	// AllowNoPID understands the retired scope no_pid (idporten C26).
	AllowNoPID bool
	// ClaimsParameter supports the parameter claims of authorization requests (OIDC Core §5.5). Without it the parameter is ignored.
	ClaimsParameter bool
	// ConfirmLogout asks the user to confirm a logout, unless an id_token_hint matches the session. Without it every site can log
	// users out.
	ConfirmLogout bool
}

// IDPorten is the profile of Norway's national login: ID-porten's levels, claims and languages,
// prompt=login only, substantial assurance unless the client asks otherwise.
func IDPorten() Profile {
	return Profile{
		Levels:           acr.IDPorten,
		DefaultACRValues: []string{acr.Substantial},
		PromptValues:     []string{"login"},
		Locales:          []string{"nb", "nn", "en", "se"},
		Claims:           []token.ClaimsFunc{idPortenClaims},
		UserInfoScope:    scope.Profile,
		SingleUseLogin:   isEIDASLogin,
		SubjectType:      client.Pairwise, SubjectTypesSupported: []string{client.Pairwise},
		ClaimsSupported:  []string{"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "jti", "sid", "locale", "pid"},
		RequestURIPrefix: authorize.IDPortenRequestURIPrefix, ConfirmLogout: true,
	}
}

// OpenIDConnect is a plain OpenID Connect provider: the standard scopes and claims, every prompt value, no
// claim of ID-porten's. Its defaults stay secure: PKCE is required until a confidential client's
// registration says code_challenge_method none.
func OpenIDConnect() Profile {
	return Profile{
		Levels:       acr.IDPorten,
		PromptValues: []string{"login", "none", "consent", "select_account"},
		Locales:      []string{"nb", "nn", "en", "se"},
		Scopes:       scope.StandardScopes(),
		Claims:       []token.ClaimsFunc{openIDClaims, requestedClaims},
		ScopeClaims:  standardClaims, AccessTokenType: "at+jwt",
		SubjectType: client.Pairwise, SubjectTypesSupported: []string{client.Public, client.Pairwise},
		ClaimsSupported: []string{
			"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "jti", "sid",
			"name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture", "website",
			"gender", "birthdate", "zoneinfo", "locale", "updated_at", "email", "email_verified", "address", "phone_number", "phone_number_verified",
		},
		RequestURIPrefix: authorize.DefaultRequestURIPrefix, ConfirmLogout: true, ClaimsParameter: true,
		IDTokenOnRefresh: true,
	}
}

// isZero reports whether no profile was chosen.
func (p Profile) isZero() bool { return p.Levels == nil && p.Claims == nil }

// scopesSupported are openid, profile and the standard scopes of the profile. The scopes of APIs are their
// owners' to publish.
func (p Profile) scopesSupported() []string {
	names := []string{"openid", "profile"}
	for _, s := range p.Scopes {
		names = append(names, s.Name)
	}
	return names
}
