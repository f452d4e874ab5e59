package resource_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/resource"
)

// TestMetadata checks the document and its URL (RFC 9728 §2 and §3.1).
func TestMetadata(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		url  string
		meta resource.Metadata
		dpop bool
		path string
		want string
	}{
		"defaults": {
			"https://api.example.no",
			resource.Metadata{},
			false, "/.well-known/oauth-protected-resource",
			`{"resource":"https://api.example.no","authorization_servers":["https://test.maskinporten.no/"],"bearer_methods_supported":["header"]}`,
		},
		"slash after the host": {
			"https://api.example.no/",
			resource.Metadata{},
			false, "/.well-known/oauth-protected-resource",
			`{"resource":"https://api.example.no/","authorization_servers":["https://test.maskinporten.no/"],"bearer_methods_supported":["header"]}`,
		},
		"path": {
			"https://api.example.no/tax/v1",
			resource.Metadata{},
			false, "/.well-known/oauth-protected-resource/tax/v1",
			`{"resource":"https://api.example.no/tax/v1","authorization_servers":["https://test.maskinporten.no/"],"bearer_methods_supported":["header"]}`,
		},
		"path with a slash at the end": {
			"https://api.example.no/tax/",
			resource.Metadata{},
			false, "/.well-known/oauth-protected-resource/tax/",
			`{"resource":"https://api.example.no/tax/","authorization_servers":["https://test.maskinporten.no/"],"bearer_methods_supported":["header"]}`,
		},
		"every member": {
			"https://api.example.no",
			resource.Metadata{
				AuthorizationServers: []string{"https://a.example", "https://b.example"}, ScopesSupported: []string{"skatt:les"},
				AuthorizationDetailsTypesSupported: []string{"urn:altinn:systemuser"}, DPoPBoundAccessTokensRequired: true,
				TLSClientCertificateBoundAccessTokens: true, JWKSURI: "https://api.example.no/jwks", ResourceSigningAlgValuesSupported: []string{"ES256"},
				ResourceName: "Skatt", ResourceDocumentation: "https://docs.example.no/?a#b", ResourcePolicyURI: "https://docs.example.no/policy",
				ResourceTOSURI: "http://localhost/tos",
			},
			true, "/.well-known/oauth-protected-resource",
			`{"resource":"https://api.example.no","authorization_servers":["https://a.example","https://b.example"],"scopes_supported":["skatt:les"],
			"authorization_details_types_supported":["urn:altinn:systemuser"],"dpop_bound_access_tokens_required":true,
			"tls_client_certificate_bound_access_tokens":true,"jwks_uri":"https://api.example.no/jwks","resource_signing_alg_values_supported":["ES256"],
			"resource_name":"Skatt","resource_documentation":"https://docs.example.no/?a#b","resource_policy_uri":"https://docs.example.no/policy",
			"resource_tos_uri":"http://localhost/tos","bearer_methods_supported":["header"],"dpop_signing_alg_values_supported":["PS256","ES256","EdDSA"]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t)
			if tt.dpop {
				cfg = dpopConfig(t)
			}
			cfg.URL, cfg.Metadata = tt.url, &tt.meta
			v := verifier(t, cfg)
			mux := http.NewServeMux()
			mux.Handle(v.Metadata())
			get := func(method, path string) *httptest.ResponseRecorder {
				w := httptest.NewRecorder()
				mux.ServeHTTP(w, httptest.NewRequest(method, path, nil))
				return w
			}
			w := get(http.MethodGet, tt.path)
			require.Equal(t, 200, w.Code)
			require.JSONEq(t, tt.want, w.Body.String())
			require.Equal(t, "application/json", w.Header().Get("Content-Type"))
			require.Equal(t, "*", w.Header().Get("Access-Control-Allow-Origin"))
			require.Equal(t, 405, get(http.MethodPost, tt.path).Code)
			require.Equal(t, 404, get(http.MethodGet, tt.path+"x").Code)
			require.Equal(t, 404, get(http.MethodGet, strings.TrimSuffix(tt.path, "/")+"/x").Code)

			_, err := v.Verify(t.Context(), resource.Request{})
			want := `Bearer realm="api", resource_metadata="https://api.example.no` + tt.path + `"`
			if tt.dpop {
				want += `, DPoP algs="PS256 ES256 EdDSA", resource_metadata="https://api.example.no` + tt.path + `"`
			}
			require.Equal(t, []string{want}, v.Reply(err).Header["Www-Authenticate"])
		})
	}
}

// TestMetadataOfSeveralIssuers checks that the document names the issuers of all verifiers, unless the configuration names others.
func TestMetadataOfSeveralIssuers(t *testing.T) {
	t.Parallel()
	document := func(meta resource.Metadata) string {
		first, second, third := config(t), config(t), config(t)
		first.Metadata, second.Issuer, third.Issuer = &meta, "https://test.idporten.no", "studio" // which is no URL
		v, err := resource.Any(verifier(t, first), verifier(t, second), verifier(t, third))
		require.NoError(t, err)
		_, h := v.Metadata()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		return w.Body.String()
	}
	require.Contains(t, document(resource.Metadata{}), `"authorization_servers":["https://test.maskinporten.no/","https://test.idporten.no"]`)
	require.Contains(t, document(resource.Metadata{AuthorizationServers: []string{"https://a.example"}}), `"authorization_servers":["https://a.example"]`)

	pattern, h := verifier(t, config(t)).Metadata()
	require.Empty(t, pattern)
	require.Nil(t, h)
}

// TestMetadataIsValidated checks that New names every invalid field of the metadata.
func TestMetadataIsValidated(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.URL = "http://api.example.no/{a}"
	cfg.Metadata = &resource.Metadata{
		AuthorizationServers: []string{"http://a.example", "https://b.example", "https://b.example"}, ScopesSupported: []string{"a b", ""},
		AuthorizationDetailsTypesSupported: []string{""}, DPoPBoundAccessTokensRequired: true, ResourceSigningAlgValuesSupported: []string{"none", "HS256"},
		ResourceDocumentation: "/docs", ResourcePolicyURI: "javascript:alert(1)", ResourceTOSURI: "https://u:p@a.example",
	}
	_, err := resource.New(cfg)
	require.Equal(t, []string{
		"URL", "URL", "Metadata.AuthorizationServers[0]", "Metadata.DPoPBoundAccessTokensRequired", "Metadata.AuthorizationServers[2]",
		"Metadata.ScopesSupported[0]", "Metadata.ScopesSupported[1]", "Metadata.AuthorizationDetailsTypesSupported[0]",
		"Metadata.ResourceSigningAlgValuesSupported[0]", "Metadata.ResourceSigningAlgValuesSupported[1]", "Metadata.JWKSURI",
		"Metadata.ResourceDocumentation", "Metadata.ResourcePolicyURI", "Metadata.ResourceTOSURI",
	}, fields.Names(err))
}
