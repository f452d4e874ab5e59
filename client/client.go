package client

import (
	"encoding/json"
	"time"
)

// Authentication methods (token_endpoint_auth_method).
const (
	ClientSecretBasic = "client_secret_basic"
	ClientSecretPost  = "client_secret_post"
	PrivateKeyJWT     = "private_key_jwt"
	None              = "none"

	// TLSClientAuth authenticates with a certificate of an authority, by its subject or one of its alternative names (RFC 8705 §2.1).
	TLSClientAuth = "tls_client_auth"
	// SelfSignedTLSClientAuth authenticates with a certificate that is registered (RFC 8705 §2.2).
	SelfSignedTLSClientAuth = "self_signed_tls_client_auth"
)

// Application types.
const (
	Web     = "web"
	Browser = "browser"
	Native  = "native"
)

// Values of refresh_token_usage.
const (
	OneTime = "ONETIME"
	Reuse   = "REUSE"
)

// Grant types.
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

// Client is one registration. It must not change while it is in use.
//
// A zero field has a default; methods such as AuthMethod and Grants return the value that applies.
type Client struct {
	// ClientID has at most 256 printable ASCII characters and must not have the form of a subject.
	ClientID string `json:"client_id"`
	// ClientName is shown to the user at login, at most 200 characters. It must be readable: visible characters, a letter or a digit,
	// one script in a word, and accented letters as single characters (NFC). If "", DisplayName returns ClientID.
	ClientName string `json:"client_name,omitempty"`
	// Description is a note for the operator. It is not shown to users.
	Description string `json:"description,omitempty"`
	// ClientURI is the home page of the client, http or https.
	ClientURI string `json:"client_uri,omitempty"`
	// LogoURI is a picture for the login page, http or https.
	LogoURI string `json:"logo_uri,omitempty"`
	// OrganisationNo is the number of the organisation that owns the client. It becomes "consumer" in access tokens. Most
	// integration types require it.
	OrganisationNo string `json:"client_orgno,omitempty"`
	// SupplierOrgno is the number of the organisation that operates the client for its owner. It becomes "supplier" in access
	// tokens.
	SupplierOrgno string `json:"supplier_orgno,omitempty"`
	// IntegrationType selects the rules of ID-porten for a kind of client. "" is a plain OpenID Connect client.
	IntegrationType string `json:"integration_type,omitempty"`
	// ApplicationType is Web, Browser or Native. If "", it is Web.
	ApplicationType string `json:"application_type,omitempty"`

	// TokenEndpointAuthMethod is the one method the client may use, at every endpoint. Methods with a TLS certificate are for web clients
	// without integration type. If "", it is client_secret_basic for
	// web clients and none for browser and native clients.
	TokenEndpointAuthMethod string `json:"token_endpoint_auth_method,omitempty"`
	// GrantTypes are the grant types that the client may use. If empty, the client may use authorization_code, or jwt-bearer
	// if its integration type is for machines.
	GrantTypes []string `json:"grant_types,omitempty"`
	// RedirectURIs are the URIs that authorization responses may be sent to, at most 50.
	RedirectURIs []string `json:"redirect_uris,omitempty"`
	// PostLogoutRedirectURIs are the URIs that a browser may be sent to after logout, at most 50.
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris,omitempty"`

	// FrontchannelLogoutURI is loaded in a frame at logout. It must have the origin of a redirect URI.
	FrontchannelLogoutURI string `json:"frontchannel_logout_uri,omitempty"`
	// FrontchannelLogoutSessionRequired adds iss and sid to FrontchannelLogoutURI, and sid to id_tokens.
	FrontchannelLogoutSessionRequired bool `json:"frontchannel_logout_session_required,omitempty"`
	// BackchannelLogoutURI receives logout tokens. It must have the host of a redirect URI.
	BackchannelLogoutURI string `json:"backchannel_logout_uri,omitempty"`
	// BackchannelLogoutSessionRequired has no effect: logout tokens always have a sid.
	BackchannelLogoutSessionRequired bool `json:"backchannel_logout_session_required,omitempty"`

	// Scopes are the scopes that the client may request. If empty, these are openid and profile for the integration type
	// idporten, and none for other clients.
	Scopes []string `json:"scopes,omitempty"`
	// ResourceServer permits the client to introspect tokens of other clients (RFC 7662): those with an audience among Resources, and
	// those with a scope that its organisation owns or that lists it. The scope idporten:token.introspection permits the same. Every
	// client that authenticates may introspect its own tokens.
	ResourceServer bool `json:"resource_server,omitempty"`
	// Resources identify the APIs of a resource server, which are audiences of tokens (RFC 8707): absolute URIs without fragment, at
	// most 50.
	Resources []string `json:"resources,omitempty"`
	// CodeChallengeMethod is S256 or none. If "", it is S256. With none a confidential client may send requests without
	// PKCE; injected authorization codes are then not detected (RFC 9700 §4.5).
	CodeChallengeMethod string `json:"code_challenge_method,omitempty"`
	// SSODisabled puts the client in a circle of its own: it shares no login with other clients.
	SSODisabled bool `json:"sso_disabled,omitempty"`
	// ResponseModes are query and form_post, and for signed responses jwt, query.jwt and form_post.jwt (JARM §2.3). If empty, query and
	// form_post are allowed.
	ResponseModes []string `json:"response_modes,omitempty"`
	// PromptValues are login, none, consent and select_account. If empty, the provider decides which ones are allowed.
	PromptValues []string `json:"prompt_values,omitempty"`

	// JWKS is a JWK set with one to five public keys, for assertions and request objects (RFC 7517). A key with x5c is valid
	// only as long as its certificate. A client without JWKS signs assertions with the business certificate of its
	// organisation, if Config.Certificates is set. With self_signed_tls_client_auth the first certificate of each x5c is one that
	// the client may authenticate with.
	JWKS json.RawMessage `json:"jwks,omitempty"`

	// TLSClientAuthSubjectDN is the subject of the certificate for tls_client_auth, as the text of RFC 4514. A client with
	// tls_client_auth has exactly one of this and the next four members.
	TLSClientAuthSubjectDN string `json:"tls_client_auth_subject_dn,omitempty"`
	// TLSClientAuthSANDNS is a dNSName among the alternative names of the certificate.
	TLSClientAuthSANDNS string `json:"tls_client_auth_san_dns,omitempty"`
	// TLSClientAuthSANURI is a uniformResourceIdentifier among the alternative names of the certificate.
	TLSClientAuthSANURI string `json:"tls_client_auth_san_uri,omitempty"`
	// TLSClientAuthSANIP is an iPAddress among the alternative names of the certificate, IPv4 or IPv6.
	TLSClientAuthSANIP string `json:"tls_client_auth_san_ip,omitempty"`
	// TLSClientAuthSANEmail is an rfc822Name among the alternative names of the certificate.
	TLSClientAuthSANEmail string `json:"tls_client_auth_san_email,omitempty"`
	// UseMTLSEndpointAliases is for the operator: the client sends its requests to the mtls_endpoint_aliases of the metadata (FAPI 2.0
	// SP §5.2.2). It has no effect, because the provider accepts a client at either.
	UseMTLSEndpointAliases bool `json:"use_mtls_endpoint_aliases,omitempty"`

	// DPoPBoundAccessTokens rejects token requests without a DPoP proof (RFC 9449 §5.2).
	DPoPBoundAccessTokens bool `json:"dpop_bound_access_tokens,omitempty"`
	// TLSClientCertificateBoundAccessTokens binds access tokens to the TLS certificate of the client, and rejects token requests
	// without one (RFC 8705 §3.4).
	TLSClientCertificateBoundAccessTokens bool `json:"tls_client_certificate_bound_access_tokens,omitempty"`

	// SubjectType is Public or Pairwise. If "", the profile of the provider decides.
	SubjectType string `json:"subject_type,omitempty"`
	// SectorIdentifierURI is an https URL (OIDC Core §8.1). Clients with the same host in it receive the same pairwise
	// subjects. If "", the client receives subjects of its own. The provider does not fetch the URL: verify that the client belongs
	// to the sector before you register it. See Sector.
	SectorIdentifierURI string `json:"sector_identifier_uri,omitempty"`

	// AccessTokenLifetime is in seconds. If 0, the default of the provider applies. Scopes can shorten it.
	AccessTokenLifetime int `json:"access_token_lifetime,omitempty"`
	// RefreshTokenLifetime is in seconds without use. If 0, the default of the provider applies.
	RefreshTokenLifetime int `json:"refresh_token_lifetime,omitempty"`
	// AuthorizationLifetime is the absolute lifetime of a grant in seconds. If 0, the default of the provider applies. Scopes
	// can shorten it.
	AuthorizationLifetime int `json:"authorization_lifetime,omitempty"`
	// RefreshTokenUsage is OneTime or Reuse. If "", it is OneTime. With Reuse the theft of a refresh token is not detected;
	// public clients must not use it.
	RefreshTokenUsage string `json:"refresh_token_usage,omitempty"`

	// IDTokenSignedResponseAlg is RS256, PS256, ES256 or EdDSA. If "", the default of the provider applies.
	IDTokenSignedResponseAlg string `json:"id_token_signed_response_alg,omitempty"`
	// AccessTokenSignedResponseAlg is RS256, PS256, ES256 or EdDSA. If "", it is IDTokenSignedResponseAlg.
	AccessTokenSignedResponseAlg string `json:"access_token_signed_response_alg,omitempty"`
	// AuthorizationSignedResponseAlg is RS256, PS256, ES256 or EdDSA, for signed authorization responses (JARM §3). If "", the default of
	// the provider applies.
	AuthorizationSignedResponseAlg string `json:"authorization_signed_response_alg,omitempty"`
	// IntrospectionSignedResponseAlg is RS256, PS256, ES256 or EdDSA, for signed introspection responses (RFC 9701 §6). With it, the
	// client receives no other responses. If "", the responses that it accepts as signed ones have the default of the provider.
	IntrospectionSignedResponseAlg string `json:"introspection_signed_response_alg,omitempty"`

	// RequirePushedAuthorizationRequests rejects authorization requests that were not pushed (RFC 9126 §6).
	RequirePushedAuthorizationRequests bool `json:"require_pushed_authorization_requests,omitempty"`
	// RequireSignedRequestObject rejects authorization requests without a request object (RFC 9101 §10.5). It requires JWKS.
	RequireSignedRequestObject bool `json:"require_signed_request_object,omitempty"`
	// RequireState rejects authorization requests without state. Public clients always have to send it.
	RequireState bool `json:"require_state,omitempty"`
	// RequireNonce rejects authorization requests without nonce.
	RequireNonce bool `json:"require_nonce,omitempty"`
	// AllowTokenEndpointAudience accepts assertions whose audience is the token endpoint. This is less secure, because
	// another provider could obtain and replay such an assertion. Each use is reported as an event.
	AllowTokenEndpointAudience bool `json:"allow_token_endpoint_audience,omitempty"`

	// OnBehalfOf are the customers that a supplier's client may act for.
	OnBehalfOf []OnBehalfOf `json:"onbehalfof,omitempty"`

	// Created and LastUpdated are for the operator. They have no effect.
	Created     time.Time `json:"created,omitzero"`
	LastUpdated time.Time `json:"last_updated,omitzero"`

	// Secrets are the live client secrets, hashed: at most two, so that a client can change its secret without an outage.
	Secrets []Secret `json:"client_secrets,omitempty"`
	// KeysUploadedAt is when JWKS was registered. The keys expire 365 days later. If zero, they do not expire.
	KeysUploadedAt time.Time `json:"keys_uploaded_at,omitzero"`
	// Disabled rejects every request of the client, as if it were not registered. MarshalJSON writes its negation as "active".
	Disabled bool `json:"disabled,omitempty"`
}

// OnBehalfOf is one customer of a supplier's client.
type OnBehalfOf struct {
	// Value is the value of the request parameter onbehalfof.
	Value string `json:"onbehalfof"`
	// Name is shown to the user in place of the client's name. The rules are those of ClientName.
	Name string `json:"display_name,omitempty"`
	// Orgno is the organisation number of the customer.
	Orgno string `json:"orgno,omitempty"`
	// URL is the home page of the customer, http or https.
	URL string `json:"url,omitempty"`
	// Description is a note of the operator.
	Description string `json:"description,omitempty"`
	// Logo is a picture for the login page, http or https.
	Logo string `json:"logo,omitempty"`
}

// Environment selects the rules that a registration is validated against. The zero value is production without business certificates.
type Environment struct {
	// Test allows plain http and localhost for web and browser clients.
	Test bool
	// BusinessCertificates allows clients with an organisation to use private_key_jwt without registered keys. Set it if
	// Config.Certificates is set.
	BusinessCertificates bool
	// SigningAlgorithms are the algorithms of the keys of clients. Set it to Config.SigningAlgorithms. If nil, they are RS256, RS384, RS512,
	// PS256, ES256 and EdDSA.
	SigningAlgorithms []string
	// NativeKeys allows native applications to use private_key_jwt, where each installation has a key of its own: the thick clients of
	// HelseID.
	NativeKeys bool
	// NoPID accepts the scopes no_pid and tokeninfo, which ID-porten no longer documents: a client may request a pseudonymous login
	// with no_pid, and a client with tokeninfo is a resource server.
	NoPID bool
	// Profile reports the members that break the profile of the provider, as portner.FieldErrors: provider.Profile.CheckClient. If nil,
	// there are no such rules.
	Profile func(c *Client) error
}
