package standin

import (
	"bytes"
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
)

// Pages renders the HTML pages of a stand-in. Forms are plain HTML and work without scripts.
type Pages struct {
	Templates *template.Template // from ParsePages
	Issuer    string
	Languages []string // the default first
	// Paths are the pages to which a change of the language may return, below the issuer.
	Paths []string
	Log   *slog.Logger
}

// ParsePages parses web/*.html. The templates call "at" with a path of this server, such as /static/style.css, for the path below the
// issuer.
func ParsePages(files fs.FS, issuer string) *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{"at": func(path string) string { return PathOf(issuer) + path }}).ParseFS(files, "web/*.html"))
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

// Execute renders a template. It logs an error.
func (p *Pages) Execute(name string, data any) ([]byte, error) {
	var b bytes.Buffer
	err := p.Templates.ExecuteTemplate(&b, name, data)
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
	lang := r.PostForm.Get("lang")
	back, perr := url.Parse(r.PostForm.Get("return"))
	if err != nil || perr != nil || back.Host != "" || back.Scheme != "" || !slices.ContainsFunc(p.Paths, func(path string) bool { return p.At(path) == back.Path }) || !slices.Contains(p.Languages, lang) {
		http.Error(w, "invalid_request", http.StatusBadRequest)
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: authorize.LanguageCookie, Value: lang, Path: "/", MaxAge: 365 * 24 * 3600, HttpOnly: true,
		SameSite: http.SameSiteLaxMode, Secure: strings.HasPrefix(p.Issuer, "https:"),
	})
	http.Redirect(w, r, back.RequestURI(), http.StatusSeeOther)
}
