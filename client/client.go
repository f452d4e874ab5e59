// Package client is the registration model of relying parties and their authentication.
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

// Client is one registration. Treat it as immutable once in use.
type Client struct {
	ClientID        string `json:"client_id"`
	ClientName      string `json:"client_name,omitempty"`
	Description     string `json:"description,omitempty"`
	ClientURI       string `json:"client_uri,omitempty"`
	LogoURI         string `json:"logo_uri,omitempty"`
	ClientOrgno     string `json:"client_orgno,omitempty"`
	SupplierOrgno   string `json:"supplier_orgno,omitempty"`
	IntegrationType string `json:"integration_type,omitempty"`
	ApplicationType string `json:"application_type,omitempty"` // "" is web

	TokenEndpointAuthMethod string   `json:"token_endpoint_auth_method,omitempty"` // "" is client_secret_basic
	GrantTypes              []string `json:"grant_types,omitempty"`                // empty is authorization_code
	RedirectURIs            []string `json:"redirect_uris,omitempty"`
	PostLogoutRedirectURIs  []string `json:"post_logout_redirect_uris,omitempty"`

	FrontchannelLogoutURI             string `json:"frontchannel_logout_uri,omitempty"`
	FrontchannelLogoutSessionRequired bool   `json:"frontchannel_logout_session_required,omitempty"`
	BackchannelLogoutURI              string `json:"backchannel_logout_uri,omitempty"`
	BackchannelLogoutSessionRequired  bool   `json:"backchannel_logout_session_required,omitempty"`

	Scopes              []string `json:"scopes,omitempty"`
	CodeChallengeMethod string   `json:"code_challenge_method,omitempty"` // "" is S256; "none" opts out
	SSODisabled         bool     `json:"sso_disabled,omitempty"`
	ResponseModes       []string `json:"response_modes,omitempty"` // empty is query and form_post
	PromptValues        []string `json:"prompt_values,omitempty"`  // empty is the provider's default

	JWKS json.RawMessage `json:"jwks,omitempty"` // RFC 7517 object

	AccessTokenLifetime   int    `json:"access_token_lifetime,omitempty"`  // seconds; 0 = provider default
	RefreshTokenLifetime  int    `json:"refresh_token_lifetime,omitempty"` // seconds, idle; 0 = provider default
	AuthorizationLifetime int    `json:"authorization_lifetime,omitempty"` // seconds, absolute; 0 = provider default
	RefreshTokenUsage     string `json:"refresh_token_usage,omitempty"`    // "" is ONETIME

	IDTokenSignedResponseAlg     string `json:"id_token_signed_response_alg,omitempty"`     // "" is the provider's default
	AccessTokenSignedResponseAlg string `json:"access_token_signed_response_alg,omitempty"` // "" as id_token

	RequirePushedAuthorizationRequests bool `json:"require_pushed_authorization_requests,omitempty"`
	RequireSignedRequestObject         bool `json:"require_signed_request_object,omitempty"`
	RequireState                       bool `json:"require_state,omitempty"` // always on for public clients
	RequireNonce                       bool `json:"require_nonce,omitempty"`
	AllowTokenEndpointAudience         bool `json:"allow_token_endpoint_audience,omitempty"` // weakening: assertion aud (K4)

	OnBehalfOf []OnBehalfOf `json:"onbehalfof,omitempty"`

	// Secrets are the live client secrets, hashed: two at most, for rotation.
	Secrets []Secret `json:"-"`
	// KeysUploadedAt is when JWKS was registered; keys are refused a year later. Zero = never.
	KeysUploadedAt time.Time `json:"-"`
	// Inactive is the negation of the wire property "active".
	Inactive bool `json:"-"`
}

// OnBehalfOf is one pre-registered customer of a supplier's client.
type OnBehalfOf struct {
	Value string `json:"onbehalfof"`
	Name  string `json:"display_name,omitempty"`
	Orgno string `json:"orgno,omitempty"`
}

// Secret is one client secret at rest.
type Secret struct {
	Hash      [32]byte
	ExpiresAt time.Time // at most 360 days after issue; zero = never (tests only)
}

// NewSecret hashes a secret for a registration. It refuses secrets of less than 32 characters.
func NewSecret(secret string, expiresAt time.Time) (Secret, error) { panic("stub") }

// GenerateSecret returns a new secret of 256 random bits.
func GenerateSecret() string { panic("stub") }

// Public reports whether the client cannot keep a secret (token_endpoint_auth_method none).
func (c *Client) Public() bool { return c.TokenEndpointAuthMethod == None }

// HasGrant reports whether the grant type is registered.
func (c *Client) HasGrant(grantType string) bool { panic("stub") }

// MatchRedirectURI reports whether the request's redirect_uri is registered: byte for byte, but for
// the port of a native client's loopback address (RFC 8252 section 7.3).
func (c *Client) MatchRedirectURI(uri string) bool { panic("stub") }

// MatchPostLogoutRedirectURI is MatchRedirectURI for post_logout_redirect_uris.
func (c *Client) MatchPostLogoutRedirectURI(uri string) bool { panic("stub") }

// CORSOrigins returns the origins a browser client may call from: those of its redirect URIs.
func (c *Client) CORSOrigins() []string { panic("stub") }

// TakesSID reports whether the client learns the session by sid (front- or back-channel logout).
func (c *Client) TakesSID() bool {
	return c.FrontchannelLogoutSessionRequired || c.BackchannelLogoutURI != ""
}

// ConsumerOrgno is the organisation whose accesses count: the supplier's for a supplier-run client.
func (c *Client) ConsumerOrgno() string {
	if c.SupplierOrgno != "" {
		return c.SupplierOrgno
	}
	return c.ClientOrgno
}

// Environment says which URIs a registration may hold.
type Environment struct {
	// Test allows plain http and localhost for web and browser clients.
	Test bool
}

// Validate reports every problem of the registration at once, each naming its property.
func (c *Client) Validate(env Environment) error { panic("stub") }

// Registry is a Source over fixed registrations. It is immutable and safe for concurrent use.
type Registry struct{ byID map[string]*Client }
