package client

import (
	"encoding/json"
	"time"
)

// The authentication methods (token_endpoint_auth_method).
const (
	ClientSecretBasic = "client_secret_basic"
	ClientSecretPost  = "client_secret_post"
	PrivateKeyJWT     = "private_key_jwt"
	None              = "none"
)

// The application types.
const (
	Web     = "web"
	Browser = "browser"
	Native  = "native"
)

// RefreshTokenUsage is refresh_token_usage.
const (
	OneTime = "ONETIME"
	Reuse   = "REUSE"
)

// The grant types with a meaning in the registration rules.
const (
	AuthorizationCode = "authorization_code"
	RefreshToken      = "refresh_token"
	ClientCredentials = "client_credentials"
	JWTBearer         = "urn:ietf:params:oauth:grant-type:jwt-bearer"
)

// Subject types (OIDC Core §8).
const (
	Public   = "public"
	Pairwise = "pairwise"
)

// Client is one registration (idporten chapter 2). Treat it as immutable once in use.
//
// An absent property has a default; methods such as AuthMethod and Grants give the value that counts.
type Client struct {
	// ClientID names the client: at most 256 printable ASCII characters, never of the form of a subject.
	ClientID string `json:"client_id"`
	// ClientName is shown to the person at login; DisplayName falls back to ClientID.
	ClientName string `json:"client_name,omitempty"`
	// Description is the operator's note. It is not shown to anyone.
	Description string `json:"description,omitempty"`
	// ClientURI is the service's home page, http or https.
	ClientURI string `json:"client_uri,omitempty"`
	// LogoURI is a picture for the login page, http or https.
	LogoURI string `json:"logo_uri,omitempty"`
	// OrganisationNo is the legal consumer, the "consumer" of access tokens. ID-porten's integration types need it.
	OrganisationNo string `json:"client_orgno,omitempty"`
	// SupplierOrgno runs the client for OrganisationNo; it becomes "supplier" in access tokens.
	SupplierOrgno string `json:"supplier_orgno,omitempty"`
	// IntegrationType chooses the row of idporten section 2.4. "" is a plain OpenID Connect client.
	IntegrationType string `json:"integration_type,omitempty"`
	// ApplicationType is web, browser or native. "" is web.
	ApplicationType string `json:"application_type,omitempty"`

	// TokenEndpointAuthMethod is the one method the client may use, at every endpoint. "" is
	// client_secret_basic, and none for browser and native.
	TokenEndpointAuthMethod string `json:"token_endpoint_auth_method,omitempty"`
	// GrantTypes may be used by the client. Empty is authorization_code, or jwt-bearer for the machine
	// integration types.
	GrantTypes []string `json:"grant_types,omitempty"`
	// RedirectURIs are where answers of the authorization endpoint may go, 50 at most (section 2.5).
	RedirectURIs []string `json:"redirect_uris,omitempty"`
	// PostLogoutRedirectURIs are where a browser may go after logout, by the same rules.
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris,omitempty"`

	// FrontchannelLogoutURI is loaded in a frame at logout. It shares its origin with a redirect URI.
	FrontchannelLogoutURI string `json:"frontchannel_logout_uri,omitempty"`
	// FrontchannelLogoutSessionRequired adds iss and sid to that call, and sid to the id_token.
	FrontchannelLogoutSessionRequired bool `json:"frontchannel_logout_session_required,omitempty"`
	// BackchannelLogoutURI is called with a logout token. Its host is that of a redirect URI.
	BackchannelLogoutURI string `json:"backchannel_logout_uri,omitempty"`
	// BackchannelLogoutSessionRequired is implied by BackchannelLogoutURI.
	BackchannelLogoutSessionRequired bool `json:"backchannel_logout_session_required,omitempty"`

	// Scopes the client may request. Empty is openid and profile for the integration type idporten,
	// and none otherwise.
	Scopes []string `json:"scopes,omitempty"`
	// CodeChallengeMethod is S256 ("" too), or none to let a confidential client leave PKCE out. A
	// client with none is open to injected authorization codes (RFC 9700 section 4.5).
	CodeChallengeMethod string `json:"code_challenge_method,omitempty"`
	// SSODisabled isolates the client's logins from everybody else's (idporten section 14.4).
	SSODisabled bool `json:"sso_disabled,omitempty"`
	// ResponseModes are query and form_post, both if empty.
	ResponseModes []string `json:"response_modes,omitempty"`
	// PromptValues are login, none, consent and select_account. Empty is the provider's default.
	PromptValues []string `json:"prompt_values,omitempty"`

	// JWKS is an RFC 7517 object with at most five public keys, for assertions and request objects. A key
	// with x5c is locked to that certificate. Without JWKS, the business certificate of OrganisationNo signs
	// assertions, where Config.Certificates allows it.
	JWKS json.RawMessage `json:"jwks,omitempty"`

	// SubjectType is Public or Pairwise. If "", the profile of the provider decides.
	SubjectType string `json:"subject_type,omitempty"`
	// SectorIdentifierURI is an https URL (OIDC Core §8.1). Clients with the same host in it receive the same pairwise
	// subjects. If "", the client receives subjects of its own. See Sector.
	SectorIdentifierURI string `json:"sector_identifier_uri,omitempty"`

	// AccessTokenLifetime in seconds; 0 is the provider's default. Scopes may cap it.
	AccessTokenLifetime int `json:"access_token_lifetime,omitempty"`
	// RefreshTokenLifetime in seconds of inactivity; 0 is the provider's default.
	RefreshTokenLifetime int `json:"refresh_token_lifetime,omitempty"`
	// AuthorizationLifetime in seconds, absolute; 0 is the provider's default. Scopes may cap it.
	AuthorizationLifetime int `json:"authorization_lifetime,omitempty"`
	// RefreshTokenUsage is ONETIME ("" too) or REUSE. REUSE leaves theft of a refresh token unnoticed
	// and is refused for public clients.
	RefreshTokenUsage string `json:"refresh_token_usage,omitempty"`

	// IDTokenSignedResponseAlg is RS256, PS256, ES256 or EdDSA. "" is the provider's default.
	IDTokenSignedResponseAlg string `json:"id_token_signed_response_alg,omitempty"`
	// AccessTokenSignedResponseAlg is as IDTokenSignedResponseAlg. "" is the id_token's.
	AccessTokenSignedResponseAlg string `json:"access_token_signed_response_alg,omitempty"`

	// RequirePushedAuthorizationRequests refuses authorization requests that were not pushed (RFC 9126 section 6).
	RequirePushedAuthorizationRequests bool `json:"require_pushed_authorization_requests,omitempty"`
	// RequireSignedRequestObject refuses authorization requests without one (RFC 9101 section 10.5). Needs JWKS.
	RequireSignedRequestObject bool `json:"require_signed_request_object,omitempty"`
	// RequireState refuses authorization requests without state. Always on for public clients.
	RequireState bool `json:"require_state,omitempty"`
	// RequireNonce refuses authorization requests without nonce.
	RequireNonce bool `json:"require_nonce,omitempty"`
	// AllowTokenEndpointAudience is a weakening: assertions may name the token endpoint as audience
	// (security decision K4). Each use is reported.
	AllowTokenEndpointAudience bool `json:"allow_token_endpoint_audience,omitempty"`

	// OnBehalfOf are the pre-registered customers of a supplier's client (idporten section 18.1).
	OnBehalfOf []OnBehalfOf `json:"onbehalfof,omitempty"`

	// Created and LastUpdated are the registration's own history; nothing is decided by them.
	Created     time.Time `json:"created,omitzero"`
	LastUpdated time.Time `json:"last_updated,omitzero"`

	// Secrets are the live client secrets, hashed: at most two, so that a client can change its secret without an outage.
	Secrets []Secret `json:"client_secrets,omitempty"`
	// KeysUploadedAt is when JWKS was registered. The keys expire 365 days later. If zero, they do not expire.
	KeysUploadedAt time.Time `json:"keys_uploaded_at,omitzero"`
	// Disabled rejects every request of the client, as if it were not registered. The JSON member is "active".
	Disabled bool `json:"disabled,omitempty"`
}

// OnBehalfOf is one pre-registered customer of a supplier's client.
type OnBehalfOf struct {
	// Value is what the request's onbehalfof parameter says.
	Value string `json:"onbehalfof"`
	// Name is shown to the person in place of the client's.
	Name string `json:"display_name,omitempty"`
	// Orgno is the customer's organisation number.
	Orgno string `json:"orgno,omitempty"`
	// URL is the customer's home page, http or https.
	URL string `json:"url,omitempty"`
	// Description is the operator's note.
	Description string `json:"description,omitempty"`
	// Logo is a picture for the login page, http or https.
	Logo string `json:"logo,omitempty"`
}

// Environment says which URIs and credentials a registration may have.
type Environment struct {
	// Test allows plain http and localhost for web and browser clients.
	Test bool
	// BusinessCertificates lets clients of an organisation use private_key_jwt without registered keys,
	// because Config.Certificates is there to verify what they sign with.
	BusinessCertificates bool
}
