package discovery

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/portner-go/portner/internal/httpx"
)

// Document is a metadata document. It is an [http.Handler] for GET and HEAD.
type Document struct {
	path string
	body *httpx.Document
}

// New returns the document of OIDC Discovery §3. It reports every problem of the configuration at once, by field name.
func New(cfg Config) (*Document, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(true); err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	m := cfg.oauth()
	cfg.addOpenID(&m)
	prefix := issuerPath(cfg.Issuer)
	return encode(m, prefix+"/.well-known/openid-configuration")
}

// NewOAuth returns the document of RFC 8414 §2. It has no member that is specific to OpenID Connect, so it also describes an
// authorization server that issues no id_token. It reports every problem of the configuration at once, by field name.
func NewOAuth(cfg Config) (*Document, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(false); err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	return encode(cfg.oauth(), "/.well-known/oauth-authorization-server"+issuerPath(cfg.Issuer))
}

// Path returns the path at which clients request the document, on the host of the issuer. If the issuer has a path, OIDC
// Discovery §4 appends the well-known path to it, and RFC 8414 §3 inserts it before.
func (d *Document) Path() string { return d.path }

// ServeHTTP responds with the document, or with 304 if the client has it.
func (d *Document) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.body.ServeHTTP(w, r) }

// issuerPath returns the path of a valid issuer without a terminating slash.
func issuerPath(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(u.Path, "/")
}

func encode(m metadata, path string) (*Document, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // for readers that do not decode JSON escapes in URLs
	if err := enc.Encode(m); err != nil {
		return nil, fmt.Errorf("discovery: encoding: %w", err)
	}
	doc := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	return &Document{path: path, body: httpx.NewDocument(doc, httpx.EntityTag(doc))}, nil
}

// metadata has registered members only. A member with a default that differs from the value is always present, such as
// request_uri_parameter_supported, whose default is true.
type metadata struct {
	Issuer                string `json:"issuer"`
	AuthorizationEndpoint string `json:"authorization_endpoint,omitempty"`
	TokenEndpoint         string `json:"token_endpoint"`
	UserinfoEndpoint      string `json:"userinfo_endpoint,omitempty"`
	JWKSURI               string `json:"jwks_uri,omitempty"`
	EndSessionEndpoint    string `json:"end_session_endpoint,omitempty"`
	RevocationEndpoint    string `json:"revocation_endpoint,omitempty"`
	IntrospectionEndpoint string `json:"introspection_endpoint,omitempty"`
	PAREndpoint           string `json:"pushed_authorization_request_endpoint,omitempty"`
	RequirePAR            *bool  `json:"require_pushed_authorization_requests,omitempty"`

	MTLSAliases *MTLSEndpointAliases `json:"mtls_endpoint_aliases,omitempty"`

	Scopes                   []string `json:"scopes_supported,omitempty"`
	ResponseTypes            []string `json:"response_types_supported,omitempty"`
	ResponseModes            []string `json:"response_modes_supported,omitempty"`
	GrantTypes               []string `json:"grant_types_supported"`
	ACRValues                []string `json:"acr_values_supported,omitempty"`
	SubjectTypes             []string `json:"subject_types_supported,omitempty"`
	IDTokenAlgs              []string `json:"id_token_signing_alg_values_supported,omitempty"`
	RequestObjectAlgs        []string `json:"request_object_signing_alg_values_supported,omitempty"`
	RequireRequestObject     bool     `json:"require_signed_request_object,omitempty"`
	AuthorizationAlgs        []string `json:"authorization_signing_alg_values_supported,omitempty"`
	RequestParameter         *bool    `json:"request_parameter_supported,omitempty"`
	RequestURIParameter      *bool    `json:"request_uri_parameter_supported,omitempty"`
	TokenAuthMethods         []string `json:"token_endpoint_auth_methods_supported"`
	TokenAuthAlgs            []string `json:"token_endpoint_auth_signing_alg_values_supported,omitempty"`
	IntrospectionAuthMethods []string `json:"introspection_endpoint_auth_methods_supported,omitempty"`
	IntrospectionAuthAlgs    []string `json:"introspection_endpoint_auth_signing_alg_values_supported,omitempty"`
	IntrospectionAlgs        []string `json:"introspection_signing_alg_values_supported,omitempty"`
	RevocationAuthMethods    []string `json:"revocation_endpoint_auth_methods_supported,omitempty"`
	RevocationAuthAlgs       []string `json:"revocation_endpoint_auth_signing_alg_values_supported,omitempty"`
	DPoPAlgs                 []string `json:"dpop_signing_alg_values_supported,omitempty"`
	CertificateBound         bool     `json:"tls_client_certificate_bound_access_tokens,omitempty"`
	CodeChallengeMethods     []string `json:"code_challenge_methods_supported,omitempty"`
	PromptValues             []string `json:"prompt_values_supported,omitempty"`
	UILocales                []string `json:"ui_locales_supported,omitempty"`
	Claims                   []string `json:"claims_supported,omitempty"`
	ClaimsParameter          *bool    `json:"claims_parameter_supported,omitempty"`
	DetailsTypes             []string `json:"authorization_details_types_supported,omitempty"`
	ResponseIss              *bool    `json:"authorization_response_iss_parameter_supported,omitempty"`

	FrontchannelLogout        bool `json:"frontchannel_logout_supported,omitempty"`
	FrontchannelLogoutSession bool `json:"frontchannel_logout_session_supported,omitempty"`
	BackchannelLogout         bool `json:"backchannel_logout_supported,omitempty"`
	BackchannelLogoutSession  bool `json:"backchannel_logout_session_supported,omitempty"`
}

// oauth returns the members of every authorization server.
func (c Config) oauth() metadata {
	m := metadata{
		Issuer:                c.Issuer,
		TokenEndpoint:         c.TokenEndpoint,
		JWKSURI:               c.JWKSURI,
		RevocationEndpoint:    c.RevocationEndpoint,
		IntrospectionEndpoint: c.IntrospectionEndpoint,
		Scopes:                c.ScopesSupported,
		GrantTypes:            c.GrantTypesSupported,
		TokenAuthMethods:      c.TokenEndpointAuthMethodsSupported,
		IntrospectionAlgs:     c.IntrospectionSigningAlgValuesSupported,
		DPoPAlgs:              c.DPoPSigningAlgValuesSupported,
		CertificateBound:      c.TLSClientCertificateBoundAccessTokens,
		DetailsTypes:          c.AuthorizationDetailsTypesSupported,
	}
	if c.privateKeyJWT() {
		m.TokenAuthAlgs = c.TokenEndpointAuthSigningAlgValuesSupported
	}
	if c.IntrospectionEndpoint != "" {
		// RFC 7662 §2.1: the caller must authenticate.
		m.IntrospectionAuthMethods = slices.DeleteFunc(slices.Clone(m.TokenAuthMethods), func(s string) bool { return s == "none" })
		m.IntrospectionAuthAlgs = m.TokenAuthAlgs
	}
	if c.RevocationEndpoint != "" {
		m.RevocationAuthMethods, m.RevocationAuthAlgs = m.TokenAuthMethods, m.TokenAuthAlgs
	}
	aliases := c.MTLSEndpointAliases
	aliases.UserinfoEndpoint = "" // OpenID Connect only
	if c.AuthorizationEndpoint == "" {
		aliases.PushedAuthorizationRequestEndpoint = ""
	}
	m.setAliases(aliases)
	if c.AuthorizationEndpoint != "" {
		c.addAuthorization(&m)
	}
	return m
}

// setAliases publishes the aliases if there is one.
func (m *metadata) setAliases(a MTLSEndpointAliases) {
	m.MTLSAliases = nil
	if a != (MTLSEndpointAliases{}) {
		m.MTLSAliases = &a
	}
}

// addAuthorization sets the members of the authorization endpoint.
func (c Config) addAuthorization(m *metadata) {
	m.AuthorizationEndpoint = c.AuthorizationEndpoint
	m.ResponseTypes = []string{"code"}
	m.ResponseModes = c.ResponseModesSupported
	m.ACRValues = c.ACRValuesSupported // RFC 9470 §7: also without OpenID Connect
	m.UILocales = c.UILocalesSupported
	m.CodeChallengeMethods = []string{"S256"}
	m.RequestObjectAlgs = c.RequestObjectSigningAlgValuesSupported
	m.RequireRequestObject = c.RequireSignedRequestObject
	m.AuthorizationAlgs = c.AuthorizationSigningAlgValuesSupported
	m.RequestParameter = new(len(c.RequestObjectSigningAlgValuesSupported) > 0)
	m.RequestURIParameter = new(false)
	m.ResponseIss = new(true)
	if c.PushedAuthorizationRequestEndpoint != "" {
		m.PAREndpoint = c.PushedAuthorizationRequestEndpoint
		m.RequirePAR = new(c.RequirePushedAuthorizationRequests)
	}
}

// addOpenID sets the members of OpenID Connect.
func (c Config) addOpenID(m *metadata) {
	m.UserinfoEndpoint = c.UserinfoEndpoint
	m.setAliases(c.MTLSEndpointAliases)
	m.EndSessionEndpoint = c.EndSessionEndpoint
	m.SubjectTypes = c.SubjectTypesSupported
	m.IDTokenAlgs = c.IDTokenSigningAlgValuesSupported
	m.PromptValues = c.PromptValuesSupported
	m.Claims = c.ClaimsSupported
	m.ClaimsParameter = new(c.ClaimsParameterSupported)
	m.FrontchannelLogout, m.FrontchannelLogoutSession = c.FrontchannelLogoutSupported, c.FrontchannelLogoutSupported
	m.BackchannelLogout, m.BackchannelLogoutSession = c.BackchannelLogoutSupported, c.BackchannelLogoutSupported
}
