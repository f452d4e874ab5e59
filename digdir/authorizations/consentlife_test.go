package authorizations_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/exchange"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/token"
)

// lifeWorld is a provider with its authorizations API. The test changes its registers and its clock.
type lifeWorld struct {
	t       *testing.T
	op      *optest.OP
	vault   *session.Vault
	api     *authorizations.API
	browser *optest.Browser

	mu           sync.Mutex
	clock        time.Time
	userDisabled bool
	client       func(*client.Client) *client.Client // of the client "life"
	scopes       map[string]func(scope.Scope) *scope.Scope
	access       scope.AccessState
	revocations  int // that succeed before the store of the API fails, and one; 0 is no limit
}

// failingStore fails after some revocations.
type failingStore struct {
	*memory.Store
	w *lifeWorld
}

// Revoke implements authorizations.Store.
func (s *failingStore) Revoke(ctx context.Context, r storage.Revocation, now time.Time) error {
	if s.w.revocations == 1 {
		return errors.New("the store does not answer")
	}
	s.w.revocations = max(0, s.w.revocations-1)
	return s.Store.Revoke(ctx, r, now)
}

const lifeScopes = "openid profile life:a life:b life:c " + authorizations.Scope

// Now is the clock of the provider.
func (w *lifeWorld) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *lifeWorld) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

// User implements token.UserSource.
func (w *lifeWorld) User(context.Context, string) (token.User, error) {
	return token.User{Disabled: w.userDisabled}, nil
}

type lifeClients struct {
	client.Source
	w *lifeWorld
}

// Client implements client.Source.
func (s lifeClients) Client(ctx context.Context, id string) (*client.Client, error) {
	c, err := s.Source.Client(ctx, id)
	if err != nil || id != "life" {
		return c, err
	}
	changed := *c
	changed.GrantTypes = []string{"authorization_code", "refresh_token", exchange.GrantType}
	if s.w.client == nil {
		return &changed, nil
	}
	if c = s.w.client(&changed); c == nil {
		return nil, storage.ErrNotFound
	}
	return c, nil
}

type lifeCatalogue struct {
	scope.Source
	w *lifeWorld
}

// Scope implements scope.Source.
func (s lifeCatalogue) Scope(name string) *scope.Scope {
	found, change := s.Source.Scope(name), s.w.scopes[name]
	if found == nil || change == nil {
		return found
	}
	return change(*found)
}

// Access implements scope.Source.
func (s lifeCatalogue) Access(name, organisation string) scope.AccessState {
	if name == "life:a" && s.w.access != "" {
		return s.w.access
	}
	return s.Source.Access(name, organisation)
}

func newLifeWorld(t *testing.T) *lifeWorld {
	t.Helper()
	w := &lifeWorld{t: t, clock: time.Now(), scopes: map[string]func(scope.Scope) *scope.Scope{}}
	app := optest.Clients(t)[0]
	app.ClientID, app.RedirectURIs = "life", []string{optest.RedirectURI("life")}
	app.PostLogoutRedirectURIs, app.FrontchannelLogoutURI, app.FrontchannelLogoutSessionRequired = nil, "", false
	app.AuthorizationLifetime, app.AccessTokenLifetime, app.RefreshTokenLifetime = 600, 600, 600
	app.Scopes = []string{"openid", "profile", "life:a", "life:b", "life:c", "life:other", "life:pseudonym", scope.Introspection, authorizations.Scope}
	app.OnBehalfOf = []client.OnBehalfOf{{Value: "kunde", Name: "Kunde", Orgno: optest.OwnerOrg}, {Value: "kunde2", Name: "Annen kunde", Orgno: otherOrg}}
	var cfg provider.Config
	w.op = optest.New(t, optest.Options{
		Clients: []client.Client{app},
		Scopes: []scope.Scope{
			{Name: "life:a", Description: "A", OwnerOrgno: optest.OwnerOrg, RequiresUserConsent: true},
			{Name: "life:b", Description: "B", OwnerOrgno: optest.OwnerOrg, RequiresUserConsent: true},
			{Name: "life:c", Description: "C", OwnerOrgno: optest.OwnerOrg},
			{Name: "life:other", Description: "En annens", OwnerOrgno: otherOrg},
			{Name: "life:pseudonym", Description: "P", OwnerOrgno: optest.OwnerOrg, RequiresPseudonymousTokens: true},
			{Name: authorizations.Scope, Description: "Fullmakter", OwnerOrgno: optest.OwnerOrg},
		},
		Change: func(c *provider.Config) {
			c.Now, c.Users = w.Now, w
			c.Clients, c.Scopes = lifeClients{c.Clients, w}, lifeCatalogue{c.Scopes, w}
			c.Profile.PromptValues = []string{"login", "none", "consent"}
			page := c.Page
			c.Page = func(rw http.ResponseWriter, r *http.Request, p *authorize.Pending) *authorize.Decision {
				if r.Method == http.MethodPost && r.PostForm.Get("cancel") != "" {
					return p.Cancel(r.Context())
				}
				for _, s := range p.Scopes {
					rw.Header().Add("X-Test-Scope", s.Name)
				}
				return page(rw, r, p)
			}
			var err error
			w.vault, err = session.NewVault(c.Issuer, c.Secrets...)
			require.NoError(t, err)
			g, err := exchange.New(exchange.Config{Issuer: c.Issuer, Store: c.Store.(token.GrantStore), Vault: w.vault, Scopes: c.Scopes})
			require.NoError(t, err)
			c.GrantHandlers = []token.GrantHandler{g}
			cfg = *c
		},
	})
	var err error
	w.api, err = authorizations.New(authorizations.Config{
		Store: &failingStore{w.op.Store, w}, Vault: w.op.Vault, Tokens: w.op.Token.Minter(), Clients: cfg.Clients, Scopes: cfg.Scopes, Machines: machines{}, Now: w.Now,
		Sufficient: substantial,
		SubjectOf: func(_ context.Context, pid norway.PID) (string, bool, error) {
			return "kari", pid.Reveal() == optest.KariPID, nil
		},
	})
	require.NoError(t, err)
	w.browser = w.op.Browser()
	return w
}

// change replaces the registration of the client.
func (w *lifeWorld) change(f func(*client.Client) *client.Client) { w.client = f }

// request returns an authorization request for a customer.
func (w *lifeWorld) request(customer, scopes string, extra ...string) optest.Request {
	if customer != "" {
		extra = append(extra, "onbehalfof", customer)
	}
	return w.op.Request("life", scopes, extra...)
}

// tokens are those of one login, and one that was exchanged.
type tokens struct{ access, refresh, exchanged string }

// login logs kari in, approves everything that the consent page shows, and redeems the code.
func (w *lifeWorld) login(customer, scopes string) (tokens, optest.Answer) {
	w.t.Helper()
	r := w.request(customer, scopes)
	p := w.browser.Login(w.t, r, "kari")
	if p.Step() == "consent" {
		p = w.browser.Post(w.t, p, url.Values{"scope": p.Header["X-Test-Scope"]})
	}
	a := w.op.Exchange(w.t, r, p.Code(w.t))
	require.Equal(w.t, http.StatusOK, a.Status, a.JSON)
	l := tokens{access: a.String("access_token"), refresh: a.String("refresh_token")}
	l.exchanged = w.exchange(l.access).String("access_token")
	require.NotEmpty(w.t, l.exchanged)
	return l, a
}

func (w *lifeWorld) exchange(access string) optest.Answer {
	return w.op.Call(w.t, "/token", "life", url.Values{
		"grant_type": {exchange.GrantType}, "subject_token": {access}, "subject_token_type": {exchange.AccessToken},
	})
}

// lifeParty returns the party of grants and consents for a customer.
func lifeParty(customer string) string {
	return optest.Org + "//" + map[string]string{"kunde": optest.OwnerOrg, "kunde2": otherOrg}[customer] + "/" + customer
}

// consents returns the scopes of the live consents to the client for a customer.
func (w *lifeWorld) consents(customer string) []string {
	w.t.Helper()
	list, err := w.op.Store.Consents(w.t.Context(), storage.ConsentKey{UserKey: w.vault.UserKey("kari"), ClientID: "life", Customer: lifeParty(customer)}, w.Now())
	require.NoError(w.t, err)
	names := []string{}
	for _, c := range list {
		names = append(names, c.Scope)
	}
	slices.Sort(names)
	return names
}

// authorization returns the identifier of the authorization of a live access token.
func (w *lifeWorld) authorization(access string) string {
	w.t.Helper()
	_, g, err := w.op.Store.AccessToken(w.t.Context(), storage.HashOf(access), w.Now())
	require.NoError(w.t, err)
	return w.vault.GrantHandle(g.UserKey, g.ID)
}

// listed reports whether the page of the user lists an authorization.
func (w *lifeWorld) listed(id string) bool {
	w.t.Helper()
	list, err := w.api.OfUser(w.t.Context(), "kari", authorizations.Filter{WithoutConsent: true}, w.Now())
	require.NoError(w.t, err)
	return slices.ContainsFunc(list.Authorizations, func(a authorizations.Authorization) bool { return a.ID == id })
}

// end ends an authorization as an organisation does.
func (w *lifeWorld) end(organisation, access string) {
	w.t.Helper()
	caller, err := w.api.AuthenticateMachine(w.t.Context(), []string{"Bearer " + organisation})
	require.NoError(w.t, err)
	require.NoError(w.t, w.api.End(w.t.Context(), caller, w.authorization(access)))
}

// answer opens a request with prompt=consent and posts a form to the consent page.
func (w *lifeWorld) answer(form url.Values) {
	w.t.Helper()
	clear(w.scopes) // as if withoutConsent had not been called
	p := w.browser.Login(w.t, w.request("kunde", lifeScopes, "prompt", "consent"), "kari")
	require.Equal(w.t, "consent", p.Step())
	w.browser.Post(w.t, p, form)
}

// next returns what an authorization request leads to: a step of a page, "code", or "error".
func next(p optest.Page) string {
	switch {
	case p.Step() != "":
		return p.Step()
	case p.Left != nil && p.Left.Query().Get("code") != "":
		return "code"
	}
	return "error"
}

// use reports which uses of the tokens succeed. Each use must succeed or fail with the error of its endpoint.
func (w *lifeWorld) use(l tokens) map[string]bool {
	w.t.Helper()
	got := map[string]bool{}
	for what, access := range map[string]string{"access token": l.access, "exchanged token": l.exchanged} {
		got["userinfo, "+what] = w.op.UserInfo(w.t, access).Status == http.StatusOK
		a := w.op.Introspect(w.t, "life", access)
		if a.Status == http.StatusUnauthorized { // the client cannot authenticate
			a = w.op.Introspect(w.t, "owner", access)
		}
		require.Equal(w.t, http.StatusOK, a.Status)
		got["introspection, "+what] = a.JSON["active"] == true
		if a.JSON["active"] != true {
			require.Equal(w.t, map[string]any{"active": false}, a.JSON)
		}
		r := httptest.NewRequestWithContext(w.t.Context(), "GET", "/clients/authorizations", http.NoBody)
		r.Header.Set("Authorization", "Bearer "+access)
		rec := httptest.NewRecorder()
		w.api.Handler().ServeHTTP(rec, r)
		got["authorizations API, "+what] = rec.Code == http.StatusOK
		got["exchange, "+what] = w.exchange(access).Status == http.StatusOK
	}
	got["introspection, refresh token"] = w.op.Introspect(w.t, "life", l.refresh).JSON["active"] == true
	return got
}

// requireUse requires that every use succeeds, or that every use fails.
func (w *lifeWorld) requireUse(l tokens, live bool, why string) {
	w.t.Helper()
	for what, got := range w.use(l) {
		require.Equal(w.t, live, got, "%s: %s", why, what)
	}
}

// lifeEvent is one row of the table in docs/spec/consent.md.
type lifeEvent struct {
	do func(w *lifeWorld, l tokens)
	// undo ends the condition of a row whose tokens are refused, to see that they are live again; nil if that is another row.
	undo func(w *lifeWorld)
	// all reports that the event concerns the grants for other customers, too.
	all bool
	// noClient reports that the client cannot authenticate.
	noClient bool
	// remembered are the consents after the event if it keeps or withdraws only some.
	remembered []string
}

func enabled(w *lifeWorld) { w.client = nil }

func changed(name string, f func(*scope.Scope)) func(w *lifeWorld, _ tokens) {
	return func(w *lifeWorld, _ tokens) {
		w.scopes[name] = func(s scope.Scope) *scope.Scope { f(&s); return &s }
	}
}

// withoutConsent lets the scopes require no consent any more.
func withoutConsent(w *lifeWorld) {
	for _, name := range []string{"life:a", "life:b"} {
		changed(name, func(s *scope.Scope) { s.RequiresUserConsent = false })(w, tokens{})
	}
}

func removed(w *lifeWorld, _ tokens) {
	w.scopes["life:a"] = func(scope.Scope) *scope.Scope { return nil }
}

// movedClient gives the client to another organisation, under the same names.
func movedClient(c *client.Client) *client.Client {
	c.OrganisationNo, c.SupplierOrgno = otherOrg, optest.Org
	return c
}

func movedCustomer(c *client.Client) *client.Client {
	c.OnBehalfOf = slices.Clone(c.OnBehalfOf)
	c.OnBehalfOf[0].Orgno = otherOrg
	return c
}

func renamedCustomer(c *client.Client) *client.Client {
	c.ClientName, c.OnBehalfOf = "Riktig navn", slices.Clone(c.OnBehalfOf)
	c.OnBehalfOf[0].Name = "Riktig navn"
	return c
}

func withoutCustomer(c *client.Client) *client.Client {
	c.OnBehalfOf = c.OnBehalfOf[1:]
	return c
}

func disabled(c *client.Client) *client.Client { c.Disabled = true; return c }

var lifeEvents = map[string]lifeEvent{
	"the user cancels on the consent page": {do: func(w *lifeWorld, _ tokens) { w.answer(url.Values{"cancel": {"1"}}) }},
	"the user approves again with prompt=consent": {do: func(w *lifeWorld, _ tokens) {
		w.pass(time.Second)
		w.answer(url.Values{"scope": {"life:a", "life:b"}})
	}},
	"the user declines every scope with prompt=consent": {do: func(w *lifeWorld, _ tokens) { w.answer(url.Values{}) }, undo: withoutConsent},
	"the user declines one scope of the grant": {
		do:   func(w *lifeWorld, _ tokens) { w.answer(url.Values{"scope": {"life:b"}}) },
		undo: withoutConsent, remembered: []string{"life:b"},
	},
	"the user declines and approves again": {do: func(w *lifeWorld, _ tokens) {
		w.answer(url.Values{})
		w.pass(time.Second)
		w.answer(url.Values{"scope": {"life:a", "life:b"}})
	}, undo: withoutConsent},
	"the user declines one scope and approves it again": {do: func(w *lifeWorld, _ tokens) {
		w.answer(url.Values{"scope": {"life:b"}})
		w.pass(time.Second)
		w.answer(url.Values{"scope": {"life:a", "life:b"}})
	}, undo: withoutConsent},
	"the user ends the authorization": {do: func(w *lifeWorld, l tokens) {
		require.NoError(w.t, w.api.Revoke(w.t.Context(), "kari", w.authorization(l.access), w.Now()))
	}},
	"the organisation of the client ends the authorization": {do: func(w *lifeWorld, l tokens) { w.end(optest.Org, l.access) }},
	"the owner of all scopes ends the authorization":        {do: func(w *lifeWorld, l tokens) { w.end(optest.OwnerOrg, l.access) }},
	"the owner of one of several scopes ends the grant": {do: func(w *lifeWorld, l tokens) {
		other, _ := w.login("kunde", "openid profile life:other")
		w.end(optest.OwnerOrg, l.access)
		require.Equal(w.t, http.StatusOK, w.op.UserInfo(w.t, other.access).Status, "the grant for the scope of another owner")
	}},
	"the client revokes a token": {do: func(w *lifeWorld, l tokens) {
		require.Equal(w.t, http.StatusOK, w.op.Call(w.t, "/revoke", "life", url.Values{"token": {l.access}}).Status)
	}},
	"the customer leaves the registration": {do: func(w *lifeWorld, _ tokens) { w.change(withoutCustomer) }, undo: enabled},
	"the customer leaves the registration and returns": {do: func(w *lifeWorld, _ tokens) {
		w.change(withoutCustomer)
		enabled(w)
	}},
	"the organisation of the client changes":   {do: func(w *lifeWorld, _ tokens) { w.change(movedClient) }, all: true, undo: enabled},
	"the organisation of the customer changes": {do: func(w *lifeWorld, _ tokens) { w.change(movedCustomer) }, undo: enabled},
	"the names of client and customer change":  {do: func(w *lifeWorld, _ tokens) { w.change(renamedCustomer) }},
	"the version of the text changes": {
		do: changed("life:a", func(s *scope.Scope) { s.ConsentVersion = "2" }), all: true, undo: func(w *lifeWorld) { clear(w.scopes) },
	},
	"the version of the text changes back": {do: func(w *lifeWorld, l tokens) {
		changed("life:a", func(s *scope.Scope) { s.ConsentVersion = "2" })(w, l)
		w.requireUse(l, false, "other version")
		clear(w.scopes)
	}},
	"the version of the text changes and the user approves it": {do: func(w *lifeWorld, l tokens) {
		changed("life:a", func(s *scope.Scope) { s.ConsentVersion = "2" })(w, l)
		w.pass(time.Second)
		w.login("kunde", lifeScopes)
	}, all: true, undo: withoutConsent},
	"the scope leaves the catalogue": {do: removed},
	"the scope leaves the catalogue and returns": {do: func(w *lifeWorld, l tokens) {
		removed(w, l)
		clear(w.scopes)
	}},
	"the client loses the access to the scope": {do: func(w *lifeWorld, _ tokens) { w.access = scope.Denied }},
	"a scope of the grant begins to require consent": {
		do: changed("life:c", func(s *scope.Scope) { s.RequiresUserConsent = true }), all: true, undo: func(w *lifeWorld) { clear(w.scopes) },
	},
	"a scope of the grant begins to require consent and the user approves it": {do: func(w *lifeWorld, l tokens) {
		changed("life:c", func(s *scope.Scope) { s.RequiresUserConsent = true })(w, l)
		w.pass(time.Second)
		w.login("kunde", lifeScopes)
	}, all: true, undo: func(w *lifeWorld) { clear(w.scopes) }, remembered: []string{"life:a", "life:b", "life:c"}},
	"the scope ceases to require consent": {do: changed("life:a", func(s *scope.Scope) { s.RequiresUserConsent = false })},
	"the client is disabled":              {do: func(w *lifeWorld, _ tokens) { w.change(disabled) }, all: true, noClient: true, undo: enabled},
	"the client is disabled and enabled again": {do: func(w *lifeWorld, l tokens) {
		w.change(disabled)
		require.Equal(w.t, http.StatusUnauthorized, w.op.Refresh(w.t, "life", l.refresh).Status)
		enabled(w)
	}},
	"the client is removed": {
		do:  func(w *lifeWorld, _ tokens) { w.change(func(*client.Client) *client.Client { return nil }) },
		all: true, noClient: true, undo: enabled,
	},
	"the user is disabled": {do: func(w *lifeWorld, _ tokens) { w.userDisabled = true }, all: true, undo: func(w *lifeWorld) { w.userDisabled = false }},
	"the user is disabled and enabled again": {do: func(w *lifeWorld, l tokens) {
		w.userDisabled = true
		w.requireUse(l, false, "disabled")
		w.userDisabled = false
	}},
	"the user logs out": {do: func(w *lifeWorld, _ tokens) {
		loginOnly, a := w.login("kunde", "openid profile")
		w.browser.Get(w.t, optest.Issuer+"/logout?id_token_hint="+a.String("id_token"))
		require.Equal(w.t, http.StatusUnauthorized, w.op.UserInfo(w.t, loginOnly.access).Status, "a grant of the login only")
	}},
	"the consent expires": {do: func(w *lifeWorld, _ tokens) { w.pass(10 * time.Minute) }, all: true},
}

// documentedEvents returns the rows of the table in docs/spec/consent.md: what happens to consents, tokens and the next request.
func documentedEvents(t *testing.T) map[string][3]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/spec/consent.md")
	require.NoError(t, err)
	rows := map[string][3]string{}
	for _, m := range regexp.MustCompile(`(?m)^\| ([a-z][^|]+) \| (kept|withdrawn) \| ([a-z]+) \| ([a-z]+) \|$`).FindAllStringSubmatch(string(text), -1) {
		rows[m[1]] = [3]string{m[2], m[3], m[4]}
	}
	return rows
}

// TestConsentLife drives every event of docs/spec/consent.md §2 through a whole provider, and compares its effect on the store, on
// every use of tokens and on the next authorization request with the table there.
func TestConsentLife(t *testing.T) {
	t.Parallel()
	documented := documentedEvents(t)
	require.ElementsMatch(t, slices.Collect(maps.Keys(documented)), slices.Collect(maps.Keys(lifeEvents)))
	for name, event := range lifeEvents {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, want := newLifeWorld(t), documented[name]
			other, _ := w.login("kunde2", lifeScopes)
			require.Empty(t, w.consents("kunde"), "a consent for one customer is none for another")
			l, _ := w.login("kunde", lifeScopes)
			w.requireUse(l, true, "before")
			id := w.authorization(l.access)
			event.do(w, l)
			w.requireEffect(event, l, id, want)
			w.requireOther(event, other)
		})
	}
}

// requireEffect requires the documented effect of an event on the consents and the tokens for the customer.
func (w *lifeWorld) requireEffect(event lifeEvent, l tokens, id string, want [3]string) {
	w.t.Helper()
	remembered := map[string][]string{"kept": {"life:a", "life:b"}, "withdrawn": {}}[want[0]]
	if event.remembered != nil {
		remembered = event.remembered
	}
	require.Equal(w.t, remembered, w.consents("kunde"))
	w.requireUse(l, want[1] == "live", "after")
	require.Equal(w.t, want[1] != "ended", w.listed(id), "the user can see and end what may be live again")
	if want[1] == "refused" {
		event.undo(w)
		w.requireUse(l, true, "after the condition has ended")
		event.do(w, l)
	}
	silent := w.browser.Get(w.t, w.request("kunde", lifeScopes, "prompt", "none").URL())
	require.Equal(w.t, want[2] == "code", next(silent) == "code", "prompt=none")
	if code := map[string]string{"consent": "consent_required", "login": "login_required"}[want[2]]; code != "" {
		require.Equal(w.t, code, silent.Left.Query().Get("error"))
	}
	require.Equal(w.t, want[2], next(w.browser.Get(w.t, w.request("kunde", lifeScopes).URL())))
	w.requireRefresh(event, l, want[1])
}

// requireRefresh requires that a refresh works with live tokens only, and ends the grant of refused ones.
func (w *lifeWorld) requireRefresh(event lifeEvent, l tokens, state string) {
	w.t.Helper()
	a := w.op.Refresh(w.t, "life", l.refresh)
	switch {
	case state == "live":
		require.Equal(w.t, http.StatusOK, a.Status, a.JSON)
	case event.noClient:
		require.Equal(w.t, "invalid_client", a.String("error"))
		event.undo(w)
		w.requireUse(l, true, "a client that cannot authenticate ends nothing")
	default:
		require.Equal(w.t, "invalid_grant", a.String("error"))
		if event.undo != nil {
			event.undo(w)
			w.requireUse(l, false, "the refresh has ended the grant")
		}
	}
}

// requireOther requires that the consents for another customer stay, and its tokens unless the event concerns all.
func (w *lifeWorld) requireOther(event lifeEvent, other tokens) {
	w.t.Helper()
	if event.all {
		return
	}
	require.Equal(w.t, []string{"life:a", "life:b"}, w.consents("kunde2"))
	w.requireUse(other, true, "another customer")
}

// expiry returns the end of a JWT, as a client reads it.
func (w *lifeWorld) expiry(jwt string) time.Time {
	w.t.Helper()
	parts := strings.Split(jwt, ".")
	require.Len(w.t, parts, 3)
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(w.t, err)
	var claims struct{ Exp int64 }
	require.NoError(w.t, json.Unmarshal(text, &claims))
	return time.Unix(claims.Exp, 0)
}

// requireEnds requires that no token and no record of a token response promises more than end.
func (w *lifeWorld) requireEnds(a optest.Answer, end time.Time) {
	w.t.Helper()
	require.Equal(w.t, http.StatusOK, a.Status, a.JSON)
	require.False(w.t, w.expiry(a.String("access_token")).After(end), "exp")
	_, g, err := w.op.Store.AccessToken(w.t.Context(), storage.HashOf(a.String("access_token")), w.Now())
	require.NoError(w.t, err)
	require.False(w.t, w.Now().Add(time.Duration(a.JSON["expires_in"].(float64))*time.Second).After(end), "expires_in")
	refresh, ok := a.JSON["refresh_token_expires_in"].(float64)
	if !ok {
		return
	}
	require.False(w.t, w.Now().Add(time.Duration(refresh)*time.Second).After(end), "refresh_token_expires_in")
	exp := w.op.Introspect(w.t, "life", a.String("refresh_token")).JSON["exp"].(float64)
	require.False(w.t, time.Unix(int64(exp), 0).After(end), "introspection of the refresh token")
	list, err := w.api.OfUser(w.t.Context(), "kari", authorizations.Filter{WithoutConsent: true}, w.Now())
	require.NoError(w.t, err)
	i := slices.IndexFunc(list.Authorizations, func(a authorizations.Authorization) bool { return a.ID == w.vault.GrantHandle(g.UserKey, g.ID) })
	require.GreaterOrEqual(w.t, i, 0)
	require.LessOrEqual(w.t, list.Authorizations[i].Expires, end.UnixMilli(), "authorizations API")
}

// TestTokensEndWithTheConsent: a login on a remembered consent that ends before its tokens would. A consent to another scope, which
// the user gives in this login, is not shortened.
func TestTokensEndWithTheConsent(t *testing.T) {
	t.Parallel()
	w := newLifeWorld(t)
	w.login("kunde", "openid life:a")
	end := w.Now().Add(600 * time.Second)
	w.pass(592 * time.Second) // 8 s are left
	later := w.Now().Add(600 * time.Second)
	l, a := w.login("kunde", "openid profile life:a life:b")
	w.requireEnds(a, end)
	w.requireEnds(w.exchange(l.access), end)
	w.pass(2 * time.Second)
	w.requireEnds(w.op.Refresh(t, "life", l.refresh), end)
	require.Equal(t, http.StatusOK, w.op.UserInfo(t, l.access).Status)
	w.pass(6 * time.Second)
	require.Equal(t, []string{"life:b"}, w.consents("kunde"))
	require.Equal(t, http.StatusUnauthorized, w.op.UserInfo(t, l.access).Status)
	list, err := w.op.Store.Consents(t.Context(), storage.ConsentKey{UserKey: w.vault.UserKey("kari"), ClientID: "life", Customer: lifeParty("kunde")}, w.Now())
	require.NoError(t, err)
	require.True(t, later.Equal(list[0].ExpiresAt), "the new consent")
}

// TestTokensEndWithALaterRule: a scope that begins to require consent after a grant was made, and that has a consent which ends
// before the grant. The tokens that are issued then end with the consent.
func TestTokensEndWithALaterRule(t *testing.T) {
	t.Parallel()
	w := newLifeWorld(t)
	requires := changed("life:c", func(s *scope.Scope) { s.RequiresUserConsent = true })
	requires(w, tokens{})
	w.login("kunde", "openid life:c")
	end := w.Now().Add(600 * time.Second)
	clear(w.scopes)
	w.pass(300 * time.Second)
	l, _ := w.login("kunde", "openid profile life:c")
	r := w.request("kunde", "openid profile life:c")
	code := w.browser.Get(t, r.URL()).Code(t)
	requires(w, tokens{})
	w.pass(10 * time.Second)
	w.requireEnds(w.exchange(l.access), end)
	w.requireEnds(w.op.Exchange(t, r, code), end)
	refreshed := w.op.Refresh(t, "life", l.refresh)
	require.Equal(t, http.StatusOK, refreshed.Status)
	require.False(t, w.expiry(refreshed.String("access_token")).After(end), "exp after a refresh")
}

// TestConsentOfANodeThatRunsAhead: a login on a node whose clock is behind that of the node that stored the consent. The grant rests on
// the consent although it is given later by that clock.
func TestConsentOfANodeThatRunsAhead(t *testing.T) {
	t.Parallel()
	w := newLifeWorld(t)
	first, _ := w.login("kunde", lifeScopes)
	w.pass(-5 * time.Second)
	second, _ := w.login("kunde", lifeScopes)
	w.requireUse(second, true, "remembered consent")
	r := w.request("kunde", lifeScopes, "prompt", "consent")
	p := w.browser.Login(t, r, "kari")
	require.Equal(t, "consent", p.Step())
	a := w.op.Exchange(t, r, w.browser.Post(t, p, url.Values{"scope": {"life:a", "life:b"}}).Code(t))
	require.Equal(t, http.StatusOK, a.Status, a.JSON)
	w.requireUse(first, true, "renewed consent")
}

// TestOnlyApprovedScopesAreGranted: of the scopes that were requested, the client gets those without consent and those that the page
// showed and the user approved, for one customer.
func TestOnlyApprovedScopesAreGranted(t *testing.T) {
	t.Parallel()
	w := newLifeWorld(t)
	r := w.request("kunde", "openid profile life:a life:b life:c")
	p := w.browser.Login(t, r, "kari")
	require.Equal(t, []string{"life:a", "life:b"}, p.Header["X-Test-Scope"])
	a := w.op.Exchange(t, r, w.browser.Post(t, p, url.Values{"scope": {"life:b"}}).Code(t))
	require.Equal(t, "openid profile life:b life:c", a.String("scope"))
	require.Equal(t, []string{"life:b"}, w.consents("kunde"))
	p = w.browser.Get(t, w.request("kunde", "openid life:b").URL())
	require.Equal(t, "code", next(p), "remembered")
	for _, customer := range []string{"kunde2", ""} {
		require.Empty(t, w.consents(customer))
		p = w.browser.Get(t, w.request(customer, "openid life:b").URL())
		require.Equal(t, []string{"life:b"}, p.Header["X-Test-Scope"], "customer %q", customer)
	}
	// A form with a scope that the page did not show is no answer.
	p = w.browser.Get(t, w.request("kunde", "openid life:a").URL())
	require.Equal(t, "error", next(w.browser.Post(t, p, url.Values{"scope": {"life:a", "life:c"}})))
	require.Equal(t, []string{"life:b"}, w.consents("kunde"))
}

// TestEndingLinksNoPseudonym: an organisation that ends an authorization of a user whom it identifies, and then introspects its
// pseudonymous tokens, must not see which of them belongs to that user.
func TestEndingLinksNoPseudonym(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(w *lifeWorld, open tokens){
		"machine of the organisation": func(w *lifeWorld, open tokens) { w.end(optest.Org, open.access) },
		"client with a token of the user": func(w *lifeWorld, open tokens) {
			caller, err := w.api.Authenticate(w.t.Context(), token.APIRequest{Authorization: []string{"Bearer " + open.access}})
			require.NoError(w.t, err)
			require.NoError(w.t, w.api.End(w.t.Context(), caller, w.authorization(open.access)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newLifeWorld(t)
			pseudonymous, _ := w.login("", "openid life:a life:pseudonym")
			older, _ := w.login("", lifeScopes)
			open, _ := w.login("", lifeScopes)
			end(w, open)
			for _, l := range []tokens{older, open} {
				w.requireUse(l, false, "every grant that identifies the user ends")
			}
			for _, access := range []string{pseudonymous.access, pseudonymous.exchanged} {
				require.Equal(t, true, w.op.Introspect(t, "life", access).JSON["active"])
			}
			require.Equal(t, http.StatusOK, w.op.Refresh(t, "life", pseudonymous.refresh).Status)
			require.Equal(t, []string{"life:a", "life:b"}, w.consents(""))
			// The user ends everything.
			require.NoError(t, w.api.Revoke(t.Context(), "kari", w.authorization(pseudonymous.access), w.Now()))
			require.Equal(t, false, w.op.Introspect(t, "life", pseudonymous.access).JSON["active"])
			require.Empty(t, w.consents(""))
		})
	}
}

// TestEndingCanBeRepeated: an organisation that could not end all grants because of a fault can send the same request again.
func TestEndingCanBeRepeated(t *testing.T) {
	t.Parallel()
	for revocations := 1; revocations <= 3; revocations++ {
		w := newLifeWorld(t)
		pseudonymous, _ := w.login("", "openid life:pseudonym")
		older, _ := w.login("", lifeScopes)
		middle, _ := w.login("", lifeScopes)
		open, _ := w.login("", lifeScopes)
		caller, err := w.api.AuthenticateMachine(t.Context(), []string{"Bearer " + optest.Org})
		require.NoError(t, err)
		id := w.authorization(middle.access)
		w.revocations = revocations
		require.ErrorIs(t, w.api.End(t.Context(), caller, id), portner.ErrUnavailable)
		w.revocations = 0
		require.NoError(t, w.api.End(t.Context(), caller, id))
		for _, l := range []tokens{older, middle, open} {
			w.requireUse(l, false, "ended")
		}
		require.Equal(t, true, w.op.Introspect(t, "life", pseudonymous.access).JSON["active"])
	}
}
