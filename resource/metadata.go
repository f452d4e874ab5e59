package resource

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/scope"
)

// wellKnown is the path of the metadata, before that of the API (RFC 9728 §3.1).
const wellKnown = "/.well-known/oauth-protected-resource"

// Metadata describes an API to its clients (RFC 9728 §2). The zero value is valid. Beside its fields the document has the members resource
// (Config.URL), bearer_methods_supported (header) and, with Config.DPoP, dpop_signing_alg_values_supported.
type Metadata struct {
	// AuthorizationServers are the issuers from which a client can get tokens. If empty, Config.Issuer; with [Any] the issuers of all
	// verifiers.
	AuthorizationServers []string `json:"authorization_servers,omitempty"`
	// ScopesSupported are the scopes that the API uses.
	ScopesSupported []string `json:"scopes_supported,omitempty"`
	// AuthorizationDetailsTypesSupported are the types of authorization_details that the API uses (RFC 9396).
	AuthorizationDetailsTypesSupported []string `json:"authorization_details_types_supported,omitempty"`
	// DPoPBoundAccessTokensRequired reports that every request needs a token that is bound to a key. It requires Config.DPoP.
	DPoPBoundAccessTokensRequired bool `json:"dpop_bound_access_tokens_required,omitempty"`
	// TLSClientCertificateBoundAccessTokens reports that tokens can be bound to the TLS certificate of the client (RFC 8705).
	TLSClientCertificateBoundAccessTokens bool `json:"tls_client_certificate_bound_access_tokens,omitempty"`

	// JWKSURI is the https URL of the keys with which the API signs responses. If "", it signs none.
	JWKSURI string `json:"jwks_uri,omitempty"`
	// ResourceSigningAlgValuesSupported are the algorithms of signed responses of the API.
	ResourceSigningAlgValuesSupported []string `json:"resource_signing_alg_values_supported,omitempty"`

	ResourceName          string `json:"resource_name,omitempty"`          // for users
	ResourceDocumentation string `json:"resource_documentation,omitempty"` // https URL of a page for developers
	ResourcePolicyURI     string `json:"resource_policy_uri,omitempty"`    // https URL of the rules for the use of the data
	ResourceTOSURI        string `json:"resource_tos_uri,omitempty"`       // https URL of the terms of service
}

// metadataDocument holds the members of the document in its order.
type metadataDocument struct {
	Resource string `json:"resource"`
	Metadata
	BearerMethods  []string `json:"bearer_methods_supported"`
	DPoPAlgorithms []string `json:"dpop_signing_alg_values_supported,omitempty"`
}

// Metadata returns the pattern and the handler of the metadata, for a mux on which the host of Config.URL is served: mux.Handle(v.Metadata()).
// Every challenge of the verifier names its URL in resource_metadata (RFC 9728 §5.1). Without Config.Metadata it returns "" and nil, which a mux
// does not accept.
func (v *Verifier) Metadata() (pattern string, handler http.Handler) {
	if v.metadata == nil {
		return "", nil
	}
	return v.metadata.pattern, v.metadata.document
}

// metadata is validated Metadata with its handler.
type metadata struct {
	fields   metadataDocument
	all      bool // authorization_servers are the issuers of all verifiers
	url      string
	pattern  string
	document *httpx.Document
}

// newMetadata returns the metadata of an API.
func newMetadata(cfg *Config, check *fields.Checker) *metadata {
	u, err := url.Parse(cfg.URL)
	if err != nil { // reported as that of URL
		return nil
	}
	check.Want(u.EscapedPath() == u.Path && !strings.ContainsAny(u.Path, "{}"), "URL", "must have a path without escapes and braces, with Metadata")
	cfg.Metadata.validate(cfg.DPoP != nil, check)
	path := wellKnown
	if u.Path != "/" { // RFC 9728 §3.1: without the slash that ends the host
		path += u.Path
	}
	m := &metadata{
		fields: metadataDocument{Resource: cfg.URL, Metadata: *cfg.Metadata, BearerMethods: []string{"header"}, DPoPAlgorithms: cfg.DPoP.SupportedAlgorithms()},
		all:    len(cfg.Metadata.AuthorizationServers) == 0, url: httpx.Origin(cfg.URL) + path, pattern: path,
	}
	if strings.HasSuffix(path, "/") { // the path alone, and none below it
		m.pattern += "{$}"
	}
	return m
}

// validate reports every invalid field.
func (m *Metadata) validate(dpop bool, check *fields.Checker) {
	for n, issuer := range m.AuthorizationServers {
		check.SecureURL("Metadata."+index("AuthorizationServers", n), issuer)
	}
	check.Want(dpop || !m.DPoPBoundAccessTokensRequired, "Metadata.DPoPBoundAccessTokensRequired", "requires DPoP")
	for _, list := range []struct {
		field  string
		values []string
		valid  func(string) error
	}{
		{"AuthorizationServers", m.AuthorizationServers, nil},
		{"ScopesSupported", m.ScopesSupported, oneScope},
		{"AuthorizationDetailsTypesSupported", m.AuthorizationDetailsTypesSupported, nil},
		{"ResourceSigningAlgValuesSupported", m.ResourceSigningAlgValuesSupported, asymmetric},
	} {
		for n, value := range list.values {
			field := "Metadata." + index(list.field, n)
			check.Require(value != "", field)
			check.Want(!slices.Contains(list.values[:n], value), field, "is repeated")
			if value != "" && list.valid != nil {
				check.Add(field, list.valid(value))
			}
		}
	}
	check.Want(len(m.ResourceSigningAlgValuesSupported) == 0 || m.JWKSURI != "", "Metadata.JWKSURI", "is required with ResourceSigningAlgValuesSupported")
	for _, of := range []struct{ field, uri string }{
		{"JWKSURI", m.JWKSURI},
		{"ResourceDocumentation", m.ResourceDocumentation},
		{"ResourcePolicyURI", m.ResourcePolicyURI},
		{"ResourceTOSURI", m.ResourceTOSURI},
	} {
		u, err := url.Parse(of.uri)
		ok := of.uri == "" || err == nil && u.Host != "" && u.User == nil && (u.Scheme == "https" || u.Scheme == "http" && fields.PlainHTTP(u.Hostname()))
		check.Want(ok, "Metadata."+of.field, "must be an https URL without credentials")
	}
}

func oneScope(name string) error {
	if parsed, err := scope.Parse(name); err != nil || len(parsed) != 1 {
		return errors.New("must be the name of one scope")
	}
	return nil
}

func asymmetric(alg string) error {
	if !jose.Known(alg) {
		return errors.New("must be a supported asymmetric signature algorithm")
	}
	return nil
}

// publish encodes the document for a verifier of these issuers.
func (m *metadata) publish(issuers []*issuer) (*metadata, error) {
	own := *m
	if own.all {
		own.fields.AuthorizationServers = nil
		for _, i := range issuers {
			var check fields.Checker
			if check.SecureURL("", i.name); check.Err() == nil { // an older issuer has another name, which no client can use
				own.fields.AuthorizationServers = append(own.fields.AuthorizationServers, i.name)
			}
		}
	}
	doc, err := json.Marshal(own.fields)
	if err != nil {
		return nil, fmt.Errorf("resource: metadata: %w", err)
	}
	own.document = httpx.NewDocument(doc, httpx.EntityTag(doc))
	return &own, nil
}
