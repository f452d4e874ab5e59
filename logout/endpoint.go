package logout

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/storage"
)

// Endpoint is the end_session_endpoint. It is safe for concurrent use. Its only state between requests is the number of logout tokens
// that NotifyEnded is sending.
type Endpoint struct {
	cfg    Config
	action string // path of URL, which forms post to
	origin string // which forms must come from
	box    *seal.Box
	log    audit.Log

	background slots // of NotifyEnded
}

// New validates the configuration and returns an Endpoint. It reports every problem at once, as portner.FieldErrors.
func New(cfg Config) (*Endpoint, error) {
	cfg = cfg.withDefaults()
	var problems fields.Checker
	cfg.check(&problems)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	keys, err := seal.NewKeys(cfg.Issuer, cfg.Secrets...)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, err
	}
	return &Endpoint{
		cfg: cfg, action: u.EscapedPath(), origin: httpx.Origin(cfg.URL), box: keys.Box("logout"),
		log: audit.Log{Endpoint: "logout", Logger: cfg.Logger, OnEvent: cfg.OnEvent},
	}, nil
}

// Request is a logout request of a client, or the form of a page of this package.
type Request struct {
	Method string      // GET or POST
	Form   client.Form // the query of a GET, the body of a POST
	Header http.Header // Cookie, Origin and Sec-Fetch-Site are read
}

// Format writes "REDACTED" for every verb, because the header holds cookies.
func (Request) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("REDACTED")) }

// LogValue returns "REDACTED".
func (Request) LogValue() slog.Value { return slog.StringValue("REDACTED") }

// RequestFrom reads a Request from r. It limits the size of the body and rejects a POST with a query. Its errors are *portner.Error
// values; the Request then has no parameters.
func RequestFrom(w http.ResponseWriter, r *http.Request) (Request, error) {
	req := Request{Method: r.Method, Header: r.Header}
	var form httpx.Form
	var err error
	if r.Method == http.MethodPost {
		form, err = httpx.ReadPost(w, r)
	} else {
		form, err = httpx.ParseQuery(r.URL.RawQuery)
	}
	req.Form = client.Form(form)
	return req, err
}

// Logout ends the session of the browser that sent r and notifies its clients, or returns the page on which the user confirms the
// logout first: see the package comment. The end of the session and the notifications take at most 11 s together, and do not stop
// when ctx ends.
func (e *Endpoint) Logout(ctx context.Context, r Request) *Decision {
	return e.logout(ctx, e.newExchange(r, http.Header{}), nil)
}

// ServeHTTP adapts Logout to net/http.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	req, err := RequestFrom(w, r)
	httpx.WriteBody(w, e.logout(r.Context(), e.newExchange(req, w.Header()), err).render())
}

// exchange is the state of one request. It holds values only.
type exchange struct {
	form    httpx.Form
	method  string
	request http.Header
	header  http.Header // of the response
	now     time.Time
	locale  string
	client  *client.Client // of the request; nil if it is not known
	unclear bool           // the request has two session cookies
	ended   bool           // the session has ended
}

func (e *Endpoint) newExchange(r Request, header http.Header) *exchange {
	form := httpx.Form(r.Form)
	return &exchange{
		form: form, method: r.Method, request: r.Header, header: header, now: e.cfg.Now(), locale: e.locale(r.Header, form.Get(paramLocales)),
	}
}

// back returns the name of the client of the request and where a link back to it may lead.
func (x *exchange) back() (name, backURL string) {
	if x.client == nil {
		return "", ""
	}
	return x.client.DisplayName(), x.client.HomeURL()
}

// locale returns the language of a page. uiLocales is the parameter of the request, or the language of the page before.
func (e *Endpoint) locale(h http.Header, uiLocales string) string {
	return httpx.Locale(h, uiLocales, e.cfg.Locales, e.cfg.AcceptLanguage)
}

// logout decides a request. malformed is the error of reading it.
func (e *Endpoint) logout(ctx context.Context, x *exchange, malformed error) (d *Decision) {
	defer func() { d = e.rescue(ctx, x, recover(), d) }()
	// HEAD is rejected: a request for header fields must not log a user out.
	if x.method != http.MethodGet && x.method != http.MethodPost {
		malformed = httpx.MethodError("GET, POST")
	}
	if malformed != nil {
		return e.reject(ctx, x, portner.AsError(malformed))
	}
	// A session that is idle or expired ends too: clients may still hold its login-only grants.
	current, err := e.cfg.Sessions.Presented(ctx, x.request, x.header, x.now)
	if err != nil {
		return e.fail(ctx, x, err)
	}
	x.unclear = len(x.header["Set-Cookie"]) > 0 // Presented removes two cookies, of which one may be that of a live session
	if x.method == http.MethodPost && x.form.Has(fieldConfirm) {
		return e.confirmed(ctx, x, current)
	}
	req, err := e.parse(ctx, x)
	if portner.IsFault(err) {
		return e.fail(ctx, x, err)
	}
	if err != nil {
		return e.reject(ctx, x, portner.AsError(err))
	}
	switch e.factsOf(x, req, current).decide() {
	case end:
		return e.end(ctx, x, current, req.intent(), req.cause())
	case confirm:
		return e.confirmationPage(ctx, x, current, req.intent())
	case repost:
		return e.repost(x)
	case repeat:
		in := req.intent()
		if req.hint == nil { // any site can name a client (OIDC RP-Initiated Logout §3)
			in.ReturnTo = ""
		}
		return e.loggedOut(x, in, nil)
	}
	return e.reject(ctx, x, noSession())
}

// facts are the values that decide what a logout request leads to.
type facts struct {
	session   bool // the browser has a session, which may have reached its limits
	cookie    bool // the request has a session cookie
	hint      bool // the request has a valid id_token_hint
	matches   bool // the hint is of this session
	crossSite bool // a form of another site, which SameSite=Lax keeps the cookie from
	skip      bool // no confirmation is needed without a hint
	unclear   bool // the request has two session cookies, and neither counts
	required  bool // a request without a session cookie is an error
}

func (e *Endpoint) factsOf(x *exchange, req request, current *storage.Session) facts {
	return facts{
		session: current != nil, cookie: e.cfg.Sessions.HasCookie(x.request),
		hint: req.hint != nil, matches: current != nil && req.hint != nil && e.matches(req.hint, req.client, current, x.now),
		crossSite: x.method == http.MethodPost && !x.form.Has(fieldAgain) && !httpx.SameOrigin(x.request, e.origin),
		skip:      e.cfg.WithoutConfirmation,
		unclear:   x.unclear, required: e.cfg.RequireSession,
	}
}

// action is what follows from a decision. The zero value rejects.
type action int

const (
	reject  action = iota // there is no session to end
	confirm               // the user has to confirm
	repost                // the form has to be posted again from the provider
	repeat                // the user is logged out already
	end                   // the session ends
)

// decide returns what the request leads to. A hint of another session always needs a confirmation, because the client means another
// login.
func (f facts) decide() action {
	switch {
	case f.session && (f.matches || !f.hint && f.skip):
		return end
	case f.session:
		return confirm
	case f.crossSite && !f.cookie:
		return repost
	case f.unclear:
		return reject
	case f.cookie || !f.required:
		return repeat
	}
	return reject
}

func noSession() *portner.Error {
	return invalid("session_missing", "There is no login session in this browser, so no user was logged out.")
}

// commitTimeout bounds the end of the session and the notifications together.
const commitTimeout = 5*time.Second + backchannelTimeout

// end ends the session, notifies its clients, and leads the browser back. It runs to its end even if the browser disconnects.
func (e *Endpoint) end(ctx context.Context, x *exchange, current *storage.Session, in intent, cause string) *Decision {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	ended, err := e.cfg.Sessions.End(ctx, x.header, current, x.now)
	if errors.Is(err, storage.ErrNotFound) { // a parallel request ended it
		return e.loggedOut(x, in, nil)
	}
	if err != nil {
		return e.fail(ctx, x, err)
	}
	x.ended = true
	e.log.Emit(ctx, portner.Event{Name: portner.EventLoggedOut, Time: x.now, ClientID: in.ClientID, Reason: cause})
	return e.loggedOut(x, in, e.notify(ctx, ended, x.now))
}

// loggedOut returns the Decision after a logout: a redirect to the client, or the page that notifies clients in frames first.
func (e *Endpoint) loggedOut(x *exchange, in intent, frames []string) *Decision {
	x.ended = true
	x.header.Set("Clear-Site-Data", `"cache"`)
	if len(frames) == 0 && in.ReturnTo != "" {
		return e.result(x, Decision{Redirect: in.ReturnTo})
	}
	p := &LoggedOutPage{
		Frames: frames, ContinueURL: template.URL(in.ReturnTo), Nonce: seal.NewID(), Script: continueScript,
		Locale: x.locale, NotRegistered: in.NotRegistered, CorrelationID: httpx.NewCorrelationID(),
	}
	if in.ReturnTo == "" {
		p.ClientName, p.BackURL = x.back()
	} else {
		p.ClientName = in.ClientName
	}
	httpx.Page(x.header, false, "script-src 'nonce-"+p.Nonce+"'", frameSource(frames))
	return e.result(x, Decision{LoggedOut: p})
}

// repost returns the page that posts the form of another site again from the provider. The form has the parameters of
// the request and never a confirmation, so the posted form is decided as any other request.
func (e *Endpoint) repost(x *exchange) *Decision {
	p := &repostPage{Action: e.action, Nonce: seal.NewID(), Script: repostScript, Fields: [][2]string{{fieldAgain, "1"}}}
	for _, name := range parameters {
		if x.form.Has(name) {
			p.Fields = append(p.Fields, [2]string{name, x.form.Get(name)})
		}
	}
	httpx.Page(x.header, true, "script-src 'nonce-"+p.Nonce+"'")
	return e.result(x, Decision{repost: p})
}

// fail returns the error page for a fault. It says that the user is still logged in.
func (e *Endpoint) fail(ctx context.Context, x *exchange, err error) *Decision {
	p := &ErrorPage{
		Status: http.StatusServiceUnavailable, Code: portner.TemporarilyUnavailable, StillLoggedIn: true,
		Description: "The logout failed and you are still logged in. Try again in a moment.",
	}
	p.CorrelationID = httpx.NewCorrelationID()
	e.log.Fault(ctx, err, p.CorrelationID, x.now)
	x.header.Set("Retry-After", "2")
	return e.errorPage(x, p)
}

// reject returns the error page for an invalid request. It is never a redirect.
func (e *Endpoint) reject(ctx context.Context, x *exchange, pe *portner.Error) *Decision {
	cause := rejection{reason: string(pe.Code)}
	if r, ok := errors.AsType[rejection](pe); ok {
		cause = r
	} else if f, ok := errors.AsType[*httpx.FormError](pe); ok {
		cause.reason = f.Reason
	}
	if x.client == nil && x.form.Count(paramClientID) == 1 {
		x.client, _ = e.findClient(ctx, x.form.Get(paramClientID)) // for the way back only
	}
	p := &ErrorPage{
		Status: pe.HTTPStatus(), Code: pe.Code, Parameter: cause.parameter, Description: pe.Description, CorrelationID: httpx.NewCorrelationID(),
	}
	for name, values := range pe.Header {
		x.header[name] = values
	}
	e.log.Emit(ctx, portner.Event{Name: portner.EventRefused, Time: x.now, CorrelationID: p.CorrelationID, Reason: cause.reason, Explanation: portner.Explanation{Parameter: cause.parameter}})
	return e.errorPage(x, p)
}

func (e *Endpoint) errorPage(x *exchange, p *ErrorPage) *Decision {
	p.Locale = x.locale
	p.ClientName, p.BackURL = x.back()
	httpx.Page(x.header, false)
	return e.result(x, Decision{Error: p})
}

func (e *Endpoint) result(x *exchange, d Decision) *Decision {
	d.Header, d.endpoint, d.locale = x.header, e, x.locale
	return &d
}

// rescue turns a panic of the host's code into the plain error page. The value of the panic is not logged, because it may hold
// anything.
func (e *Endpoint) rescue(ctx context.Context, x *exchange, v any, d *Decision) *Decision {
	if v == nil {
		return d
	}
	if v == http.ErrAbortHandler {
		panic(v)
	}
	corrID := httpx.NewCorrelationID()
	e.log.Fault(ctx, fmt.Errorf("logout: panic of type %T\n%s", v, debug.Stack()), corrID, x.now)
	d = e.result(x, Decision{plain: true})
	d.Error = panicPage(corrID, x.locale, !x.ended)
	httpx.Page(x.header, false)
	return d
}

// panicPage returns the error page after a panic of the host's code.
func panicPage(corrID, locale string, stillLoggedIn bool) *ErrorPage {
	return &ErrorPage{
		Status: http.StatusInternalServerError, Code: portner.ServerError, StillLoggedIn: stillLoggedIn, Locale: locale,
		Description: "An internal error occurred.", CorrelationID: corrID,
	}
}
