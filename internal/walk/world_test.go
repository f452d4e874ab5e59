package walk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/digdir/maskinporten"
	"github.com/portner-go/portner/exchange"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
	portnersession "github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage/memory"
	portnertoken "github.com/portner-go/portner/token"
)

const (
	issuer   = "https://login.example.no"
	secret   = "q8H2vTz5yWm0RkN7uXc4LbP9sJdF1gAe"
	org      = "991825827"
	ownerOrg = "974761076"
	otherOrg = "910753614"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Keys are made once: their generation takes longer than a walk.
var (
	signing = sync.OnceValue(func() *keyset.Set {
		return must(keyset.New(keyset.Config{Keys: []keyset.Key{must(keyset.Generate(keyset.EdDSA))}}))
	})
	machine = sync.OnceValue(func() *keyset.Set {
		return must(keyset.New(keyset.Config{Keys: []keyset.Key{must(keyset.Generate(keyset.RS256))}}))
	})
	registered = sync.OnceValue(func() client.Secret { return must(client.NewSecret(secret, time.Time{})) })
)

// world is a provider and the model of it.
type world struct {
	*model
	provider *provider.Provider
	api      *authorizations.API
	store    *memory.Store
	people   []*person
	logins   []*login
	browsers []*browser
	log      bytes.Buffer
	sending  sync.Mutex
	sent     []string // client_id of each logout token that was sent
	notified []string // that should have been sent
	subjects map[string]string
	steps    []string // what happened
	texts    []string // secret values that no log may hold
	flows    []*flow
	pushes   []*pushed
	visits   map[*person][]entry
	reached  map[string]int
	latest   time.Time // of the clock, before it was set back
	serial   int
	doing    string // kind of the operation
	checked  int
}

var start = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)

func newWorld() *world {
	w := &world{subjects: map[string]string{}, visits: map[*person][]entry{}, reached: map[string]int{}, model: &model{
		now: start, clients: clients(), rules: rules(), consents: map[consentKey]map[string]consent{},
	}}
	kari, ola, eva := &person{subject: "user-kari"}, &person{subject: "user-ola"}, &person{subject: "user-eva"}
	w.people = []*person{kari, ola, eva}
	w.logins = []*login{
		{"kari high", "idporten-loa-high", "BankID", kari, "21879498012", "", "Karianne"},
		{"kari substantial", "idporten-loa-substantial", "Minid-APP", kari, "21879498012", "", "Karianne"},
		{"kari email", "selfregistered-email", "Email", kari, "", "kari@epost.example.no", ""},
		{"ola substantial", "idporten-loa-substantial", "Minid-OTC", ola, "45840375084", "", "Olamann"},
		{"eva email", "selfregistered-email", "Email", eva, "", "eva@epost.example.no", ""},
	}
	for i := range 2 {
		w.browsers = append(w.browsers, &browser{id: i, world: w, cookies: map[string]string{}})
	}
	w.build()
	return w
}

// clients returns the registrations.
func clients() []*registration {
	scopes := []string{"openid", "profile", "api:read", "api:write", "api:consent", "api:answer", "api:secret", "api:opaque", "api:sealed"}
	own := append([]string{introspection, authorizations.HistoryScope}, scopes...)
	return []*registration{
		{id: "web", org: org, sector: "shared.example.no", refreshes: true, scopes: own, accessLife: 300 * time.Second, sid: true, backchannel: true},
		{id: "mate", org: org, sector: "shared.example.no", refreshes: true, scopes: scopes},
		{id: "pub", org: org, public: true, sector: "pub", refreshes: true, scopes: own, accessLife: 600 * time.Second, all: 20 * time.Minute},
		{id: "iso", org: org, isolated: true, sector: "iso", refreshes: true, scopes: own, backchannel: true, sid: true},
		{id: "sup", org: org, sector: "sup", refreshes: true, scopes: scopes, customers: map[string]string{"north": otherOrg, "south": ownerOrg}},
		{id: "owner", org: ownerOrg, sector: "owner", scopes: own, accessLife: 600 * time.Second},
		{id: "app", org: org, sector: "app", browser: true, refreshes: true, scopes: scopes},
		{id: "reader", org: ownerOrg, sector: "reader", scopes: own},
		{id: "machine", org: org, machine: true, scopes: []string{"api:machine"}},
	}
}

func rules() map[string]*rule {
	m := map[string]*rule{}
	for _, r := range []*rule{
		{name: "api:read", owner: ownerOrg},
		{name: "api:write", owner: ownerOrg, oldest: 60 * time.Second},
		{name: "api:consent", owner: ownerOrg, consent: true, longest: time.Hour},
		{name: "api:answer", owner: otherOrg, consent: true},
		{name: "api:secret", owner: ownerOrg, pseudonymous: true},
		{name: "api:opaque", owner: ownerOrg, opaque: true},
		{name: "api:sealed", owner: ownerOrg, opaque: true, consent: true},
		{name: authorizations.HistoryScope, owner: ownerOrg},
		{name: "api:machine", owner: ownerOrg},
	} {
		r.access = map[string]bool{org: true, ownerOrg: true}
		m[r.name] = r
	}
	return m
}

// Client implements client.Source with the registrations as they are now.
func (w *world) Client(_ context.Context, id string) (*client.Client, error) {
	r := w.model.client(id)
	if r == nil {
		return nil, fmt.Errorf("walk: %w", errNotFound)
	}
	return w.registration(r), nil
}

// registration returns the registration of a client in the form of the provider.
func (w *world) registration(r *registration) *client.Client {
	base := "https://" + r.id + ".example.no"
	c := &client.Client{
		ClientID: r.id, ClientName: r.id, OrganisationNo: r.org, IntegrationType: "api_klient", Scopes: r.scopes, Disabled: r.disabled,
		SSODisabled: r.isolated, PromptValues: []string{"login", "none", "consent", "select_account"},
		AccessTokenLifetime: int(r.accessLife / time.Second), AuthorizationLifetime: int(r.all / time.Second),
	}
	if r.machine {
		jwks, _ := machine().JWKS(start)
		c.IntegrationType, c.TokenEndpointAuthMethod, c.JWKS = "maskinporten", client.PrivateKeyJWT, jwks
		c.PromptValues = nil
		return c
	}
	c.GrantTypes = []string{client.AuthorizationCode, exchange.GrantType}
	if r.refreshes {
		c.GrantTypes = append(c.GrantTypes, client.RefreshToken)
	}
	c.RedirectURIs, c.PostLogoutRedirectURIs = []string{base + "/callback"}, []string{base + "/out"}
	if r.browser {
		c.ApplicationType = client.Browser
	} else {
		c.Secrets = []client.Secret{registered()}
	}
	if r.public {
		c.SubjectType = client.Public
	}
	if strings.Contains(r.sector, ".") {
		c.SectorIdentifierURI = "https://" + r.sector + "/uris.json"
	}
	if r.backchannel {
		c.BackchannelLogoutURI = base + "/backchannel"
	}
	for value, orgno := range r.customers {
		c.OnBehalfOf = append(c.OnBehalfOf, client.OnBehalfOf{Value: value, Name: value, Orgno: orgno})
	}
	return c
}

// Scope implements scope.Source.
func (w *world) Scope(name string) *scope.Scope {
	r := w.rules[name]
	if r == nil {
		return nil
	}
	s := &scope.Scope{
		Name: name, OwnerOrgno: r.owner, Description: name, RequiresUserConsent: r.consent, ConsentVersion: r.version,
		RequiresPseudonymousTokens: r.pseudonymous, TokenType: scope.SelfContained,
		AuthorizationMaxLifetime: int(r.longest / time.Second), ATMaxAge: int(r.oldest / time.Second),
	}
	if r.opaque {
		s.TokenType = scope.Opaque
	}
	return s
}

// Access implements scope.Source.
func (w *world) Access(name, organisation string) scope.AccessState {
	if w.rules[name] != nil && w.rules[name].access[organisation] {
		return scope.Approved
	}
	return ""
}

// User implements token.UserSource.
func (w *world) User(_ context.Context, subject string) (portnertoken.User, error) {
	for _, p := range w.people {
		if p.subject == subject {
			return portnertoken.User{Disabled: p.disabled}, nil
		}
	}
	return portnertoken.User{}, errNotFound
}

// Send implements logout.Sender.
func (w *world) Send(_ context.Context, uri, _ string) error {
	u := must(url.Parse(uri))
	name, _, _ := strings.Cut(u.Host, ".")
	w.sending.Lock()
	defer w.sending.Unlock()
	w.sent = append(w.sent, name)
	return nil
}

// freeAttempts never limits client authentication.
type freeAttempts struct{}

func (freeAttempts) Wait(context.Context, string, string, time.Time) time.Duration { return 0 }
func (freeAttempts) Failed(context.Context, string, string, time.Time)             {}

// fixedSecret returns the same secret in every walk.
func fixedSecret(name string) portner.Secret {
	sum := sha256.Sum256([]byte(name))
	return sum[:]
}

// build makes the provider.
func (w *world) build() {
	clock := func() time.Time { return w.now }
	w.store = memory.New()
	secrets := []portner.Secret{fixedSecret("walk")}
	vault := must(portnersession.NewVault(issuer, secrets...))
	exchanges := must(exchange.New(exchange.Config{
		Issuer: issuer, Store: w.store, Vault: vault, Scopes: w,
		Policy: func(context.Context, *exchange.Request) (exchange.Decision, error) { return exchange.Decision{}, nil },
	}))
	machines := must(maskinporten.NewGrantHandler(maskinporten.Config{Issuer: issuer, Clients: w, Scopes: w, Replay: w.store, Now: clock}))
	profile := provider.IDPorten()
	profile.PromptValues = []string{"login", "none", "consent", "select_account"}
	profile.SubjectTypesSupported = []string{client.Public, client.Pairwise}
	profile.IDTokenOnRefresh, profile.ConfirmLogout = true, true
	w.provider = must(provider.New(provider.Config{
		Issuer: issuer, Profile: profile, Store: w.store, Keys: signing(), Clients: w, Scopes: w, Page: w.page,
		Secrets: secrets, PairwiseKey: fixedSecret("pairwise"),
		PushedRequests: w.store, History: w.store, Replay: w.store, Attempts: freeAttempts{}, Users: w, MaxSessionsPerUser: sessionsEach, RotationGrace: grace,
		AuthorizationDetails: must(rar.NewRegistry(w.detailTypes()...)),
		GrantHandlers:        []portnertoken.GrantHandler{exchanges, machines}, Backchannel: w,
		Now: clock, Logger: slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}))
	w.api = must(authorizations.New(authorizations.Config{
		Store: w.store, Vault: w.provider.Vault, Tokens: w.provider.Token.Minter(), Clients: w, Scopes: w, Now: clock,
		History: w.store, Machines: w, Sufficient: func(level string) bool { return level != "" },
		SubjectOf: func(context.Context, norway.PID) (string, bool, error) { return "", false, nil },
	}))
}

// detailText returns authorization_details of a type, "" for none.
func detailText(typ string) string {
	if typ == "" {
		return ""
	}
	return `[{"amount":"12","type":"` + typ + `"}]` // in the order of encoding/json
}

// detailTypes returns the types of authorization_details: payment, a right that can end, and notice, which is for one token.
func (w *world) detailTypes() []rar.Type {
	all := func(details []rar.Detail) (out []json.RawMessage) {
		for _, d := range details {
			out = append(out, d.JSON)
		}
		return out
	}
	pay := func(_ context.Context, r rar.Request, details []rar.Detail) ([]json.RawMessage, error) {
		for _, p := range w.people {
			if p.subject == r.Subject && p.banned {
				return nil, rar.ErrDenied
			}
		}
		return all(details), nil
	}
	return []rar.Type{
		{
			Name: "payment", Members: []string{"amount"}, Refresh: pay,
			Grant: func(ctx context.Context, r rar.Request, details []rar.Detail, _ []string) ([]json.RawMessage, error) {
				return pay(ctx, r, details)
			},
		},
		{
			Name: "notice", Members: []string{"amount"}, NoApproval: true,
			Grant: func(_ context.Context, _ rar.Request, details []rar.Detail, _ []string) ([]json.RawMessage, error) {
				return all(details), nil
			},
		},
	}
}

// authentication returns a login in the form of the provider.
func authentication(l *login) portnersession.Authentication {
	a := portnersession.Authentication{
		Identity: portnersession.Identity{Subject: l.person.subject}, ACR: l.level, AMR: []string{l.method},
	}
	if l.pid != "" {
		a.Identity.Identifiers = append(a.Identity.Identifiers, must(pseudonym.NewIdentifier(portnersession.TypePID, l.pid)))
	}
	if l.email != "" {
		a.Identity.Identifiers = append(a.Identity.Identifiers, must(pseudonym.NewIdentifier(portnersession.TypeEmail, l.email)))
	}
	if l.given != "" {
		a.Identity.Attributes = map[string]string{"given_name": l.given}
	}
	return a
}

// page answers the posted form of a page, and shows it otherwise.
func (w *world) page(rw http.ResponseWriter, r *http.Request, p *authorize.Pending) *authorize.Decision {
	if r.Method != http.MethodPost {
		h := rw.Header()
		h.Set("X-Csrf", p.CSRF())
		h.Set("X-Step", string(p.Step))
		for _, s := range p.Scopes {
			h.Add("X-Scope", s.Name)
		}
		for _, d := range p.Details {
			h.Add("X-Detail", d.ID+string(d.JSON))
		}
		rw.WriteHeader(http.StatusOK)
		return nil
	}
	f := r.PostForm
	if f.Get("cancel") != "" {
		return p.Cancel(r.Context())
	}
	switch p.Step {
	case authorize.ConsentStep:
		return p.Consent(r.Context(), f["scope"])
	case authorize.RepresentationStep:
		return p.Represent(r.Context(), f["choice"])
	}
	for _, l := range w.logins {
		if l.name == f.Get("login") {
			return p.LogIn(r.Context(), authentication(l))
		}
	}
	panic("no login")
}

// browser is a browser of the host's users. session is the session of its cookie.
type browser struct {
	*world
	id      int
	cookies map[string]string
	session *session
}

// page is a response that a browser shows, or the redirect that left the provider.
type response struct {
	status    int
	step      string
	url, csrf string
	shown     []string
	details   bool // the page shows authorization_details
	body      string
	left      *url.URL
	header    http.Header
}

// outcome names what a response is: a page, a code, an error for the client, or an error page.
func (r *response) outcome() string {
	switch {
	case r.left != nil && r.left.Query().Get("code") != "":
		return "code"
	case r.left != nil:
		return "error " + r.left.Query().Get("error")
	case r.step != "":
		return "page " + r.step
	}
	return fmt.Sprintf("error page %d", r.status)
}

// do sends a request and follows redirects within the provider.
func (b *browser) do(method, rawURL string, form url.Values) *response {
	for range 8 {
		var body *strings.Reader
		r := httptest.NewRequestWithContext(context.Background(), method, rawURL, http.NoBody)
		if method == http.MethodPost {
			body = strings.NewReader(form.Encode())
			r = httptest.NewRequestWithContext(context.Background(), method, rawURL, body)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Origin", issuer)
		}
		for name, value := range b.cookies {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		rec := httptest.NewRecorder()
		b.provider.ServeHTTP(rec, r)
		synctest.Wait() // for logout tokens that are sent in the background
		for _, c := range rec.Result().Cookies() {
			if c.MaxAge < 0 {
				delete(b.cookies, c.Name)
			} else {
				b.cookies[c.Name] = c.Value
			}
		}
		h := rec.Header()
		if rec.Code >= 500 {
			b.fail("%s %s answers %d: %s", method, r.URL.Path, rec.Code, b.lastLog())
		}
		location := h.Get("Location")
		if location == "" {
			return &response{
				status: rec.Code, step: h.Get("X-Step"), csrf: h.Get("X-Csrf"), shown: h["X-Scope"], details: "["+strings.TrimPrefix(h.Get("X-Detail"), "detail 1")+"]" == detailText("payment"), url: rawURL, body: rec.Body.String(), header: h,
			}
		}
		b.identifiesNobody("a Location", location)
		next := must(r.URL.Parse(location))
		if !strings.HasPrefix(next.String(), issuer+"/") {
			return &response{status: rec.Code, left: next, header: h}
		}
		method, rawURL, form = http.MethodGet, next.String(), nil
	}
	b.fail("too many redirects")
	return nil
}

// answer is the response of an endpoint for clients.
type answer struct {
	status int
	text   string
	doc    map[string]any
}

func (a *answer) str(name string) string { s, _ := a.doc[name].(string); return s }

// failure is the error code of an answer, "" if there is none.
func (a *answer) failure() string {
	if a.status == http.StatusOK {
		return ""
	}
	if e := a.str("error"); e != "" {
		return e
	}
	return fmt.Sprint(a.status)
}

// call posts a form as a client. A browser application sends its client_id only; every machine is unauthenticated.
func (w *world) call(path string, c *registration, form url.Values) *answer {
	if c != nil && c.browser {
		form.Set("client_id", c.id)
	}
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, issuer+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if c != nil && !c.browser {
		r.SetBasicAuth(c.id, secret)
	}
	return w.serve(r)
}

func (w *world) serve(r *http.Request) *answer {
	rec := httptest.NewRecorder()
	w.provider.ServeHTTP(rec, r)
	a := &answer{status: rec.Code, text: rec.Body.String()}
	if rec.Code >= 500 {
		w.fail("%s answers %d: %s", r.URL.Path, rec.Code, w.lastLog())
	}
	if a.text != "" {
		if err := json.Unmarshal(rec.Body.Bytes(), &a.doc); err != nil {
			w.fail("%s: %v: %s", r.URL.Path, err, a.text)
		}
	}
	return a
}

func (w *world) userInfo(token string) *answer {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, issuer+"/userinfo", http.NoBody)
	r.Header.Set("Authorization", "Bearer "+token)
	return w.serve(r)
}

// lastLog returns the last line of the log.
func (w *world) lastLog() string {
	lines := strings.Split(strings.TrimSpace(w.log.String()), "\n")
	return lines[len(lines)-1]
}

// payload returns the claims of a JWT, with their text.
func payload(jwt string) (map[string]any, string) {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return nil, ""
	}
	raw := must(base64.RawURLEncoding.DecodeString(parts[1]))
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		panic(err)
	}
	return doc, string(raw)
}

// failed is the panic of a walk that found a difference.
type failed struct{ text string }

func (w *world) fail(format string, args ...any) { panic(failed{fmt.Sprintf(format, args...)}) }

func (w *world) note(format string, args ...any) {
	w.steps = append(w.steps, fmt.Sprintf(format, args...))
}
