package authorize_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/pkce"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage/memory"
)

const (
	issuer = "https://login.example.no"
	rp     = "https://rp.example.no/cb"
)

var (
	epoch    = time.Date(2026, 3, 2, 9, 0, 0, 123456789, time.UTC)
	verifier = pkce.NewVerifier()
	secret   = portner.NewSecret()
)

// world is an authorization endpoint with the pages of a host. Its clock is moved by sleep.
type world struct {
	t        testing.TB
	store    *memory.Store
	sessions *session.Keeper
	vault    *session.Vault
	endpoint *authorize.Endpoint
	mux      *http.ServeMux

	mu     sync.Mutex
	now    time.Time
	events []portner.Event
	seen   *authorize.Pending // the request of the last page
}

func clients() []client.Client {
	all := []string{"none", "login", "consent", "select_account"}
	scopes := []string{"openid", "profile", "test:plain", "test:shared", "test:second", "test:pseudo", "test:fresh", "test:opaque", "test:hidden"}
	web := client.Client{
		ClientID: "web", ClientName: "Min tjeneste", OrganisationNo: "991825827", IntegrationType: "api_klient", ApplicationType: client.Web,
		TokenEndpointAuthMethod: client.ClientSecretBasic, GrantTypes: []string{"authorization_code", "refresh_token"},
		RedirectURIs: []string{rp, rp + "?a=b"}, Scopes: scopes,
		OnBehalfOf: []client.OnBehalfOf{{Value: "kunde", Name: "Kunde", Orgno: "974761076"}, {Value: "kunde2", Name: "Annen kunde", Orgno: "991825827"}},
		Secrets:    []client.Secret{must(client.NewSecret(clientSecret, time.Time{}))},
	}
	with := func(id string, change func(*client.Client)) client.Client {
		c := web
		c.ClientID = id
		change(&c)
		return c
	}
	return []client.Client{
		web,
		with("silent", func(c *client.Client) { c.PromptValues = all }),
		with("isolated", func(c *client.Client) { c.SSODisabled = true }),
		with("spa", func(c *client.Client) {
			c.ApplicationType, c.TokenEndpointAuthMethod, c.Secrets = client.Browser, client.None, nil
		}),
		with("app", func(c *client.Client) {
			c.ApplicationType, c.TokenEndpointAuthMethod, c.Secrets = client.Native, client.None, nil
			c.RedirectURIs = []string{"http://127.0.0.1/cb", "no.example.app:/cb"}
		}),
		with("nopkce", func(c *client.Client) { c.CodeChallengeMethod = "none" }),
		with("pushing", func(c *client.Client) { c.RequirePushedAuthorizationRequests = true }),
		with("queryonly", func(c *client.Client) { c.ResponseModes = []string{"query"} }),
		with("postonly", func(c *client.Client) { c.ResponseModes = []string{"form_post"} }),
		with("jarm", func(c *client.Client) { c.ResponseModes = []string{"jwt"} }),
		with("jarmpost", func(c *client.Client) { c.ResponseModes = []string{"form_post.jwt"} }),
		with("jarmtoo", func(c *client.Client) {
			c.ResponseModes, c.PromptValues = []string{"query", "jwt", "form_post.jwt"}, all
		}),
		with("jarmapp", func(c *client.Client) {
			c.ApplicationType, c.TokenEndpointAuthMethod, c.Secrets = client.Native, client.None, nil
			c.RedirectURIs, c.ResponseModes = []string{"no.example.app:/cb"}, []string{"query.jwt", "form_post.jwt"}
		}),
		with("keyed", func(c *client.Client) {
			c.TokenEndpointAuthMethod, c.Secrets, c.JWKS = client.PrivateKeyJWT, nil, signingJWKS
		}),
		with("strict", func(c *client.Client) { c.RequireState, c.RequireNonce = true, true }),
		with("off", func(c *client.Client) { c.Disabled = true }),
		with("signing", func(c *client.Client) { c.JWKS = signingJWKS }),
		with("mustsign", func(c *client.Client) { c.JWKS, c.RequireSignedRequestObject = signingJWKS, true }),
		with("sidtaker", func(c *client.Client) {
			c.FrontchannelLogoutURI, c.FrontchannelLogoutSessionRequired = "https://rp.example.no/logout", true
		}),
		{
			ClientID: "machine", OrganisationNo: "991825827", IntegrationType: "maskinporten", ApplicationType: client.Web,
			TokenEndpointAuthMethod: client.PrivateKeyJWT, RedirectURIs: []string{rp}, Scopes: []string{"test:plain"}, JWKS: signingJWKS,
		},
	}
}

func scopes() *scope.Registry {
	s := func(name string, change func(*scope.Scope)) scope.Scope {
		r := scope.Scope{Name: name, OwnerOrgno: "974761076", Description: "Lese " + name, AccessibleForAll: true}
		change(&r)
		return r
	}
	return must(scope.NewRegistry([]scope.Scope{
		s("test:plain", func(*scope.Scope) {}),
		s("test:shared", func(r *scope.Scope) { r.RequiresUserConsent, r.AuthorizationMaxLifetime = true, 3600 }),
		s("test:second", func(r *scope.Scope) { r.RequiresUserConsent = true }),
		s("test:pseudo", func(r *scope.Scope) { r.RequiresPseudonymousTokens = true }),
		s("test:fresh", func(r *scope.Scope) { r.RequiresUserAuthentication = true }),
		s("test:opaque", func(r *scope.Scope) { r.TokenType = scope.Opaque }),
		s("test:hidden", func(r *scope.Scope) { r.TokenType, r.RequiresUserConsent = scope.Opaque, true }),
		s("test:closed", func(r *scope.Scope) { r.AccessibleForAll = false }),
		s("test:off", func(r *scope.Scope) { r.Inactive = true }),
	}, nil))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// registry is a Source that does not validate registrations.
type registry map[string]*client.Client

func (r registry) Client(_ context.Context, id string) (*client.Client, error) {
	if c, ok := r[id]; ok {
		return c, nil
	}
	return nil, errNotFound
}

func newWorld(t testing.TB, change ...func(*authorize.Config)) *world {
	t.Helper()
	w := &world{t: t, store: memory.New(), now: epoch}
	w.vault = must(session.NewVault(issuer, secret))
	w.sessions = must(session.New(session.Config{Store: w.store, Vault: w.vault}))
	reg := registry{}
	for _, c := range clients() {
		reg[c.ClientID] = &c
	}
	auth := must(client.NewAuthenticator(client.Config{Issuer: issuer, TokenEndpoint: issuer + "/token", Clients: reg}))
	cfg := authorize.Config{
		Issuer: issuer, Clients: reg, Scopes: scopes(), Sessions: w.sessions, Vault: w.vault, Store: w.store,
		Secrets: []portner.Secret{secret}, Levels: acr.IDPorten, DefaultACRValues: []string{acr.Substantial}, RequireKnownACR: true,
		PushedRequests: w.store, Authenticator: auth,
		Now: w.clock, OnEvent: w.record,
	}
	for _, c := range change {
		c(&cfg)
	}
	w.endpoint = must(authorize.New(cfg))
	w.mux = http.NewServeMux()
	w.mux.Handle("/authorize", w.endpoint)
	w.mux.Handle("/par", w.endpoint.PushHandler())
	for _, path := range []string{"/login", "/step-up", "/consent", "/representation"} {
		w.mux.Handle(path, w.endpoint.Page(w.page))
	}
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) sleep(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) record(_ context.Context, e portner.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

// lastEvent returns name and reason of the last event.
func (w *world) lastEvent() (portner.EventName, string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.events) == 0 {
		return "", ""
	}
	e := w.events[len(w.events)-1]
	return e.Name, e.Reason
}

// lastClient returns the client of the last event.
func (w *world) lastClient() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.events[len(w.events)-1].ClientID
}

// page is the host's page for every step. The query "hasty" answers without a post.
func (w *world) page(rw http.ResponseWriter, r *http.Request, p *authorize.Pending) *authorize.Decision {
	w.show(rw, p)
	switch ctx, form := r.Context(), r.PostForm; {
	case r.Method == http.MethodGet && !r.URL.Query().Has("hasty"):
		return nil
	case form.Get("cancel") != "":
		return p.Cancel(ctx)
	case r.URL.Path == "/consent":
		return p.Consent(ctx, form["scope"])
	case r.URL.Path == "/representation":
		return p.Represent(ctx, form["party"])
	default:
		level := form.Get("acr")
		if level == "" {
			level = acr.Substantial
		}
		return p.LogIn(ctx, session.Authentication{Identity: session.Identity{Subject: form.Get("user"), Identifiers: identifiers(testPID)}, ACR: level, AMR: []string{"BankID"}})
	}
}

// identifiers returns the identifiers of a user with a national identity number.
func identifiers(pid norway.PID) []pseudonym.Identifier {
	return []pseudonym.Identifier{must(pseudonym.NewIdentifier(session.TypePID, pid.Reveal()))}
}

func (w *world) show(rw http.ResponseWriter, p *authorize.Pending) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = p
	rw.Header().Set("Test-CSRF", p.CSRF())
	rw.Header().Set("Test-Sealed", p.Sealed)
}

var testPID = must(norway.SyntheticPID(time.Date(1980, 1, 31, 0, 0, 0, 0, time.UTC), 0))

// browser sends requests and keeps cookies.
type browser struct {
	*world
	cookies map[string]string
}

func (w *world) browser() *browser { return &browser{w, map[string]string{}} }

// browserCookie is the first part of the names of the cookies that identify a browser.
const browserCookie = "__Host-portner-browser+"

// ids returns the cookies that identify the browser.
func (b *browser) ids() map[string]string {
	found := map[string]string{}
	for name, value := range b.cookies {
		if strings.HasPrefix(name, browserCookie) {
			found[name] = value
		}
	}
	return found
}

// id returns the cookie that identifies the browser, which must be the only one.
func (b *browser) id() (name, value string) {
	b.t.Helper()
	require.Len(b.t, b.ids(), 1)
	for name, value = range b.ids() {
	}
	return name, value
}

// isAlso makes the browser another window of other, without its session.
func (b *browser) isAlso(other *browser) {
	maps.Copy(b.cookies, other.ids())
}

// do sends a request without following redirects.
func (b *browser) do(r *http.Request) *http.Response {
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	rec := httptest.NewRecorder()
	b.mux.ServeHTTP(rec, r)
	res := rec.Result()
	for _, c := range res.Cookies() {
		if b.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return res
}

func (b *browser) get(path string) *http.Response {
	return b.do(httptest.NewRequest(http.MethodGet, path, nil))
}

// authorize sends an authorization request by GET.
func (b *browser) authorize(params url.Values) *http.Response {
	return b.get("/authorize?" + params.Encode())
}

// post sends the form of a page of the provider.
func (b *browser) post(path string, form url.Values) *http.Response {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Origin", issuer)
	return b.do(r)
}

// open follows a redirect to one of the host's pages and returns its form.
func (b *browser) open(res *http.Response, page string) url.Values {
	b.t.Helper()
	require.Equal(b.t, http.StatusSeeOther, res.StatusCode, "want a redirect to %s", page)
	location := res.Header.Get("Location")
	require.True(b.t, strings.HasPrefix(location, page+"?"), "want %s, got %s", page, location)
	res = b.get(location)
	require.Equal(b.t, http.StatusOK, res.StatusCode)
	return url.Values{"request": {res.Header.Get("Test-Sealed")}, "csrf": {res.Header.Get("Test-CSRF")}}
}

// loginAs fills in the login or step-up page that res redirects to.
func (b *browser) loginAs(res *http.Response, user string, level ...string) *http.Response {
	b.t.Helper()
	path, _, _ := strings.Cut(res.Header.Get("Location"), "?")
	require.Contains(b.t, []string{"/login", "/step-up"}, path)
	form := b.open(res, path)
	form.Set("user", user)
	if len(level) > 0 {
		form.Set("acr", level[0])
	}
	return b.post(path, form)
}

// consentTo fills in the consent page that res redirects to.
func (b *browser) consentTo(res *http.Response, scopes ...string) *http.Response {
	b.t.Helper()
	form := b.open(res, "/consent")
	form["scope"] = scopes
	return b.post("/consent", form)
}

// params returns a valid request of the client with changed parameters; an empty value removes a parameter.
func params(clientID string, change ...string) url.Values {
	v := url.Values{
		"client_id": {clientID}, "redirect_uri": {rp}, "response_type": {"code"}, "scope": {"openid profile"},
		"state": {"xyz"}, "nonce": {"n-0S6"}, "code_challenge": {pkce.Challenge(verifier)}, "code_challenge_method": {"S256"},
	}
	for i := 0; i+1 < len(change); i += 2 {
		if v.Set(change[i], change[i+1]); change[i+1] == "" {
			v.Del(change[i])
		}
	}
	return v
}

// answered returns the parameters of the response to the client.
func answered(t testing.TB, res *http.Response) url.Values {
	t.Helper()
	require.Equal(t, http.StatusSeeOther, res.StatusCode)
	u, err := url.Parse(res.Header.Get("Location"))
	require.NoError(t, err)
	require.Equal(t, "rp.example.no", u.Host, "not at the client: %s", u)
	require.Equal(t, []string{issuer}, u.Query()["iss"], "RFC 9207: every response has iss")
	return u.Query()
}

// requireCode returns the code of the response to the client.
func requireCode(t testing.TB, res *http.Response) string {
	t.Helper()
	q := answered(t, res)
	require.Empty(t, q.Get("error"), q.Get("error_description"))
	require.Len(t, q.Get("code"), 43)
	return q.Get("code")
}

// outcome returns the result of a request in short: "login", "consent", "code", "page Bad Request invalid_request", "error
// invalid_scope".
func outcome(t testing.TB, res *http.Response) string {
	t.Helper()
	location := res.Header.Get("Location")
	switch {
	case res.StatusCode != http.StatusSeeOther:
		require.Empty(t, location)
		return "page " + http.StatusText(res.StatusCode) + " " + pageCode(t, res)
	case strings.HasPrefix(location, "/login?"):
		return "login"
	case strings.HasPrefix(location, "/step-up?"):
		return "step-up"
	case strings.HasPrefix(location, "/consent?"):
		return "consent"
	case strings.HasPrefix(location, "/representation?"):
		return "representation"
	}
	q := answered(t, res)
	if q.Has("code") {
		return "code"
	}
	return "error " + q.Get("error")
}

func jsonBody(t testing.TB, res *http.Response) map[string]any {
	t.Helper()
	var m map[string]any
	require.NoError(t, json.NewDecoder(res.Body).Decode(&m))
	return m
}
