package idporten

import (
	"cmp"
	"embed"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/look"
	"github.com/portner-go/portner/rar"
)

//go:embed web/*.html
var web embed.FS

// Pages holds the pages of the provider.
type Pages struct {
	standin.Pages
	s *Server
}

// NewPages returns the pages of a server.
func NewPages(s *Server) *Pages {
	p := &Pages{standin.Pages{
		Issuer: s.Issuer, SiteName: func(string) string { return "Portner" }, Paths: []string{"/", "/login", "/step-up", "/consent", PathMine}, Log: s.Log,
	}, s}
	p.Locale = p.locale
	p.Parse(web)
	return p
}

// Routes returns the handler of the provider: package provider, the authorizations API and the pages of the example.
func (p *Pages) Routes() http.Handler {
	mux := p.Mux()
	mux.Below("GET", "/{$}", http.HandlerFunc(p.home))
	mux.Below("POST", "/language", http.HandlerFunc(p.ChooseLanguage))
	mux.Below("GET", PathMine, http.HandlerFunc(p.mine))
	mux.Below("POST", PathMine, p.SameOrigin(http.HandlerFunc(p.endMine)))
	for _, path := range []string{"/clients/authorizations", "/api-provider/authorizations", "/authorizations/{id}", "/innlogginger/logg/idporten"} {
		mux.Below("", path, p.s.granted.Handler())
	}
	mux.Below("GET", "/static/", look.Handler())
	return p.s.Provider.Handler(p.Handler(mux))
}

// PageFrame is the data of the layout.
type PageFrame struct {
	standin.Frame
	T texts
}

// PageFrame returns the data of the layout. back is the path of the page, or "" for that of the request.
func (p *Pages) PageFrame(locale, title, bodyID, back string) PageFrame {
	t := TextsFor(locale)
	return PageFrame{p.Frame(t.Texts, title, bodyID, back), t}
}

// locale returns the language of a page outside an authorization request, by the rule of the pages of the library.
func (p *Pages) locale(r *http.Request) string {
	return p.s.Provider.Authorize.Locale(r.Header, r.URL.Query().Get("ui_locales"))
}

// pendingFrame returns the data of the layout of the page of a pending request.
func (p *Pages) pendingFrame(pending *authorize.Pending, bodyID string) PageFrame {
	return p.PageFrame(pending.Locale, "", bodyID, p.At("/"+string(pending.Step))+action(pending))
}

func (p *Pages) home(w http.ResponseWriter, r *http.Request) {
	locale := p.locale(r)
	data := struct {
		PageFrame
		Services []struct{ Name, URL, Text string }
	}{PageFrame: p.PageFrame(locale, TextsFor(locale).HomeTitle, "home-page", p.At("/"))}
	if p.s.Options.Demo {
		data.Services = []struct{ Name, URL, Text string }{{"Min tjeneste", p.s.At.First, ""}, {"Annen tjeneste", p.s.At.Second, ""}, {"Isolert tjeneste", p.s.At.Isolated, ""}}
	}
	p.Render(w, http.StatusOK, "home.html", data, standin.OwnForms)
}

// LoginPage is the data of login.html.
type LoginPage struct {
	PageFrame
	standin.LoginForm
}

// page shows the page of a step and takes its answer.
func (p *Pages) page(w http.ResponseWriter, r *http.Request, pending *authorize.Pending) *authorize.Decision {
	if pending.Step == authorize.ConsentStep {
		return p.consent(w, r, pending)
	}
	return p.login(w, r, pending)
}

// login shows the login form and takes its answer.
func (p *Pages) login(w http.ResponseWriter, r *http.Request, pending *authorize.Pending) *authorize.Decision {
	if r.Method != http.MethodPost {
		p.showLogin(w, pending, "", false)
		return nil
	}
	if r.PostForm.Get("action") == "cancel" {
		return pending.Cancel(r.Context())
	}
	name := r.PostForm.Get("username")
	u, ok := p.s.Users.check(name, r.PostForm.Get("password"))
	if button := r.PostForm.Get("user"); button != "" && p.s.Options.Demo {
		u, ok = p.s.Users.Named(button)
	}
	if !ok {
		p.showLogin(w, pending, name, true)
		return nil
	}
	return pending.LogIn(r.Context(), p.s.Users.authentication(u))
}

func (p *Pages) showLogin(w http.ResponseWriter, pending *authorize.Pending, username string, failed bool) {
	data := LoginPage{p.pendingFrame(pending, "login-page"), standin.LoginForm{
		Action: action(pending), CSRF: pending.CSRF(), ClientName: pending.Client.Name, StepUp: pending.Step == authorize.StepUpStep, Username: username,
	}}
	data.Why = data.T.Why(pending)
	data.Title = data.T.LoginTitle
	if data.StepUp {
		data.Title = data.T.StepUpTitle
	}
	if p.s.Options.Demo {
		data.Users = p.buttons(pending, data.T)
	}
	status := http.StatusOK
	if failed {
		status, data.Failed = http.StatusUnauthorized, data.T.WrongPassword
	}
	p.Render(w, status, "login.html", data, standin.FormsToClients)
}

// action returns the address of the page of a pending request, relative to that page.
func action(pending *authorize.Pending) string {
	return "?" + url.Values{authorize.RequestField: {pending.Sealed}}.Encode()
}

// buttons returns the users whose level satisfies the request.
func (p *Pages) buttons(pending *authorize.Pending, t texts) []standin.UserButton {
	var all []standin.UserButton
	for _, u := range p.s.Users.Entries {
		if len(pending.RequestedACR) > 0 && !p.s.Config.levels().Satisfies(u.level(), pending.RequestedACR) {
			continue
		}
		all = append(all, standin.UserButton{
			Username: u.Username, Name: cmp.Or(stringClaim(u.Claims, "name"), u.Username), Method: t.Names.Methods(u.Methods()...), Level: t.Names.Level(u.level()),
		})
	}
	return all
}

// ConsentPage is the data of consent.html.
type ConsentPage struct {
	PageFrame
	Action, CSRF      string
	ClientName, Orgno string
	Scopes            []consentScope
	Details           []rar.Shown // of authorization_details; this server has none unless types are added to its configuration
	Only              string      // what the button approves, if it is one thing
	Changed           bool        // the texts changed while the page was shown
}

type consentScope struct {
	Name, Description string
	Long              [][]span
	Lasts             string
}

// consent shows the scopes that need consent and takes the answer. Nothing is approved unless the user ticks it, or it is the only one.
func (p *Pages) consent(w http.ResponseWriter, r *http.Request, pending *authorize.Pending) *authorize.Decision {
	approved := r.PostForm["scope"]
	switch {
	case r.Method != http.MethodPost:
		p.showConsent(w, pending, false)
		return nil
	case r.PostForm.Get("action") != "approve":
		return pending.Consent(r.Context(), nil)
	case len(approved) == 0:
		p.showConsent(w, pending, true)
		return nil
	}
	return pending.Consent(r.Context(), approved)
}

func (p *Pages) showConsent(w http.ResponseWriter, pending *authorize.Pending, nothing bool) {
	data := ConsentPage{
		PageFrame: p.pendingFrame(pending, "consent-page"), Action: action(pending), CSRF: pending.CSRF(),
		ClientName: pending.Client.Name, Orgno: pending.Client.Orgno, Details: pending.Details, Changed: pending.Reason == "content_changed",
	}
	data.Title = data.T.ConsentTitle
	for _, sc := range pending.Scopes {
		data.Scopes = append(data.Scopes, consentScope{sc.Name, sc.Description, markdown(sc.Long), data.T.duration(sc.Lasts)})
	}
	switch {
	case len(data.Scopes)+len(data.Details) > 1:
	case len(data.Scopes) == 1:
		data.Only = data.Scopes[0].Description
	default:
		data.Only = data.Details[0].Title
	}
	status := http.StatusOK
	if nothing {
		status, data.Failed = http.StatusUnprocessableEntity, data.T.ConsentNothing
	}
	p.Render(w, status, "consent.html", data, standin.FormsToClients)
}

// duration returns d in hours and minutes, rounded up to a whole minute.
func (t texts) duration(d time.Duration) string {
	minutes := int((d + time.Minute - 1) / time.Minute)
	var parts []string
	for _, part := range []struct {
		n         int
		one, many string
	}{{minutes / 60, t.Hour, t.Hours}, {minutes % 60, t.Minute, t.Minutes}} {
		switch {
		case part.n == 1:
			parts = append(parts, "1 "+part.one)
		case part.n > 0:
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.many))
		}
	}
	return strings.Join(parts, " ")
}

// AuthorizeError is the error page of the provider (provider.Config.ErrorPage).
func (p *Pages) AuthorizeError(e authorize.ErrorPage) portner.Reply {
	return p.Error(e.Locale, standin.LoginError(e))
}
