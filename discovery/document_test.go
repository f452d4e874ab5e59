package discovery_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/discovery"
)

var update = flag.Bool("update", false, "write the golden files")

// idporten is a configuration with every member.
func idporten() discovery.Config {
	const host, login = "https://idporten.example", "https://login.idporten.example"
	return discovery.Config{
		Issuer:                                     host,
		AuthorizationEndpoint:                      login + "/authorize",
		TokenEndpoint:                              host + "/token",
		UserinfoEndpoint:                           host + "/userinfo",
		JWKSURI:                                    host + "/jwks.json",
		EndSessionEndpoint:                         login + "/logout",
		RevocationEndpoint:                         host + "/revoke",
		IntrospectionEndpoint:                      host + "/tokeninfo",
		PushedAuthorizationRequestEndpoint:         host + "/par",
		ScopesSupported:                            []string{"openid", "profile"},
		ACRValuesSupported:                         acr.IDPorten.Values(),
		SubjectTypesSupported:                      []string{"pairwise"},
		IDTokenSigningAlgValuesSupported:           []string{"RS256"},
		RequestObjectSigningAlgValuesSupported:     []string{"RS256", "PS256", "ES256"},
		TokenEndpointAuthMethodsSupported:          []string{"client_secret_basic", "client_secret_post", "private_key_jwt", "none"},
		TokenEndpointAuthSigningAlgValuesSupported: []string{"RS256", "RS384", "RS512"},
		PromptValuesSupported:                      []string{"login"},
		UILocalesSupported:                         []string{"nb", "nn", "en", "se"},
		ClaimsSupported:                            []string{"sub", "pid", "locale", "acr", "amr", "auth_time", "sid"},
		AuthorizationDetailsTypesSupported:         []string{"idporten:fullmakt"},
		FrontchannelLogoutSupported:                true,
		BackchannelLogoutSupported:                 true,
	}
}

// fapi is a configuration with the members of mutual TLS, DPoP and signed responses.
func fapi() discovery.Config {
	cfg, mtls := idporten(), "https://mtls.idporten.example"
	cfg.MTLSEndpointAliases = discovery.MTLSEndpointAliases{
		TokenEndpoint: mtls + "/token", UserinfoEndpoint: mtls + "/userinfo", RevocationEndpoint: mtls + "/revoke",
		IntrospectionEndpoint: mtls + "/tokeninfo", PushedAuthorizationRequestEndpoint: mtls + "/par",
	}
	algorithms := []string{"PS256", "ES256", "EdDSA"}
	cfg.ResponseModesSupported = []string{"query", "form_post", "jwt", "query.jwt", "form_post.jwt"}
	cfg.AuthorizationSigningAlgValuesSupported, cfg.IntrospectionSigningAlgValuesSupported = algorithms, algorithms
	cfg.DPoPSigningAlgValuesSupported, cfg.RequestObjectSigningAlgValuesSupported = algorithms, algorithms
	cfg.TLSClientCertificateBoundAccessTokens, cfg.RequireSignedRequestObject = true, true
	cfg.TokenEndpointAuthMethodsSupported = []string{"private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"}
	return cfg
}

// machine is an authorization server without users, such as Maskinporten.
func machine() discovery.Config {
	return discovery.Config{
		Issuer:                            "https://maskinporten.example/",
		TokenEndpoint:                     "https://maskinporten.example/token",
		JWKSURI:                           "https://maskinporten.example/jwk",
		GrantTypesSupported:               []string{"urn:ietf:params:oauth:grant-type:jwt-bearer"},
		TokenEndpointAuthMethodsSupported: []string{"private_key_jwt"},
		TokenEndpointAuthSigningAlgValuesSupported: []string{"RS256", "RS384", "RS512"},
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for file, build := range map[string]func() (*discovery.Document, error){
		"openid-configuration.json":            func() (*discovery.Document, error) { return discovery.New(idporten()) },
		"oauth-authorization-server.json":      func() (*discovery.Document, error) { return discovery.NewOAuth(idporten()) },
		"fapi-openid-configuration.json":       func() (*discovery.Document, error) { return discovery.New(fapi()) },
		"fapi-oauth-authorization-server.json": func() (*discovery.Document, error) { return discovery.NewOAuth(fapi()) },
		"machine.json":                         func() (*discovery.Document, error) { return discovery.NewOAuth(machine()) },
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			doc, err := build()
			require.NoError(t, err)
			var got bytes.Buffer
			require.NoError(t, json.Indent(&got, get(doc).Body.Bytes(), "", "  "))
			got.WriteByte('\n')
			if *update {
				require.NoError(t, os.WriteFile("testdata/"+file, got.Bytes(), 0o644))
			}
			want, err := os.ReadFile("testdata/" + file)
			require.NoError(t, err)
			require.Equal(t, string(want), got.String())
		})
	}
}

// registered are the members of the registry "OAuth Authorization Server Metadata" that this package may publish.
var registered = []string{
	"issuer", "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "end_session_endpoint",
	"revocation_endpoint", "introspection_endpoint", "pushed_authorization_request_endpoint",
	"require_pushed_authorization_requests", "scopes_supported", "response_types_supported", "response_modes_supported",
	"grant_types_supported", "acr_values_supported", "subject_types_supported", "id_token_signing_alg_values_supported",
	"request_object_signing_alg_values_supported", "request_parameter_supported", "request_uri_parameter_supported",
	"token_endpoint_auth_methods_supported", "token_endpoint_auth_signing_alg_values_supported",
	"introspection_endpoint_auth_methods_supported", "introspection_endpoint_auth_signing_alg_values_supported",
	"revocation_endpoint_auth_methods_supported", "revocation_endpoint_auth_signing_alg_values_supported",
	"code_challenge_methods_supported", "prompt_values_supported", "ui_locales_supported", "claims_supported",
	"claims_parameter_supported", "authorization_details_types_supported", "authorization_response_iss_parameter_supported",
	"frontchannel_logout_supported", "frontchannel_logout_session_supported", "backchannel_logout_supported",
	"backchannel_logout_session_supported",
}

// fapiMembers are the registered members that fapi has beside those of idporten.
var fapiMembers = []string{
	"mtls_endpoint_aliases", "tls_client_certificate_bound_access_tokens", "dpop_signing_alg_values_supported",
	"authorization_signing_alg_values_supported", "introspection_signing_alg_values_supported", "require_signed_request_object",
}

func members(t *testing.T, cfg discovery.Config, build func(discovery.Config) (*discovery.Document, error)) map[string]any {
	t.Helper()
	doc, err := build(cfg)
	require.NoError(t, err)
	m := map[string]any{}
	require.NoError(t, json.Unmarshal(get(doc).Body.Bytes(), &m))
	for name := range m {
		require.Contains(t, append(fapiMembers, registered...), name)
	}
	return m
}

func TestEmptyFieldsAreLeftOut(t *testing.T) {
	t.Parallel()
	full := members(t, idporten(), discovery.New)
	require.Len(t, full, len(registered), "every member is present")
	tests := []struct {
		name    string
		disable func(*discovery.Config)
		absent  []string
	}{
		{
			"PAR", func(c *discovery.Config) { c.PushedAuthorizationRequestEndpoint = "" },
			[]string{"pushed_authorization_request_endpoint", "require_pushed_authorization_requests"},
		},
		{
			"introspection", func(c *discovery.Config) { c.IntrospectionEndpoint = "" },
			[]string{"introspection_endpoint", "introspection_endpoint_auth_methods_supported", "introspection_endpoint_auth_signing_alg_values_supported"},
		},
		{
			"revocation", func(c *discovery.Config) { c.RevocationEndpoint = "" },
			[]string{"revocation_endpoint", "revocation_endpoint_auth_methods_supported", "revocation_endpoint_auth_signing_alg_values_supported"},
		},
		{"userinfo", func(c *discovery.Config) { c.UserinfoEndpoint = "" }, []string{"userinfo_endpoint"}},
		{"logout", func(c *discovery.Config) { c.EndSessionEndpoint = "" }, []string{"end_session_endpoint"}},
		{
			"front-channel logout", func(c *discovery.Config) { c.FrontchannelLogoutSupported = false },
			[]string{"frontchannel_logout_supported", "frontchannel_logout_session_supported"},
		},
		{
			"back-channel logout", func(c *discovery.Config) { c.BackchannelLogoutSupported = false },
			[]string{"backchannel_logout_supported", "backchannel_logout_session_supported"},
		},
		{
			"request objects", func(c *discovery.Config) { c.RequestObjectSigningAlgValuesSupported = nil },
			[]string{"request_object_signing_alg_values_supported"},
		},
		{
			"RFC 9396", func(c *discovery.Config) { c.AuthorizationDetailsTypesSupported = nil },
			[]string{"authorization_details_types_supported"},
		},
		{
			"private_key_jwt", func(c *discovery.Config) { c.TokenEndpointAuthMethodsSupported = []string{"client_secret_basic"} },
			[]string{"token_endpoint_auth_signing_alg_values_supported", "introspection_endpoint_auth_signing_alg_values_supported", "revocation_endpoint_auth_signing_alg_values_supported"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := idporten()
			tt.disable(&cfg)
			m := members(t, cfg, discovery.New)
			for _, name := range tt.absent {
				require.NotContains(t, m, name)
			}
			require.Len(t, m, len(full)-len(tt.absent), "no other member is left out")
		})
	}
}

// TestSenderConstrainedMembers: each member of mutual TLS, DPoP and signed responses is left out if its field is unset, and no other one.
func TestSenderConstrainedMembers(t *testing.T) {
	t.Parallel()
	full := members(t, fapi(), discovery.New)
	require.Len(t, full, len(registered)+len(fapiMembers), "every member is present")
	require.Equal(t, true, full["tls_client_certificate_bound_access_tokens"], "JSON true, not text")
	for name, disable := range map[string]func(*discovery.Config){
		"mtls_endpoint_aliases":                      func(c *discovery.Config) { c.MTLSEndpointAliases = discovery.MTLSEndpointAliases{} },
		"tls_client_certificate_bound_access_tokens": func(c *discovery.Config) { c.TLSClientCertificateBoundAccessTokens = false },
		"dpop_signing_alg_values_supported":          func(c *discovery.Config) { c.DPoPSigningAlgValuesSupported = nil },
		"introspection_signing_alg_values_supported": func(c *discovery.Config) { c.IntrospectionSigningAlgValuesSupported = nil },
		"require_signed_request_object":              func(c *discovery.Config) { c.RequireSignedRequestObject = false },
		"authorization_signing_alg_values_supported": func(c *discovery.Config) {
			c.AuthorizationSigningAlgValuesSupported, c.ResponseModesSupported = nil, nil
		},
	} {
		cfg := fapi()
		disable(&cfg)
		m := members(t, cfg, discovery.New)
		require.NotContains(t, m, name)
		require.Len(t, m, len(full)-1, name)
	}
	only := fapi()
	only.MTLSEndpointAliases = discovery.MTLSEndpointAliases{UserinfoEndpoint: "https://mtls.idporten.example/userinfo"}
	require.Equal(t, map[string]any{"userinfo_endpoint": "https://mtls.idporten.example/userinfo"}, members(t, only, discovery.New)["mtls_endpoint_aliases"])
	require.NotContains(t, members(t, only, discovery.NewOAuth), "mtls_endpoint_aliases", "an authorization server has no userinfo endpoint")
}

func TestDerivedMembers(t *testing.T) {
	t.Parallel()
	cfg := idporten()
	m := members(t, cfg, discovery.New)
	require.Equal(t, cfg.Issuer, m["issuer"])
	require.Equal(t, false, m["request_uri_parameter_supported"], "its default is true, so it must be present")
	require.Equal(t, true, m["request_parameter_supported"])
	require.Equal(t, true, m["authorization_response_iss_parameter_supported"])
	require.Equal(t, false, m["require_pushed_authorization_requests"])
	require.Equal(t, []any{"code"}, m["response_types_supported"])
	require.Equal(t, []any{"S256"}, m["code_challenge_methods_supported"])
	require.Equal(t, []any{"pairwise"}, m["subject_types_supported"])
	require.NotContains(t, m["introspection_endpoint_auth_methods_supported"], "none")
	require.Contains(t, m["revocation_endpoint_auth_methods_supported"], "none")
	require.Contains(t, cfg.TokenEndpointAuthMethodsSupported, "none", "the caller's list is untouched")

	cfg.RequestObjectSigningAlgValuesSupported = nil
	cfg.RequirePushedAuthorizationRequests = true
	cfg.Issuer = "https://idporten.example/a&b/"
	m = members(t, cfg, discovery.New)
	require.Equal(t, false, m["request_parameter_supported"])
	require.Equal(t, true, m["require_pushed_authorization_requests"])
	require.Equal(t, cfg.Issuer, m["issuer"], "byte for byte")
	doc, err := discovery.New(cfg)
	require.NoError(t, err)
	require.Contains(t, get(doc).Body.String(), `"issuer":"`+cfg.Issuer+`"`, "without JSON escapes")
}

// TestPath: an issuer, and the paths at which clients request its documents.
func TestPath(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ issuer, openid, oauth string }{
		{"https://op.example", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"},
		{"https://op.example/", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"},
		{"https://op.example/a/b", "/a/b/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/a/b"},
		{"https://op.example/a/", "/a/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/a"},
	} {
		cfg := idporten()
		cfg.Issuer = tt.issuer
		openid, err := discovery.New(cfg)
		require.NoError(t, err)
		oauth, err := discovery.NewOAuth(cfg)
		require.NoError(t, err)
		require.Equal(t, tt.openid, openid.Path())
		require.Equal(t, tt.oauth, oauth.Path())
	}
}

// TestConfigProblems breaks each field, then several.
func TestConfigProblems(t *testing.T) {
	t.Parallel()
	type change func(*discovery.Config)
	for _, tt := range []struct {
		field, want string
		change      change
	}{
		{"Issuer", "is required", func(c *discovery.Config) { c.Issuer = "" }},
		{"Issuer", "query", func(c *discovery.Config) { c.Issuer += "?a=b" }},
		{"Issuer", "query", func(c *discovery.Config) { c.Issuer += "?" }},
		{"Issuer", "fragment", func(c *discovery.Config) { c.Issuer += "#" }},
		{"Issuer", "https", func(c *discovery.Config) { c.Issuer = "http://idporten.example" }},
		{"Issuer", "https", func(c *discovery.Config) { c.Issuer = "http://127.0.0.1.example" }},
		{"Issuer", "absolute URL", func(c *discovery.Config) { c.Issuer = "https:///x" }},
		{"Issuer", "absolute URL", func(c *discovery.Config) { c.Issuer = "https://a:b@idporten.example" }},
		{"AuthorizationEndpoint", "is required", func(c *discovery.Config) { c.AuthorizationEndpoint = "" }},
		{"TokenEndpoint", "absolute URL", func(c *discovery.Config) { c.TokenEndpoint = "/token" }},
		{"TokenEndpoint", "is required", func(c *discovery.Config) { c.TokenEndpoint = "" }},
		{"UserinfoEndpoint", "https", func(c *discovery.Config) { c.UserinfoEndpoint = "http://a.example" }},
		{"JWKSURI", "is required", func(c *discovery.Config) { c.JWKSURI = "" }},
		{"EndSessionEndpoint", "https", func(c *discovery.Config) { c.EndSessionEndpoint = "http://a.example" }},
		{"RevocationEndpoint", "fragment", func(c *discovery.Config) { c.RevocationEndpoint += "#a" }},
		{"IntrospectionEndpoint", "absolute URL", func(c *discovery.Config) { c.IntrospectionEndpoint = "x" }},
		{"PushedAuthorizationRequestEndpoint", "https", func(c *discovery.Config) { c.PushedAuthorizationRequestEndpoint = "ftp://a.example" }},
		{"RequirePushedAuthorizationRequests", "requires PushedAuthorizationRequestEndpoint", func(c *discovery.Config) {
			c.PushedAuthorizationRequestEndpoint, c.RequirePushedAuthorizationRequests = "", true
		}},
		{"ScopesSupported", "must contain openid", func(c *discovery.Config) { c.ScopesSupported = []string{"profile"} }},
		{"ScopesSupported", "is required", func(c *discovery.Config) { c.ScopesSupported = nil }},
		{"ScopesSupported[1]", "white space", func(c *discovery.Config) { c.ScopesSupported = []string{"openid", "a b"} }},
		{"ResponseModesSupported[0]", "empty", func(c *discovery.Config) { c.ResponseModesSupported = []string{""} }},
		{"GrantTypesSupported[1]", "is repeated", func(c *discovery.Config) { c.GrantTypesSupported = []string{"a", "a"} }},
		{"ACRValuesSupported[0]", "empty", func(c *discovery.Config) { c.ACRValuesSupported = []string{""} }},
		{"SubjectTypesSupported", "is required", func(c *discovery.Config) { c.SubjectTypesSupported = nil }},
		{"SubjectTypesSupported[0]", "public or pairwise", func(c *discovery.Config) { c.SubjectTypesSupported = []string{"Public"} }},
		{"IDTokenSigningAlgValuesSupported", "is required", func(c *discovery.Config) { c.IDTokenSigningAlgValuesSupported = nil }},
		{"RequestObjectSigningAlgValuesSupported[0]", "asymmetric", func(c *discovery.Config) { c.RequestObjectSigningAlgValuesSupported = []string{"none"} }},
		{"TokenEndpointAuthMethodsSupported", "is required", func(c *discovery.Config) { c.TokenEndpointAuthMethodsSupported = nil }},
		{"TokenEndpointAuthSigningAlgValuesSupported", "is required", func(c *discovery.Config) { c.TokenEndpointAuthSigningAlgValuesSupported = nil }},
		{"TokenEndpointAuthSigningAlgValuesSupported[0]", "asymmetric", func(c *discovery.Config) { c.TokenEndpointAuthSigningAlgValuesSupported = []string{"HS256"} }},
		{"PromptValuesSupported[0]", "white space", func(c *discovery.Config) { c.PromptValuesSupported = []string{"a\tb"} }},
		{"UILocalesSupported[1]", "is repeated", func(c *discovery.Config) { c.UILocalesSupported = []string{"nb", "nb"} }},
		{"ClaimsSupported[0]", "empty", func(c *discovery.Config) { c.ClaimsSupported = []string{""} }},
		{"MTLSEndpointAliases.TokenEndpoint", "https", func(c *discovery.Config) { c.MTLSEndpointAliases.TokenEndpoint = "http://mtls.example/token" }},
		{"MTLSEndpointAliases.UserinfoEndpoint", "requires UserinfoEndpoint", func(c *discovery.Config) {
			c.MTLSEndpointAliases.UserinfoEndpoint, c.UserinfoEndpoint = c.UserinfoEndpoint, ""
		}},
		{"MTLSEndpointAliases.RevocationEndpoint", "requires RevocationEndpoint", func(c *discovery.Config) {
			c.MTLSEndpointAliases.RevocationEndpoint, c.RevocationEndpoint = c.RevocationEndpoint, ""
		}},
		{"MTLSEndpointAliases.IntrospectionEndpoint", "fragment", func(c *discovery.Config) { c.MTLSEndpointAliases.IntrospectionEndpoint = c.IntrospectionEndpoint + "#" }},
		{"MTLSEndpointAliases.PushedAuthorizationRequestEndpoint", "absolute URL", func(c *discovery.Config) { c.MTLSEndpointAliases.PushedAuthorizationRequestEndpoint = "/par" }},
		{"RequireSignedRequestObject", "requires RequestObjectSigningAlgValuesSupported", func(c *discovery.Config) {
			c.RequireSignedRequestObject, c.RequestObjectSigningAlgValuesSupported = true, nil
		}},
		{"AuthorizationSigningAlgValuesSupported", "response mode of signed responses", func(c *discovery.Config) { c.ResponseModesSupported = []string{"query", "query.jwt"} }},
		{"AuthorizationSigningAlgValuesSupported", "response mode of signed responses", func(c *discovery.Config) { c.AuthorizationSigningAlgValuesSupported = []string{"PS256"} }},
		{"AuthorizationSigningAlgValuesSupported[0]", "asymmetric", func(c *discovery.Config) {
			c.ResponseModesSupported, c.AuthorizationSigningAlgValuesSupported = []string{"jwt"}, []string{"none"}
		}},
		{"IntrospectionSigningAlgValuesSupported", "requires IntrospectionEndpoint", func(c *discovery.Config) {
			c.IntrospectionEndpoint, c.IntrospectionSigningAlgValuesSupported = "", []string{"PS256"}
		}},
		{"IntrospectionSigningAlgValuesSupported[0]", "asymmetric", func(c *discovery.Config) { c.IntrospectionSigningAlgValuesSupported = []string{"none"} }},
		{"DPoPSigningAlgValuesSupported[1]", "asymmetric", func(c *discovery.Config) { c.DPoPSigningAlgValuesSupported = []string{"ES256", "HS256"} }},
		{"AuthorizationDetailsTypesSupported[0]", "empty", func(c *discovery.Config) { c.AuthorizationDetailsTypesSupported = []string{""} }},
	} {
		t.Run(tt.field+" "+tt.want, func(t *testing.T) {
			t.Parallel()
			cfg := idporten()
			tt.change(&cfg)
			doc, err := discovery.New(cfg)
			require.Equal(t, []string{tt.field}, fieldsOf(err))
			require.ErrorContains(t, err, tt.want)
			require.Nil(t, doc)
		})
	}
	_, err := discovery.New(discovery.Config{})
	require.ElementsMatch(t, []string{
		"Issuer", "AuthorizationEndpoint", "TokenEndpoint", "JWKSURI", "ScopesSupported", "SubjectTypesSupported",
		"IDTokenSigningAlgValuesSupported", "TokenEndpointAuthMethodsSupported",
	}, fieldsOf(err), "every problem at once")

	cfg := machine()
	cfg.GrantTypesSupported = nil // authorization_code
	_, err = discovery.NewOAuth(cfg)
	require.Equal(t, []string{"AuthorizationEndpoint"}, fieldsOf(err))
}

func fieldsOf(err error) (names []string) {
	for _, e := range portner.FieldErrors(err) {
		names = append(names, e.Field)
	}
	return names
}

// TestPublishedValues: members whose values a profile chooses.
func TestPublishedValues(t *testing.T) {
	t.Parallel()
	for _, types := range [][]string{{"public"}, {"pairwise"}, {"public", "pairwise"}} {
		cfg := idporten()
		cfg.SubjectTypesSupported = types
		require.Len(t, members(t, cfg, discovery.New)["subject_types_supported"], len(types))
	}
	for _, supported := range []bool{true, false} {
		cfg := idporten()
		cfg.ClaimsParameterSupported = supported
		require.Equal(t, supported, members(t, cfg, discovery.New)["claims_parameter_supported"])
	}
	cfg := idporten()
	cfg.ACRValuesSupported = nil
	require.NotContains(t, members(t, cfg, discovery.New), "acr_values_supported", "a profile without levels")
	require.NotContains(t, members(t, cfg, discovery.NewOAuth), "acr_values_supported")
}

func TestLoopback(t *testing.T) {
	t.Parallel()
	for _, issuer := range []string{"http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080"} {
		cfg := idporten()
		cfg.Issuer, cfg.TokenEndpoint = issuer, issuer+"/token"
		_, err := discovery.New(cfg)
		require.NoError(t, err)
	}
}
