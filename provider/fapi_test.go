package provider_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/token"
)

// fapiConfig is a configuration with a FAPI profile that New accepts.
func fapiConfig(t *testing.T, pr provider.Profile) provider.Config {
	t.Helper()
	cfg := validConfig(t)
	cfg.Profile = pr
	store := memory.New()
	cfg.Store, cfg.PushedRequests, cfg.Replay = store, store, store
	cfg.MTLSURL = "https://mtls.example.no"
	return cfg
}

// keysOf returns keys for algorithms.
func keysOf(t *testing.T, algs ...string) *keyset.Set {
	t.Helper()
	keys, err := generateKeys(algs...)
	require.NoError(t, err)
	return keys
}

func generateKeys(algs ...string) (*keyset.Set, error) {
	var cfg keyset.Config
	for _, alg := range algs {
		k, err := keyset.Generate(alg)
		if err != nil {
			return nil, err
		}
		cfg.Keys = append(cfg.Keys, k)
	}
	return keyset.New(cfg)
}

// weakKeys are an allowed key and one for RS256, made once.
var weakKeys = sync.OnceValues(func() (*keyset.Set, error) { return generateKeys(keyset.ES256, keyset.RS256) })

// breaks are changes of a configuration that break a clause of the Security Profile, by section and field. The second list is for
// Message Signing.
var breaks, signingBreaks = []struct {
	section, field string
	change         func(t *testing.T, c *provider.Config)
}{
	{"5.2.1", "Issuer", func(_ *testing.T, c *provider.Config) { c.Issuer = "http://localhost:8080" }},
	{"5.2.2", "BrowserURL", func(_ *testing.T, c *provider.Config) { c.BrowserURL = "http://localhost:8080" }},
	{"5.3.2.1-2", "GrantHandlers", func(_ *testing.T, c *provider.Config) {
		c.GrantHandlers = []token.GrantHandler{{Type: "password", Handle: func(context.Context, *token.Request, *token.Minter) (*token.Response, error) { return nil, nil }}}
	}},
	{"5.3.2.1-3", "Profile.ClientMethods", func(_ *testing.T, c *provider.Config) { c.Profile.ClientMethods = nil }},
	{"5.3.2.1-3", "Profile.ClientMethods", func(_ *testing.T, c *provider.Config) {
		c.Profile.ClientMethods = append(c.Profile.ClientMethods, client.None)
	}},
	{"5.3.2.1-4", "Profile.SenderConstrained", func(_ *testing.T, c *provider.Config) { c.Profile.SenderConstrained = false }},
	{"5.3.2.1-5", "DPoP", func(_ *testing.T, c *provider.Config) { c.MTLSURL = "" }},
	{"5.3.2.1-6", "Profile.ClientMethods", func(_ *testing.T, c *provider.Config) {
		c.Profile.ClientMethods = []string{client.PrivateKeyJWT, client.ClientSecretBasic}
	}},
	{"5.3.2.1-8", "Profile.AssertionAudience", func(_ *testing.T, c *provider.Config) { c.Profile.AssertionAudience = client.IssuerOrList }},
	{"5.3.2.1-8", "Profile.AssertionAudience", func(_ *testing.T, c *provider.Config) { c.Profile.IssuerAudienceOnly = false }},
	{"5.3.2.1-9", "Profile.ReuseRefreshTokens", func(_ *testing.T, c *provider.Config) { c.Profile.ReuseRefreshTokens = false }},
	{"5.3.2.1-11", "Lifetimes.Code", func(_ *testing.T, c *provider.Config) { c.Lifetimes.Code = 61 * time.Second }},
	{"5.3.2.1-13", "DPoP.MaxAhead", func(_ *testing.T, c *provider.Config) {
		c.DPoP = &dpop.Policy{Replay: c.Replay, MaxAhead: 9 * time.Second}
	}},
	{"5.4.1-1", "DPoP.Algorithms", func(_ *testing.T, c *provider.Config) {
		c.DPoP = &dpop.Policy{Replay: c.Replay, Algorithms: []string{keyset.ES256, keyset.RS256}}
	}},
	{"5.3.2.2-2", "PushedRequests", func(_ *testing.T, c *provider.Config) { c.PushedRequests = nil }},
	{"5.3.2.2-3", "Profile.RequiredParameters", func(_ *testing.T, c *provider.Config) {
		c.Profile.RequiredParameters = []string{"code_challenge", "request"}
	}},
	{"5.3.2.2-5", "Profile.RequiredParameters", func(_ *testing.T, c *provider.Config) {
		c.Profile.RequiredParameters = []string{"request_uri", "request"}
	}},
	{"5.3.2.2-8", "Profile.SecureRedirectURIs", func(_ *testing.T, c *provider.Config) { c.Profile.SecureRedirectURIs = false }},
	{"5.3.2.2-12", "Lifetimes.PushedRequest", func(_ *testing.T, c *provider.Config) { c.Lifetimes.PushedRequest = 600 * time.Second }},
	{"5.4.1-1", "Profile.SigningAlgorithms", func(_ *testing.T, c *provider.Config) {
		c.Profile.SigningAlgorithms = []string{keyset.PS256, keyset.RS256}
	}},
	{"5.4.1-1", "Profile.SigningAlgorithms", func(_ *testing.T, c *provider.Config) { c.Profile.SigningAlgorithms = nil }},
	{"5.4.1", "Keys", func(t *testing.T, c *provider.Config) {
		var err error
		c.Keys, err = weakKeys()
		require.NoError(t, err)
	}},
}, []struct {
	section, field string
	change         func(t *testing.T, c *provider.Config)
}{
	{"5.3.1-1", "Profile.RequiredParameters", func(_ *testing.T, c *provider.Config) {
		c.Profile.RequiredParameters = []string{"request_uri", "code_challenge"}
	}},
	{"5.3.1-3", "Profile.RequireNBF", func(_ *testing.T, c *provider.Config) { c.Profile.RequireNBF = false }},
	{"5.3.3", "Profile.ResponseModes", func(_ *testing.T, c *provider.Config) { c.Profile.ResponseModes = nil }},
	{"5.3.3", "Profile.ResponseModes", func(_ *testing.T, c *provider.Config) { c.Profile.ResponseModes = []string{"jwt", "query"} }},
}

// TestFAPIConfiguration: a configuration that breaks a clause is rejected with the section and the field, by both profiles.
func TestFAPIConfiguration(t *testing.T) {
	t.Parallel()
	for name, pr := range map[string]func() provider.Profile{"Security Profile": provider.FAPI2, "Message Signing": provider.FAPI2MessageSigning} {
		_, err := provider.New(fapiConfig(t, pr()))
		require.NoError(t, err, name)
		for _, tt := range breaks {
			cfg := fapiConfig(t, pr())
			tt.change(t, &cfg)
			requireBroken(t, cfg, "FAPI 2.0 Security Profile §"+tt.section, tt.field)
		}
	}
	for _, tt := range signingBreaks {
		cfg := fapiConfig(t, provider.FAPI2MessageSigning())
		tt.change(t, &cfg)
		requireBroken(t, cfg, "FAPI 2.0 Message Signing §"+tt.section, tt.field)
	}
}

func requireBroken(t *testing.T, cfg provider.Config, section, field string) {
	t.Helper()
	_, err := provider.New(cfg)
	require.ErrorContains(t, err, field+": "+section+": ", "%s: New accepts the configuration", section)
}

// TestFAPIReport: the report has a row for every clause, and each row that a configuration can break has a configuration that is rejected
// for it.
func TestFAPIReport(t *testing.T) {
	t.Parallel()
	broken := map[string]bool{}
	for _, b := range breaks {
		broken["FAPI 2.0 Security Profile §"+b.section] = true
	}
	for _, b := range signingBreaks {
		broken["FAPI 2.0 Message Signing §"+b.section] = true
	}
	var sections []string
	for _, r := range reportOf(t, provider.FAPI2MessageSigning()) {
		sections = append(sections, r.Section)
		require.NotEmpty(t, r.Text)
		require.NotEmpty(t, r.Met, r.Section)
		require.Equal(t, r.Field != "", broken[r.Section], "%s: a test breaks it exactly if New verifies a field", r.Section)
	}
	require.Equal(t, append(sectionsOf("FAPI 2.0 Security Profile", []string{
		"5.2.1", "5.2.2", "5.3.2.1-1", "5.3.2.1-2", "5.3.2.1-3", "5.3.2.1-4", "5.3.2.1-5", "5.3.2.1-6", "5.3.2.1-7", "5.3.2.1-8", "5.3.2.1-9", "5.3.2.1-10",
		"5.3.2.1-11", "5.3.2.1-12", "5.3.2.1-13", "5.3.2.1-14", "5.3.2.2-1", "5.3.2.2-2", "5.3.2.2-3", "5.3.2.2-4", "5.3.2.2-5", "5.3.2.2-6", "5.3.2.2-7",
		"5.3.2.2-8", "5.3.2.2-9", "5.3.2.2-10", "5.3.2.2-11", "5.3.2.2-12", "5.3.2.2-13", "5.3.2.2-14", "5.3.4", "5.4.1-1", "5.4.1-1", "5.4.1", "5.4.1-2", "5.4.1-4", "5.4.2",
		"5.4.3",
	}), sectionsOf("FAPI 2.0 Message Signing", []string{"5.3.1-1", "5.3.1-2", "5.3.1-3", "5.3.1-4", "5.3.1-5", "5.3.3", "5.4.1-1", "5.5.1", "5.6"})...), sections)
	first := reportOf(t, provider.FAPI2())
	require.Equal(t, first, reportOf(t, provider.FAPI2()), "deterministic")
	first[0].Text = "changed"
	require.NotEqual(t, first, reportOf(t, provider.FAPI2()))
	require.Nil(t, reportOf(t, provider.OpenIDConnect()))
	require.Nil(t, reportOf(t, provider.IDPorten()))
}

// TestFAPIDocument: docs/spec/fapi.md has the rows of the report, each with a test.
func TestFAPIDocument(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/spec/fapi.md")
	require.NoError(t, err)
	security, signing, ok := strings.Cut(string(text), "## 2 Message Signing")
	require.True(t, ok)
	for _, r := range reportOf(t, provider.FAPI2MessageSigning()) {
		document, clause, _ := strings.Cut(r.Section, " §")
		part := security
		if document == "FAPI 2.0 Message Signing" {
			part = signing
		}
		require.Regexp(t, regexp.QuoteMeta("| "+clause+" | "+r.Text+" | "+r.Met+" | ")+`\S[^|]* \|`, part)
	}
}

// TestFAPIUserInfo: userinfo takes the token from the header only (FAPI 2.0 SP §5.3.4).
func TestFAPIUserInfo(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		profile provider.Profile
		reason  string
	}{"FAPI": {provider.FAPI2(), "token_in_form"}, "OpenID Connect": {provider.OpenIDConnect(), "token_unknown"}} {
		var heard []portner.Event
		cfg := fapiConfig(t, tt.profile)
		cfg.OnEvent = func(_ context.Context, e portner.Event) { heard = append(heard, e) }
		p, err := provider.New(cfg)
		require.NoError(t, err)
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, cfg.Issuer+"/userinfo", strings.NewReader("access_token=x"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		p.ServeHTTP(w, r)
		require.GreaterOrEqual(t, w.Code, 400)
		require.Equal(t, tt.reason, heard[0].Reason, name)
	}
}

func sectionsOf(document string, clauses []string) []string {
	var all []string
	for _, c := range clauses {
		all = append(all, document+" §"+c)
	}
	return all
}

func reportOf(t *testing.T, pr provider.Profile) []provider.Requirement {
	t.Helper()
	p, err := provider.New(fapiConfig(t, pr))
	require.NoError(t, err)
	return p.Report()
}

// fapiClient is a registration that obeys the profiles.
func fapiClient(t *testing.T) client.Client {
	t.Helper()
	key, err := keyset.Generate(keyset.ES256)
	require.NoError(t, err)
	keys, err := keyset.New(keyset.Config{Keys: []keyset.Key{key}})
	require.NoError(t, err)
	jwks, _ := keys.JWKS(time.Now())
	return client.Client{
		ClientID: "bank", TokenEndpointAuthMethod: client.PrivateKeyJWT, GrantTypes: []string{client.AuthorizationCode, client.RefreshToken},
		RedirectURIs: []string{"https://bank.example.no/callback"}, Scopes: []string{"openid"}, JWKS: json.RawMessage(jwks), DPoPBoundAccessTokens: true,
	}
}

// brokenClients are registrations that break the profiles, by the section and the member.
var brokenClients = []struct {
	section, member string
	change          func(t *testing.T, c *client.Client)
}{
	{"Security Profile §5.3.2.1-6", "token_endpoint_auth_method", func(_ *testing.T, c *client.Client) { c.TokenEndpointAuthMethod = client.None }},
	{"Security Profile §5.3.2.1-6", "token_endpoint_auth_method", func(_ *testing.T, c *client.Client) { c.TokenEndpointAuthMethod = client.ClientSecretBasic }},
	{"Security Profile §5.3.2.1-6", "token_endpoint_auth_method", func(_ *testing.T, c *client.Client) { c.TokenEndpointAuthMethod = client.ClientSecretPost }},
	{"Security Profile §5.3.2.1-6", "token_endpoint_auth_method", func(_ *testing.T, c *client.Client) { c.TokenEndpointAuthMethod = "" }},
	{"Security Profile §5.3.2.1-6", "client_secrets", func(t *testing.T, c *client.Client) {
		secret, err := client.NewSecret(client.GenerateSecret(), time.Now().Add(time.Hour))
		require.NoError(t, err)
		c.Secrets = []client.Secret{secret}
	}},
	{"Security Profile §5.3.2.1-8", "allow_token_endpoint_audience", func(_ *testing.T, c *client.Client) { c.AllowTokenEndpointAudience = true }},
	{"Security Profile §5.3.2.1-9", "refresh_token_usage", func(_ *testing.T, c *client.Client) { c.RefreshTokenUsage = client.OneTime }},
	{"Security Profile §5.3.2.2-8", "redirect_uris[1]", func(_ *testing.T, c *client.Client) {
		c.RedirectURIs = append(c.RedirectURIs, "http://localhost:3000/callback")
	}},
	{"Security Profile §5.4.1-1", "id_token_signed_response_alg", func(_ *testing.T, c *client.Client) { c.IDTokenSignedResponseAlg = keyset.RS256 }},
	{"Security Profile §5.4.1-1", "access_token_signed_response_alg", func(_ *testing.T, c *client.Client) { c.AccessTokenSignedResponseAlg = keyset.RS256 }},
	{"Security Profile §5.4.1-1", "authorization_signed_response_alg", func(_ *testing.T, c *client.Client) { c.AuthorizationSignedResponseAlg = keyset.RS256 }},
	{"Security Profile §5.4.1-1", "introspection_signed_response_alg", func(_ *testing.T, c *client.Client) { c.IntrospectionSignedResponseAlg = keyset.RS256 }},
	{"Message Signing §5.3.3", "response_modes[0]", func(_ *testing.T, c *client.Client) { c.ResponseModes = []string{"query", "jwt"} }},
}

// TestFAPIRegistrations: a registration that breaks the profile is rejected where clients register, and not found by a provider, with a
// line in the log. The other profiles have no such rules.
func TestFAPIRegistrations(t *testing.T) {
	t.Parallel()
	pr, plain := provider.FAPI2MessageSigning(), provider.OpenIDConnect()
	good := fapiClient(t)
	require.NoError(t, pr.CheckClient(&good))
	for _, tt := range brokenClients {
		c := fapiClient(t)
		tt.change(t, &c)
		require.NoError(t, plain.CheckClient(&c), tt.member)
		err := pr.CheckClient(&c)
		require.Equal(t, []string{tt.member}, fields.Names(err))
		require.ErrorContains(t, err, "FAPI 2.0 "+tt.section+": ")
		require.Contains(t, fields.Names(c.Validate(client.Environment{Test: true, Profile: pr.CheckClient})), tt.member)

		var heard []portner.Event
		cfg := fapiConfig(t, pr)
		cfg.Clients = client.SourceFunc(func(context.Context, string) (*client.Client, error) { return &c, nil })
		cfg.OnEvent = func(_ context.Context, e portner.Event) { heard = append(heard, e) }
		p, err := provider.New(cfg)
		require.NoError(t, err)
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, cfg.Issuer+"/par", strings.NewReader("client_id=bank"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		p.ServeHTTP(w, r)
		require.Contains(t, w.Body.String(), "invalid_client")
		require.Equal(t, []string{"client_breaks_profile", "client_unknown"}, []string{heard[0].Reason, heard[1].Reason})
		require.Equal(t, tt.member, heard[0].Explanation.Property)
		require.Contains(t, heard[0].Explanation.Expected, "FAPI 2.0 "+tt.section)
	}
	// It is no API either: it would accept an access token with its client_id as audience for an id_token.
	legacy := fapiClient(t)
	legacy.ClientID, legacy.TokenEndpointAuthMethod = "https://legacy.example.no/app", client.None
	cfg := fapiConfig(t, pr)
	cfg.Clients = client.SourceFunc(func(context.Context, string) (*client.Client, error) { return &legacy, nil })
	p, err := provider.New(cfg)
	require.NoError(t, err)
	isAPI, err := p.Token.Minter().IsAPI(t.Context(), legacy.ClientID)
	require.NoError(t, err)
	require.False(t, isAPI)
	native := fapiClient(t)
	native.ApplicationType, native.RedirectURIs = client.Native, []string{"http://127.0.0.1/callback", "com.example:/callback"}
	require.NoError(t, pr.CheckClient(&native), "native applications on loopback")
	require.Equal(t, fapiClient(t).RefreshTokenUsage, good.RefreshTokenUsage, "the registration of the host is not changed")
}

// TestProfileIsCopied: lists of the profile that the host changes after New, or for another provider, do not change what a provider accepts.
func TestProfileIsCopied(t *testing.T) {
	t.Parallel()
	pr := provider.FAPI2()
	cfg := fapiConfig(t, pr)
	broken := fapiClient(t)
	broken.TokenEndpointAuthMethod, broken.IDTokenSignedResponseAlg, broken.ResponseModes = client.None, keyset.RS256, []string{"fragment"}
	cfg.Clients = client.SourceFunc(func(context.Context, string) (*client.Client, error) { return &broken, nil })
	var property string
	cfg.OnEvent = func(_ context.Context, e portner.Event) { property = e.Explanation.Property }
	p, err := provider.New(cfg)
	require.NoError(t, err)
	found := func() string {
		property = ""
		_, err := p.Token.Minter().IsAPI(t.Context(), broken.ClientID)
		require.NoError(t, err)
		return property
	}
	require.Equal(t, "token_endpoint_auth_method", found())
	pr.ClientMethods[0] = client.None
	require.Equal(t, "token_endpoint_auth_method", found())
	broken.TokenEndpointAuthMethod, pr.SigningAlgorithms[0] = client.PrivateKeyJWT, keyset.RS256
	require.Equal(t, "id_token_signed_response_alg", found())
	broken.IDTokenSignedResponseAlg, pr.ResponseModes[0] = keyset.ES256, "fragment"
	require.Equal(t, "response_modes[0]", found())
}

// TestNoAuthenticationMethod: a configuration with which no client of the profile could authenticate is rejected, and the error names what
// each method needs.
func TestNoAuthenticationMethod(t *testing.T) {
	t.Parallel()
	cfg := fapiConfig(t, provider.FAPI2())
	cfg.MTLSURL, cfg.Replay = "", nil
	cfg.DPoP = &dpop.Policy{Replay: memory.New()}
	_, err := provider.New(cfg)
	require.EqualError(t, err, "provider: Profile.ClientMethods: no method is supported: private_key_jwt needs Replay, tls_client_auth TLSClientCAs, self_signed_tls_client_auth MTLSURL")
	cfg.Replay = memory.New()
	_, err = provider.New(cfg)
	require.NoError(t, err)
}

// TestMTLSURLScheme: client certificates need TLS.
func TestMTLSURLScheme(t *testing.T) {
	t.Parallel()
	cfg := fapiConfig(t, provider.FAPI2())
	cfg.MTLSURL = "http://localhost:8444"
	_, err := provider.New(cfg)
	require.ErrorContains(t, err, "MTLSURL: must be https")
}

// TestAlgorithmsOfTheProfile: the keys of a provider are for the algorithms of its profile, also those that will sign later. A key that
// signs no more can have another algorithm, so that a provider can change to the profile.
func TestAlgorithmsOfTheProfile(t *testing.T) {
	t.Parallel()
	now := time.Now()
	custom := provider.OpenIDConnect()
	custom.SigningAlgorithms = []string{keyset.ES256}
	for name, pr := range map[string]provider.Profile{"FAPI 2.0": provider.FAPI2(), "a profile of the host": custom} {
		for when, tt := range map[string]struct {
			life keyset.Life
			ok   bool
		}{
			"now":     {keyset.Life{}, false},
			"later":   {keyset.Life{PublishFrom: now, ActiveFrom: now.Add(72 * time.Hour)}, false},
			"planned": {keyset.Life{PublishFrom: now.Add(time.Hour), ActiveFrom: now.Add(72 * time.Hour)}, false},
			"before":  {keyset.Life{RetireAt: now.Add(-time.Hour), RemoveAt: now.Add(72 * time.Hour)}, true},
		} {
			own, err := keyset.Generate(keyset.ES256)
			require.NoError(t, err)
			other, err := keyset.Generate(keyset.RS256)
			require.NoError(t, err)
			other.Life = tt.life
			cfg := fapiConfig(t, pr)
			cfg.Keys, err = keyset.New(keyset.Config{DefaultAlg: keyset.ES256, Keys: []keyset.Key{own, other}})
			require.NoError(t, err)
			_, err = provider.New(cfg)
			if tt.ok {
				require.NoError(t, err, "%s, %s", name, when)
				continue
			}
			require.Equal(t, []string{"Keys"}, fieldsOf(err), "%s, %s", name, when)
		}
	}
	cfg := fapiConfig(t, custom)
	cfg.DPoP = &dpop.Policy{Replay: cfg.Replay, Algorithms: []string{keyset.ES256, keyset.RS256}}
	_, err := provider.New(cfg)
	require.Equal(t, []string{"DPoP.Algorithms"}, fieldsOf(err), "nor are proofs accepted with others")
}

// TestHandlersFindNoOtherClients: a grant handler that authenticates clients itself, with registrations of its own, issues no token to a client that
// breaks the profile.
func TestHandlersFindNoOtherClients(t *testing.T) {
	t.Parallel()
	good, broken := fapiClient(t), fapiClient(t)
	broken.ClientID, broken.TokenEndpointAuthMethod = "legacy", client.ClientSecretBasic
	all := map[string]*client.Client{"bank": &good, "legacy": &broken}
	for id, want := range map[string]string{"bank": "", "legacy": "invalid_grant", "unknown": "invalid_grant"} {
		p := newProver(t, "ES256")
		cfg := fapiConfig(t, provider.FAPI2())
		cfg.DPoP = &dpop.Policy{Replay: cfg.Replay}
		cfg.Clients = client.SourceFunc(func(_ context.Context, id string) (*client.Client, error) {
			if c := all[id]; c != nil {
				return c, nil
			}
			return nil, storage.ErrNotFound
		})
		const grant = "urn:example:own"
		cfg.GrantHandlers = []token.GrantHandler{{Type: grant, Unauthenticated: true, Handle: func(ctx context.Context, r *token.Request, m *token.Minter) (*token.Response, error) {
			c := client.Client{ClientID: id}
			if own := all[id]; own != nil {
				c = *own
			}
			return m.Mint(ctx, token.Contents{Client: client.Authenticated{Client: &c}, Grant: storage.Grant{Scopes: []string{"openid"}}, Plan: scope.Plan{Granted: []string{"openid"}}}, func(context.Context, *storage.Issuance) error { return nil })
		}}}
		op, err := provider.New(cfg)
		require.NoError(t, err)
		a := send(t, op, request{path: "/token", form: url.Values{"grant_type": {grant}}, proofs: []string{p.proof(time.Now(), http.MethodPost, cfg.Issuer+"/token")}})
		require.Equal(t, want, a.String("error"), "%s: %v", id, a.JSON)
	}
}
