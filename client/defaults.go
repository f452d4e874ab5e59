package client

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner/pkce"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
)

// jwtBearerShort is the name of the jwt-bearer grant in the self-service of Maskinporten.
const jwtBearerShort = "jwt_bearer_token"

// ApplicationKind returns ApplicationType, or Web if it is "".
func (c *Client) ApplicationKind() string {
	if c.ApplicationType == "" {
		return Web
	}
	return c.ApplicationType
}

// AuthMethod returns TokenEndpointAuthMethod. If that is "", it returns none for browser and native clients, which cannot keep a
// secret, and client_secret_basic for web clients (OIDC Dynamic Client Registration §2).
func (c *Client) AuthMethod() string {
	switch {
	case c.TokenEndpointAuthMethod != "":
		return c.TokenEndpointAuthMethod
	case c.ApplicationType == Browser || c.ApplicationType == Native:
		return None
	}
	return ClientSecretBasic
}

// explainMethod returns AuthMethod, and for the log whether it is a default.
func (c *Client) explainMethod() string {
	if c.TokenEndpointAuthMethod == "" {
		return c.AuthMethod() + " (the default: none is registered)"
	}
	return c.AuthMethod()
}

// Public reports whether the client cannot keep a secret (token_endpoint_auth_method none).
func (c *Client) Public() bool { return c.AuthMethod() == None }

var (
	codeGrants    = []string{AuthorizationCode}
	machineGrants = []string{JWTBearer}
	loginScopes   = []string{"openid", "profile"}
	allModes      = []string{"query", "form_post"}
)

// Caller identifies the sender of a request of the client, for bounds. It is the client_id, and for a public client also the address of
// the peer, because anyone can send its client_id. Of an IPv6 address it has the network prefix of 64 bits, or
// the IPv4 address in it (NAT64, 6to4, Teredo).
func (c *Client) Caller(remoteAddr string) string {
	if !c.Public() {
		return c.ClientID
	}
	if a := parseAddr(remoteAddr); a.IsValid() {
		remoteAddr = a.String()
	}
	return c.ClientID + " " + remoteAddr
}

// Grants returns the grant types that the client may use. The slice must not be changed.
func (c *Client) Grants() []string {
	switch {
	case len(c.GrantTypes) > 0:
		return c.GrantTypes
	case combinations[c.IntegrationType].machine:
		return machineGrants
	}
	return codeGrants
}

// HasGrant reports whether the client may use the grant type.
func (c *Client) HasGrant(grantType string) bool {
	return slices.Contains(c.Grants(), grantType) ||
		grantType == JWTBearer && slices.Contains(c.GrantTypes, jwtBearerShort)
}

// RegisteredScopes returns the scopes that the client may request. The slice must not be changed.
func (c *Client) RegisteredScopes() []string {
	if len(c.Scopes) == 0 && c.IntegrationType == "idporten" {
		return loginScopes
	}
	return c.Scopes
}

// introspects reports whether a registered scope is the right to introspect.
func introspects(name string) bool { return name == scope.Introspection || name == scope.TokenInfo }

// Introspects reports whether the client may introspect tokens of other clients: it is a resource server.
func (c *Client) Introspects() bool {
	return c.ResourceServer || slices.ContainsFunc(c.RegisteredScopes(), introspects)
}

// HasResponseMode reports whether the client may use the response mode.
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

// RotatesRefreshTokens reports whether each use replaces the refresh token. It is always true for public clients.
func (c *Client) RotatesRefreshTokens() bool { return c.RefreshTokenUsage != Reuse || c.Public() }

// StateRequired reports whether authorization requests must have state. It is always true for public clients.
func (c *Client) StateRequired() bool { return c.RequireState || c.Public() }

// TakesSID reports whether id_tokens of the client have the claim sid: if its front-channel logout requires it, or if it has a
// backchannel_logout_uri.
func (c *Client) TakesSID() bool {
	return c.FrontchannelLogoutSessionRequired || c.BackchannelLogoutURI != ""
}

// ScopeClient returns the description of the client for package scope, for the logins of users. Its Organisation, which must have
// access to a scope, is the one that operates the client: a supplier names its consumers and customers itself, so it has none of
// their accesses. Its Consumer is the owner of the client, which tokens name.
func (c *Client) ScopeClient() scope.Client {
	return scope.Client{
		ID: c.ClientID, Organisation: c.operator(), Consumer: c.OrganisationNo,
		IntegrationType: c.IntegrationType, Scopes: c.RegisteredScopes(),
	}
}

// operator returns the number of the organisation that operates the client: the supplier if there is one, and otherwise the owner.
func (c *Client) operator() string { return cmp.Or(c.SupplierOrgno, c.OrganisationNo) }

// Parties are the organisations of a grant, by number.
type Parties struct {
	Consumer string // for whom the client acts; "" if the registration has no number of it
	Supplier string // who acts for Consumer; "" if Consumer itself does
}

// Parties returns for whom the client acts in a grant with a customer (onbehalfof; zero if none) and a delegation (zero if none), and
// who acts. The delegation has precedence over the customer, and both over the owner and the supplier of the registration. For
// a customer, the one that operates the client is the supplier, and a customer without a number has none: it is never replaced by
// another organisation.
func (c *Client) Parties(customer OnBehalfOf, d storage.Delegation) Parties {
	p := Parties{c.OrganisationNo, c.SupplierOrgno}
	if customer != (OnBehalfOf{}) {
		p = Parties{customer.Orgno, c.operator()}
	}
	p = Parties{cmp.Or(d.Consumer, p.Consumer), cmp.Or(d.Supplier, p.Supplier)}
	if p.Supplier == p.Consumer {
		p.Supplier = ""
	}
	return p
}

// DisplayName returns the name of the client for a page: ClientName, or ClientID if that is "".
func (c *Client) DisplayName() string {
	if c.ClientName != "" {
		return c.ClientName
	}
	return c.ClientID
}

// HomeURL returns where a link of a page may lead the user back to the client: ClientURI, or else the root of the origin of the first
// http or https redirect URI. It returns "" for a native application without ClientURI.
func (c *Client) HomeURL() string {
	if u, err := url.Parse(c.ClientURI); err == nil && isHTTP(u.Scheme) {
		return c.ClientURI
	}
	if c.ApplicationKind() == Native {
		return ""
	}
	for _, uri := range c.RedirectURIs {
		if origin, ok := originOf(uri); ok {
			return origin + "/"
		}
	}
	return ""
}

// Customer returns the customer that the onbehalfof parameter with this value names.
func (c *Client) Customer(value string) (OnBehalfOf, bool) {
	i := slices.IndexFunc(c.OnBehalfOf, func(o OnBehalfOf) bool { return o.Value == value })
	if i < 0 || value == "" {
		return OnBehalfOf{}, false
	}
	return c.OnBehalfOf[i], true
}

// Party identifies whom a user grants something to, for storage.Grant.Customer: the organisations of the client and of its supplier,
// the customer that it acts for, and the organisation of the customer. A grant and a consent count for no other party. It is "" for a
// client that has none of them. Names are not part of it: a corrected name is not another organisation.
func (c *Client) Party(customer OnBehalfOf) string {
	if c.OrganisationNo == "" && c.SupplierOrgno == "" && customer == (OnBehalfOf{}) {
		return ""
	}
	return c.OrganisationNo + "/" + c.SupplierOrgno + "/" + customer.Orgno + "/" + customer.Value
}

// CustomerOf returns the customer of a Party, the zero value if that is the client's own organisation. It returns false if the
// registration has the customer no more, or if one of the organisations is another one now.
func (c *Client) CustomerOf(party string) (customer OnBehalfOf, ok bool) {
	if party == "" {
		return customer, c.Party(customer) == ""
	}
	owner, rest, _ := strings.Cut(party, "/")
	supplier, rest, _ := strings.Cut(rest, "/")
	orgno, value, ok := strings.Cut(rest, "/")
	if value != "" {
		customer, ok = c.Customer(value)
	}
	return customer, ok && owner == c.OrganisationNo && supplier == c.SupplierOrgno && orgno == customer.Orgno
}

// Lifetimes holds lifetimes of tokens and grants.
type Lifetimes struct {
	AccessToken   time.Duration // of an access token
	RefreshToken  time.Duration // of a refresh token without use
	Authorization time.Duration // of a grant
}

// Lifetimes returns the lifetimes of the registration, and those of defaults for the fields that are 0.
func (c *Client) Lifetimes(defaults Lifetimes) Lifetimes {
	own := func(seconds int, byDefault time.Duration) time.Duration {
		if seconds > 0 {
			return time.Duration(seconds) * time.Second
		}
		return byDefault
	}
	return Lifetimes{
		AccessToken:   own(c.AccessTokenLifetime, defaults.AccessToken),
		RefreshToken:  own(c.RefreshTokenLifetime, defaults.RefreshToken),
		Authorization: own(c.AuthorizationLifetime, defaults.Authorization),
	}
}

// Sector returns the sector of the client: clients of one sector receive the same pairwise subjects for a user (OIDC Core §8.1). It
// is "host:" and the host of SectorIdentifierURI, or "client:" and the client_id if that is "". The prefixes keep a client_id that
// is the host of a sector out of that sector.
func (c *Client) Sector() string {
	own := "client:" + c.ClientID
	if c.SectorIdentifierURI == "" {
		return own
	}
	u, err := url.Parse(c.SectorIdentifierURI)
	if err != nil || u.Hostname() == "" {
		return own // Validate rejects such a registration
	}
	return "host:" + strings.ToLower(u.Hostname())
}
