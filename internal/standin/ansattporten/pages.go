package ansattporten

import (
	"embed"
	"net/http"
	"net/url"
	"slices"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/digdir/ansattporten"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/look"
	"github.com/portner-go/portner/rar"
)

//go:embed web/*.html
var web embed.FS

// pages holds the pages of the provider.
type pages struct {
	standin.Pages
	s *Server
}

func newPages(s *Server) *pages {
	p := &pages{standin.Pages{
		Issuer: s.Issuer, SiteName: func(lang string) string { return TextsFor(lang).SiteName }, Paths: []string{"/", "/login", "/step-up", "/representation"}, Log: s.Log,
	}, s}
	p.Locale = p.locale
	p.Parse(web)
	return p
}

// routes returns the handler of the provider: package provider and the pages of the example.
func (p *pages) routes() http.Handler {
	mux := p.Mux()
	mux.Below("GET", "/{$}", http.HandlerFunc(p.home))
	mux.Below("POST", "/language", http.HandlerFunc(p.ChooseLanguage))
	mux.Below("GET", "/static/", look.Handler())
	return p.s.op.Handler(p.Handler(mux))
}

// frame is the data of the layout.
type frame struct {
	standin.Frame
	T Texts
}

// frame returns the data of the layout. back is the path of the page.
func (p *pages) frame(locale, title, bodyID, back string) frame {
	t := TextsFor(locale)
	return frame{p.Frame(t.Texts, title, bodyID, back), t}
}

// pendingFrame returns the data of the layout of the page of a pending request.
func (p *pages) pendingFrame(pending *authorize.Pending, bodyID string) frame {
	return p.frame(pending.Locale, "", bodyID, p.At("/"+string(pending.Step))+action(pending))
}

// action returns the address of the page of a pending request, relative to that page.
func action(pending *authorize.Pending) string {
	return "?" + url.Values{authorize.RequestField: {pending.Sealed}}.Encode()
}

// locale returns the language of a page outside an authorization request, by the rule of the pages of the library.
func (p *pages) locale(r *http.Request) string {
	return p.s.op.Authorize.Locale(r.Header, r.URL.Query().Get("ui_locales"))
}

func (p *pages) home(w http.ResponseWriter, r *http.Request) {
	locale := p.locale(r)
	p.Render(w, http.StatusOK, "home.html", struct {
		frame
		DemoAt string
	}{p.frame(locale, TextsFor(locale).HomeTitle, "home-page", p.At("/")), p.s.DemoAt}, standin.OwnForms)
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
	if button := r.PostForm.Get("user"); button != "" && p.s.Options.Demo {
		u, ok = p.s.directory.find(func(u user) bool { return u.Username == button })
	}
	if !ok {
		p.showLogin(w, pending, name, http.StatusUnauthorized)
		return nil
	}
	return pending.LogIn(r.Context(), u.authentication())
}

func (p *pages) showLogin(w http.ResponseWriter, pending *authorize.Pending, username string, status int) {
	data := struct {
		frame
		standin.LoginForm
	}{p.pendingFrame(pending, "login-page"), standin.LoginForm{
		Action: action(pending), CSRF: pending.CSRF(), ClientName: pending.Client.Name, StepUp: pending.Step == authorize.StepUpStep, Username: username,
	}}
	data.Why = data.T.Why(pending)
	data.Title = data.T.LoginTitle
	if data.StepUp {
		data.Title = data.T.StepUpTitle
	}
	if status != http.StatusOK {
		data.Failed = data.T.WrongPassword
	}
	for _, u := range p.s.Config.Users {
		if p.s.Options.Demo && acr.Ansattporten.Satisfies(u.level(), pending.RequestedACR) {
			data.Users = append(data.Users, standin.UserButton{
				Username: u.Username, Name: u.Name, Method: data.T.Names.Methods(u.Methods()...), Level: data.T.Names.Level(u.level()),
			})
		}
	}
	p.Render(w, status, "login.html", data, standin.FormsToClients)
}

// representation shows the parties that the user may represent, and takes the answer. Without a choice the page is shown again, unless it
// has boxes to tick and none is required: of radio buttons, one is for no party.
func (p *pages) representation(w http.ResponseWriter, r *http.Request, pending *authorize.Pending) *authorize.Decision {
	picked := slices.DeleteFunc(slices.Clone(r.PostForm["choice"]), func(id string) bool { return id == "" })
	switch {
	case r.Method != http.MethodPost:
		p.showRepresentation(w, pending, http.StatusOK)
	case r.PostForm.Get("action") == "cancel":
		return pending.Cancel(r.Context())
	case len(picked) == 0 && (pending.Selection.Required || !pending.Selection.Multiple && !r.PostForm.Has("choice")):
		p.showRepresentation(w, pending, http.StatusUnprocessableEntity)
	default:
		return pending.Represent(r.Context(), picked)
	}
	return nil
}

// representationPage is the data of representation.html.
type representationPage struct {
	frame
	Action, CSRF       string
	ClientName, Orgno  string
	Details            []rar.Shown
	Choices            []choice
	Multiple, Required bool
}

// choice is a party that the user may represent.
type choice struct{ ID, Name, Hint string }

func (p *pages) showRepresentation(w http.ResponseWriter, pending *authorize.Pending, status int) {
	q := pending.Selection
	data := representationPage{
		frame: p.pendingFrame(pending, "representation-page"), Action: action(pending), CSRF: pending.CSRF(),
		ClientName: pending.Client.Name, Orgno: pending.Client.Orgno, Details: pending.Details, Multiple: q.Multiple, Required: q.Required,
	}
	data.Title = data.T.RepTitle
	if status != http.StatusOK {
		data.Failed = data.T.RepMustSay
	}
	for _, c := range q.Choices {
		line := choice{c.ID, c.Name, c.Hint}
		switch {
		case c.ID == ansattporten.Self:
			line.Name, line.Hint = data.T.RepSelf, c.Name
		case len(c.Hint) == 9: // an organisation number: groups of three digits
			line.Hint = data.T.Orgno + " " + c.Hint[:3] + " " + c.Hint[3:6] + " " + c.Hint[6:]
		}
		data.Choices = append(data.Choices, line)
	}
	p.Render(w, status, "representation.html", data, standin.FormsToClients)
}

// authorizeError is the error page of the provider (provider.Config.ErrorPage).
func (p *pages) authorizeError(e authorize.ErrorPage) portner.Reply {
	page := standin.LoginError(e)
	if e.Code == portner.AccessDenied {
		page.Text = TextsFor(e.Locale).NoMandate
	}
	return p.Error(e.Locale, page)
}
