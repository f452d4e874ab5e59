// Package helseidwalk is the demo of HelseID: pages on which a client sends the requests of a story, one after the other.
package helseidwalk

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"embed"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/portner-go/portner/examples/internal/journey"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/standin/helseid"
	"github.com/portner-go/portner/internal/standin/look"
)

//go:embed walk/*.html
var walkFiles embed.FS

var walkPages = template.Must(template.ParseFS(walkFiles, "walk/*.html"))

// walk is the walk-through: a web application that plays what clients of HelseID do and shows every request.
type walk struct {
	issuer, base, api string
	key               *ecdsa.PrivateKey // of every client
	http              *http.Client
	log               *slog.Logger

	mu      sync.Mutex
	pending map[string]*tale // waiting for a login, by state
	told    map[string]*tale // by id
}

// tale is a story that is played.
type tale struct {
	journey.Journal
	Story    story
	Refused  string // error of the last response
	Silent   bool   // a server did not answer
	verifier string
	nonce    string
	code     string
	at       time.Time
}

// New returns the walk-through of a site.
func New(site helseid.DemoSite) (helseid.Demo, error) {
	key, err := journey.NewKey()
	if err != nil {
		return helseid.Demo{}, err
	}
	jwks, err := journey.JWKS(key)
	w := &walk{
		issuer: site.Issuer, base: site.Base, api: site.API, key: key, http: site.HTTP, log: site.Log, pending: map[string]*tale{}, told: map[string]*tale{},
	}
	return helseid.Demo{JWKS: jwks, Handler: w.handler()}, err
}

// client returns a client of the walk-through.
func (w *walk) client(id string) *journey.Client {
	return &journey.Client{Issuer: w.issuer, ID: id, Key: w.key, HTTP: w.http}
}

func (w *walk) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", w.home)
	mux.HandleFunc("POST /start", w.start)
	mux.HandleFunc("GET /callback", w.callback)
	mux.HandleFunc("GET /historie/{id}", w.result)
	mux.Handle("GET /static/", look.Handler())
	mux.HandleFunc("/{path...}", w.none)
	safe := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		h := rw.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")                                                                                           // keeps the Origin field of a post
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'") // no form-action: a login redirects the browser to another origin
		h.Set("Cache-Control", "no-store")
		safe.ServeHTTP(rw, r)
	})
}

const (
	cookieName  = "helseid-walk"
	maxTales    = 1000
	forgetAfter = time.Hour
)

// keep stores a tale under a key, and removes old ones.
func (w *walk) keep(in map[string]*tale, key string, j *tale) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, old := range in {
		if j.at.Sub(old.at) > forgetAfter || len(in) >= maxTales {
			delete(in, name)
		}
	}
	in[key] = j
}

// start plays a story, or redirects the browser to its login.
func (w *walk) start(rw http.ResponseWriter, r *http.Request) {
	all := stories()
	i := slices.IndexFunc(all, func(s story) bool { return s.Name == r.PostFormValue("story") })
	if i < 0 {
		w.showHome(rw, http.StatusBadRequest, "Den historien finnes ikke.")
		return
	}
	j := &tale{Story: all[i], at: time.Now()}
	if !j.Story.login {
		w.play(r.Context(), rw, r, j)
		return
	}
	to, state, err := w.push(r.Context(), j)
	if err != nil {
		w.finish(rw, r, j, err)
		return
	}
	w.keep(w.pending, state, j)
	http.SetCookie(rw, &http.Cookie{Name: cookieName, Value: state, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: int(forgetAfter.Seconds())})
	http.Redirect(rw, r, to, http.StatusSeeOther)
}

// callback handles the authorization response.
func (w *walk) callback(rw http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	w.mu.Lock()
	j := w.pending[q.Get("state")]
	delete(w.pending, q.Get("state"))
	w.mu.Unlock()
	c, err := r.Cookie(cookieName)
	if j == nil || err != nil || c.Value != q.Get("state") || q.Get("iss") != w.issuer {
		w.showHome(rw, http.StatusBadRequest, "Innloggingen hører ikke til noe denne nettleseren startet. Velg en historie og prøv igjen.")
		return
	}
	j.Steps = append(j.Steps, journey.Step{
		Title: "Tilbake fra innloggingen", Text: "Nettleseren kommer tilbake med en kode. iss sier hvem den er fra.",
		Request: "GET /callback\n?" + journey.Parameters(q), Status: http.StatusOK,
	})
	if q.Get("error") != "" {
		w.finish(rw, r, j, journey.Refusal{Text: q.Get("error") + ": " + q.Get("error_description")})
		return
	}
	j.code = q.Get("code")
	w.play(r.Context(), rw, r, j)
}

func (w *walk) play(ctx context.Context, rw http.ResponseWriter, r *http.Request, j *tale) {
	w.finish(rw, r, j, j.Story.play(ctx, w, j))
}

// finish keeps the result of a story and redirects to its page.
func (w *walk) finish(rw http.ResponseWriter, r *http.Request, j *tale, err error) {
	no, refused := errors.AsType[journey.Refusal](err)
	switch {
	case refused:
		j.Refused = no.Text
	case err != nil:
		j.Silent = true
		w.log.Warn("walk-through", "story", j.Story.Name, "error", err)
	}
	id := rand.Text()
	w.keep(w.told, id, j)
	http.Redirect(rw, r, "/historie/"+id, http.StatusSeeOther)
}

func (w *walk) home(rw http.ResponseWriter, _ *http.Request) { w.showHome(rw, http.StatusOK, "") }

// none responds to a path or a method that does not exist.
func (w *walk) none(rw http.ResponseWriter, r *http.Request) {
	if httpx.AcceptsHTML(r.Header) {
		w.showHome(rw, http.StatusNotFound, "Den siden finnes ikke. Velg en historie.")
		return
	}
	http.NotFound(rw, r)
}

func (w *walk) showHome(rw http.ResponseWriter, status int, notice string) {
	w.render(rw, status, "home.html", struct {
		Issuer, API string
		Stories     []story
		Notice      string
	}{w.issuer, w.api, stories(), notice})
}

func (w *walk) result(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	j := w.told[r.PathValue("id")]
	w.mu.Unlock()
	if j == nil {
		w.showHome(rw, http.StatusNotFound, "Den historien er ikke spilt her ennå.")
		return
	}
	w.render(rw, http.StatusOK, "story.html", struct {
		*tale
		Others []story
	}{j, stories()})
}

func (w *walk) render(rw http.ResponseWriter, status int, name string, data any) {
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	rw.WriteHeader(status)
	if err := walkPages.ExecuteTemplate(rw, name, data); err != nil {
		w.log.Error("rendering", "page", name, "error", err)
	}
}
