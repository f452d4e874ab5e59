package provider_test

import (
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/token"
)

// validConfig is a configuration that New accepts.
func validConfig(t *testing.T) provider.Config {
	t.Helper()
	key, err := keyset.Generate(keyset.ES256)
	require.NoError(t, err)
	keys, err := keyset.New(keyset.Config{Keys: []keyset.Key{key}})
	require.NoError(t, err)
	clients, err := client.NewRegistry(client.Environment{})
	require.NoError(t, err)
	return provider.Config{
		Issuer: "https://login.example.no", Profile: provider.OpenIDConnect(), Store: memory.New(), Keys: keys, Clients: clients,
		Secrets: []portner.Secret{portner.NewSecret()}, PairwiseKey: portner.NewSecret(),
	}
}

// fieldsOf returns the names of the fields that err reports.
func fieldsOf(err error) []string {
	var names []string
	for _, e := range portner.FieldErrors(err) {
		names = append(names, e.Field)
	}
	return names
}

// TestNewReportsField: a configuration with one invalid field is rejected with the name of that field, and no other.
func TestNewReportsField(t *testing.T) {
	t.Parallel()
	for field, change := range map[string]func(c *provider.Config){
		"Issuer":                        func(c *provider.Config) { c.Issuer = "https://login.example.no/" },
		"BrowserURL":                    func(c *provider.Config) { c.BrowserURL = "http://localhost:8080" },
		"Profile":                       func(c *provider.Config) { c.Profile = provider.Profile{} },
		"Profile.Name":                  func(c *provider.Config) { c.Profile.Name = "" },
		"Profile.SubjectType":           func(c *provider.Config) { c.Profile.SubjectType = "private" },
		"Profile.SubjectTypesSupported": func(c *provider.Config) { c.Profile.SubjectTypesSupported = []string{client.Pairwise} },
		"Profile.RequestURIPrefix":      func(c *provider.Config) { c.Profile.RequestURIPrefix = "https:" },
		"Profile.Locales":               func(c *provider.Config) { c.Profile.Locales = nil },
		"Profile.Locales[1]":            func(c *provider.Config) { c.Profile.Locales = []string{"nb", ""} },
		"Profile.Paths.Token":           func(c *provider.Config) { c.Profile.Paths.Token = "/connect//token" },
		"Profile.Paths.UserInfo":        func(c *provider.Config) { c.Profile.Paths.UserInfo = "/token" },
		"Profile.Claims[0]":             func(c *provider.Config) { c.Profile.Claims = []token.ClaimsFunc{nil} },
		"Profile.DefaultACRValues[0]": func(c *provider.Config) {
			c.Profile.DefaultACRValues = []string{acr.High}
		},
		"Profile.PromptValues[0]":       func(c *provider.Config) { c.Profile.PromptValues = []string{"logon"} },
		"Profile.RequiredParameters[0]": func(c *provider.Config) { c.Profile.RequiredParameters = []string{"sate"} },
		"Profile.AccessTokenType":       func(c *provider.Config) { c.Profile.AccessTokenType = "jwt" },
		"Profile.Lifetimes.AccessToken": func(c *provider.Config) { c.Profile.Lifetimes.AccessToken = 0 },
		"Profile.Lifetimes.Code":        func(c *provider.Config) { c.Profile.Lifetimes.Code = 0 },
		"Profile.Scopes[0].description": func(c *provider.Config) { c.Profile.Scopes = []scope.Scope{{Name: "email", RequiresUserConsent: true}} },
		"Store":                         func(c *provider.Config) { c.Store = nil },
		"Keys":                          func(c *provider.Config) { c.Keys = nil },
		"Clients":                       func(c *provider.Config) { c.Clients = nil },
		"Pages.Login":                   func(c *provider.Config) { c.Pages.Login = "/token" },
		"Pages.Consent":                 func(c *provider.Config) { c.Pages.Consent = "https://login.example.no/consent" },
		"Secrets":                       func(c *provider.Config) { c.Secrets = nil },
		"Secrets[0]":                    func(c *provider.Config) { c.Secrets[0] = portner.Secret("32 random bytes of your secret store") },
		"Secrets[1]":                    func(c *provider.Config) { c.Secrets = append(c.Secrets, c.Secrets[0]) },
		"PairwiseKey":                   func(c *provider.Config) { c.PairwiseKey = c.Secrets[0] },
		"Session.Limits.Idle":           func(c *provider.Config) { c.Session.Limits.Idle = -1 },
		"MaxSessionsPerUser":            func(c *provider.Config) { c.MaxSessionsPerUser = -1 },
		"Lifetimes.Code":                func(c *provider.Config) { c.Lifetimes.Code = 601 * time.Second },
		"Lifetimes.IDToken":             func(c *provider.Config) { c.Lifetimes.IDToken = 1500 * time.Millisecond },
		"RotationGrace":                 func(c *provider.Config) { c.RotationGrace = time.Hour },
		"DPoP.Replay":                   func(c *provider.Config) { c.DPoP = &dpop.Policy{} },
		"DPoP":                          func(c *provider.Config) { c.Profile.SenderConstrained = true },
		"DPoP.Nonces": func(c *provider.Config) {
			c.DPoP, c.Profile.DPoPNonce = &dpop.Policy{AllowReplay: true}, true
		},
		"MTLSURL":      func(c *provider.Config) { c.MTLSURL = "https://mtls.example.no/other" },
		"TLSClientCAs": func(c *provider.Config) { c.TLSClientCAs = x509.NewCertPool() },
		"ClientCertificates": func(c *provider.Config) {
			c.ClientCertificates = func(*http.Request) ([]*x509.Certificate, error) { return nil, nil }
		},
		"GrantHandlers[0].Type": func(c *provider.Config) { c.GrantHandlers = []token.GrantHandler{{Type: ""}} },
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			cfg := validConfig(t)
			change(&cfg)
			_, err := provider.New(cfg)
			require.Error(t, err)
			require.Contains(t, fieldsOf(err), field, err)
			for _, other := range fieldsOf(err) {
				require.Truef(t, other == field || field == "GrantHandlers[0].Type" && other == "GrantHandlers[0].Handle", "%s is reported, too: %v", other, err)
			}
		})
	}
	_, err := provider.New(validConfig(t))
	require.NoError(t, err)
}

// TestNewReportsAllFields: the zero Config reports every required field once.
func TestNewReportsAllFields(t *testing.T) {
	t.Parallel()
	_, err := provider.New(provider.Config{})
	require.ElementsMatch(t, []string{"Issuer", "Profile", "Store", "Keys", "Clients", "Secrets", "PairwiseKey"}, fieldsOf(err), "%v", err)
	cfg := validConfig(t)
	cfg.Keys = &keyset.Set{}
	_, err = provider.New(cfg)
	require.Equal(t, []string{"Keys"}, fieldsOf(err), "the zero value has no keys")
	cfg = validConfig(t)
	cfg.Issuer, cfg.Secrets[0], cfg.Session.Limits.Max, cfg.Pages.Login = "http://example.no", portner.Secret("short"), -1, "/token"
	_, err = provider.New(cfg)
	require.ElementsMatch(t, []string{"Issuer", "Secrets[0]", "Session.Limits.Max", "Pages.Login"}, fieldsOf(err), "%v", err)
	require.NotContains(t, err.Error(), "short\"")
}

// TestProfileDefaults: a profile needs no fields that have the same value in most services.
func TestProfileDefaults(t *testing.T) {
	t.Parallel()
	cfg := validConfig(t)
	cfg.PushedRequests = memory.New()
	cfg.Profile.SubjectTypesSupported, cfg.Profile.RequestURIPrefix = nil, ""
	cfg.Profile.Lifetimes.PushedRequest, cfg.Profile.Lifetimes.Pending = 0, 0
	op, err := provider.New(cfg)
	require.NoError(t, err)
	w := httptest.NewRecorder()
	op.OpenIDConfiguration.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	require.Contains(t, w.Body.String(), `"subject_types_supported":["public"]`)
}

// removable is a source whose scope email a host can remove.
type removable struct {
	scope.Source
	removed atomic.Bool
}

// Scope implements scope.Source.
func (s *removable) Scope(name string) *scope.Scope {
	if name == scope.Email && s.removed.Load() {
		return nil
	}
	return s.Source.Scope(name)
}

// TestRemovedScopeStaysRemoved: a host that has a stricter record of a standard scope and removes it does not get the record of the
// profile. A profile without the scope does not have it either.
func TestRemovedScopeStaysRemoved(t *testing.T) {
	t.Parallel()
	strict := scope.Scope{Name: scope.Email, Description: "E-post", AccessibleForAll: true, RequiresUserConsent: true}
	for name, tt := range map[string]struct {
		records []scope.Scope
		profile []scope.Scope
		removed bool
		exists  bool
	}{
		"of the host":             {[]scope.Scope{strict}, scope.StandardScopes(), false, true},
		"removed by the host":     {[]scope.Scope{strict}, scope.StandardScopes(), true, false},
		"of the profile":          {nil, scope.StandardScopes(), false, true},
		"left out of the profile": {nil, scope.StandardScopes()[1:], false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := validConfig(t)
			registry, err := scope.NewRegistry(tt.records, nil)
			require.NoError(t, err)
			source := &removable{Source: registry}
			cfg.Scopes, cfg.Profile.Scopes = source, tt.profile
			secret, err := client.NewSecret("Zm9vYmFyYmF6cXV4MDEyMzQ1Njc4OWFiY2RlZg", time.Time{})
			require.NoError(t, err)
			cfg.Clients, err = client.NewRegistry(client.Environment{}, client.Client{
				ClientID: "app", RedirectURIs: []string{"https://app.example.no/cb"}, Scopes: []string{"openid", "email"}, Secrets: []client.Secret{secret},
			})
			require.NoError(t, err)
			op, err := provider.New(cfg)
			require.NoError(t, err)
			source.removed.Store(tt.removed)
			form, err := client.ParseForm("response_type=code&client_id=app&redirect_uri=https%3A%2F%2Fapp.example.no%2Fcb&state=s" +
				"&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256&scope=openid email")
			require.NoError(t, err)
			d := op.Authorize.Authorize(t.Context(), authorize.Request{Method: "GET", Form: form})
			require.Equal(t, tt.exists, d.Interaction != nil)
			if !tt.exists {
				require.Contains(t, d.Redirect.URL, "error=invalid_scope")
			}
		})
	}
}

// TestScopesAreMerged: the standard scopes of the profile exist beside the scopes of the host, and a scope of the host replaces
// the standard scope of its name.
func TestScopesAreMerged(t *testing.T) {
	t.Parallel()
	cfg := validConfig(t)
	var err error
	cfg.Scopes, err = scope.NewRegistry([]scope.Scope{{Name: "example:read", AccessibleForAll: true}}, nil)
	require.NoError(t, err)
	secret, err := client.NewSecret("Zm9vYmFyYmF6cXV4MDEyMzQ1Njc4OWFiY2RlZg", time.Time{})
	require.NoError(t, err)
	cfg.Clients, err = client.NewRegistry(client.Environment{}, client.Client{
		ClientID: "app", RedirectURIs: []string{"https://app.example.no/cb"}, Scopes: []string{"openid", "email", "example:read"}, Secrets: []client.Secret{secret},
	})
	require.NoError(t, err)
	op, err := provider.New(cfg)
	require.NoError(t, err)
	for _, s := range []string{"openid email", "openid example:read"} {
		form, err := client.ParseForm("response_type=code&client_id=app&redirect_uri=https%3A%2F%2Fapp.example.no%2Fcb&state=s" +
			"&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256&scope=" + s)
		require.NoError(t, err)
		d := op.Authorize.Authorize(t.Context(), authorize.Request{Method: "GET", Form: form})
		require.NotNil(t, d.Interaction, "%s: %+v %+v", s, d.Redirect, d.Error)
	}
}
