package authorize_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
)

// TestDetailsNeedApproval: a live session is no approval of details. Types without choices are on the consent page, each time.
func TestDetailsNeedApproval(t *testing.T) {
	t.Parallel()
	const text = `[{"type":"titled"},{"type":"plain","x":[1]},{"type":"free"}]`
	w := newParties(t)
	b := w.browser()
	requireCode(t, b.loginAs(b.authorize(params("silent")), "kari"))
	for range 2 {
		res := b.authorize(params("silent", "authorization_details", text))
		require.Equal(t, "consent", outcome(t, res), "also after an approval")
		form := b.open(res, "/consent")
		require.Empty(t, w.seen.Scopes)
		require.Equal(t, []rar.Shown{
			{ID: "detail 1", Type: "titled", JSON: json.RawMessage(`{"type":"titled"}`), Text: rar.Text{Title: "A nb", Lines: []string{"b"}}},
			{ID: "detail 2", Type: "plain", JSON: json.RawMessage(`{"type":"plain","x":[1]}`), Text: rar.Text{Title: "plain"}},
		}, w.seen.Details)
		require.Equal(t, "page Forbidden invalid_request", outcome(t, b.get(res.Header.Get("Location")+"&hasty=1")), "GET does not approve")
		form["scope"] = []string{"detail 2", "detail 1"}
		require.Equal(t, text, w.details(b.post("/consent", form)))
	}
	require.Equal(t, "error consent_required", outcome(t, b.authorize(params("silent", "prompt", "none", "authorization_details", text))))
	_, reason := w.lastEvent()
	require.Equal(t, "consent_required", reason)
	free := `[{"type":"free","x":"y"}]`
	require.Equal(t, free, w.details(b.authorize(params("silent", "prompt", "none", "authorization_details", free))), "a type with NoApproval")
}

// TestDetailsAreDeclined: declined details are left out of the grant (RFC 9396 §7), and the rest of the request is granted.
func TestDetailsAreDeclined(t *testing.T) {
	t.Parallel()
	w := newParties(t)
	for name, tt := range map[string]struct {
		approved []string
		want     string
	}{
		"all":             {nil, `[{"type":"free"}]`},
		"one":             {[]string{"detail 2"}, `[{"type":"plain","x":2},{"type":"free"}]`},
		"none":            {[]string{"detail 1", "detail 2"}, `[{"type":"plain","x":1},{"type":"plain","x":2},{"type":"free"}]`},
		"not shown":       {[]string{"detail 3"}, "page Forbidden invalid_request"},
		"does not exist":  {[]string{"detail 4"}, "page Forbidden invalid_request"},
		"a name of scope": {[]string{"test:shared"}, "page Forbidden invalid_request"},
	} {
		b := w.browser()
		res := b.loginAs(b.authorize(params("web", "authorization_details", `[{"type":"plain","x":1},{"type":"plain","x":2},{"type":"free"}]`)), "kari")
		form := b.open(res, "/consent")
		form["scope"] = tt.approved
		res = b.post("/consent", form)
		if !strings.HasPrefix(tt.want, "[") {
			require.Equal(t, tt.want, outcome(t, res), name)
			continue
		}
		require.Equal(t, tt.want, w.details(res), name)
		require.Equal(t, requireCode(t, res), requireCode(t, b.post("/consent", form)), "posted twice")
		form["scope"] = []string{"detail 1"}
		require.Equal(t, "page Bad Request invalid_request", outcome(t, b.post("/consent", form)), "another answer to the same request")
		_, reason := w.lastEvent()
		require.Equal(t, "request_completed", reason, name)
	}
	b := w.browser()
	res := b.loginAs(b.authorize(params("web", "scope", "test:shared", "authorization_details", `[{"type":"plain"}]`)), "kari")
	require.Equal(t, "error access_denied", outcome(t, b.consentTo(res, "detail 1")), "no scope is left")
	form := b.open(b.authorize(params("web", "authorization_details", `[{"type":"plain"}]`)), "/consent")
	form.Set("cancel", "1")
	require.Equal(t, "error access_denied", outcome(t, b.post("/consent", form)))
}

// TestScopesAndDetails: one page asks for scopes and details, and a consent is remembered for the scope only.
func TestScopesAndDetails(t *testing.T) {
	t.Parallel()
	w := newParties(t)
	b := w.browser()
	request := params("web", "scope", "openid test:shared", "authorization_details", `[{"type":"plain"}]`)
	res := b.consentTo(b.loginAs(b.authorize(request), "kari"), "detail 1", "test:shared")
	require.Equal(t, `[{"type":"plain"}]`, w.details(res))
	require.Equal(t, []string{"openid", "test:shared"}, w.stored(requireCode(t, res)).Grant.Scopes)
	res = b.authorize(request)
	b.open(res, "/consent")
	require.Empty(t, w.seen.Scopes)
	require.Len(t, w.seen.Details, 1)
	require.Equal(t, `[]`, w.details(b.consentTo(res)))
}

// TestRepresentationShowsDetails: the choice of a party approves the details that the page shows, and nothing else.
func TestRepresentationShowsDetails(t *testing.T) {
	t.Parallel()
	w := newParties(t)
	b := w.browser()
	res := b.loginAs(b.authorize(params("web", "authorization_details", `[{"type":"party","several":true}]`)), "kari")
	b.open(res, "/representation")
	require.Equal(t, []rar.Shown{{
		ID: "detail 1", Type: "party", JSON: json.RawMessage(`{"type":"party","several":true}`), Text: rar.Text{Title: "A nb", Lines: []string{"b"}},
	}}, w.seen.Details)
	require.Equal(t, "error interaction_required", outcome(t, b.authorize(params("silent", "prompt", "none", "authorization_details", twoParties))))
}

// texts is a mutable source of scopes and clients.
type texts struct {
	shared scope.Scope
	web    *client.Client
}

func (s *texts) Scope(name string) *scope.Scope {
	if name != "test:shared" {
		return nil
	}
	return &s.shared
}

func (*texts) Access(string, string) scope.AccessState { return scope.Approved }

// TestEveryTextIsCovered: if one text of the page changes between GET and POST, the page is shown again and nothing is recorded.
func TestEveryTextIsCovered(t *testing.T) {
	t.Parallel()
	type change struct {
		name, page string
		apply      func(*texts, *parties)
	}
	changes := []change{
		{"description of the scope", "/consent", func(s *texts, _ *parties) { s.shared.Descriptions = map[string]string{"en": "Write"} }},
		{"long description", "/consent", func(s *texts, _ *parties) { s.shared.LongDescriptions = map[string]string{"en": "Write"} }},
		{"duration", "/consent", func(s *texts, _ *parties) { s.shared.AuthorizationMaxLifetime = 7 }},
		{"version", "/consent", func(s *texts, _ *parties) { s.shared.ConsentVersion = "2" }},
		{"title of a detail", "/consent", func(_ *texts, p *parties) { p.text.Title = "B" }},
		{"line of a detail", "/consent", func(_ *texts, p *parties) { p.text.Lines = []string{"c"} }},
		{"more lines", "/consent", func(_ *texts, p *parties) { p.text.Lines = []string{"b", ""} }},
		{"title of the representation", "/representation", func(_ *texts, p *parties) { p.text.Title = "B" }},
		{"line of the representation", "/representation", func(_ *texts, p *parties) { p.text.Lines = nil }},
		{"name of a choice", "/representation", func(_ *texts, p *parties) { p.of["kari"][0].Name = "B" }},
		{"hint of a choice", "/representation", func(_ *texts, p *parties) { p.of["kari"][0].Hint = "B" }},
		{"a choice", "/representation", func(_ *texts, p *parties) { p.of["kari"] = p.of["kari"][:1] }},
	}
	for _, page := range []string{"/consent", "/representation"} {
		changes = append(changes,
			change{"client name", page, func(s *texts, _ *parties) { s.web.ClientName = "B" }},
			change{"organisation of the customer", page, func(s *texts, _ *parties) { s.web.OnBehalfOf[0].Orgno = "991825827" }},
			change{"name of the customer", page, func(s *texts, _ *parties) { s.web.OnBehalfOf[0].Name = "B" }},
			change{"address of the client", page, func(s *texts, _ *parties) { s.web.ClientURI = "https://b.example.no" }},
			change{"logo of the client", page, func(s *texts, _ *parties) { s.web.LogoURI = "https://b.example.no" }})
	}
	for _, tt := range changes {
		t.Run(strings.TrimPrefix(tt.page, "/")+", "+tt.name, func(t *testing.T) {
			t.Parallel()
			s := &texts{shared: scope.Scope{
				Name: "test:shared", Description: "x", AccessibleForAll: true, RequiresUserConsent: true, ConsentVersion: "1",
				Descriptions: map[string]string{"en": "Read"},
			}}
			w := newParties(t, func(c *authorize.Config) {
				s.web = c.Clients.(registry)["web"]
				c.Scopes = s
			})
			details := map[string]string{"/consent": `[{"type":"titled"}]`, "/representation": `[{"type":"party","required":true}]`}[tt.page]
			b := w.browser()
			res := b.loginAs(b.authorize(params("web", "scope", "openid test:shared", "onbehalfof", "kunde", "ui_locales", "en",
				"authorization_details", details)), "kari")
			form := b.open(res, tt.page)
			form["scope"], form["party"] = []string{"test:shared", "detail 1"}, []string{"991825827"}
			tt.apply(s, w)
			res = b.post(tt.page, form)
			require.Equal(t, strings.TrimPrefix(tt.page, "/"), outcome(t, res))
			key := storage.ConsentKey{UserKey: w.vault.UserKey("kari"), ClientID: "web", Customer: "991825827/974761076/kunde"}
			consents, err := w.store.Consents(t.Context(), key, w.clock())
			require.NoError(t, err)
			require.Empty(t, consents)
			require.Zero(t, w.store.Stats().Grants)

			answer := b.open(res, tt.page)
			require.EqualValues(t, "content_changed", w.seen.Reason)
			answer["scope"], answer["party"] = form["scope"], form["party"]
			res = b.post(tt.page, answer)
			if tt.page == "/representation" {
				res = b.consentTo(res, "test:shared")
			}
			requireCode(t, res)
		})
	}
}

// TestTextOfAnotherLanguage: a form counts for the language in which its page was shown, whatever language the browser has chosen
// since, and for the texts in that language.
func TestTextOfAnotherLanguage(t *testing.T) {
	t.Parallel()
	w := newParties(t)
	b := w.browser()
	form := b.open(b.loginAs(b.authorize(params("web", "authorization_details", `[{"type":"titled"}]`)), "kari"), "/consent")
	form["scope"] = []string{"detail 1"}
	b.cookies[authorize.LanguageCookie] = "en"
	res := b.post("/consent", form)
	require.Equal(t, "nb", w.seen.Locale)
	require.Equal(t, "nb", w.stored(requireCode(t, res)).Grant.Locale)

	res = b.authorize(params("web", "authorization_details", `[{"type":"titled"}]`))
	form = b.open(res, "/consent")
	require.Equal(t, "A en", w.seen.Details[0].Title)
	form["scope"] = []string{"detail 1"}
	forged := cloneForm(form)
	forged.Set("csrf", "nb"+strings.TrimPrefix(form.Get("csrf"), "en"))
	require.Equal(t, "page Forbidden invalid_request", outcome(t, b.post("/consent", forged)))
	requireCode(t, b.post("/consent", form))
}

// TestRepresentationInAnotherLanguage: changing the language on the consent page does not discard the choice.
func TestRepresentationInAnotherLanguage(t *testing.T) {
	t.Parallel()
	w := newParties(t)
	b := w.browser()
	request := params("web", "scope", "openid test:shared", "authorization_details", twoParties)
	res := b.pick(b.loginAs(b.authorize(request), "kari"), "974761076")
	b.cookies[authorize.LanguageCookie] = "en"
	require.Contains(t, w.details(b.consentTo(res, "test:shared")), "974761076")

	res = b.pick(b.authorize(params("web", "scope", "openid test:second", "authorization_details", twoParties)), "974761076")
	w.text.Title = "B"
	require.Equal(t, "representation", outcome(t, b.get(res.Header.Get("Location"))), "what was approved has changed")
}

// TestRegisterCalls: registers are queried for a user who has logged in, once in an HTTP request, however many details there are.
func TestRegisterCalls(t *testing.T) {
	t.Parallel()
	w := newParties(t)
	ten := "[" + strings.TrimSuffix(strings.Repeat(`{"type":"party"},`, rar.MaxDetails), ",") + "]"
	request := params("silent", "scope", "openid test:shared", "authorization_details", ten)
	b := w.browser()
	login := b.authorize(request)
	form := b.open(login, "/login")
	require.Equal(t, "error login_required", outcome(t, w.browser().authorize(params("silent", "prompt", "none", "authorization_details", ten))))
	require.Empty(t, w.count(), "before the login")

	form.Set("user", "kari")
	res := b.post("/login", form)
	require.Equal(t, map[string]int{"choices": 1, "describe": 1}, w.count(), "the login")
	form = b.open(res, "/representation")
	require.Equal(t, map[string]int{"choices": 1, "describe": 1}, w.count(), "the page")
	stranger := w.browser()
	stranger.get(res.Header.Get("Location"))
	stranger.isAlso(b)
	require.Equal(t, "login", outcome(t, stranger.get(res.Header.Get("Location"))), "no session")
	foreign := cloneForm(form)
	foreign.Set("csrf", "x")
	b.post("/representation", foreign)
	require.Empty(t, w.count(), "neither a stranger nor a forged form reaches the register")

	form["party"] = []string{"991825827"}
	res = b.post("/representation", form)
	require.Equal(t, map[string]int{"choices": 1, "describe": 1}, w.count(), "the answer")
	form = b.open(res, "/consent")
	require.Equal(t, map[string]int{"choices": 1, "describe": 1}, w.count(), "the consent page")
	form["scope"] = []string{"test:shared"}
	requireCode(t, b.post("/consent", form))
	require.Equal(t, map[string]int{"choices": 1, "describe": 1, "grant": 1}, w.count(), "the code")
	require.Equal(t, "error interaction_required", outcome(t, b.authorize(params("silent", "prompt", "none", "authorization_details", ten))))
	require.Equal(t, map[string]int{"choices": 1, "describe": 1}, w.count(), "prompt=none")
}

// history records logins.
type history []storage.Login

func (h *history) RecordLogin(_ context.Context, l storage.Login, _ time.Time) error {
	*h = append(*h, l)
	return nil
}

// TestHiddenLogins: whether a login is hidden, and whether details are rejected, is decided on all requested scopes, also if the user
// has not consented to them yet, or declines them.
func TestHiddenLogins(t *testing.T) {
	t.Parallel()
	for scopes, hidden := range map[string]bool{
		"test:plain": false, "openid test:opaque": false, "profile test:hidden": false, "openid test:hidden": false,
		"test:opaque": true, "test:hidden": true, "test:plain test:hidden": true, "openid test:pseudo": true,
	} {
		for _, approved := range [][]string{{"test:hidden"}, nil} {
			var logins history
			w := newParties(t, func(c *authorize.Config) { c.History = &logins })
			b := w.browser()
			res := b.loginAs(b.authorize(params("web", "scope", scopes)), "kari")
			if outcome(t, res) == "consent" {
				res = b.consentTo(res, approved...)
			}
			if outcome(t, res) == "error access_denied" {
				continue // every scope was declined
			}
			requireCode(t, res)
			require.Len(t, logins, 1, scopes)
			require.Equal(t, hidden, logins[0].Withheld, scopes)
		}
		w := newParties(t)
		res := w.browser().authorize(params("web", "scope", scopes, "authorization_details", `[{"type":"free"}]`))
		require.Equal(t, hidden, outcome(t, res) == "error invalid_authorization_details", scopes)
	}
}

// TestTestLoginListener: without TestIssuer, the test login answers requests of the same machine to a loopback listener.
func TestTestLoginListener(t *testing.T) {
	t.Parallel()
	const local = "http://localhost:8080"
	login := func(testIssuer string) func(*authorize.Config) {
		return func(c *authorize.Config) {
			c.Issuer = local
			c.TestLogin = must(authorize.NewTestLogin(authorize.TestLoginConfig{Issuer: local, TestIssuer: testIssuer}))
		}
	}
	guarded, named := newWorld(t, login("")), newWorld(t, login(local))
	query := "/authorize?" + params("web", "login_hint", "testid:"+testPID.Reveal()+"_idporten-loa-high").Encode()
	for _, tt := range []struct {
		remote, listener string
		ok               bool
	}{
		{"127.0.0.1:5000", "127.0.0.1:8080", true},
		{"[::1]:5000", "[::1]:8080", true},
		{"[::ffff:127.0.0.1]:5000", "", true},
		{"172.17.0.1:5000", "172.17.0.2:8080", false},
		{"127.0.0.1:5000", "192.0.2.1:8080", false},
		{"192.0.2.7:5000", "127.0.0.1:8080", false},
		{"", "127.0.0.1:8080", false},
		{"@", "", false},
		{"localhost:1", "", false},
		{"127.0.0.1.evil.example:1", "", false},
	} {
		r := httptest.NewRequest(http.MethodGet, query, nil)
		r.RemoteAddr = tt.remote
		if tt.listener != "" {
			r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, tcpAddr(tt.listener)))
		}
		require.Equal(t, tt.ok, codeAt(guarded.browser().do(r)), tt)
		if !tt.ok {
			_, reason := guarded.lastEvent()
			require.Equal(t, "test_login_remote", reason)
		}
		require.True(t, codeAt(named.browser().do(r)), "a named test issuer, such as one in a container")
	}
	require.Equal(t, 3, guarded.store.Stats().Grants)
}

type tcpAddr string

func (tcpAddr) Network() string  { return "tcp" }
func (a tcpAddr) String() string { return string(a) }

// codeAt reports whether the response holds a code.
func codeAt(res *http.Response) bool {
	u, err := url.Parse(res.Header.Get("Location"))
	return err == nil && u.Query().Has("code")
}

// TestTestLoginApproves: a test login approves the types of details that its configuration names.
func TestTestLoginApproves(t *testing.T) {
	t.Parallel()
	for want, types := range map[string][]string{
		`[{"type":"free"}]`: nil, `[{"type":"plain"},{"type":"free"}]`: {"plain"}, `[{"type":"titled"},{"type":"plain"},{"type":"free"}]`: {"titled", "plain"},
	} {
		w := newParties(t, func(c *authorize.Config) {
			c.TestLogin = must(authorize.NewTestLogin(authorize.TestLoginConfig{Issuer: issuer, TestIssuer: issuer, ApproveDetails: types}))
		})
		res := w.browser().authorize(params("web", "scope", "openid test:shared", "login_hint", "testid:"+testPID.Reveal()+"_idporten-loa-high",
			"authorization_details", `[{"type":"titled"},{"type":"plain"},{"type":"free"}]`))
		require.Equal(t, want, w.details(res))
		require.Equal(t, []string{"openid", "test:shared"}, w.stored(requireCode(t, res)).Grant.Scopes)
	}
	_, err := authorize.New(authorize.Config{
		Issuer: issuer, TestLogin: must(authorize.NewTestLogin(authorize.TestLoginConfig{Issuer: issuer, TestIssuer: issuer, ApproveDetails: []string{"x"}})),
	})
	require.ErrorContains(t, err, "TestLogin: approves details of a type that AuthorizationDetails does not contain")
}

// TestShownCannotBeChanged: what a page does to the fields of a Pending changes neither the token nor what can be approved.
func TestShownCannotBeChanged(t *testing.T) {
	t.Parallel()
	w := newParties(t)
	w.mux.Handle("/careless", w.endpoint.Page(func(rw http.ResponseWriter, r *http.Request, p *authorize.Pending) *authorize.Decision {
		token := p.CSRF()
		p.Details[0].ID, p.Details[0].Lines[0], p.Details[0].JSON[0], p.Locale, p.Client.Name = "detail 9", "x", 'x', "en", "x"
		rw.Header().Set("Test-CSRF", p.CSRF())
		if token != p.CSRF() {
			rw.WriteHeader(http.StatusTeapot)
			return nil
		}
		return p.Consent(r.Context(), []string{"detail 1"})
	}))
	b := w.browser()
	form := b.open(b.loginAs(b.authorize(params("web", "authorization_details", `[{"type":"titled"}]`)), "kari"), "/consent")
	require.Equal(t, `[{"type":"titled"}]`, w.details(b.post("/careless", form)))
}

// TestAnsweredTwice: a form that is posted twice leads to the same code, also if the first post has changed which consents are
// remembered. Another answer to the same request does not count.
func TestAnsweredTwice(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		scopes, details string
		approved        []string
	}{
		"every scope":        {"openid test:shared test:second", "", []string{"test:shared", "test:second"}},
		"some scopes":        {"openid test:shared test:second", "", []string{"test:second"}},
		"scopes and details": {"openid test:shared", `[{"type":"plain"},{"type":"titled"}]`, []string{"test:shared", "detail 2"}},
	} {
		w := newParties(t)
		b := w.browser()
		res := b.loginAs(b.authorize(params("web", "scope", tt.scopes, "authorization_details", tt.details)), "kari")
		form := b.open(res, "/consent")
		form["scope"] = tt.approved
		w.sleep(time.Second)
		code := requireCode(t, b.post("/consent", form))
		w.sleep(time.Second)
		require.Equal(t, code, requireCode(t, b.post("/consent", form)), name)
		require.Equal(t, 1, w.store.Stats().Grants, name)
		if len(tt.approved) == 2 && tt.details == "" {
			continue // nothing is left to answer
		}
		form["scope"] = nil
		require.Equal(t, "page Bad Request invalid_request", outcome(t, b.post("/consent", form)), name)
		_, reason := w.lastEvent()
		require.Equal(t, "request_completed", reason, name)
		consents, err := w.store.Consents(t.Context(), storage.ConsentKey{UserKey: w.vault.UserKey("kari"), ClientID: "web", Customer: "991825827///"}, w.clock())
		require.NoError(t, err)
		require.Len(t, consents, 1, "the second answer withdraws nothing")
	}
}
