package client

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner/pkce"
	"github.com/portner-go/portner/scope"
)

// jwtBearerShort is how self-service systems store the jwt-bearer grant (maskinporten-altinn chapter 2).
const jwtBearerShort = "jwt_bearer_token"

// ApplicationKind is application_type, web if absent.
func (c *Client) ApplicationKind() string {
	if c.ApplicationType == "" {
		return Web
	}
	return c.ApplicationType
}

// AuthMethod is token_endpoint_auth_method. If absent it is none for browser and native clients, which
// cannot keep a secret, and client_secret_basic for the rest (OpenID Connect Registration section 2).
func (c *Client) AuthMethod() string {
	switch {
	case c.TokenEndpointAuthMethod != "":
		return c.TokenEndpointAuthMethod
	case c.ApplicationType == Browser || c.ApplicationType == Native:
		return None
	}
	return ClientSecretBasic
}

// Public reports whether the client cannot keep a secret (token_endpoint_auth_method none).
func (c *Client) Public() bool { return c.AuthMethod() == None }

var (
	codeGrants    = []string{AuthorizationCode}
	machineGrants = []string{JWTBearer}
	loginScopes   = []string{"openid", "profile"}
	allModes      = []string{"query", "form_post"}
)

// Grants are the grant_types. The caller does not change the slice.
func (c *Client) Grants() []string {
	switch {
	case len(c.GrantTypes) > 0:
		return c.GrantTypes
	case combinations[c.IntegrationType].machine:
		return machineGrants
	}
	return codeGrants
}

// HasGrant reports whether the grant type is registered.
func (c *Client) HasGrant(grantType string) bool {
	return slices.Contains(c.Grants(), grantType) ||
		grantType == JWTBearer && slices.Contains(c.GrantTypes, jwtBearerShort)
}

// RegisteredScopes are the scopes the client may request. The caller does not change the slice.
func (c *Client) RegisteredScopes() []string {
	if len(c.Scopes) == 0 && c.IntegrationType == "idporten" {
		return loginScopes
	}
	return c.Scopes
}

// HasResponseMode reports whether the client may get its answers this way.
func (c *Client) HasResponseMode(mode string) bool {
	if len(c.ResponseModes) == 0 {
		return slices.Contains(allModes, mode)
	}
	return slices.Contains(c.ResponseModes, mode)
}

// PKCE returns the PKCE rule for the client. It is optional for a confidential client with code_challenge_method "none", and
// required for every other client.
func (c *Client) PKCE() pkce.Policy {
	return pkce.Policy{Optional: c.CodeChallengeMethod == "none" && !c.Public()}
}

// RotatesRefreshTokens reports whether each use replaces the refresh token. Public clients always
// rotate (C10), whatever a stored record says.
func (c *Client) RotatesRefreshTokens() bool { return c.RefreshTokenUsage != Reuse || c.Public() }

// StateRequired reports whether a request must carry state (C4).
func (c *Client) StateRequired() bool { return c.RequireState || c.Public() }

// TakesSID reports whether the client learns the session by sid (C13: front- or back-channel logout).
func (c *Client) TakesSID() bool {
	return c.FrontchannelLogoutSessionRequired || c.BackchannelLogoutURI != ""
}

// ScopeClient returns the client as package scope sees it. The organisation whose accesses count is the supplier of a client
// that a supplier runs, and the client's own organisation otherwise.
func (c *Client) ScopeClient() scope.Client {
	return scope.Client{
		ID: c.ClientID, Organisation: cmp.Or(c.SupplierOrgno, c.OrganisationNo),
		IntegrationType: c.IntegrationType, Scopes: c.RegisteredScopes(),
	}
}

// DisplayName is what to call the client on a page.
func (c *Client) DisplayName() string {
	if c.ClientName != "" {
		return c.ClientName
	}
	return c.ClientID
}

// SubClient finds the customer registered under an onbehalfof value.
func (c *Client) SubClient(value string) (OnBehalfOf, bool) {
	i := slices.IndexFunc(c.OnBehalfOf, func(o OnBehalfOf) bool { return o.Value == value })
	if i < 0 || value == "" {
		return OnBehalfOf{}, false
	}
	return c.OnBehalfOf[i], true
}

// Lifetimes are how long a client's tokens and authorizations live.
type Lifetimes struct {
	AccessToken   time.Duration // of one access token
	RefreshToken  time.Duration // of inactivity
	Authorization time.Duration // in all
}

// Lifetimes returns the client's own lifetimes, and the provider's where it has none.
func (c *Client) Lifetimes(provider Lifetimes) Lifetimes {
	own := func(seconds int, otherwise time.Duration) time.Duration {
		if seconds > 0 {
			return time.Duration(seconds) * time.Second
		}
		return otherwise
	}
	return Lifetimes{
		AccessToken:   own(c.AccessTokenLifetime, provider.AccessToken),
		RefreshToken:  own(c.RefreshTokenLifetime, provider.RefreshToken),
		Authorization: own(c.AuthorizationLifetime, provider.Authorization),
	}
}

// Sector returns the sector of the client: clients of one sector receive the same pairwise subject for a user (OIDC Core
// §8.1). It is the host of SectorIdentifierURI, or the client_id if that is "".
func (c *Client) Sector() string {
	if c.SectorIdentifierURI == "" {
		return c.ClientID
	}
	u, err := url.Parse(c.SectorIdentifierURI)
	if err != nil || u.Hostname() == "" {
		return c.ClientID // Validate rejects such a registration
	}
	return strings.ToLower(u.Hostname())
}
