package logout

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"runtime/debug"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/storage"
)

// Endpoint is the end_session_endpoint. It is an http.Handler and safe for concurrent use.
type Endpoint struct {
	cfg    Config
	action string // where forms post to: the path of URL
	origin string // where forms come from
	box    *seal.Box
	log    audit.Log
}

// New reports all problems of the configuration at once.
func New(cfg Config) (*Endpoint, error) {
	cfg = cfg.withDefaults()
	box, err := seal.New("logout", cfg.Secrets...)
	if err != nil {
		err = fmt.Errorf("logout: Config.Secrets: %w", err)
	}
	if err := errors.Join(cfg.check(), err); err != nil {
		return nil, err
	}
	u, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("logout: Config.URL: %w", err)
	}
	return &Endpoint{
		cfg: cfg, action: u.EscapedPath(), origin: httpx.Origin(cfg.URL), box: box,
		log: audit.Log{Endpoint: "logout", Logger: cfg.Logger, OnEvent: cfg.OnEvent},
	}, nil
}

// visit is one request on its way through the endpoint.
type visit struct {
	*Endpoint
	w      http.ResponseWriter
	r      *http.Request
	now    time.Time
	locale string
	ended  *bool // whether the session has ended, for what is said of a panic
}

// ServeHTTP answers a logout request (GET or POST) and the endpoint's own forms (POST).
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := visit{Endpoint: e, w: w, r: r, now: e.cfg.Now(), locale: e.cfg.Locales[0], ended: new(bool)}
	defer func() { v.rescue(recover()) }()
	// HEAD is not GET here: whoever asks for headers only must not log anybody out.
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		v.refuse(http.StatusMethodNotAllowed, invalid("method", "The method is not allowed here."))
		return
	}
	form, err := read(w, r)
	if err != nil {
		e := portner.AsError(err)
		v.refuse(e.HTTPStatus(), e)
		return
	}
	v.locale = e.locale(r, form)
	current, err := e.cfg.Sessions.Current(r.Context(), r.Header, w.Header(), v.now)
	if err != nil {
		v.notLoggedOut(err)
		return
	}
	if r.Method == http.MethodPost && form.Has(fieldConfirm) {
		v.answered(current, form)
		return
	}
	req, err := e.parse(r.Context(), form, v.now)
	if err != nil {
		v.fail(err)
		return
	}
	if current == nil {
		v.withoutSession(req)
		return
	}
	v.requested(current, req)
}

// requested decides whether to log out at once or to ask first (security decision K5). A hint of
// another session asks even where no hint would not: whoever sent it means somebody else's login
// (security row G5).
func (v visit) requested(current *storage.Session, req request) {
	switch {
	case req.hint != nil && v.fits(req.hint, req.client, current):
		v.logOut(current, intentOf(req), "hint")
	case req.hint == nil && v.cfg.NoQuestion:
		v.logOut(current, intentOf(req), "no_question")
	default:
		v.ask(current, req)
	}
}

// withoutSession answers a request without a live session (idporten section 15.3, C18, C19).
func (v visit) withoutSession(req request) {
	sent := v.cfg.Sessions.HasCookie(v.r.Header)
	switch {
	case !sent && v.r.Method == http.MethodPost && !req.form.Has(fieldAgain) && !httpx.SameOrigin(v.r.Header, v.origin):
		v.resubmit(req)
	case sent && req.hint != nil:
		v.loggedOut(intent{NotRegistered: req.refused}, nil)
	default:
		v.refuse(http.StatusBadRequest, noSession())
	}
}

func noSession() *portner.Error {
	return invalid("no_session", "There is no login session in this browser, so nobody was logged out.")
}

// logOut is idporten section 15.2: the session first, then the clients, then the way back.
func (v visit) logOut(current *storage.Session, in intent, reason string) {
	// From here on it is carried through, whether or not the browser waits (security row J5).
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.r.Context()), commitTimeout)
	defer cancel()
	ended, err := v.cfg.Sessions.End(ctx, v.w.Header(), current, v.now)
	if errors.Is(err, storage.ErrNotFound) { // a second submit overtook this one
		v.loggedOut(intent{NotRegistered: in.NotRegistered}, nil)
		return
	}
	if err != nil {
		v.notLoggedOut(err)
		return
	}
	*v.ended = true
	v.log.Emit(ctx, portner.Event{Name: portner.EventLoggedOut, Time: v.now, ClientID: in.ClientID, Reason: reason})
	v.loggedOut(in, v.tell(ctx, ended))
}

// commitTimeout bounds ending the session and telling the clients.
const commitTimeout = 5*time.Second + backchannelTimeout

// loggedOut sends the browser back, over the page that tells the clients if there are any to tell.
func (v visit) loggedOut(in intent, frames []string) {
	h := v.w.Header()
	if len(frames) == 0 && in.ReturnTo != "" {
		h.Set("Clear-Site-Data", `"cache"`)
		v.w.WriteHeader(httpx.SeeOther(h, in.ReturnTo).Status)
		return
	}
	p := LoggedOutPage{
		Frames: frames, ContinueURL: template.URL(in.ReturnTo), Nonce: seal.NewID(), Script: continueScript,
		Locale: v.locale, NotRegistered: in.NotRegistered, CorrelationID: httpx.NewCorrelationID(),
	}
	if in.ReturnTo != "" {
		p.ClientName = in.ClientName
		// For browsers without script; the page's own script is usually faster.
		h.Set("Refresh", "3; url="+in.ReturnTo)
	}
	httpx.Page(h, false, "form-action 'none'", "script-src 'nonce-"+p.Nonce+"'", frameSource(frames))
	h.Set("Clear-Site-Data", `"cache"`)
	v.cfg.Pages.LoggedOut(v.w, v.r, p)
}

// resubmit answers a cross-site form, which has come without the session's SameSite=Lax cookie, with a
// page that posts the same once more from here (idporten section 21, C19). What it posts is a request and
// never a confirmation, so it proves nothing that the other site's form did not.
func (v visit) resubmit(req request) {
	p := resubmitPage{Action: v.action, Nonce: seal.NewID(), Script: resubmitScript, Fields: [][2]string{{fieldAgain, "1"}}}
	for _, name := range parameters {
		if req.form.Has(name) {
			p.Fields = append(p.Fields, [2]string{name, req.form.Get(name)})
		}
	}
	httpx.Page(v.w.Header(), true, formAction(req.returnTo), "script-src 'nonce-"+p.Nonce+"'")
	render(v.w, http.StatusOK, "resubmit", p)
}

// formAction allows forms to post here and to be redirected from here to the client: browsers apply
// form-action to the redirects that follow a post too.
func formAction(returnTo string) string {
	if returnTo == "" {
		return "form-action 'self'"
	}
	return "form-action 'self' " + httpx.Origin(returnTo)
}

// notLoggedOut is the answer to a failing store (security row G16): nobody may believe to be logged out.
func (v visit) notLoggedOut(err error) {
	p := ErrorPage{
		Status: http.StatusServiceUnavailable, Code: portner.TemporarilyUnavailable, StillLoggedIn: true,
		Description: "The logout failed and you are still logged in. Try again in a moment.",
	}
	p.CorrelationID = httpx.NewCorrelationID()
	v.log.Fault(v.r.Context(), err, p.CorrelationID, v.now)
	v.w.Header().Set("Retry-After", "2")
	v.errorPage(p)
}

// rescue turns a panic of the host's code into the plain error page, which needs none of it (security
// row J13). The value of the panic is not logged, it may hold anything.
func (v visit) rescue(value any) {
	if value == nil {
		return
	}
	if value == http.ErrAbortHandler {
		panic(value)
	}
	p := ErrorPage{
		Status: http.StatusInternalServerError, Code: portner.ServerError, StillLoggedIn: !*v.ended, Locale: v.locale,
		Description: "Something failed here.", CorrelationID: httpx.NewCorrelationID(),
	}
	v.log.Fault(v.r.Context(), fmt.Errorf("logout: panic of type %T\n%s", value, debug.Stack()), p.CorrelationID, v.now)
	h := v.w.Header()
	h.Del("Location")
	h.Del("Refresh")
	httpx.Page(h, false)
	plainPages{}.Error(v.w, v.r, p)
}

// fail answers protocol errors as they are and everything else as a failed logout.
func (v visit) fail(err error) {
	if pe, ok := errors.AsType[*portner.Error](err); ok {
		v.refuse(http.StatusBadRequest, pe)
		return
	}
	v.notLoggedOut(err)
}

// refuse answers with a page, without redirect (idporten section 15.3).
func (v visit) refuse(status int, pe *portner.Error) {
	word, ok := errors.AsType[reason](pe)
	if !ok {
		word = reason(pe.Code)
	}
	p := ErrorPage{Status: status, Code: pe.Code, Description: pe.Description, CorrelationID: httpx.NewCorrelationID()}
	v.log.Emit(v.r.Context(), portner.Event{Name: portner.EventRefused, Time: v.now, CorrelationID: p.CorrelationID, Reason: string(word)})
	v.errorPage(p)
}

func (v visit) errorPage(p ErrorPage) {
	p.Locale = v.locale
	httpx.Page(v.w.Header(), false)
	v.cfg.Pages.Error(v.w, v.r, p)
}
