package standin

import (
	"bytes"
	"embed"
	"html/template"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/internal/httpx"
)

//go:embed web/*.html
var web embed.FS

// Pages renders the HTML pages of a stand-in. Forms are plain HTML and work without scripts.
type Pages struct {
	Issuer   string
	SiteName func(lang string) string
	// Paths are the pages to which a change of the language may return, below the issuer.
	Paths []string
	// Locale returns the language of a page outside an authorization request.
	Locale func(*http.Request) string
	Log    *slog.Logger

	templates *template.Template
}

// Parse adds the templates of the folder web of files to the common ones: layout, login, logout and error. The templates call "at" with a path
// of this server, such as /static/style.css, for the path below the issuer.
func (p *Pages) Parse(files fs.FS) {
	templates := template.New("").Funcs(template.FuncMap{"at": p.At})
	templates = template.Must(templates.ParseFS(web, "web/*.html"))
	p.templates = template.Must(templates.ParseFS(files, "web/*.html"))
}

// At returns a path below the issuer.
func (p *Pages) At(path string) string { return PathOf(p.Issuer) + path }

// Mux returns a ServeMux whose patterns are below the issuer.
func (p *Pages) Mux() Mux { return Mux{http.NewServeMux(), PathOf(p.Issuer)} }

// Mux is a ServeMux for the paths below an issuer.
type Mux struct {
	*http.ServeMux

	base string
}

// Below adds a handler for a method and a path below the issuer. The method may be "". The handler sees the path without that of the
// issuer.
func (m Mux) Below(method, path string, h http.Handler) {
	m.Handle(strings.TrimSpace(method+" "+m.base+path), http.StripPrefix(m.base, h))
}

// PathOf returns the path of an issuer without a slash at its end.
func PathOf(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(u.Path, "/")
}

// Frame is the data of the layout, without the texts.
type Frame struct {
	SiteName string
	Title    string
	BodyID   string
	Issuer   string
	// Failed says why the page is shown again. The title of the window begins with it.
	Failed     string
	Switch     *Switch
	Unreviewed bool // no speaker has reviewed the texts
}

// Switch is the form that changes the language of a page.
type Switch struct {
	Return    string // path and query of the page; if "", it is that of the Referer header field
	Languages []language
}

type language struct {
	Code, Name string
	Current    bool
}

// Frame returns the data of the layout. back is the page that the switch of the language returns to. If it is "", this is the page
// with the address of the request.
func (p *Pages) Frame(t Texts, title, bodyID, back string) Frame {
	f := Frame{
		SiteName: p.SiteName(t.Lang), Title: title, BodyID: bodyID, Issuer: p.Issuer, Switch: &Switch{Return: back},
		Unreviewed: slices.Contains(unreviewed, t.Lang),
	}
	for _, code := range Languages {
		f.Switch.Languages = append(f.Switch.Languages, language{code, allTexts[code].LangName, code == t.Lang})
	}
	return f
}

// LoginForm is the data of login.html, without the layout.
type LoginForm struct {
	Action, CSRF string
	ClientName   string
	StepUp       bool
	Why          string // Texts.Why
	Username     string
	Users        []UserButton
}

// UserButton logs a user of the demo in.
type UserButton struct{ Username, Name, Method, Level string }

// ErrorPage describes an error page. It contains no value of the request.
type ErrorPage struct {
	Status        int
	Logout        bool   // a logout failed, not a login
	Completed     bool   // the login was completed before: nothing failed
	Expired       bool   // the login took too long
	NotLoggedOut  bool   // the user is still logged in
	Text          string // if "", the text of the status
	Code          string
	Parameter     string // the offending parameter
	CorrelationID string
	ClientName    string
	BackURL       string // the way back to the client; if "", the link leads to the front page
}

// LoginError returns the page for an error of an authorization request.
func LoginError(e authorize.ErrorPage) ErrorPage {
	page := ErrorPage{
		Status: e.Status, Code: string(e.Code), Parameter: e.Parameter, CorrelationID: e.CorrelationID, ClientName: e.Client.Name, BackURL: e.BackURL,
		Completed: e.Completed, Expired: e.Expired,
	}
	if page.Completed {
		page.Code, page.CorrelationID = "", ""
	}
	return page
}

// title returns the heading and the text of the page.
func (e ErrorPage) title(t Texts) (title, text string) {
	switch {
	case e.Text != "":
		return t.ErrorTitle, e.Text
	case e.Completed:
		return t.CompletedTitle, t.Completed
	case e.Expired:
		return t.TooLateTitle, t.TooLate
	case e.Status == http.StatusNotFound:
		return t.NotFoundTitle, t.NotFound
	case e.Status == http.StatusMethodNotAllowed:
		return t.BadMethodTitle, t.BadMethod
	case e.Status >= http.StatusInternalServerError:
		return t.ErrorTitle, t.ErrorUnavailable
	case e.Logout:
		return t.ErrorTitle, t.ErrorLogout
	}
	return t.ErrorTitle, t.ErrorLogin
}

// Error returns an error page. Every one has one way back, and the switch of the language.
func (p *Pages) Error(locale string, e ErrorPage) portner.Reply {
	t := TextsFor(locale)
	title, text := e.title(t)
	e.Text = text
	back := t.BackTo + " " + e.ClientName
	if e.BackURL == "" {
		e.BackURL, back = p.At("/"), t.BackHome
	}
	return p.Reply(e.Status, "error.html", struct {
		Frame
		ErrorPage
		T        Texts
		BackText string
	}{p.Frame(t, title, "error-page", ""), e, t, back}, OwnForms)
}

// Handler returns a handler that serves mux, and error pages for paths and methods that it does not have: as HTML to browsers,
// and as JSON to others.
func (p *Pages) Handler(mux Mux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, allow := httpx.Unmatched(mux.ServeMux, r)
		if status == 0 {
			mux.ServeHTTP(w, r)
			return
		}
		if allow != nil {
			w.Header()["Allow"] = allow
		}
		p.Refuse(w, r, status, portner.InvalidRequest)
	})
}

// SameOrigin returns a handler that rejects requests of other sites.
func (p *Pages) SameOrigin(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.Refuse(w, r, http.StatusForbidden, portner.AccessDenied)
	}))
	return protection.Handler(next)
}

// Refuse responds with an error: as a page to browsers, and as JSON to others.
func (p *Pages) Refuse(w http.ResponseWriter, r *http.Request, status int, code portner.ErrorCode) {
	if httpx.AcceptsHTML(r.Header) {
		Write(w, p.Error(p.Locale(r), ErrorPage{Status: status, Code: string(code)}))
		return
	}
	httpx.WriteError(w, &portner.Error{Code: code, Status: status, Description: http.StatusText(status) + "."})
}

// Execute renders a template. It logs an error.
func (p *Pages) Execute(name string, data any) ([]byte, error) {
	var b bytes.Buffer
	err := p.templates.ExecuteTemplate(&b, name, data)
	if err != nil {
		p.Log.Error("page", "name", name, "error", err)
	}
	return b.Bytes(), err
}

// Body returns a page without header fields, for endpoints that set them.
func (p *Pages) Body(name string, data any) portner.Reply {
	body, err := p.Execute(name, data)
	if err != nil {
		return portner.Reply{Status: http.StatusInternalServerError, Body: []byte("server_error\n")}
	}
	return portner.Reply{Body: body}
}

// Forms says where the forms of a page lead.
type Forms int

// Values of Forms.
const (
	NoForms        Forms = iota
	OwnForms             // to pages of this server
	FormsToClients       // to clients, which may redirect to any origin: browsers apply form-action to every redirect after the form
)

// Reply returns a page with the header fields that differ from those of every response of a [Site]. The page may load styles and images
// of its own origin only.
func (p *Pages) Reply(status int, name string, data any, forms Forms) portner.Reply {
	const policy = "default-src 'none'; style-src 'self'; img-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
	h := http.Header{}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin") // keeps the Origin header field of a post
	switch forms {
	case NoForms:
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", policy+"; form-action 'none'")
	case OwnForms:
		h.Set("Content-Security-Policy", policy+"; form-action 'self'")
	case FormsToClients:
		h.Set("Content-Security-Policy", policy)
	}
	r := p.Body(name, data)
	r.Header = h
	if r.Status == 0 {
		r.Status = status
	}
	return r
}

// Render writes a page; see [Pages.Reply].
func (p *Pages) Render(w http.ResponseWriter, status int, name string, data any, forms Forms) {
	Write(w, p.Reply(status, name, data, forms))
}

// Write writes a reply.
func Write(w http.ResponseWriter, r portner.Reply) {
	maps.Copy(w.Header(), r.Header)
	w.WriteHeader(r.Status)
	_, _ = w.Write(r.Body)
}

// ChooseLanguage stores the language of the form in a cookie and redirects to the page of the form. It accepts only pages of
// this server.
func (p *Pages) ChooseLanguage(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	err := r.ParseForm()
	back, ok := p.returnTo(r)
	lang := r.PostForm.Get("lang")
	if err != nil || !ok || !slices.Contains(Languages, lang) {
		p.Refuse(w, r, http.StatusBadRequest, portner.InvalidRequest)
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: authorize.LanguageCookie, Value: lang, Path: "/", MaxAge: 365 * 24 * 3600, HttpOnly: true,
		SameSite: http.SameSiteLaxMode, Secure: strings.HasPrefix(p.Issuer, "https:"),
	})
	http.Redirect(w, r, back, http.StatusSeeOther)
}

// returnTo returns the page to which a change of the language returns. Without a page in the form it is the page with the form: a page
// of an error, at an address of this server.
func (p *Pages) returnTo(r *http.Request) (string, bool) {
	if text := r.PostForm.Get("return"); text != "" {
		back, err := url.Parse(text)
		if err != nil || back.Host != "" || back.Scheme != "" || !slices.ContainsFunc(p.Paths, func(path string) bool { return p.At(path) == back.Path }) {
			return "", false
		}
		return back.RequestURI(), true
	}
	back, err := url.Parse(r.Referer())
	own, oerr := url.Parse(p.Issuer)
	if err != nil || oerr != nil || back.Scheme != own.Scheme || back.Host != own.Host || strings.HasPrefix(back.Path, "//") {
		return p.At("/"), true
	}
	return back.RequestURI(), true
}
