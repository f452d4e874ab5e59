package main

import (
	"cmp"
	"embed"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/examples/internal/look"
	"github.com/portner-go/portner/examples/internal/standin"
	"github.com/portner-go/portner/rar"
)

//go:embed web/*.html
var web embed.FS

// pages holds the pages of the provider.
type pages struct {
	standin.Pages
	s *server
}

func newPages(s *server) *pages {
	return &pages{standin.Pages{
		Templates: standin.ParsePages(web, s.issuer), Issuer: s.issuer, Languages: languages,
		Paths: []string{"/", "/login", "/step-up", "/consent", pathMine}, Log: s.log,
	}, s}
}

// routes returns the handler of the provider: package provider, the authorizations API and the pages of the example.
func (p *pages) routes() http.Handler {
	mux := p.Mux()
	mux.Below("GET", "/{$}", http.HandlerFunc(p.home))
	mux.Below("POST", "/language", http.HandlerFunc(p.ChooseLanguage))
	mux.Below("GET", pathMine, http.HandlerFunc(p.mine))
	mux.Below("POST", pathMine, http.NewCrossOriginProtection().Handler(http.HandlerFunc(p.endMine)))
	for _, path := range []string{"/clients/authorizations", "/api-provider/authorizations", "/authorizations/{id}", "/innlogginger/logg/idporten"} {
		mux.Below("", path, p.s.granted.Handler())
	}
	mux.Below("GET", "/static/", look.Handler())
	return p.s.op.Handler(mux)
}

// frame is the data of the layout.
type frame struct {
	T      texts
	Title  string
	BodyID string
	Issuer string
	Switch *languageSwitch
}

// languageSwitch is the form that changes the language of a page.
type languageSwitch struct {
	Return    string // path of the page
	Languages []language
}

type language struct {
	Code, Name string
	Current    bool
}

// frame returns the data of the layout. back is the path of the page; if "", the page has no language switch.
func (p *pages) frame(locale, title, bodyID, back string) frame {
	f := frame{T: textsFor(locale), Title: title, BodyID: bodyID, Issuer: p.s.issuer}
	if back != "" {
		sw := &languageSwitch{Return: back}
		for _, code := range languages {
			sw.Languages = append(sw.Languages, language{code, allTexts[code].LangName, code == f.T.Lang})
		}
		f.Switch = sw
	}
	return f
}

// locale returns the language of a page outside an authorization request, by the rule of the pages of the library.
func (p *pages) locale(r *http.Request) string {
	return p.s.op.Authorize.Locale(r.Header, r.URL.Query().Get("ui_locales"))
}

func (p *pages) home(w http.ResponseWriter, r *http.Request) {
	locale := p.locale(r)
	data := struct {
		frame
		Services []struct{ Name, URL, Text string }
	}{frame: p.frame(locale, textsFor(locale).HomeTitle, "home-page", p.At("/"))}
	if p.s.opt.demo {
		data.Services = []struct{ Name, URL, Text string }{{"Min tjeneste", p.s.at.first, ""}, {"Annen tjeneste", p.s.at.second, ""}, {"Isolert tjeneste", p.s.at.isolated, ""}}
	}
	p.Render(w, http.StatusOK, "home.html", data, standin.OwnForms)
}

// loginPage is the data of login.html.
type loginPage struct {
	frame
	Action, CSRF  string
	ClientName    string
	StepUp, Again bool
	Failed        bool
	Username      string
	Users         []userButton
}

type userButton struct{ Username, Name, Method, Level string }

// page shows the page of a step and takes its answer.
func (p *pages) page(w http.ResponseWriter, r *http.Request, pending *authorize.Pending) *authorize.Decision {
	if pending.Step == authorize.ConsentStep {
		return p.consent(w, r, pending)
	}
	return p.login(w, r, pending)
}

// login shows the login form and takes its answer.
func (p *pages) login(w http.ResponseWriter, r *http.Request, pending *authorize.Pending) *authorize.Decision {
	if r.Method != http.MethodPost {
		p.showLogin(w, pending, "", false)
		return nil
	}
	if r.PostForm.Get("action") == "cancel" {
		return pending.Cancel(r.Context())
	}
	name := r.PostForm.Get("username")
	u, ok := p.s.users.check(name, r.PostForm.Get("password"))
	if button := r.PostForm.Get("user"); button != "" && p.s.opt.demo {
		u, ok = p.s.users.named(button)
	}
	if !ok {
		p.showLogin(w, pending, name, true)
		return nil
	}
	return pending.LogIn(r.Context(), p.s.users.authentication(u))
}

func (p *pages) showLogin(w http.ResponseWriter, pending *authorize.Pending, username string, failed bool) {
	back := p.At("/login") + "?" + url.Values{authorize.RequestField: {pending.Sealed}}.Encode()
	t := textsFor(pending.Locale)
	data := loginPage{
		frame: p.frame(pending.Locale, t.LoginTitle, "login-page", back), Action: back, CSRF: pending.CSRF(),
		ClientName: pending.Client.Name, StepUp: pending.Step == authorize.StepUpStep, Again: slices.Contains(pending.Prompt, "login") || pending.Reason == "max_age",
		Failed: failed, Username: username,
	}
	if p.s.opt.demo {
		data.Users = p.buttons(pending)
	}
	status := http.StatusOK
	if failed {
		status = http.StatusUnauthorized
	}
	p.Render(w, status, "login.html", data, standin.FormsToClients)
}

// buttons returns the users whose level satisfies the request.
func (p *pages) buttons(pending *authorize.Pending) []userButton {
	var all []userButton
	for _, u := range p.s.users.entries {
		if len(pending.RequestedACR) > 0 && !acr.IDPorten.Satisfies(u.level(), pending.RequestedACR) {
			continue
		}
		_, level, _ := strings.Cut(u.level(), "-loa-")
		all = append(all, userButton{
			u.Username, cmp.Or(stringClaim(u.Claims, "name"), u.Username), strings.Join(u.Methods(), ", "), cmp.Or(level, u.level()),
		})
	}
	return all
}

// consentPage is the data of consent.html.
type consentPage struct {
	frame
	Action, CSRF      string
	ClientName, Orgno string
	Scopes            []consentScope
	Details           []rar.Shown // of authorization_details; this server has none unless types are added to its configuration
}

type consentScope struct {
	Name, Description string
	Long              [][]span
	Lasts             string
}

// consent shows the scopes that need consent and takes the answer.
func (p *pages) consent(w http.ResponseWriter, r *http.Request, pending *authorize.Pending) *authorize.Decision {
	switch {
	case r.Method != http.MethodPost:
		p.showConsent(w, pending)
		return nil
	case r.PostForm.Get("action") == "approve":
		return pending.Consent(r.Context(), r.PostForm["scope"])
	}
	return pending.Consent(r.Context(), nil)
}

func (p *pages) showConsent(w http.ResponseWriter, pending *authorize.Pending) {
	back := p.At("/consent") + "?" + url.Values{authorize.RequestField: {pending.Sealed}}.Encode()
	t := textsFor(pending.Locale)
	data := consentPage{
		frame: p.frame(pending.Locale, t.ConsentTitle, "consent-page", back), Action: back, CSRF: pending.CSRF(),
		ClientName: pending.Client.Name, Orgno: pending.Client.Orgno, Details: pending.Details,
	}
	for _, sc := range pending.Scopes {
		data.Scopes = append(data.Scopes, consentScope{sc.Name, sc.Description, markdown(sc.Long), t.duration(sc.Lasts)})
	}
	p.Render(w, http.StatusOK, "consent.html", data, standin.FormsToClients)
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

// errorPage is the data of error.html. It contains no value of the request.
type errorPage struct {
	frame
	Code, CorrelationID       string
	Unavailable, NotLoggedOut bool
}

// authorizeError is the error page of the provider (provider.Config.ErrorPage).
func (p *pages) authorizeError(e authorize.ErrorPage) portner.Reply {
	return p.errorReply(e.Status, string(e.Code), e.CorrelationID, e.Locale)
}

func (p *pages) errorReply(status int, code, correlationID, locale string) portner.Reply {
	return p.Reply(status, "error.html", errorPage{
		frame: p.frame(locale, textsFor(locale).ErrorTitle, "error-page", ""), Code: code, CorrelationID: correlationID, Unavailable: status >= 500,
	}, standin.NoForms)
}
