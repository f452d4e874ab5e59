package client_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/scope"
	"github.com/stretchr/testify/require"
)

// problems returns the members that Validate names, sorted.
func problems(t testing.TB, c *client.Client, env client.Environment) []string {
	t.Helper()
	return membersIn(t, c.Validate(env))
}

// membersIn returns the members that an error names, sorted. It requires the error to consist of FieldErrors.
func membersIn(t testing.TB, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	require.True(t, ok)
	var names []string
	for _, e := range joined.Unwrap() {
		p, ok := e.(*portner.FieldError)
		require.True(t, ok)
		require.NotEmpty(t, p.Err.Error())
		names = append(names, p.Field)
	}
	slices.Sort(names)
	return names
}

// secrets returns n secrets.
func secrets(n int) []client.Secret {
	list := make([]client.Secret, n)
	for i := range list {
		list[i] = client.Secret{Hash: [32]byte{1}, ExpiresAt: now}
	}
	return list
}

func web(change func(*client.Client)) *client.Client {
	c := &client.Client{
		ClientID: "web", ClientName: "Min tjeneste", OrganisationNo: "991825827", IntegrationType: "api_klient",
		TokenEndpointAuthMethod: client.ClientSecretPost, GrantTypes: []string{"authorization_code", "refresh_token"},
		RedirectURIs: []string{callback}, PostLogoutRedirectURIs: []string{"https://rp.example.no/out"},
		Scopes: []string{"openid", "profile", "digdir:demo"}, Secrets: secrets(1),
	}
	if change != nil {
		change(c)
	}
	return c
}

// rsaJWKS returns a JWK set with an RSA key for an algorithm.
func rsaJWKS(alg string) json.RawMessage {
	return jwks(jose.PublicKey{KID: "k1", Alg: alg, Key: rsaKey().Public()})
}

func public(kind, uri string, change func(*client.Client)) *client.Client {
	return web(func(c *client.Client) {
		c.ApplicationType, c.TokenEndpointAuthMethod, c.Secrets = kind, client.None, nil
		c.RedirectURIs = []string{uri}
		if change != nil {
			change(c)
		}
	})
}

func machine(integration string, change func(*client.Client)) *client.Client {
	c := &client.Client{
		ClientID: "m", OrganisationNo: "974761076", IntegrationType: integration,
		TokenEndpointAuthMethod: client.PrivateKeyJWT, GrantTypes: []string{client.JWTBearer}, JWKS: rsaJWKS("RS256"),
	}
	if change != nil {
		change(c)
	}
	return c
}

func TestValidateAllowed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]*client.Client{
		"api_klient":            web(nil),
		"defaults":              {ClientID: "c", RedirectURIs: []string{callback}, Secrets: secrets(1)},
		"idporten":              web(func(c *client.Client) { c.IntegrationType, c.Scopes = "idporten", []string{"openid", "profile"} }),
		"idporten without list": web(func(c *client.Client) { c.IntegrationType, c.Scopes = "idporten", nil }),
		"idporten introspecting": web(func(c *client.Client) {
			c.IntegrationType, c.Scopes = "idporten", []string{"openid", "idporten:token.introspection"}
		}),
		"ansattporten": web(func(c *client.Client) { c.IntegrationType = "ansattporten" }),
		"basic":        web(func(c *client.Client) { c.TokenEndpointAuthMethod = client.ClientSecretBasic }),
		"private_key_jwt": web(func(c *client.Client) {
			c.TokenEndpointAuthMethod, c.Secrets, c.JWKS = client.PrivateKeyJWT, nil, p256JWKS()
		}),
		"no PKCE":               web(func(c *client.Client) { c.CodeChallengeMethod = "none" }),
		"reuse":                 web(func(c *client.Client) { c.RefreshTokenUsage = client.Reuse }),
		"supplier":              web(func(c *client.Client) { c.SupplierOrgno = "974761076" }),
		"two secrets":           web(func(c *client.Client) { c.Secrets = secrets(2) }),
		"front channel":         web(func(c *client.Client) { c.FrontchannelLogoutURI = "https://rp.example.no:443/logout?x=1" }),
		"back channel":          web(func(c *client.Client) { c.BackchannelLogoutURI = "https://rp.example.no:8443/logout" }),
		"browser":               public(client.Browser, callback, nil),
		"browser by default":    public(client.Browser, callback, func(c *client.Client) { c.TokenEndpointAuthMethod = "" }),
		"native":                public(client.Native, "http://127.0.0.1/cb", nil),
		"native with a scheme":  public(client.Native, "no.example.app:/cb", nil),
		"native front channel":  public(client.Native, "no.example.app:/cb", func(c *client.Client) { c.FrontchannelLogoutURI = "https://elsewhere.example.no/logout" }),
		"maskinporten":          machine("maskinporten", nil),
		"maskinporten, short":   machine("maskinporten", func(c *client.Client) { c.GrantTypes = []string{"jwt_bearer_token"} }),
		"maskinporten, default": machine("maskinporten", func(c *client.Client) { c.GrantTypes = nil }),
		"krr":                   machine("krr", func(c *client.Client) { c.Scopes = []string{"krr:global/digitalpost.read"} }),
		"eformidling":           web(func(c *client.Client) { c.IntegrationType, c.OrganisationNo = "eformidling", "" }),
		"plain":                 web(func(c *client.Client) { c.IntegrationType, c.OrganisationNo = "", "" }),
		"plain, own grants": web(func(c *client.Client) {
			c.IntegrationType, c.GrantTypes = "", []string{"client_credentials", "urn:example:grant"}
		}),
		"resource server":          {ClientID: "api", Scopes: []string{"idporten:token.introspection"}, Secrets: secrets(1)},
		"resource server, neutral": {ClientID: "api", ResourceServer: true, Resources: []string{"https://api.example.no", "urn:example:api"}, Secrets: secrets(1)},
		"pairwise": web(func(c *client.Client) {
			c.SubjectType, c.SectorIdentifierURI = client.Pairwise, "https://example.no/sector.json"
		}),
		"public subjects": web(func(c *client.Client) { c.SubjectType = client.Public }),
		"lists": web(func(c *client.Client) {
			c.ResponseModes, c.PromptValues = []string{"query", "form_post"}, []string{"login", "none", "consent", "select_account"}
			c.IDTokenSignedResponseAlg, c.AccessTokenSignedResponseAlg = "PS256", "EdDSA"
			c.ClientURI, c.LogoURI = "https://rp.example.no", "https://rp.example.no/logo.png"
			c.OnBehalfOf = []client.OnBehalfOf{{Value: "a", Orgno: "974761076", URL: "https://a.example.no"}, {Value: "b"}}
		}),
	} {
		require.Empty(t, problems(t, c, production), name)
		require.Empty(t, problems(t, c, testing_), name)
	}
}

func TestValidateEachRule(t *testing.T) {
	t.Parallel()
	sixKeys := make([]jose.PublicKey, 6)
	for i := range sixKeys {
		sixKeys[i] = jose.PublicKey{KID: string(rune('a' + i)), Key: rsaKey().Public()}
	}
	uris := func(n int) (list []string) {
		for i := range n {
			list = append(list, callback+strings.Repeat("x", i))
		}
		return list
	}
	for _, tc := range []struct {
		name string
		c    *client.Client
		want []string
	}{
		{"no client_id", web(func(c *client.Client) { c.ClientID = "" }), []string{"client_id"}},
		{"long client_id", web(func(c *client.Client) { c.ClientID = strings.Repeat("x", 257) }), []string{"client_id"}},
		{"client_id not VSCHAR", web(func(c *client.Client) { c.ClientID = "bø" }), []string{"client_id"}},
		{"client_id like a subject", web(func(c *client.Client) { c.ClientID = strings.Repeat("aB3_-", 9)[:43] }), []string{"client_id"}},
		{"client_orgno missing", web(func(c *client.Client) { c.OrganisationNo = "" }), []string{"client_orgno"}},
		{"client_orgno check digit", web(func(c *client.Client) { c.OrganisationNo = "991825828" }), []string{"client_orgno"}},
		{"supplier_orgno", web(func(c *client.Client) { c.SupplierOrgno = "12345678" }), []string{"supplier_orgno"}},
		{"client_uri", web(func(c *client.Client) { c.ClientURI = "javascript:alert(1)" }), []string{"client_uri"}},
		{"logo_uri", web(func(c *client.Client) { c.LogoURI = "/logo.png" }), []string{"logo_uri"}},
		{"integration_type", web(func(c *client.Client) { c.IntegrationType = "IDPORTEN" }), []string{"integration_type"}},
		{"application_type", web(func(c *client.Client) { c.ApplicationType = "desktop" }), []string{"application_type", "token_endpoint_auth_method"}},
		{"web none", web(func(c *client.Client) { c.TokenEndpointAuthMethod, c.Secrets = "none", nil }), []string{"token_endpoint_auth_method"}},
		{"client_secret_jwt", web(func(c *client.Client) { c.TokenEndpointAuthMethod, c.Secrets = "client_secret_jwt", nil }), []string{"token_endpoint_auth_method"}},
		{"browser with a secret", public(client.Browser, callback, func(c *client.Client) {
			c.TokenEndpointAuthMethod, c.Secrets = client.ClientSecretPost, secrets(1)
		}), []string{"token_endpoint_auth_method"}},
		{"native with keys", public(client.Native, callback, func(c *client.Client) { c.TokenEndpointAuthMethod, c.JWKS = client.PrivateKeyJWT, p256JWKS() }), []string{"token_endpoint_auth_method"}},
		{"maskinporten with a secret", machine("maskinporten", func(c *client.Client) {
			c.TokenEndpointAuthMethod, c.Secrets = client.ClientSecretBasic, secrets(1)
		}), []string{"token_endpoint_auth_method"}},
		{"maskinporten browser", machine("maskinporten", func(c *client.Client) { c.ApplicationType = client.Browser }), []string{"application_type"}},
		{"maskinporten code", machine("maskinporten", func(c *client.Client) { c.GrantTypes, c.RedirectURIs = []string{"authorization_code"}, uris(1) }), []string{"grant_types[0]"}},
		{"krr scope", machine("krr", func(c *client.Client) { c.Scopes = []string{"openid"} }), []string{"scopes[0]"}},
		{"idporten scope", web(func(c *client.Client) { c.IntegrationType = "idporten" }), []string{"scopes[2]"}},
		{"implicit", web(func(c *client.Client) { c.GrantTypes = append(c.GrantTypes, "implicit") }), []string{"grant_types[2]"}},
		{"password, plain", web(func(c *client.Client) {
			c.IntegrationType, c.GrantTypes = "", []string{"authorization_code", "password"}
		}), []string{"grant_types[1]"}},
		{"jwt-bearer on a login client", web(func(c *client.Client) { c.GrantTypes = append(c.GrantTypes, client.JWTBearer) }), []string{"grant_types[2]"}},
		{"client_credentials, public", public(client.Browser, callback, func(c *client.Client) { c.IntegrationType, c.GrantTypes = "", []string{"client_credentials"} }), []string{"grant_types"}},
		{"public resource server", public(client.Browser, callback, func(c *client.Client) { c.ResourceServer = true }), []string{"resource_server"}},
		{"resources of no resource server", web(func(c *client.Client) { c.Resources = []string{"https://api.example.no"} }), []string{"resources"}},
		{"resources", web(func(c *client.Client) {
			c.ResourceServer, c.Resources = true, []string{"https://api.example.no", "https://api.example.no", "api", "https://api.example.no#", "http://api.example.no", "urn:a", ""}
		}), []string{"resources[1]", "resources[2]", "resources[3]", "resources[4]", "resources[6]"}},
		{"51 resources", web(func(c *client.Client) { c.ResourceServer, c.Resources = true, uris(51) }), []string{"resources"}},
		{"resource server that logs in", web(func(c *client.Client) { c.ResourceServer, c.RedirectURIs = true, nil }), []string{"redirect_uris"}},
		{"scope grammar", web(func(c *client.Client) { c.Scopes = []string{"a b", "", `"`, "ø"} }), []string{"scopes[0]", "scopes[1]", "scopes[2]", "scopes[3]"}},
		{"scope twice", web(func(c *client.Client) { c.Scopes = []string{"openid", "openid"} }), []string{"scopes[1]"}},
		{"no redirect_uri", web(func(c *client.Client) { c.RedirectURIs = nil }), []string{"redirect_uris"}},
		{"51 redirect_uris", web(func(c *client.Client) { c.RedirectURIs = uris(51) }), []string{"redirect_uris"}},
		{"redirect_uri", web(func(c *client.Client) { c.RedirectURIs = []string{callback, callback + "#"} }), []string{"redirect_uris[1]"}},
		{"post_logout_redirect_uri", web(func(c *client.Client) { c.PostLogoutRedirectURIs = []string{"javascript:x"} }), []string{"post_logout_redirect_uris[0]"}},
		{"51 post_logout_redirect_uris", web(func(c *client.Client) { c.PostLogoutRedirectURIs = uris(51) }), []string{"post_logout_redirect_uris"}},
		{"front channel host", web(func(c *client.Client) { c.FrontchannelLogoutURI = "https://other.example.no/logout" }), []string{"frontchannel_logout_uri"}},
		{"front channel port", web(func(c *client.Client) { c.FrontchannelLogoutURI = "https://rp.example.no:8443/logout" }), []string{"frontchannel_logout_uri"}},
		{"front channel fragment", web(func(c *client.Client) { c.FrontchannelLogoutURI = "https://rp.example.no/logout#" }), []string{"frontchannel_logout_uri"}},
		{"front channel sid", web(func(c *client.Client) { c.FrontchannelLogoutURI = "https://rp.example.no/logout?sid=1" }), []string{"frontchannel_logout_uri"}},
		{"front channel scheme", public(client.Native, "no.example.app:/cb", func(c *client.Client) { c.FrontchannelLogoutURI = "no.example.app:/logout" }), []string{"frontchannel_logout_uri"}},
		{"back channel http", web(func(c *client.Client) { c.BackchannelLogoutURI = "http://rp.example.no/logout" }), []string{"backchannel_logout_uri"}},
		{"back channel host", web(func(c *client.Client) { c.BackchannelLogoutURI = "https://other.example.no/logout" }), []string{"backchannel_logout_uri"}},
		{"back channel of an app", public(client.Native, "no.example.app:/cb", func(c *client.Client) { c.BackchannelLogoutURI = "https://rp.example.no/logout" }), []string{"backchannel_logout_uri"}},
		{"PKCE plain", web(func(c *client.Client) { c.CodeChallengeMethod = "plain" }), []string{"code_challenge_method"}},
		{"PKCE opt-out of a public client", public(client.Browser, callback, func(c *client.Client) { c.CodeChallengeMethod = "none" }), []string{"code_challenge_method"}},
		{"refresh_token_usage", web(func(c *client.Client) { c.RefreshTokenUsage = "TWICE" }), []string{"refresh_token_usage"}},
		{"reuse by a public client", public(client.Native, "no.example.app:/cb", func(c *client.Client) { c.RefreshTokenUsage = client.Reuse }), []string{"refresh_token_usage"}},
		{"response_modes", web(func(c *client.Client) { c.ResponseModes = []string{"query", "fragment"} }), []string{"response_modes[1]"}},
		{"prompt_values", web(func(c *client.Client) { c.PromptValues = []string{"create"} }), []string{"prompt_values[0]"}},
		{"algs", web(func(c *client.Client) { c.IDTokenSignedResponseAlg, c.AccessTokenSignedResponseAlg = "none", "HS256" }), []string{"access_token_signed_response_alg", "id_token_signed_response_alg"}},
		{"lifetimes", web(func(c *client.Client) {
			c.AccessTokenLifetime, c.RefreshTokenLifetime, c.AuthorizationLifetime = -1, -5, 1<<31
		}), []string{"access_token_lifetime", "authorization_lifetime", "refresh_token_lifetime"}},
		{"no keys", machine("maskinporten", func(c *client.Client) { c.JWKS = nil }), []string{"jwks"}},
		{"no keys for request objects", web(func(c *client.Client) { c.RequireSignedRequestObject = true }), []string{"jwks"}},
		{"keys not JSON", web(func(c *client.Client) { c.JWKS = json.RawMessage("x") }), []string{"jwks"}},
		{"no key in the set", machine("maskinporten", func(c *client.Client) { c.JWKS = json.RawMessage(`{"keys":[]}`) }), []string{"jwks"}},
		{"symmetric key", machine("maskinporten", func(c *client.Client) { c.JWKS = json.RawMessage(`{"keys":[{"kty":"oct","k":"AAAA"}]}`) }), []string{"jwks"}},
		{"six keys", machine("maskinporten", func(c *client.Client) { c.JWKS = jwks(sixKeys...) }), []string{"jwks"}},
		{"kid twice", machine("maskinporten", func(c *client.Client) { c.JWKS = jwks(sixKeys[0], sixKeys[0]) }), []string{"jwks.keys[1].kid"}},
		{"key for ES256 of a machine", machine("maskinporten", func(c *client.Client) { c.JWKS = p256JWKS() }), []string{"jwks.keys[0]"}},
		{"key for ES256 beside another", machine("maskinporten", func(c *client.Client) {
			c.JWKS = jwks(jose.PublicKey{KID: "a", Key: rsaKey().Public()}, jose.PublicKey{KID: "b", Key: p256Key().Public()})
		}), []string{"jwks.keys[1]"}},
		{"key for EdDSA of a machine", machine("krr", func(c *client.Client) {
			c.Scopes, c.JWKS = []string{"krr:global/kontaktinformasjon.read"}, jwks(jose.PublicKey{KID: "k", Key: edKey().Public()})
		}), []string{"jwks.keys[0]"}},
		{"key for PS256 of a machine", machine("maskinporten", func(c *client.Client) { c.JWKS = rsaJWKS(jose.PS256) }), []string{"jwks.keys[0]"}},
		{"key of a machine without kid", machine("maskinporten", func(c *client.Client) { c.JWKS = jwks(jose.PublicKey{Key: rsaKey().Public()}) }), []string{"jwks.keys[0].kid"}},
		{"key for ES256 without kid", machine("eformidling", func(c *client.Client) {
			c.GrantTypes, c.RedirectURIs, c.JWKS = nil, []string{callback}, jwks(jose.PublicKey{Key: p256Key().Public()})
		}), []string{"jwks.keys[0]", "jwks.keys[0].kid"}},
		{"key for ES384", machine("maskinporten", func(c *client.Client) { c.JWKS = jwks(jose.PublicKey{KID: "k", Key: p384Key().Public()}) }), []string{"jwks.keys[0]"}},
		{"no secret", web(func(c *client.Client) { c.Secrets = nil }), []string{"client_secrets"}},
		{"three secrets", web(func(c *client.Client) { c.Secrets = secrets(3) }), []string{"client_secrets"}},
		{"secret kept beside keys", machine("maskinporten", func(c *client.Client) { c.Secrets = secrets(1) }), []string{"client_secrets"}},
		{"secret of a public client", public(client.Browser, callback, func(c *client.Client) { c.Secrets = secrets(1) }), []string{"client_secrets"}},
		{"hash of no secret", web(func(c *client.Client) { c.Secrets[0].Hash = [32]byte{} }), []string{"client_secrets[0].sha256"}},
		{"subject_type", web(func(c *client.Client) { c.SubjectType = "Pairwise" }), []string{"subject_type"}},
		{"sector: http", web(func(c *client.Client) { c.SectorIdentifierURI = "http://rp.example.no" }), []string{"sector_identifier_uri"}},
		{"sector: no host", web(func(c *client.Client) { c.SectorIdentifierURI = "https:///sector.json" }), []string{"sector_identifier_uri"}},
		{"sector: fragment", web(func(c *client.Client) { c.SectorIdentifierURI = "https://rp.example.no/#" }), []string{"sector_identifier_uri"}},
		{"sector: userinfo", web(func(c *client.Client) { c.SectorIdentifierURI = "https://a@rp.example.no" }), []string{"sector_identifier_uri"}},
		{"sector: host of another form", web(func(c *client.Client) { c.SectorIdentifierURI = "https://127.1" }), []string{"sector_identifier_uri"}},
		{"onbehalfof", web(func(c *client.Client) {
			c.OnBehalfOf = []client.OnBehalfOf{{Value: "a", Orgno: "1"}, {Value: "a"}, {URL: "javascript:x", Logo: "data:x"}}
		}), []string{"onbehalfof[0].orgno", "onbehalfof[1].onbehalfof", "onbehalfof[2].logo", "onbehalfof[2].onbehalfof", "onbehalfof[2].url"}},
	} {
		require.Equal(t, tc.want, problems(t, tc.c, production), tc.name)
	}
}

func TestValidateReportsEveryProblem(t *testing.T) {
	t.Parallel()
	c := &client.Client{
		ClientID: "all wrong", OrganisationNo: "1", IntegrationType: "idporten", ApplicationType: client.Browser,
		TokenEndpointAuthMethod: client.ClientSecretBasic, Scopes: []string{"x:y"}, RedirectURIs: []string{"http://rp.example.no/#", "javascript:x"},
		CodeChallengeMethod: "plain", RefreshTokenUsage: "x", AccessTokenLifetime: -1,
	}
	require.Equal(t, []string{
		"access_token_lifetime", "client_orgno", "client_secrets", "code_challenge_method", "redirect_uris[0]", "redirect_uris[1]",
		"refresh_token_usage", "scopes[0]", "token_endpoint_auth_method",
	}, problems(t, c, production))
	require.ErrorIs(t, c.Validate(production), client.ErrInvalidRedirectURI)
	require.ErrorContains(t, c.Validate(production), `redirect_uris[1]: must not have a scheme that runs code`)
}

func TestValidateProductionAndTest(t *testing.T) {
	t.Parallel()
	local := web(func(c *client.Client) {
		c.RedirectURIs = []string{"http://localhost:8080/cb"}
		c.PostLogoutRedirectURIs = []string{"http://localhost:8080/"}
		c.FrontchannelLogoutURI = "http://localhost:8080/logout"
		c.BackchannelLogoutURI = "http://localhost:8080/backchannel"
	})
	require.Empty(t, problems(t, local, testing_))
	require.Equal(t, []string{"backchannel_logout_uri", "frontchannel_logout_uri", "post_logout_redirect_uris[0]", "redirect_uris[0]"}, problems(t, local, production))
	remote := web(func(c *client.Client) {
		c.RedirectURIs = []string{"http://rp.test/cb"}
		c.BackchannelLogoutURI = "http://rp.test/backchannel"
	})
	require.Equal(t, []string{"backchannel_logout_uri"}, problems(t, remote, testing_), "plain http for logout tokens only on the local machine")
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	var c client.Client
	require.Equal(t, client.Web, c.ApplicationKind())
	require.Equal(t, client.ClientSecretBasic, c.AuthMethod())
	require.False(t, c.Public())
	require.Equal(t, []string{"authorization_code"}, c.Grants())
	require.True(t, c.HasGrant("authorization_code"))
	require.False(t, c.HasGrant("refresh_token"))
	require.True(t, c.HasResponseMode("query") && c.HasResponseMode("form_post"))
	require.False(t, c.HasResponseMode("fragment"))
	require.False(t, c.PKCE().Optional)
	require.True(t, c.RotatesRefreshTokens())
	require.False(t, c.StateRequired())
	require.False(t, c.TakesSID())
	require.Empty(t, c.RegisteredScopes())

	// The rules for public clients apply also to a stored record that breaks them.
	spa := client.Client{ApplicationType: client.Browser, CodeChallengeMethod: "none", RefreshTokenUsage: client.Reuse}
	require.True(t, spa.Public())
	require.False(t, spa.PKCE().Optional)
	require.True(t, spa.RotatesRefreshTokens())
	require.True(t, spa.StateRequired())

	c = client.Client{
		ClientID: "c", OrganisationNo: "991825827", SupplierOrgno: "974761076", IntegrationType: "idporten", CodeChallengeMethod: "none", RefreshTokenUsage: "REUSE",
		ResponseModes: []string{"query"}, BackchannelLogoutURI: "https://rp.example.no/bc", OnBehalfOf: []client.OnBehalfOf{{Value: "a", Name: "A"}}, AccessTokenLifetime: 30,
	}
	require.Equal(t, []string{"openid", "profile"}, c.RegisteredScopes())
	require.True(t, c.PKCE().Optional)
	require.False(t, c.RotatesRefreshTokens())
	require.False(t, c.HasResponseMode("form_post"))
	require.True(t, c.TakesSID())
	require.Equal(t, scope.Client{ID: "c", Organisation: "974761076", Consumer: "991825827", IntegrationType: "idporten", Scopes: []string{"openid", "profile"}}, c.ScopeClient())
	require.Equal(t, "c", c.DisplayName())
	o, ok := c.Customer("a")
	require.True(t, ok)
	require.Equal(t, "A", o.Name)
	for _, v := range []string{"", "b", "A"} {
		_, ok = c.Customer(v)
		require.False(t, ok)
	}
	got := c.Lifetimes(client.Lifetimes{AccessToken: 120 * time.Second, RefreshToken: 600 * time.Second, Authorization: 2 * time.Hour})
	require.Equal(t, client.Lifetimes{AccessToken: 30 * time.Second, RefreshToken: 600 * time.Second, Authorization: 2 * time.Hour}, got)

	m := client.Client{IntegrationType: "maskinporten"}
	require.True(t, m.HasGrant(client.JWTBearer))
	m.GrantTypes = []string{"jwt_bearer_token"}
	require.True(t, m.HasGrant(client.JWTBearer))
	require.False(t, m.HasGrant("authorization_code"))
}

func TestJSONNames(t *testing.T) {
	t.Parallel()
	wire := `{"client_id":"c","client_name":"n","description":"d","client_uri":"u","logo_uri":"l","client_orgno":"1","supplier_orgno":"2","integration_type":"i",
	"application_type":"web","token_endpoint_auth_method":"m","grant_types":["g"],"redirect_uris":["r"],"post_logout_redirect_uris":["p"],"frontchannel_logout_uri":"f",
	"frontchannel_logout_session_required":true,"backchannel_logout_uri":"b","backchannel_logout_session_required":true,"scopes":["s"],"code_challenge_method":"none",
	"sso_disabled":true,"response_modes":["query"],"prompt_values":["none"],"jwks":{"keys":[]},"access_token_lifetime":1,"refresh_token_lifetime":2,"authorization_lifetime":3,
	"refresh_token_usage":"REUSE","id_token_signed_response_alg":"ES256","access_token_signed_response_alg":"ES256","require_pushed_authorization_requests":true,
	"require_signed_request_object":true,"require_state":true,"require_nonce":true,"allow_token_endpoint_audience":true,
	"subject_type":"pairwise","sector_identifier_uri":"https://example.no","active":false,
	"client_secrets":[{"sha256":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","expires_at":"2026-03-01T12:00:00Z"}],"keys_uploaded_at":"2026-03-01T12:00:00Z",
	"onbehalfof":[{"onbehalfof":"v","display_name":"n","orgno":"3","url":"u","description":"d","logo":"l"}],
	"created":"2026-03-01T12:00:00Z","last_updated":"2026-03-01T12:00:00Z"}`
	var c client.Client
	require.NoError(t, json.Unmarshal([]byte(wire), &c))
	require.True(t, c.Disabled)
	require.Equal(t, secrets(1), c.Secrets)
	back, err := json.Marshal(c)
	require.NoError(t, err)
	require.JSONEq(t, wire, string(back))
}

// TestRetiredScopes: no request with a retired scope succeeds, so that a registration with one is refused, with the switch that accepts it.
func TestRetiredScopes(t *testing.T) {
	t.Parallel()
	for _, integration := range []string{"", "idporten", "api_klient"} {
		for name, text := range map[string]string{
			scope.NoPID: "no_pid is retired, and accepted only if no_pid is switched on (Environment.NoPID)", scope.TokenInfo: "tokeninfo is retired, and accepted only",
			"eidas": "eidas is retired: clients request an acr of eIDAS instead",
		} {
			c := web(func(c *client.Client) { c.IntegrationType, c.Scopes = integration, []string{"openid", name} })
			err := c.Validate(client.Environment{})
			require.ErrorContains(t, err, text)
			require.Equal(t, []string{"scopes[1]"}, membersIn(t, err))
			require.Equal(t, name != "eidas", c.Validate(client.Environment{NoPID: true}) == nil, name)
		}
	}
	server := web(func(c *client.Client) { c.Scopes, c.RedirectURIs = []string{scope.TokenInfo}, nil })
	require.NoError(t, server.Validate(client.Environment{NoPID: true}), "a resource server needs no redirect URI")
	require.True(t, server.Introspects())
}

// TestNativeKeys: a native application may have a key only where the environment says so, and no secret in any case.
func TestNativeKeys(t *testing.T) {
	t.Parallel()
	c := client.Client{
		ClientID: "thick", ApplicationType: client.Native, TokenEndpointAuthMethod: client.PrivateKeyJWT, RedirectURIs: []string{"http://127.0.0.1/callback"},
		JWKS: json.RawMessage(`{"keys":[{"kty":"EC","crv":"P-256","kid":"k","x":"bsIISjKm8h2SWwLRddfuS0Wa_gVpR4LXsWr2I_F0oVU","y":"RS4Vvq-zEICGcKFWKBTLldfjFxBQu09r58QEJZmPOvg"}]}`),
	}
	require.ErrorContains(t, c.Validate(client.Environment{}), "token_endpoint_auth_method")
	require.NoError(t, c.Validate(client.Environment{NativeKeys: true}))
	c.TokenEndpointAuthMethod = client.ClientSecretBasic
	require.ErrorContains(t, c.Validate(client.Environment{NativeKeys: true}), "token_endpoint_auth_method")
}
