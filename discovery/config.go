package discovery

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/fields"
)

// Config holds the metadata of a provider. The fields have the names of the registered members (OIDC Discovery §3, RFC 8414
// §2). There is no field for what this module supports in one way only: response_types_supported is code,
// code_challenge_methods_supported is S256, request_uri_parameter_supported is false, and
// authorization_response_iss_parameter_supported is true (RFC 9207).
type Config struct {
	// Issuer is an https URL, or an http URL with a loopback host, without query and fragment. It is published byte for byte,
	// because clients compare it with iss byte for byte. Required.
	Issuer string

	// AuthorizationEndpoint is required for OpenID Connect, and with the grant type authorization_code.
	AuthorizationEndpoint string
	// TokenEndpoint is required.
	TokenEndpoint string
	// UserinfoEndpoint is optional.
	UserinfoEndpoint string
	// JWKSURI is the URL of the handler that [JWKS] returns. Required for OpenID Connect.
	JWKSURI string
	// EndSessionEndpoint is the endpoint of OIDC RP-Initiated Logout. Optional.
	EndSessionEndpoint string
	// RevocationEndpoint is the endpoint of RFC 7009. Optional.
	RevocationEndpoint string
	// IntrospectionEndpoint is the endpoint of RFC 7662. Optional.
	IntrospectionEndpoint string
	// PushedAuthorizationRequestEndpoint is the endpoint of RFC 9126. Optional.
	PushedAuthorizationRequestEndpoint string
	// RequirePushedAuthorizationRequests requires every client to push its requests.
	RequirePushedAuthorizationRequests bool

	// MTLSEndpointAliases are the URLs of endpoints for clients that send a TLS certificate. The zero value has none.
	MTLSEndpointAliases MTLSEndpointAliases

	// ScopesSupported are the scopes to publish, which need not be all of them. OpenID Connect requires openid.
	ScopesSupported []string
	// ResponseModesSupported defaults to query and form_post. A mode of signed responses requires AuthorizationSigningAlgValuesSupported.
	ResponseModesSupported []string
	// GrantTypesSupported defaults to authorization_code and refresh_token.
	GrantTypesSupported []string
	// ACRValuesSupported are the levels of assurance. If empty, the member is left out.
	ACRValuesSupported []string
	// SubjectTypesSupported are public, pairwise or both. Required for OpenID Connect.
	SubjectTypesSupported []string
	// IDTokenSigningAlgValuesSupported is required for OpenID Connect. OIDC Discovery §3 requires that it contains RS256; this
	// package does not verify that.
	IDTokenSigningAlgValuesSupported []string
	// RequestObjectSigningAlgValuesSupported are asymmetric algorithms. If empty, request objects are not supported.
	RequestObjectSigningAlgValuesSupported []string
	// RequireSignedRequestObject requires every client to send request objects (RFC 9101 §10.5).
	RequireSignedRequestObject bool
	// AuthorizationSigningAlgValuesSupported are the asymmetric algorithms of signed authorization responses (JARM §4). If empty, they are
	// not supported.
	AuthorizationSigningAlgValuesSupported []string
	// IntrospectionSigningAlgValuesSupported are the asymmetric algorithms of signed introspection responses (RFC 9701 §7). If empty, they
	// are not supported.
	IntrospectionSigningAlgValuesSupported []string
	// DPoPSigningAlgValuesSupported are the asymmetric algorithms of DPoP proofs (RFC 9449 §5.1). If empty, DPoP is not supported.
	DPoPSigningAlgValuesSupported []string
	// TLSClientCertificateBoundAccessTokens reports that access tokens can be bound to the TLS certificate of the client (RFC 8705
	// §3.3).
	TLSClientCertificateBoundAccessTokens bool
	// TokenEndpointAuthMethodsSupported is also published for the revocation endpoint and, without the method none, for the
	// introspection endpoint. Required.
	TokenEndpointAuthMethodsSupported []string
	// TokenEndpointAuthSigningAlgValuesSupported are asymmetric algorithms. Required with private_key_jwt, otherwise not published.
	TokenEndpointAuthSigningAlgValuesSupported []string
	// PromptValuesSupported are the accepted values of prompt.
	PromptValuesSupported []string
	// UILocalesSupported are the languages of the pages.
	UILocalesSupported []string
	// ClaimsSupported are claims that an id_token or the userinfo response may have.
	ClaimsSupported []string
	// ClaimsParameterSupported reports whether the claims parameter is supported (OIDC Core §5.5). Both values are published.
	ClaimsParameterSupported bool
	// AuthorizationDetailsTypesSupported are the types of RFC 9396. If empty, the parameter is not supported.
	AuthorizationDetailsTypesSupported []string

	// FrontchannelLogoutSupported reports that OIDC Front-Channel Logout is supported, with sid.
	FrontchannelLogoutSupported bool
	// BackchannelLogoutSupported reports that OIDC Back-Channel Logout is supported, with sid.
	BackchannelLogoutSupported bool
}

// MTLSEndpointAliases are the URLs of endpoints for clients that send a TLS certificate, if those have another host or port (RFC 8705
// §5). Such a client uses the normal URL of an endpoint without an alias. An alias requires the endpoint in Config.
type MTLSEndpointAliases struct {
	TokenEndpoint                      string `json:"token_endpoint,omitempty"`                        // of RFC 6749
	UserinfoEndpoint                   string `json:"userinfo_endpoint,omitempty"`                     // of OIDC Core
	RevocationEndpoint                 string `json:"revocation_endpoint,omitempty"`                   // of RFC 7009
	IntrospectionEndpoint              string `json:"introspection_endpoint,omitempty"`                // of RFC 7662
	PushedAuthorizationRequestEndpoint string `json:"pushed_authorization_request_endpoint,omitempty"` // of RFC 9126
}

func (c Config) withDefaults() Config {
	if len(c.ResponseModesSupported) == 0 {
		c.ResponseModesSupported = []string{"query", "form_post"}
	}
	if len(c.GrantTypesSupported) == 0 {
		c.GrantTypesSupported = []string{"authorization_code", "refresh_token"}
	}
	return c
}

// check reports every problem at once, by field name.
func (c Config) check(openID bool) error {
	var f fields.Checker
	f.Add("Issuer", checkIssuer(c.Issuer))
	for _, e := range c.endpoints(openID) {
		f.Require(e.url != "" || !e.required, e.field)
		if e.url != "" {
			f.Add(e.field, checkURL(e.url))
		}
	}
	for _, a := range c.aliases() {
		if a.url != "" {
			f.Add(a.field, checkURL(a.url))
			f.Want(a.endpoint != "", a.field, "requires "+strings.TrimPrefix(a.field, "MTLSEndpointAliases."))
		}
	}
	for _, l := range c.lists(openID) {
		f.Require(len(l.values) > 0 || !l.required, l.field)
		for i := range l.values {
			f.Add(fmt.Sprintf("%s[%d]", l.field, i), l.check(i))
		}
	}
	f.Want(!c.RequirePushedAuthorizationRequests || c.PushedAuthorizationRequestEndpoint != "",
		"RequirePushedAuthorizationRequests", "requires PushedAuthorizationRequestEndpoint")
	f.Want(!c.RequireSignedRequestObject || len(c.RequestObjectSigningAlgValuesSupported) > 0,
		"RequireSignedRequestObject", "requires RequestObjectSigningAlgValuesSupported")
	f.Want(len(c.IntrospectionSigningAlgValuesSupported) == 0 || c.IntrospectionEndpoint != "",
		"IntrospectionSigningAlgValuesSupported", "requires IntrospectionEndpoint")
	f.Want(slices.ContainsFunc(c.ResponseModesSupported, isSignedMode) == (len(c.AuthorizationSigningAlgValuesSupported) > 0),
		"AuthorizationSigningAlgValuesSupported", "is required with a response mode of signed responses, and only then")
	f.Want(!openID || len(c.ScopesSupported) == 0 || slices.Contains(c.ScopesSupported, "openid"), "ScopesSupported", "must contain openid")
	return f.Err()
}

type endpoint struct {
	field, url string
	required   bool
}

func (c Config) endpoints(openID bool) []endpoint {
	return []endpoint{
		{"AuthorizationEndpoint", c.AuthorizationEndpoint, openID || slices.Contains(c.GrantTypesSupported, "authorization_code")},
		{"TokenEndpoint", c.TokenEndpoint, true},
		{"UserinfoEndpoint", c.UserinfoEndpoint, false},
		{"JWKSURI", c.JWKSURI, openID},
		{"EndSessionEndpoint", c.EndSessionEndpoint, false},
		{"RevocationEndpoint", c.RevocationEndpoint, false},
		{"IntrospectionEndpoint", c.IntrospectionEndpoint, false},
		{"PushedAuthorizationRequestEndpoint", c.PushedAuthorizationRequestEndpoint, false},
	}
}

type alias struct {
	field, url, endpoint string
}

func (c Config) aliases() []alias {
	const prefix = "MTLSEndpointAliases."
	a := c.MTLSEndpointAliases
	return []alias{
		{prefix + "TokenEndpoint", a.TokenEndpoint, c.TokenEndpoint},
		{prefix + "UserinfoEndpoint", a.UserinfoEndpoint, c.UserinfoEndpoint},
		{prefix + "RevocationEndpoint", a.RevocationEndpoint, c.RevocationEndpoint},
		{prefix + "IntrospectionEndpoint", a.IntrospectionEndpoint, c.IntrospectionEndpoint},
		{prefix + "PushedAuthorizationRequestEndpoint", a.PushedAuthorizationRequestEndpoint, c.PushedAuthorizationRequestEndpoint},
	}
}

// isSignedMode reports whether responses of a mode are signed (JARM §2.3).
func isSignedMode(mode string) bool { return mode == "jwt" || strings.HasSuffix(mode, ".jwt") }

type list struct {
	field    string
	values   []string
	required bool
	valid    func(string) error // nil: any value without white space
}

func (c Config) lists(openID bool) []list {
	return []list{
		{"ScopesSupported", c.ScopesSupported, openID, nil},
		{"ResponseModesSupported", c.ResponseModesSupported, true, nil},
		{"GrantTypesSupported", c.GrantTypesSupported, true, nil},
		{"ACRValuesSupported", c.ACRValuesSupported, false, nil},
		{"SubjectTypesSupported", c.SubjectTypesSupported, openID, checkSubjectType},
		{"IDTokenSigningAlgValuesSupported", c.IDTokenSigningAlgValuesSupported, openID, nil},
		{"RequestObjectSigningAlgValuesSupported", c.RequestObjectSigningAlgValuesSupported, false, checkAsymmetric},
		{"AuthorizationSigningAlgValuesSupported", c.AuthorizationSigningAlgValuesSupported, false, checkAsymmetric},
		{"IntrospectionSigningAlgValuesSupported", c.IntrospectionSigningAlgValuesSupported, false, checkAsymmetric},
		{"DPoPSigningAlgValuesSupported", c.DPoPSigningAlgValuesSupported, false, checkAsymmetric},
		{"TokenEndpointAuthMethodsSupported", c.TokenEndpointAuthMethodsSupported, true, nil},
		{"TokenEndpointAuthSigningAlgValuesSupported", c.TokenEndpointAuthSigningAlgValuesSupported, c.privateKeyJWT(), checkAsymmetric},
		{"PromptValuesSupported", c.PromptValuesSupported, false, nil},
		{"UILocalesSupported", c.UILocalesSupported, false, nil},
		{"ClaimsSupported", c.ClaimsSupported, false, nil},
		{"AuthorizationDetailsTypesSupported", c.AuthorizationDetailsTypesSupported, false, nil},
	}
}

// check validates one value of the list.
func (l list) check(i int) error {
	value := l.values[i]
	switch {
	case value == "" || strings.ContainsAny(value, " \t\r\n"):
		return errors.New("must not be empty or contain white space")
	case slices.Contains(l.values[:i], value):
		return errors.New("is repeated")
	case l.valid != nil:
		return l.valid(value)
	}
	return nil
}

func (c Config) privateKeyJWT() bool {
	return slices.Contains(c.TokenEndpointAuthMethodsSupported, "private_key_jwt")
}

func checkSubjectType(value string) error {
	if value != "public" && value != "pairwise" {
		return errors.New("must be public or pairwise")
	}
	return nil
}

// checkAsymmetric rejects none, which has no key, and HMAC, because the key that verifies can also sign (RFC 8414 §2, RFC 8725 §3.1).
func checkAsymmetric(alg string) error {
	if strings.EqualFold(alg, "none") || strings.HasPrefix(strings.ToUpper(alg), "HS") {
		return errors.New("must be an asymmetric algorithm")
	}
	return nil
}

// checkIssuer validates an issuer: RFC 8414 §2 allows no query and no fragment.
func checkIssuer(issuer string) error {
	switch {
	case issuer == "":
		return portner.ErrRequired
	case strings.Contains(issuer, "?"):
		return errors.New("must not have a query")
	}
	return checkURL(issuer)
}

// checkURL accepts https, and http on the loopback interface for tests and development.
func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.User != nil:
		return errors.New("must be an absolute URL without user information")
	case strings.Contains(text, "#"):
		return errors.New("must not have a fragment")
	case u.Scheme != "https" && (u.Scheme != "http" || !fields.PlainHTTP(u.Hostname())):
		return errors.New("must be https")
	}
	return nil
}
