package authorize_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/session"
)

// validConfig returns a configuration without problems.
func validConfig(t *testing.T) authorize.Config {
	t.Helper()
	var cfg authorize.Config
	newWorld(t, withHints, func(c *authorize.Config) { cfg = *c })
	return cfg
}

// TestNew: each broken field is reported by its name, alone and together with all others.
func TestNew(t *testing.T) {
	t.Parallel()
	broken := map[string]func(*authorize.Config){
		"Issuer":                func(c *authorize.Config) { c.Issuer = "login.example.no" },
		"URL":                   func(c *authorize.Config) { c.URL = "/authorize" },
		"Clients":               func(c *authorize.Config) { c.Clients = nil },
		"Scopes":                func(c *authorize.Config) { c.Scopes = nil },
		"Sessions":              func(c *authorize.Config) { c.Sessions = nil },
		"Vault":                 func(c *authorize.Config) { c.Vault = nil },
		"Store":                 func(c *authorize.Config) { c.Store = nil },
		"Subject":               func(c *authorize.Config) { c.Subject = nil },
		"Authenticator":         func(c *authorize.Config) { c.Authenticator = nil },
		"DPoP.Replay":           func(c *authorize.Config) { c.DPoP = &dpop.Policy{} },
		"PushURL":               func(c *authorize.Config) { c.PushURL = "/par" },
		"PushAliasURL":          func(c *authorize.Config) { c.PushAliasURL = "http://mtls.example.no/par" },
		"Secrets[1]":            func(c *authorize.Config) { c.Secrets = []portner.Secret{secret, portner.Secret("short")} },
		"Pages.Login":           func(c *authorize.Config) { c.Pages.Login = "login" },
		"Pages.StepUp":          func(c *authorize.Config) { c.Pages.StepUp = "/consent?x" },
		"Pages.Consent":         func(c *authorize.Config) { c.Reserved, c.Pages.Consent = []string{"/token"}, "/token" },
		"Pages.Representation":  func(c *authorize.Config) { c.Pages.Representation = "//evil.example" },
		"DefaultACRValues[0]":   func(c *authorize.Config) { c.DefaultACRValues = []string{"x"} },
		"PromptValues[1]":       func(c *authorize.Config) { c.PromptValues = []string{"login", "create"} },
		"Locales[0]":            func(c *authorize.Config) { c.Locales = []string{""} },
		"RequiredParameters[0]": func(c *authorize.Config) { c.RequiredParameters = []string{"scope"} },
		"CodeLifetime":          func(c *authorize.Config) { c.CodeLifetime = 601 * time.Second },
		"PendingLifetime":       func(c *authorize.Config) { c.PendingLifetime = time.Hour + 1 },
		"PushedRequestLifetime": func(c *authorize.Config) { c.PushedRequestLifetime = -1 },
		"AuthorizationLifetime": func(c *authorize.Config) { c.AuthorizationLifetime = time.Millisecond },
		"HistoryLifetime":       func(c *authorize.Config) { c.HistoryLifetime = -1 },
		"RequestURIPrefix":      func(c *authorize.Config) { c.RequestURIPrefix = "https://x/" },
		"TestLogin": func(c *authorize.Config) {
			c.TestLogin = must(authorize.NewTestLogin(authorize.TestLoginConfig{Issuer: "http://localhost"}))
		},
	}
	_, err := authorize.New(validConfig(t))
	require.NoError(t, err)
	all := validConfig(t)
	var want []string
	for field, breakIt := range broken {
		cfg := validConfig(t)
		breakIt(&cfg)
		_, err := authorize.New(cfg)
		require.Equal(t, []string{field}, fields.Names(err), field)
		breakIt(&all)
		want = append(want, field)
	}
	_, err = authorize.New(all)
	require.ElementsMatch(t, want, fields.Names(err))
	_, err = authorize.New(authorize.Config{})
	require.ElementsMatch(t, []string{"Issuer", "Clients", "Scopes", "Sessions", "Vault", "Store", "Secrets"}, fields.Names(err))
}

// TestPagePaths: every page has a path of its own, which the defaults provide.
func TestPagePaths(t *testing.T) {
	t.Parallel()
	cfg := validConfig(t)
	cfg.Pages.Consent = "/login"
	_, err := authorize.New(cfg)
	require.Equal(t, []string{"Pages.Consent"}, fields.Names(err))
	require.ErrorContains(t, err, "Pages.Login")
	w := newWorld(t, func(c *authorize.Config) { c.Pages.Login = "/logg-inn" })
	require.Equal(t, authorize.Pages{Login: "/logg-inn", StepUp: "/step-up", Consent: "/consent", Representation: "/representation"}, w.endpoint.Pages())
}

// TestDependentFields: fields that need each other are reported together.
func TestDependentFields(t *testing.T) {
	t.Parallel()
	cfg := validConfig(t)
	cfg.IDTokens = nil
	_, err := authorize.New(cfg)
	require.Equal(t, []string{"IDTokens"}, fields.Names(err))
	cfg = validConfig(t)
	cfg.Authenticator, cfg.PushedRequests, cfg.RequiredParameters = nil, nil, []string{"request", "request_uri"}
	_, err = authorize.New(cfg)
	require.Equal(t, []string{"RequiredParameters", "RequiredParameters"}, fields.Names(err))
}

// TestRequiredParameters: a parameter that the profile requires is required of every client.
func TestRequiredParameters(t *testing.T) {
	t.Parallel()
	for parameter, without := range map[string][]string{
		"state": {"state", ""}, "nonce": {"nonce", ""}, "code_challenge": {"code_challenge", "", "code_challenge_method", ""},
		"request": nil, "request_uri": nil,
	} {
		w := newWorld(t, func(c *authorize.Config) { c.RequiredParameters = []string{parameter} })
		require.Equal(t, "error invalid_request", outcome(t, w.browser().authorize(params("nopkce", without...))), parameter)
	}
	w := newWorld(t, func(c *authorize.Config) {
		c.RequiredParameters = []string{"state", "nonce", "code_challenge", "request", "request_uri"}
	})
	uri := w.pushed(params("signing", "request", sign(object("signing", nil), "")))
	require.Equal(t, "login", outcome(t, w.browser().authorize(use("signing", uri))))
}

// TestPendingFromTheFuture: a pending request that was received after now, as after a clock was set back, is not resumed. A minute
// is tolerated, because the clocks of nodes differ.
func TestPendingFromTheFuture(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	location := b.authorize(params("web")).Header.Get("Location")
	w.sleep(-time.Minute)
	require.Equal(t, 200, b.get(location).StatusCode)
	w.sleep(-time.Second)
	require.Equal(t, "page Bad Request invalid_request", outcome(t, b.get(location)))
}

// TestStepUpPage: a session with too low a level leads to the step-up page, whose Pending has the user.
func TestStepUpPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	requireCode(t, b.loginAs(b.authorize(params("web")), "kari"))
	res := b.authorize(params("web", "acr_values", "idporten-loa-high"))
	b.open(res, "/step-up")
	require.Equal(t, authorize.StepUpStep, w.seen.Step)
	require.Equal(t, session.StepUp, w.seen.Reason)
	require.Equal(t, "kari", w.seen.User)
	requireCode(t, b.loginAs(res, "kari", "idporten-loa-high"))
}

// TestMethodsTwice: a method of a pending request may be called again; the second call does not continue the first.
func TestMethodsTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.endpoint.Authorize(t.Context(), w.request(params("web", "state", "s")))
	first, second := d.Interaction.Cancel(t.Context()), d.Interaction.Cancel(t.Context())
	require.Equal(t, first.Redirect, second.Redirect)
	require.Equal(t, first.Header, second.Header)
	low := session.Authentication{Identity: session.Identity{Subject: "kari"}, ACR: "idporten-loa-low"}
	require.Equal(t, authorize.StepUpStep, d.Interaction.LogIn(t.Context(), low).Interaction.Step)
	require.Equal(t, authorize.StepUpStep, d.Interaction.LogIn(t.Context(), low).Interaction.Step)
	require.Equal(t, authorize.LoginStep, d.Interaction.Step)
}

// TestPageMethodsTwice: in a page, too, the second call does not continue the first, and the Decision of a login that does not suffice has
// the next interaction. The response has the fields of the page, and those of the Decision that the page returned.
func TestPageMethodsTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	location := b.authorize(params("web", "state", "s", "acr_values", "idporten-loa-high")).Header.Get("Location")
	var decisions []*authorize.Decision
	w.mux = http.NewServeMux()
	w.mux.Handle("/login", w.endpoint.Page(func(_ http.ResponseWriter, r *http.Request, p *authorize.Pending) *authorize.Decision {
		for _, level := range []string{"idporten-loa-substantial", "idporten-loa-substantial", "idporten-loa-high"} {
			who := session.Authentication{Identity: session.Identity{Subject: "kari"}, ACR: level}
			decisions = append(decisions, p.LogIn(r.Context(), who))
		}
		return decisions[2]
	}))
	res := b.get(location)
	require.Equal(t, authorize.StepUpStep, decisions[0].Interaction.Step)
	require.Equal(t, decisions[0].Header, decisions[1].Header)
	require.NotEqual(t, decisions[0].Header["Set-Cookie"], decisions[2].Header["Set-Cookie"])
	require.Equal(t, decisions[2].Header["Set-Cookie"], res.Header["Set-Cookie"])
	require.Contains(t, res.Header.Get("Location"), "code=")
	require.Equal(t, "DENY", res.Header.Get("X-Frame-Options"))
}

// TestReply: a reply is the response of the handler, for each kind of decision.
func TestReply(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.endpoint.Authorize(t.Context(), w.request(params("web")))
	reply := d.Reply()
	require.Equal(t, 303, reply.Status)
	require.Equal(t, "/login?request="+d.Interaction.Sealed, reply.Header["Location"][0])
	require.NotContains(t, d.Header, "Location", "a reply has a header of its own")

	reply = w.endpoint.Authorize(t.Context(), w.request(params("web", "scope", ""))).Reply()
	require.Equal(t, 303, reply.Status)
	reply = w.endpoint.Authorize(t.Context(), w.request(params("web", "scope", "", "response_mode", "form_post"))).Reply()
	require.Equal(t, 200, reply.Status)
	require.Contains(t, string(reply.Body), `action="`+rp+`"`)
	d = w.endpoint.Authorize(t.Context(), w.request(params("nobody")))
	require.Equal(t, portner.InvalidClient, d.Error.Code)
	reply = d.Reply()
	require.Equal(t, 400, reply.Status)
	require.Contains(t, string(reply.Body), d.Error.CorrelationID)

	p, d := w.endpoint.Resume(t.Context(), authorize.Request{Method: "GET"})
	require.Nil(t, p)
	require.Equal(t, 400, d.Error.Status)
}

// TestRequestRedactsItself: requests hold cookies, which must not be logged.
func TestRequestRedactsItself(t *testing.T) {
	t.Parallel()
	r := authorize.Request{Method: "GET", Header: map[string][]string{"Cookie": {"canary"}}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		require.Equal(t, "REDACTED", fmt.Sprintf(verb, r))
	}
	require.Equal(t, "REDACTED", r.LogValue().String())
}
