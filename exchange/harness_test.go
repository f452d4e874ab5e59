package exchange_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/exchange"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/resource"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/token"
)

const (
	foreignIssuer = "https://test.maskinporten.no/" // with its slash
	machineOrg    = "910753614"                     // not the organisation of a client
)

// world is a provider that exchanges tokens, and another issuer.
type world struct {
	*optest.OP
	t       *testing.T
	foreign *keyset.Set
	now     time.Time // if zero, the current time
	store   token.GrantStore
	vault   *session.Vault
	request *exchange.Request // the last one that the policy received
}

func (w *world) clock() time.Time {
	if w.now.IsZero() {
		return time.Now()
	}
	return w.now
}

// decide returns a policy with a fixed decision.
func decide(d exchange.Decision) exchange.Policy {
	return func(context.Context, *exchange.Request) (exchange.Decision, error) { return d, nil }
}

func newWorld(t *testing.T, change ...func(*exchange.Config)) *world {
	t.Helper()
	return newWorldAt(t, func(*provider.Config) {}, change...)
}

// newWorldAt is newWorld with a changed provider.
func newWorldAt(t *testing.T, at func(*provider.Config), change ...func(*exchange.Config)) *world {
	t.Helper()
	w := &world{t: t, now: time.Now()}
	key, err := keyset.Generate(keyset.ES256)
	require.NoError(t, err)
	w.foreign, err = keyset.New(keyset.Config{Keys: []keyset.Key{key}})
	require.NoError(t, err)
	jwks, _ := w.foreign.JWKS(w.now)
	verifier, err := resource.New(resource.Config{
		Issuer: foreignIssuer, Keys: resource.StaticKeys(jwks), URL: optest.Issuer, Now: w.clock,
	})
	require.NoError(t, err)
	w.OP = optest.New(t, optest.Options{
		Clients: clients(t), Scopes: []scope.Scope{
			{Name: "test:short", OwnerOrgno: optest.OwnerOrg, Description: "Kort", ATMaxAge: 30},
			{Name: "test:others", OwnerOrgno: machineOrg, Description: "En annens"},
			{Name: "test:two", OwnerOrgno: optest.OwnerOrg, Description: "To"},
		},
		Change: func(c *provider.Config) {
			c.Now, c.Scopes = w.clock, open(t, c.Scopes.(*scope.Registry))
			vault, err := session.NewVault(c.Issuer, c.Secrets...)
			require.NoError(t, err)
			w.store, w.vault = c.Store.(token.GrantStore), vault
			cfg := exchange.Config{
				Issuer: optest.Issuer, Store: w.store, Vault: vault, Scopes: c.Scopes, Policy: decide(exchange.Decision{}),
				Issuers: map[string]exchange.Issuer{foreignIssuer: {Verifier: verifier, User: userOf}},
			}
			for _, ch := range change {
				ch(&cfg)
			}
			if cfg.IDTokens != nil {
				cfg.IDTokens = c.Keys
			}
			if policy := cfg.Policy; policy != nil {
				cfg.Policy = func(ctx context.Context, r *exchange.Request) (exchange.Decision, error) {
					w.request = r
					return policy(ctx, r)
				}
			}
			g, err := exchange.New(cfg)
			require.NoError(t, err)
			c.GrantHandlers = []token.GrantHandler{g}
			at(c)
		},
	})
	return w
}

// userOf finds the user of a token of the other issuer.
func userOf(_ context.Context, t *resource.Token) (session.Identity, error) {
	return session.Identity{Subject: "kari", Identifiers: optest.Identifiers(t.PID.Reveal())}, nil
}

// clients returns a portal for users, a service it calls, a service behind that one, and a browser application.
func clients(t *testing.T) []client.Client {
	t.Helper()
	secret, err := client.NewSecret(optest.Secret, time.Time{})
	require.NoError(t, err)
	make := func(id, orgno string) client.Client {
		return client.Client{
			ClientID: id, OrganisationNo: orgno, Secrets: []client.Secret{secret},
			GrantTypes:   []string{"authorization_code", "refresh_token", exchange.GrantType},
			RedirectURIs: []string{strings.Replace(optest.Callback, "tjeneste", id, 1)}, AccessTokenLifetime: 600,
			Scopes: []string{"openid", "profile", "test:api", "test:two", "test:consent", "test:pseudonym", "test:opaque", "test:short", "test:others"},
		}
	}
	portal, service, deep := make("portal", optest.Org), make("service", optest.OwnerOrg), make("deep", optest.Org)
	portal.OnBehalfOf = []client.OnBehalfOf{{Value: "kunde", Name: "Kunden", Orgno: machineOrg}}
	service.Scopes = append(service.Scopes, scope.Introspection)
	few := make("few", optest.Org)
	few.Scopes = []string{"test:two"}
	spa := make("spa", optest.Org)
	spa.ApplicationType, spa.TokenEndpointAuthMethod, spa.Secrets = client.Browser, client.None, nil
	spa.RedirectURIs = []string{"https://spa.example.no/callback"}
	return []client.Client{portal, service, deep, few, spa}
}

// login returns the tokens of a login of Kari at a client.
func (w *world) login(clientID, scopes string, extra ...string) optest.Answer {
	w.t.Helper()
	return w.loginAs("kari", clientID, scopes, extra...)
}

// loginAs is login as another user.
func (w *world) loginAs(user, clientID, scopes string, extra ...string) optest.Answer {
	w.t.Helper()
	r := w.Request(clientID, scopes, extra...)
	page := w.Browser().Login(w.t, r, user)
	require.NotNil(w.t, page.Left, page.Body)
	code := page.Left.Query().Get("code")
	require.NotEmpty(w.t, code, page.Left)
	a := w.OP.Exchange(w.t, r, code)
	require.Equal(w.t, http.StatusOK, a.Status, a.JSON)
	return a
}

// form returns the form of an exchange of an access token.
func form(subject string, more ...string) url.Values {
	f := url.Values{"grant_type": {exchange.GrantType}, "subject_token": {subject}, "subject_token_type": {exchange.AccessToken}}
	for i := 0; i < len(more); i += 2 {
		f.Add(more[i], more[i+1])
	}
	return f
}

func (w *world) exchange(clientID string, f url.Values) optest.Answer {
	w.t.Helper()
	return w.Call(w.t, "/token", clientID, f)
}

// exchanged returns the new token and its claims. It fails the test if the exchange is rejected.
func (w *world) exchanged(clientID string, f url.Values) (string, map[string]any) {
	w.t.Helper()
	a := w.exchange(clientID, f)
	require.Equal(w.t, http.StatusOK, a.Status, a.JSON)
	require.Equal(w.t, exchange.AccessToken, a.String("issued_token_type"))
	require.NotContains(w.t, a.JSON, "refresh_token")
	require.NotContains(w.t, a.JSON, "id_token")
	value := a.String("access_token")
	if strings.Count(value, ".") != 2 {
		return value, nil
	}
	return value, claims(w.t, value)
}

func (w *world) rejects(clientID string, f url.Values, code portner.ErrorCode) {
	w.t.Helper()
	a := w.exchange(clientID, f)
	require.Equal(w.t, string(code), a.String("error"), a.JSON)
	require.Equal(w.t, http.StatusBadRequest, a.Status)
}

func claims(t testing.TB, jwt string) map[string]any {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(jwt, ".")[1])
	require.NoError(t, err)
	var m map[string]any
	require.NoError(t, json.Unmarshal(raw, &m))
	return m
}

// machineToken returns a token of the other issuer.
func (w *world) machineToken(change ...func(map[string]any)) string {
	w.t.Helper()
	now := w.clock()
	m := map[string]any{
		"iss": foreignIssuer, "client_id": "0b3c", "scope": "test:api test:two", "aud": optest.Issuer, "jti": "a-jti",
		"iat": now.Unix(), "exp": now.Unix() + 120, "token_type": "Bearer",
		"consumer": map[string]any{"authority": "iso6523-actorid-upis", "ID": "0192:" + machineOrg},
	}
	for _, ch := range change {
		ch(m)
	}
	raw, err := json.Marshal(m)
	require.NoError(w.t, err)
	jwt, err := w.foreign.Sign("", "", raw, now)
	require.NoError(w.t, err)
	return jwt
}

func set(name string, value any) func(map[string]any) {
	return func(m map[string]any) {
		if value == nil {
			delete(m, name)
			return
		}
		m[name] = value
	}
}

var kari = func() norway.PID {
	pid, err := norway.ParsePID(optest.KariPID)
	if err != nil {
		panic(err)
	}
	return pid
}()

// open returns a registry in which every organisation may use every scope.
func open(t *testing.T, r *scope.Registry) *scope.Registry {
	t.Helper()
	var all []scope.Scope
	for s := range r.All() {
		record := *s
		record.AccessibleForAll = true
		all = append(all, record)
	}
	opened, err := scope.NewRegistry(all, nil)
	require.NoError(t, err)
	return opened
}

func authenticated(id string) client.Authenticated {
	return client.Authenticated{Client: &client.Client{ClientID: id}}
}
