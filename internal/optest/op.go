// Package optest has a provider, a browser and a client for tests. They exchange values without sockets, so that whole flows run
// under testing/synctest.
package optest

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/canary"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage/memory"
)

// Values of the test provider.
const (
	Issuer   = "https://login.example.no"
	Callback = "https://tjeneste.example.no/callback"
	Secret   = "q8H2vTz5yWm0RkN7uXc4LbP9sJdF1gAe"
	Org      = "991825827"
	OwnerOrg = "974761076"
	KariPID  = "21879498012"
)

// OP is a provider with test pages.
type OP struct {
	*provider.Provider
	Store *memory.Store
	Keys  *keyset.Set
	// Front serves the requests of browsers and clients in place of the provider, such as a handler around it. If nil, the provider does.
	Front   http.Handler
	persons map[string]session.Authentication
	watched *canary.Recorder // nil in benchmarks
}

// Options change the test provider.
type Options struct {
	Alg     string // of the only key if Keys is nil; the default is ES256
	Keys    *keyset.Set
	Clients []client.Client // in addition to those of Clients()
	Scopes  []scope.Scope   // in addition to those of Scopes()
	// Persons are the logins of the test page, by name. If nil, they are kari, kari-minid, ola, kari-long and ola-long.
	Persons map[string]session.Authentication
	Change  func(*provider.Config)
	// Leaks are values that a test lets leave on purpose, in addition to those of every server.
	Leaks []canary.Allowance
	// Unobserved leaves out the canary.Recorder, for a test that measures.
	Unobserved bool
}

// New returns a provider. At the end of the test its log, URLs and error pages are searched for identity numbers, secrets and tokens.
func New(tb testing.TB, o Options) *OP {
	tb.Helper()
	must := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	op := &OP{Store: memory.New(), Keys: o.Keys, persons: o.Persons}
	if op.persons == nil {
		op.persons = persons
	}
	if op.Keys == nil {
		if o.Alg == "" {
			o.Alg = keyset.ES256
		}
		key, err := keyset.Generate(o.Alg)
		must(err)
		op.Keys, err = keyset.New(keyset.Config{Keys: []keyset.Key{key}})
		must(err)
	}
	clients, err := client.NewRegistry(client.Environment{}, append(Clients(tb), o.Clients...)...)
	must(err)
	scopes := append(Scopes(), o.Scopes...)
	var access []scope.Access
	for _, s := range scopes {
		access = append(access, scope.Access{Scope: s.Name, ConsumerOrgno: Org, State: scope.Approved})
	}
	registry, err := scope.NewRegistry(scopes, access)
	must(err)
	cfg := provider.Config{
		Issuer: Issuer, Profile: provider.IDPorten(), Store: op.Store, Keys: op.Keys, Clients: clients, Origins: clients.HasOrigin, Scopes: registry,
		Page:    op.page,
		Secrets: []portner.Secret{portner.NewSecret()}, PairwiseKey: portner.NewSecret(),
		PushedRequests: op.Store, Replay: op.Store,
	}
	if o.Change != nil {
		o.Change(&cfg)
	}
	op.watch(tb, o, &cfg)
	p, err := provider.New(cfg)
	must(err)
	op.Use(p)
	return op
}

// watch makes a canary.Recorder observe the provider. Benchmarks have none.
func (op *OP) watch(tb testing.TB, o Options, cfg *provider.Config) {
	if _, cost := tb.(*testing.B); cost || o.Unobserved {
		return
	}
	r := canary.Watch(tb, o.Leaks...)
	for _, s := range append(cfg.Secrets, cfg.PairwiseKey) {
		r.Keep(canary.Key, string(s))
	}
	r.Keep(canary.ClientSecret, Secret)
	for _, a := range op.persons {
		for _, id := range a.Identity.Identifiers {
			r.Keep(canary.IdentityNumber, id.Reveal())
		}
	}
	logger := slog.DiscardHandler
	if cfg.Logger != nil {
		logger = cfg.Logger.Handler()
	}
	cfg.Logger = slog.New(r.Logger(logger))
	if next := cfg.OnEvent; next != nil {
		cfg.OnEvent = func(ctx context.Context, e portner.Event) { r.Event(ctx, e); next(ctx, e) }
	} else {
		cfg.OnEvent = r.Event
	}
	op.watched = r
}

// Use replaces the provider, as a restart with another configuration does.
func (op *OP) Use(p *provider.Provider) { op.Provider = p }

// ServeHTTP serves the requests of browsers and clients.
func (op *OP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := http.Handler(http.HandlerFunc(op.serve))
	if op.watched != nil {
		h = op.watched.Handler(h)
	}
	h.ServeHTTP(w, r)
}

func (op *OP) serve(w http.ResponseWriter, r *http.Request) {
	if op.Front != nil {
		op.Front.ServeHTTP(w, r)
		return
	}
	op.Provider.ServeHTTP(w, r)
}

// Clients returns two services, an isolated one, and a client of the API owner.
func Clients(tb testing.TB) []client.Client {
	tb.Helper()
	secret, err := client.NewSecret(Secret, time.Time{})
	if err != nil {
		tb.Fatal(err)
	}
	service := func(id string) client.Client {
		base := strings.Replace(Callback, "tjeneste", id, 1)
		return client.Client{
			ClientID: id, ClientName: id, OrganisationNo: Org, IntegrationType: "api_klient", Secrets: []client.Secret{secret},
			GrantTypes: []string{"authorization_code", "refresh_token"}, RedirectURIs: []string{base},
			PostLogoutRedirectURIs: []string{base + "/out"}, FrontchannelLogoutURI: base + "/fc", FrontchannelLogoutSessionRequired: true,
			Scopes: []string{"openid", "profile", "test:consent", "test:pseudonym", "test:opaque", "test:api"},
		}
	}
	isolated := service("isolated")
	isolated.SSODisabled = true
	owner := service("owner")
	owner.OrganisationNo = OwnerOrg
	owner.Scopes = []string{"openid", "profile", scope.Introspection}
	return []client.Client{service("tjeneste"), service("annen"), isolated, owner}
}

// Scopes returns one scope of each kind.
func Scopes() []scope.Scope {
	return []scope.Scope{
		{Name: "test:api", OwnerOrgno: OwnerOrg, Description: "API"},
		{Name: "test:consent", OwnerOrgno: OwnerOrg, Description: "Samtykke", RequiresUserConsent: true, AuthorizationMaxLifetime: 3600},
		{Name: "test:pseudonym", OwnerOrgno: OwnerOrg, Description: "Pseudonym", RequiresPseudonymousTokens: true},
		{Name: "test:opaque", OwnerOrgno: OwnerOrg, Description: "Opak", TokenType: scope.Opaque},
	}
}

// persons are the logins of the test page.
var persons = map[string]session.Authentication{
	"kari":       person("kari", KariPID, acr.High, "BankID"),
	"kari-minid": person("kari", KariPID, acr.Substantial, "Minid-APP"),
	"ola":        person("ola", "45840375084", acr.Substantial, "Minid-OTC"),
	// Their subjects are long enough to be searched for in pseudonymous documents.
	"kari-long": person("kari-nordmann-1234", KariPID, acr.High, "BankID"),
	"ola-long":  person("ola-nordmann-5678", "45840375084", acr.High, "BankID"),
}

func person(subject, pid, level, method string) session.Authentication {
	return session.Authentication{
		Identity: session.Identity{Subject: subject, Identifiers: Identifiers(pid)}, ACR: level, AMR: []string{method},
	}
}

// Identifiers returns the identifiers of a user with a national identity number, or nil if pid is empty.
func Identifiers(pid string) []pseudonym.Identifier {
	id, err := pseudonym.NewIdentifier(session.TypePID, pid)
	if err != nil {
		return nil
	}
	return []pseudonym.Identifier{id}
}

// Header fields of the test pages, in place of their content.
const (
	headerCSRF   = "X-Test-Csrf"
	headerStep   = "X-Test-Step"
	headerReason = "X-Test-Reason"
	headerChoice = "X-Test-Choice"
)

// page answers the page of a step at its post, and shows it otherwise.
func (op *OP) page(w http.ResponseWriter, r *http.Request, p *authorize.Pending) *authorize.Decision {
	if r.Method != http.MethodPost {
		show(w, p)
		return nil
	}
	switch p.Step {
	case authorize.RepresentationStep:
		return p.Represent(r.Context(), r.PostForm["choice"])
	case authorize.ConsentStep:
		return p.Consent(r.Context(), r.PostForm["scope"])
	}
	return p.LogIn(r.Context(), op.persons[r.PostForm.Get("user")])
}

func show(w http.ResponseWriter, p *authorize.Pending) {
	if p.Selection != nil {
		for _, c := range p.Selection.Choices {
			w.Header().Add(headerChoice, c.ID)
		}
	}
	w.Header().Set(headerCSRF, p.CSRF())
	w.Header().Set(headerStep, string(p.Step))
	w.Header().Set(headerReason, string(p.Reason))
	w.WriteHeader(http.StatusOK)
}
