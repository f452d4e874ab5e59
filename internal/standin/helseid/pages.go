package helseid

import (
	"embed"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/look"
	"github.com/portner-go/portner/nhn/helseid"
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
		Issuer: s.Issuer, SiteName: func(lang string) string { return TextsFor(lang).SiteName }, Paths: []string{"/", "/login", "/step-up"}, Log: s.Log,
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

// locale returns the language of a page outside an authorization request, by the rule of the pages of the library.
func (p *pages) locale(r *http.Request) string {
	return p.s.op.Authorize.Locale(r.Header, r.URL.Query().Get("ui_locales"))
}

func (p *pages) home(w http.ResponseWriter, r *http.Request) {
	locale, demoAt := p.locale(r), ""
	if p.s.Options.Demo {
		demoAt = p.s.Sites[1].Base
	}
	p.Render(w, http.StatusOK, "home.html", struct {
		frame
		DemoAt string
	}{p.frame(locale, TextsFor(locale).HomeTitle, "home-page", p.At("/")), demoAt}, standin.OwnForms)
}

// show shows the login form and takes its answer. There is no other page: HelseID has no consent page.
func (p *pages) show(w http.ResponseWriter, r *http.Request, pending *authorize.Pending) *authorize.Decision {
	switch {
	case r.Method != http.MethodPost:
		p.showLogin(w, pending, "", http.StatusOK)
		return nil
	case r.PostForm.Get("action") == "cancel":
		return pending.Cancel(r.Context())
	}
	name := r.PostForm.Get("username")
	u, ok := standin.Find(p.s.Config.Users, func(u user) bool { return u.account().Matches(name, r.PostForm.Get("password")) })
	if button := r.PostForm.Get("user"); button != "" && p.s.Options.Demo {
		u, ok = standin.Find(p.s.Config.Users, func(u user) bool { return u.Username == button })
	}
	if ok && !allowed(u, pending.ACRValues) {
		ok = false
	}
	if !ok {
		p.showLogin(w, pending, name, http.StatusUnauthorized)
		return nil
	}
	login, err := u.login(p.s.rules)
	if err != nil { // the configuration was validated
		p.s.Log.Error("login", "user", u.Username, "error", err)
		p.showLogin(w, pending, name, http.StatusInternalServerError)
		return nil
	}
	return pending.LogIn(r.Context(), login)
}

// allowed reports whether a user may log in to a request with these acr_values: idp: names the identity provider, and amr: a method
// at it (utviklerportal.nhn.no: Styre innlogging). Levels are for the library.
func allowed(u user, values []string) bool {
	idps, methods := named(values, "idp:"), named(values, "amr:")
	return (len(idps) == 0 || slices.Contains(idps, u.idp())) && (len(methods) == 0 || slices.ContainsFunc(u.AMR, func(amr string) bool {
		return slices.ContainsFunc(methods, func(m string) bool { return strings.HasPrefix(strings.ToLower(amr), m) })
	}))
}

// named returns the values with a prefix, without it.
func named(values []string, prefix string) (all []string) {
	for _, v := range values {
		if name, ok := strings.CutPrefix(v, prefix); ok {
			all = append(all, name)
		}
	}
	return all
}

func (p *pages) showLogin(w http.ResponseWriter, pending *authorize.Pending, username string, status int) {
	action := "?" + url.Values{authorize.RequestField: {pending.Sealed}}.Encode()
	data := struct {
		frame
		standin.LoginForm
	}{p.frame(pending.Locale, "", "login-page", p.At("/"+string(pending.Step))+action), standin.LoginForm{
		Action: action, CSRF: pending.CSRF(), ClientName: pending.Client.Name, StepUp: pending.Step == authorize.StepUpStep, Username: username,
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
		levels := pending.RequestedACR
		if p.s.Options.Demo && (len(levels) == 0 || helseid.Levels.Satisfies(u.acr(), levels)) && allowed(u, pending.ACRValues) {
			data.Users = append(data.Users, standin.UserButton{
				Username: u.Username, Name: u.name(), Method: data.T.Names.Methods(u.account().Methods()...), Level: u.level(),
			})
		}
	}
	p.Render(w, status, "login.html", data, standin.FormsToClients)
}

// authorizeError is the error page of the provider (provider.Config.ErrorPage).
func (p *pages) authorizeError(e authorize.ErrorPage) portner.Reply {
	return p.Error(e.Locale, standin.LoginError(e))
}
