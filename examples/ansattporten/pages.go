package main

import (
	"bytes"
	"embed"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/digdir/ansattporten"
	"github.com/portner-go/portner/examples/internal/look"
)

//go:embed web/*.html
var web embed.FS

// pages renders what people see of the provider. Forms are plain HTML and work without scripts.
type pages struct {
	s         *server
	templates *template.Template
}

func newPages(s *server) *pages {
	return &pages{s: s, templates: template.Must(template.ParseFS(web, "web/*.html"))}
}

// routes mounts the provider and the pages.
func (p *pages) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", p.s.op)
	mux.HandleFunc("GET /{$}", p.home)
	mux.HandleFunc("POST /language", p.language)
	mux.Handle("GET /static/", look.Handler())
	return mux
}

// page is what every page shows, and the forms of all.
type page struct {
	T                    texts
	Title, BodyID        string
	Issuer               string
	Return               string // where a change of language comes back to; "" has no switch
	Languages            []texts
	Action, CSRF         string
	ClientName, Orgno    string
	Failed               bool
	Username             string
	Users                []user
	Choices              []choice
	Multiple, Required   bool
	Code, CorrelationID  string
	NoMandate, Temporary bool
	DemoAt               string
}

// choice is one line of the representation page.
type choice struct{ ID, Name, Hint string }

func (p *pages) page(locale, title, id, back string) page {
	d := page{T: textsFor(locale), Title: title, BodyID: id, Issuer: p.s.issuer, Return: back}
	for _, code := range languages {
		d.Languages = append(d.Languages, allTexts[code])
	}
	return d
}

// waiting begins the page of a request that waits for a person.
func (p *pages) waiting(pending *authorize.Pending, path, title, id string) page {
	back := path + "?" + url.Values{authorize.RequestField: {pending.Sealed}}.Encode()
	d := p.page(pending.Locale, title, id, back)
	d.Action, d.CSRF, d.ClientName, d.Orgno = back, pending.CSRF(), pending.Client.Name, pending.Client.Orgno
	return d
}

// render writes a page; see reply.
func (p *pages) render(w http.ResponseWriter, status int, name string, data page, formAction string) {
	r := p.reply(status, name, data, formAction)
	maps.Copy(w.Header(), r.Header)
	w.WriteHeader(r.Status)
	_, _ = w.Write(r.Body)
}

// reply returns a page. formAction lists where its forms may post or redirect to.
func (p *pages) reply(status int, name string, data page, formAction string) portner.Reply {
	h := http.Header{}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action "+formAction)
	var b bytes.Buffer
	if err := p.templates.ExecuteTemplate(&b, name, data); err != nil {
		p.s.log.Error("page", "name", name, "error", err)
		return portner.Reply{Status: http.StatusInternalServerError, Header: h, Body: []byte("server_error\n")}
	}
	return portner.Reply{Status: status, Header: h, Body: b.Bytes()}
}

func (p *pages) home(w http.ResponseWriter, r *http.Request) {
	locale := languages[0]
	if c, err := r.Cookie(authorize.LanguageCookie); err == nil {
		locale = c.Value
	}
	d := p.page(locale, textsFor(locale).HomeTitle, "home-page", "/")
	d.DemoAt = p.s.demoAt
	p.render(w, http.StatusOK, "home.html", d, "'self'")
}

// language sets the chosen language and goes back to where the person was, on this server only.
func (p *pages) language(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	err := r.ParseForm()
	lang := r.PostForm.Get("lang")
	u, perr := url.Parse(r.PostForm.Get("return"))
	if err != nil || perr != nil || u.Host != "" || u.Scheme != "" || !slices.Contains([]string{"/", "/login", "/step-up", "/representation"}, u.Path) || !slices.Contains(languages, lang) {
		http.Error(w, "invalid_request", http.StatusBadRequest)
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: authorize.LanguageCookie, Value: lang, Path: "/", MaxAge: 365 * 24 * 3600, HttpOnly: true,
		SameSite: http.SameSiteLaxMode, Secure: strings.HasPrefix(p.s.issuer, "https:"),
	})
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", u.RequestURI())
	w.WriteHeader(http.StatusSeeOther)
}

// show shows the page of a step and takes its answer. The consent page is not used: the configuration rejects scopes that require
// consent.
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
	u, ok := p.s.directory.check(name, r.PostForm.Get("password"))
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
	d := p.waiting(pending, "/login", textsFor(pending.Locale).LoginTitle, "login-page")
	d.Failed, d.Username = status != http.StatusOK, username
	if p.s.opt.demo {
		d.Users = slices.DeleteFunc(slices.Clone(p.s.cfg.Users), func(u user) bool {
			return !acr.Ansattporten.Satisfies(u.level(), pending.RequestedACR)
		})
	}
	p.render(w, status, "login.html", d, strings.Join(pending.FormAction(), " "))
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
	d := p.waiting(pending, "/representation", t.RepTitle, "representation-page")
	d.Multiple, d.Required, d.Failed = q.Multiple, q.Required, status != http.StatusOK
	for _, c := range q.Choices {
		line := choice{c.ID, c.Name, c.Hint}
		switch {
		case c.ID == ansattporten.Self:
			line.Name, line.Hint = t.RepSelf, c.Name
		case len(c.Hint) == 9: // an organisation number, in the groups people read it in
			line.Hint = t.Orgno + " " + c.Hint[:3] + " " + c.Hint[3:6] + " " + c.Hint[6:]
		}
		d.Choices = append(d.Choices, line)
	}
	p.render(w, status, "representation.html", d, strings.Join(pending.FormAction(), " "))
}

// failed is the error page of the provider (authorize.Config.ErrorPage).
func (p *pages) failed(e authorize.ErrorPage) portner.Reply {
	d := p.page(e.Locale, textsFor(e.Locale).ErrorTitle, "error-page", "")
	d.Code, d.CorrelationID = string(e.Code), e.CorrelationID
	d.NoMandate, d.Temporary = e.Code == "access_denied", e.Status >= http.StatusInternalServerError
	return p.reply(e.Status, "error.html", d, "'none'")
}
