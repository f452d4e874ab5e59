package landscape

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/portner-go/portner/examples/internal/journey"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/standin/look"
)

//go:embed web/*.html
var web embed.FS

var pages = template.Must(template.ParseFS(web, "web/*.html"))

// walk is the page: a web application that plays stories and keeps the last result of each story for each browser.
type walk struct {
	at      addresses
	machine *machine
	http    *http.Client
	log     *slog.Logger
	pay     http.Handler // the salary API
	journal http.Handler // the health API
	stories []story

	mu       sync.Mutex
	browsers map[string]*browser // by cookie
}

// browser is a visitor of the page.
type browser struct {
	seen     time.Time
	pending  map[string]*tale // waiting for a login, by state
	finished map[string]*tale // the last one of each story, by its name
}

// tale is the result of a story.
type tale struct {
	journey.Journal
	Story    story
	Refused  string // error of the last response
	Silent   bool   // a server did not answer
	login    login
	verifier string
	nonce    string
	code     string
}

func newWalk(at addresses, m *machine, hc *http.Client, log *slog.Logger) (*walk, error) {
	pay, err := newPay(at, hc, log)
	if err != nil {
		return nil, err
	}
	journal, err := newJournal(at, hc, log)
	return &walk{at: at, machine: m, http: hc, log: log, pay: pay, journal: journal, stories: allStories(at), browsers: map[string]*browser{}}, err
}

// handler returns the handler of the page. It rejects other hosts, and posts from other sites.
func (w *walk) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", w.home)
	mux.HandleFunc("POST /start", w.start)
	mux.HandleFunc("GET /callback", w.callback)
	mux.HandleFunc("GET /historie/{name}", w.result)
	mux.Handle("GET /api/lonn", w.pay)
	mux.Handle("GET /api/journal", w.journal)
	mux.Handle("GET /static/", look.Handler())
	mux.HandleFunc("/{path...}", w.none)
	return w.guard(http.NewCrossOriginProtection().Handler(mux))
}

func (w *walk) guard(next http.Handler) http.Handler {
	own, _ := url.Parse(w.at.Page)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		h := rw.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")                                                                                           // keeps the Origin field of a post
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'") // no form-action: a login redirects the browser to other origins
		h.Set("Cache-Control", "no-store")
		if r.Host != own.Host {
			look.Misdirected(rw, r, w.at.Page)
			return
		}
		next.ServeHTTP(rw, r)
	})
}

const (
	cookieName  = "landscape"
	forgetAfter = time.Hour
	maxBrowsers = 1000
)

// browserOf returns the browser of the cookie. A new browser gets a cookie.
func (w *walk) browserOf(rw http.ResponseWriter, r *http.Request) *browser {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if c, err := r.Cookie(cookieName); err == nil {
		if b := w.browsers[c.Value]; b != nil {
			b.seen = now
			return b
		}
	}
	w.forget(now)
	id := rand.Text()
	b := &browser{seen: now, pending: map[string]*tale{}, finished: map[string]*tale{}}
	w.browsers[id] = b
	http.SetCookie(rw, &http.Cookie{Name: cookieName, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: r.TLS != nil})
	return b
}

// forget deletes old browsers, or any browser if all are recent.
func (w *walk) forget(now time.Time) {
	for id, b := range w.browsers {
		if now.Sub(b.seen) > forgetAfter || len(w.browsers) >= maxBrowsers {
			delete(w.browsers, id)
		}
	}
}

// start plays a story, or redirects the browser to its login.
func (w *walk) start(rw http.ResponseWriter, r *http.Request) {
	i := slices.IndexFunc(w.stories, func(s story) bool { return s.Name == r.PostFormValue("story") })
	if i < 0 {
		w.showHome(rw, http.StatusBadRequest, "Den historien finnes ikke.")
		return
	}
	b := w.browserOf(rw, r)
	j := &tale{Story: w.stories[i]}
	if j.Story.login == nil {
		w.play(r.Context(), b, j)
		http.Redirect(rw, r, "/historie/"+j.Story.Name, http.StatusSeeOther)
		return
	}
	to, state := j.begin(w.at)
	w.mu.Lock()
	if len(b.pending) > 20 {
		clear(b.pending)
	}
	b.pending[state] = j
	w.mu.Unlock()
	http.Redirect(rw, r, to, http.StatusSeeOther)
}

// callback handles the authorization response.
func (w *walk) callback(rw http.ResponseWriter, r *http.Request) {
	b, q := w.browserOf(rw, r), r.URL.Query()
	w.mu.Lock()
	j := b.pending[q.Get("state")]
	delete(b.pending, q.Get("state"))
	w.mu.Unlock()
	if j == nil || q.Get("iss") != j.login.issuer {
		w.showHome(rw, http.StatusBadRequest, "Innloggingen hører ikke til noe denne nettleseren startet. Velg en historie og prøv igjen.")
		return
	}
	j.returned(q)
	if q.Get("error") != "" {
		j.Refused = q.Get("error") + ": " + q.Get("error_description")
		w.keep(b, j)
	} else {
		w.play(r.Context(), b, j)
	}
	http.Redirect(rw, r, "/historie/"+j.Story.Name, http.StatusSeeOther)
}

// play plays a story and keeps the result.
func (w *walk) play(ctx context.Context, b *browser, j *tale) {
	err := j.Story.play(ctx, w, j)
	no, refused := errors.AsType[journey.Refusal](err)
	switch {
	case err == nil:
	case refused:
		j.Refused = no.Text
	default:
		j.Silent = true
		w.log.Warn("walk-through", "story", j.Story.Name, "error", err)
	}
	w.keep(b, j)
}

func (w *walk) keep(b *browser, j *tale) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b.finished[j.Story.Name] = j
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
		At      addresses
		Stories []story
		Notice  string
	}{w.at, w.stories, notice})
}

func (w *walk) result(rw http.ResponseWriter, r *http.Request) {
	b := w.browserOf(rw, r)
	w.mu.Lock()
	j := b.finished[r.PathValue("name")]
	w.mu.Unlock()
	if j == nil {
		w.showHome(rw, http.StatusNotFound, "Den historien er ikke spilt her ennå.")
		return
	}
	w.render(rw, http.StatusOK, "story.html", struct {
		*tale
		Others []story
	}{j, w.stories})
}

func (w *walk) render(rw http.ResponseWriter, status int, name string, data any) {
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	rw.WriteHeader(status)
	if err := pages.ExecuteTemplate(rw, name, data); err != nil {
		w.log.Error("rendering", "page", name, "error", err)
	}
}
