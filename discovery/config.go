package discovery

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// Config is the metadata of a provider. The fields have the names of the registered members (OpenID
// Connect Discovery 1.0 section 3, RFC 8414 section 2). What the library has one answer to is no
// field: response type code, code_challenge_methods_supported S256, no request_uri but those of PAR, and
// iss in every authorization response (RFC 9207).
type Config struct {
	// Issuer is published byte for byte as it stands here. Clients compare it with iss in the same
	// way: one slash more or less and no token is accepted. Required.
	Issuer string

	// AuthorizationEndpoint is required with the grant authorization_code.
	AuthorizationEndpoint string
	// TokenEndpoint is required.
	TokenEndpoint string
	// UserinfoEndpoint, empty: none.
	UserinfoEndpoint string
	// JWKSURI is where [JWKS] stands. Required for OpenID Connect.
	JWKSURI string
	// EndSessionEndpoint is that of RP-initiated logout, empty: none.
	EndSessionEndpoint string
	// RevocationEndpoint is that of RFC 7009, empty: none.
	RevocationEndpoint string
	// IntrospectionEndpoint is that of RFC 7662, empty: none.
	IntrospectionEndpoint string
	// PushedAuthorizationRequestEndpoint is that of RFC 9126, empty: none.
	PushedAuthorizationRequestEndpoint string
	// RequirePushedAuthorizationRequests says that every client must push its requests.
	RequirePushedAuthorizationRequests bool

	// ScopesSupported are the scopes worth publishing; it need not be all. OpenID Connect needs openid
	// among them.
	ScopesSupported []string
	// ResponseModesSupported, empty: query and form_post.
	ResponseModesSupported []string
	// GrantTypesSupported, empty: authorization_code and refresh_token.
	GrantTypesSupported []string
	// ACRValuesSupported are the levels of assurance, as from acr.Levels.Values.
	ACRValuesSupported []string
	// SubjectTypesSupported, empty: pairwise.
	SubjectTypesSupported []string
	// IDTokenSigningAlgValuesSupported is required for OpenID Connect. A provider that means to pass the
	// conformance profiles has RS256 among them.
	IDTokenSigningAlgValuesSupported []string
	// RequestObjectSigningAlgValuesSupported, empty: request objects are not supported. Asymmetric
	// algorithms only.
	RequestObjectSigningAlgValuesSupported []string
	// TokenEndpointAuthMethodsSupported also holds for revocation, and without none for introspection.
	// Required.
	TokenEndpointAuthMethodsSupported []string
	// TokenEndpointAuthSigningAlgValuesSupported is required with private_key_jwt. Asymmetric only.
	TokenEndpointAuthSigningAlgValuesSupported []string
	// PromptValuesSupported are the accepted values of prompt.
	PromptValuesSupported []string
	// UILocalesSupported are the languages of the pages.
	UILocalesSupported []string
	// ClaimsSupported are the claims an id_token or userinfo may hold.
	ClaimsSupported []string
	// ClaimsParameterSupported says that the claims parameter has an effect.
	ClaimsParameterSupported bool
	// AuthorizationDetailsTypesSupported are the types of RFC 9396, empty: not supported.
	AuthorizationDetailsTypesSupported []string

	// FrontchannelLogoutSupported says that clients are called in frames at logout, with sid.
	FrontchannelLogoutSupported bool
	// BackchannelLogoutSupported says that clients are called directly at logout, with sid.
	BackchannelLogoutSupported bool
}

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		list     *[]string
		fallback []string
	}{
		{&c.ResponseModesSupported, []string{"query", "form_post"}},
		{&c.GrantTypesSupported, []string{"authorization_code", "refresh_token"}},
		{&c.SubjectTypesSupported, []string{"pairwise"}},
	} {
		if len(*d.list) == 0 {
			*d.list = d.fallback
		}
	}
	return c
}

// check reports all problems at once, each under the name of its member.
func (c Config) check(openID bool) error {
	errs := []error{checkIssuer(c.Issuer)}
	for _, e := range c.endpoints(openID) {
		errs = append(errs, checkEndpoint(e.name, e.uri, e.required))
	}
	for _, l := range c.lists(openID) {
		errs = append(errs, checkList(l.name, l.values, l.required))
	}
	for _, l := range c.algorithms() {
		errs = append(errs, checkAsymmetric(l.name, l.values))
	}
	if c.RequirePushedAuthorizationRequests && c.PushedAuthorizationRequestEndpoint == "" {
		errs = append(errs, problem("require_pushed_authorization_requests", "there is no pushed_authorization_request_endpoint"))
	}
	if openID && !slices.Contains(c.ScopesSupported, "openid") {
		errs = append(errs, problem("scopes_supported", "OpenID Connect needs openid"))
	}
	return errors.Join(errs...)
}

type endpoint struct {
	name, uri string
	required  bool
}

func (c Config) endpoints(openID bool) []endpoint {
	return []endpoint{
		{"authorization_endpoint", c.AuthorizationEndpoint, openID || slices.Contains(c.GrantTypesSupported, "authorization_code")},
		{"token_endpoint", c.TokenEndpoint, true},
		{"userinfo_endpoint", c.UserinfoEndpoint, false},
		{"jwks_uri", c.JWKSURI, openID},
		{"end_session_endpoint", c.EndSessionEndpoint, false},
		{"revocation_endpoint", c.RevocationEndpoint, false},
		{"introspection_endpoint", c.IntrospectionEndpoint, false},
		{"pushed_authorization_request_endpoint", c.PushedAuthorizationRequestEndpoint, false},
	}
}

type list struct {
	name     string
	values   []string
	required bool
}

func (c Config) lists(openID bool) []list {
	return append(c.algorithms(),
		list{"scopes_supported", c.ScopesSupported, openID},
		list{"response_modes_supported", c.ResponseModesSupported, true},
		list{"grant_types_supported", c.GrantTypesSupported, true},
		list{"acr_values_supported", c.ACRValuesSupported, false},
		list{"subject_types_supported", c.SubjectTypesSupported, true},
		list{"id_token_signing_alg_values_supported", c.IDTokenSigningAlgValuesSupported, openID},
		list{"token_endpoint_auth_methods_supported", c.TokenEndpointAuthMethodsSupported, true},
		list{"prompt_values_supported", c.PromptValuesSupported, false},
		list{"ui_locales_supported", c.UILocalesSupported, false},
		list{"claims_supported", c.ClaimsSupported, false},
		list{"authorization_details_types_supported", c.AuthorizationDetailsTypesSupported, false},
	)
}

// algorithms are the lists of what clients sign with.
func (c Config) algorithms() []list {
	return []list{
		{"request_object_signing_alg_values_supported", c.RequestObjectSigningAlgValuesSupported, false},
		{"token_endpoint_auth_signing_alg_values_supported", c.TokenEndpointAuthSigningAlgValuesSupported, c.privateKeyJWT()},
	}
}

func (c Config) privateKeyJWT() bool {
	return slices.Contains(c.TokenEndpointAuthMethodsSupported, "private_key_jwt")
}

func problem(member, text string) error { return fmt.Errorf("discovery: %s: %s", member, text) }

// checkIssuer: https, no query and no fragment (RFC 8414 section 2).
func checkIssuer(issuer string) error {
	if err := checkEndpoint("issuer", issuer, true); err != nil {
		return err
	}
	if strings.Contains(issuer, "?") {
		return problem("issuer", "must not have a query")
	}
	return nil
}

// checkEndpoint: https, or http on the loopback interface, where tests and developers live.
func checkEndpoint(name, uri string, required bool) error {
	if uri == "" {
		if required {
			return problem(name, "is required")
		}
		return nil
	}
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Host == "" || u.User != nil:
		return problem(name, "is no absolute URL without user information")
	case strings.Contains(uri, "#"):
		return problem(name, "must not have a fragment")
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		return problem(name, "must be https")
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func checkList(name string, values []string, required bool) error {
	if required && len(values) == 0 {
		return problem(name, "is required")
	}
	for i, v := range values {
		if v == "" || strings.ContainsAny(v, " \t\r\n") {
			return problem(name, "has an empty value or one with white space")
		}
		if slices.Contains(values[:i], v) {
			return problem(name, "has a value twice")
		}
	}
	return nil
}

// checkAsymmetric: with none anybody signs, with HS256 whoever can read the client secret (RFC 8414
// section 2, RFC 8725 section 3.1).
func checkAsymmetric(name string, algs []string) error {
	for _, alg := range algs {
		if strings.EqualFold(alg, "none") || strings.HasPrefix(strings.ToUpper(alg), "HS") {
			return problem(name, "must be asymmetric algorithms")
		}
	}
	return nil
}
