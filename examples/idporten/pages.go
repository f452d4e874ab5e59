package main

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/examples/internal/look"
)

//go:embed web/*.html
var web embed.FS

// pages renders everything a person sees of the provider. Forms are plain HTML and work without scripts.
type pages struct {
	s         *server
	templates *template.Template
}

func newPages(s *server) *pages {
	return &pages{s: s, templates: template.Must(template.ParseFS(web, "web/*.html"))}
}

// frame is what every page shows.
type frame struct {
	T      texts
	Title  string
	BodyID string
	Issuer string
	Switch *languageSwitch
}

// languageSwitch returns to the page it stands on.
type languageSwitch struct {
	Return    string
	Languages []language
}

type language struct {
	Code, Name string
	Current    bool
}

// frame begins a page. back is the path to return to after a change of language; "" leaves the switch out.
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

// render writes a page; see reply.
func (p *pages) render(w http.ResponseWriter, status int, name string, data any, csp ...string) {
	writeReply(w, p.reply(status, name, data, csp...))
}

func writeReply(w http.ResponseWriter, r portner.Reply) {
	maps.Copy(w.Header(), r.Header)
	w.WriteHeader(r.Status)
	_, _ = w.Write(r.Body)
}

// reply returns a page. csp is added to a Content-Security-Policy that allows same-origin styles and images only. A page with a form
// keeps the Origin field of its post; other pages send no referrer.
func (p *pages) reply(status int, name string, data any, csp ...string) portner.Reply {
	h := http.Header{}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	if slices.Contains(csp, noForms) {
		h.Set("Referrer-Policy", "no-referrer")
	}
	policy := append([]string{
		"default-src 'none'", "style-src 'self'", "img-src 'self'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'",
	}, csp...)
	h.Set("Content-Security-Policy", strings.Join(policy, "; "))
	body, err := p.execute(name, data)
	if err != nil {
		return portner.Reply{Status: http.StatusInternalServerError, Header: h, Body: []byte("server_error\n")}
	}
	return portner.Reply{Status: status, Header: h, Body: body}
}

// execute renders a template. It logs an error.
func (p *pages) execute(name string, data any) ([]byte, error) {
	var b bytes.Buffer
	err := p.templates.ExecuteTemplate(&b, name, data)
	if err != nil {
		p.s.log.Error("page", "name", name, "error", err)
	}
	return b.Bytes(), err
}

const noForms = "form-action 'none'"

func formAction(sources []string) string { return "form-action " + strings.Join(sources, " ") }

// routes mounts the provider and the pages.
func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", s.op)
	mux.HandleFunc("GET /{$}", s.pages.home)
	mux.HandleFunc("POST /language", s.pages.language)
	cross := http.NewCrossOriginProtection()
	mux.HandleFunc("GET "+pathMine, s.pages.mine)
	mux.Handle("POST "+pathMine, cross.Handler(http.HandlerFunc(s.pages.endMine)))
	for _, path := range []string{"/clients/authorizations", "/api-provider/authorizations", "/authorizations/", "/innlogginger/logg/idporten"} {
		mux.Handle(path, s.granted.Handler())
	}
	mux.Handle("GET /static/", look.Handler())
	return mux
}

func (p *pages) home(w http.ResponseWriter, r *http.Request) {
	locale := p.locale(r)
	data := struct {
		frame
		Services []struct{ Name, URL, Text string }
	}{frame: p.frame(locale, textsFor(locale).HomeTitle, "home-page", "/")}
	if p.s.opt.demo {
		data.Services = []struct{ Name, URL, Text string }{{"Min tjeneste", p.s.at.first, ""}, {"Annen tjeneste", p.s.at.second, ""}, {"Isolert tjeneste", p.s.at.isolated, ""}}
	}
	p.render(w, http.StatusOK, "home.html", data, "form-action 'self'")
}

// locale is for pages outside a request: the language the person chose, or bokmål.
func (p *pages) locale(r *http.Request) string {
	if c, err := r.Cookie(languageCookie); err == nil && slices.Contains(languages, c.Value) {
		return c.Value
	}
	return languages[0]
}

// languageCookie is set only when the user chooses a language (docs/spec/idporten.md §3.6).
const languageCookie = "IDPORTEN_SELECTED_LANGUAGE"

// language sets the chosen language and goes back to where the person was, on this server only.
func (p *pages) language(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "invalid_request", http.StatusBadRequest)
		return
	}
	lang, back := r.PostForm.Get("lang"), r.PostForm.Get("return")
	u, err := url.Parse(back)
	if err != nil || u.Host != "" || u.Scheme != "" || !slices.Contains([]string{"/", "/login", "/step-up", "/consent", pathMine}, u.Path) || !slices.Contains(languages, lang) {
		http.Error(w, "invalid_request", http.StatusBadRequest)
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: languageCookie, Value: lang, Path: "/", MaxAge: 365 * 24 * 3600, HttpOnly: true,
		SameSite: http.SameSiteLaxMode, Secure: strings.HasPrefix(p.s.issuer, "https:"),
	})
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", u.RequestURI())
	w.WriteHeader(http.StatusSeeOther)
}

// loginPage is what login.html shows.
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
	return pending.LogIn(r.Context(), authentication(u))
}

func (p *pages) showLogin(w http.ResponseWriter, pending *authorize.Pending, username string, failed bool) {
	back := "/login?" + url.Values{authorize.RequestField: {pending.Sealed}}.Encode()
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
	p.render(w, status, "login.html", data, formAction(pending.FormAction()))
}

// buttons are the test users whose login would be good enough.
func (p *pages) buttons(pending *authorize.Pending) []userButton {
	var all []userButton
	for _, u := range p.s.users.entries {
		a := authentication(u)
		if len(pending.RequestedACR) > 0 && !acr.IDPorten.Satisfies(a.ACR, pending.RequestedACR) {
			continue
		}
		name, _ := u.Claims["name"].(string)
		if name == "" {
			name = u.Username
		}
		_, level, _ := strings.Cut(a.ACR, "-loa-")
		if level == "" {
			level = a.ACR
		}
		all = append(all, userButton{u.Username, name, strings.Join(a.AMR, ", "), level})
	}
	return all
}

// consentPage is what consent.html shows.
type consentPage struct {
	frame
	Action, CSRF      string
	ClientName, Orgno string
	Scopes            []consentScope
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
	back := "/consent?" + url.Values{authorize.RequestField: {pending.Sealed}}.Encode()
	t := textsFor(pending.Locale)
	data := consentPage{
		frame: p.frame(pending.Locale, t.ConsentTitle, "consent-page", back), Action: back, CSRF: pending.CSRF(),
		ClientName: pending.Client.Name, Orgno: pending.Client.Orgno,
	}
	for _, sc := range pending.Scopes {
		data.Scopes = append(data.Scopes, consentScope{sc.Name, sc.Description, markdown(sc.Long), t.duration(sc.Lasts)})
	}
	p.render(w, http.StatusOK, "consent.html", data, formAction(pending.FormAction()))
}

// duration is in hours and minutes, rounded up to a whole minute.
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

// errorPage is what error.html shows: nothing of the request.
type errorPage struct {
	frame
	Code, CorrelationID       string
	Unavailable, NotLoggedOut bool
}

// authorizeError is the error page of the provider (authorize.Config.ErrorPage).
func (p *pages) authorizeError(e authorize.ErrorPage) portner.Reply {
	return p.errorReply(e.Status, string(e.Code), e.CorrelationID, e.Locale)
}

// showError writes an error page.
func (p *pages) showError(w http.ResponseWriter, status int, code, locale string) {
	writeReply(w, p.errorReply(status, code, "", locale))
}

func (p *pages) errorReply(status int, code, correlationID, locale string) portner.Reply {
	t := textsFor(locale)
	return p.reply(status, "error.html", errorPage{
		frame: p.frame(locale, t.ErrorTitle, "error-page", ""), Code: code, CorrelationID: correlationID, Unavailable: status >= 500,
	}, noForms)
}
