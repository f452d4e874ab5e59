package main

import (
	"embed"
	"net/http"
	"net/url"
	"slices"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/digdir/ansattporten"
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
		Paths: []string{"/", "/login", "/step-up", "/representation"}, Log: s.log,
	}, s}
}

// routes returns the handler of the provider: package provider and the pages of the example.
func (p *pages) routes() http.Handler {
	mux := p.Mux()
	mux.Below("GET", "/{$}", http.HandlerFunc(p.home))
	mux.Below("POST", "/language", http.HandlerFunc(p.ChooseLanguage))
	mux.Below("GET", "/static/", look.Handler())
	return p.s.op.Handler(mux)
}

// page is the data of all templates.
type page struct {
	T                    texts
	Title, BodyID        string
	Issuer               string
	Return               string // path of the page; if "", it has no language switch
	Languages            []texts
	Action, CSRF         string
	ClientName, Orgno    string
	Failed               bool
	Username             string
	Users                []user
	Details              []rar.Shown
	Choices              []choice
	Multiple, Required   bool
	Code, CorrelationID  string
	NoMandate, Temporary bool
	DemoAt               string
}

// choice is a party that the user may represent.
type choice struct{ ID, Name, Hint string }

// page returns the data of a page. back is its path, to which a change of the language returns.
func (p *pages) page(locale, title, id, back string) page {
	d := page{T: textsFor(locale), Title: title, BodyID: id, Issuer: p.s.issuer, Return: back}
	for _, code := range languages {
		d.Languages = append(d.Languages, allTexts[code])
	}
	return d
}

// pending returns the data of the page of a pending request.
func (p *pages) pending(pending *authorize.Pending, path, title, id string) page {
	back := path + "?" + url.Values{authorize.RequestField: {pending.Sealed}}.Encode()
	d := p.page(pending.Locale, title, id, back)
	d.Action, d.CSRF, d.ClientName, d.Orgno = back, pending.CSRF(), pending.Client.Name, pending.Client.Orgno
	return d
}

// locale returns the language of a page outside an authorization request, by the rule of the pages of the library.
func (p *pages) locale(r *http.Request) string {
	return p.s.op.Authorize.Locale(r.Header, r.URL.Query().Get("ui_locales"))
}

func (p *pages) home(w http.ResponseWriter, r *http.Request) {
	locale := p.locale(r)
	d := p.page(locale, textsFor(locale).HomeTitle, "home-page", p.At("/"))
	d.DemoAt = p.s.demoAt
	p.Render(w, http.StatusOK, "home.html", d, standin.OwnForms)
}

// show shows the page of a step and takes its answer. There is no consent page: the configuration rejects scopes that require
// consent, and every type of authorization_details has a choice.
func (p *pages) show(w http.ResponseWriter, r *http.Request, pending *authorize.Pending) *authorize.Decision {
	if pending.Step == authorize.RepresentationStep {
		return p.representation(w, r, pending)
	}
	return p.login(w, r, pending)
}

// login shows the login form and takes its answer.
func (p *pages) login(w http.ResponseWriter, r *http.Request, pending *authorize.Pending) *authorize.Decision {
	switch {
	case r.Method != http.MethodPost:
		p.showLogin(w, pending, "", http.StatusOK)
		return nil
	case r.PostForm.Get("action") == "cancel":
		return pending.Cancel(r.Context())
	}
	name := r.PostForm.Get("username")
	u, ok := p.s.directory.find(func(u user) bool { return u.Matches(name, r.PostForm.Get("password")) })
	if button := r.PostForm.Get("user"); button != "" && p.s.opt.demo {
		u, ok = p.s.directory.find(func(u user) bool { return u.Username == button })
	}
	if !ok {
		p.showLogin(w, pending, name, http.StatusUnauthorized)
		return nil
	}
	return pending.LogIn(r.Context(), u.authentication())
}

func (p *pages) showLogin(w http.ResponseWriter, pending *authorize.Pending, username string, status int) {
	d := p.pending(pending, p.At("/login"), textsFor(pending.Locale).LoginTitle, "login-page")
	d.Failed, d.Username = status != http.StatusOK, username
	if p.s.opt.demo {
		d.Users = slices.DeleteFunc(slices.Clone(p.s.cfg.Users), func(u user) bool {
			return !acr.Ansattporten.Satisfies(u.level(), pending.RequestedACR)
		})
	}
	p.Render(w, status, "login.html", d, standin.FormsToClients)
}

// representation shows the parties that the user may represent, and takes the answer. If a choice is required and missing, the page
// is shown again.
func (p *pages) representation(w http.ResponseWriter, r *http.Request, pending *authorize.Pending) *authorize.Decision {
	picked := slices.DeleteFunc(slices.Clone(r.PostForm["choice"]), func(id string) bool { return id == "" })
	switch {
	case r.Method != http.MethodPost:
		p.showRepresentation(w, pending, http.StatusOK)
	case r.PostForm.Get("action") == "cancel":
		return pending.Cancel(r.Context())
	case len(picked) == 0 && pending.Selection.Required:
		p.showRepresentation(w, pending, http.StatusUnprocessableEntity)
	default:
		return pending.Represent(r.Context(), picked)
	}
	return nil
}

func (p *pages) showRepresentation(w http.ResponseWriter, pending *authorize.Pending, status int) {
	q := pending.Selection
	t := textsFor(pending.Locale)
	d := p.pending(pending, p.At("/representation"), t.RepTitle, "representation-page")
	d.Details = pending.Details
	d.Multiple, d.Required, d.Failed = q.Multiple, q.Required, status != http.StatusOK
	for _, c := range q.Choices {
		line := choice{c.ID, c.Name, c.Hint}
		switch {
		case c.ID == ansattporten.Self:
			line.Name, line.Hint = t.RepSelf, c.Name
		case len(c.Hint) == 9: // an organisation number: groups of three digits
			line.Hint = t.Orgno + " " + c.Hint[:3] + " " + c.Hint[3:6] + " " + c.Hint[6:]
		}
		d.Choices = append(d.Choices, line)
	}
	p.Render(w, status, "representation.html", d, standin.FormsToClients)
}

// authorizeError is the error page of the provider (provider.Config.ErrorPage).
func (p *pages) authorizeError(e authorize.ErrorPage) portner.Reply {
	d := p.page(e.Locale, textsFor(e.Locale).ErrorTitle, "error-page", "")
	d.Code, d.CorrelationID = string(e.Code), e.CorrelationID
	d.NoMandate, d.Temporary = e.Code == "access_denied", e.Status >= http.StatusInternalServerError
	return p.Reply(e.Status, "error.html", d, standin.NoForms)
}
