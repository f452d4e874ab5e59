package authorize

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/commit"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// exchange is the state of one request, from a client or from a page. It holds values only. The methods of Endpoint work on it
// in this order: receive or reopen, load, decide, and then interact, issue or refuse.
type exchange struct {
	r      Request
	header http.Header // of the response
	now    time.Time
	client *client.Client // once it is found, also if the request is refused
	params httpx.Form     // the parameters as far as they are known, also if the request is refused
	req    *request
	progress
	level      string           // level of the login that Pending.LogIn recorded in this exchange; "" without one
	versions   []string         // of the texts of the scopes that the user approved on this page, in their order
	counted    bool             // the request was recorded in the session
	presented  *storage.Session // of the browser, once it was read: each request reads it once
	read       bool             // presented is set
	interacted bool             // a page was shown, so a login since receivedAt was made for this request
	written    bool             // the Decision is written only: the redirect to a page needs no Pending
	// consentedAt is when the latest of the remembered consents was given, which may be after now on a node whose clock runs behind.
	consentedAt time.Time

	form       form              // the posted form of a page
	approval   approval          // of this form
	consents   []storage.Consent // of consentsOf, so that each request reads them once
	consentsOf storage.ConsentKey
	again      bool          // the form was posted before: consents that were given for this request do not count
	offers     []loadedOffer // so that registers are queried once

	// The parts of the result, here to save their allocations.
	decision Decision
	redirect Redirect
}

func (e *Endpoint) newExchange(r Request, header http.Header) *exchange {
	return &exchange{r: r, header: header, now: e.cfg.Now()}
}

// authorize decides a new authorization request. malformed is the error of reading it.
func (e *Endpoint) authorize(ctx context.Context, x *exchange, malformed error) (d *Decision) {
	defer func() { d = e.rescue(ctx, x, recover(), d) }()
	form, refused := e.receive(ctx, x, malformed)
	if refused != nil {
		return e.refuse(ctx, x, refused)
	}
	sess, refused := e.currentSession(ctx, x)
	switch {
	case refused != nil:
		return e.refuse(ctx, x, refused)
	case x.r.Method == http.MethodPost && sess == nil && !e.browser.isSent(x.r.Header):
		return e.repeatAsGet(ctx, x, form)
	case e.wantsTestLogin(x.req):
		return e.testLogin(ctx, x)
	}
	d = e.advance(ctx, x, sess, nil)
	e.countRequest(ctx, x, sess)
	return d
}

// countRequest extends the session of the browser after a valid request that led to no code (docs/spec/idporten.md §14.1). A failure
// is logged only: without it the session ends earlier.
func (e *Endpoint) countRequest(ctx context.Context, x *exchange, sess *storage.Session) {
	if sess == nil || x.counted {
		return
	}
	commitCtx := commit.New(ctx, commitTimeout)
	defer commitCtx.Cancel()
	if err := e.cfg.Sessions.CountRequest(commitCtx, sess, x.now); err != nil {
		e.log.Fault(commitCtx, err, httpx.NewCorrelationID(), x.now)
	}
}

// receive reads, resolves and validates a new authorization request. It returns the parameters as they came.
func (e *Endpoint) receive(ctx context.Context, x *exchange, malformed error) (httpx.Form, *refusal) {
	form, raw, refused := e.parameters(x, malformed)
	x.params = form
	if refused != nil {
		if refused.late && form.Has("client_id") {
			x.client, _ = e.findClient(ctx, form) // for the way back only
		}
		return form, refused
	}
	c, s, refused := e.resolve(ctx, form, x.now)
	x.client = c
	if refused != nil {
		return form, refused
	}
	x.params = s.form
	if !s.isPushed() && !s.signed {
		s.raw = raw
	}
	if x.req, refused = e.validate(ctx, c, s, x.now); refused != nil {
		return form, refused
	}
	// Stores keep microseconds: a login at the same instant must not seem earlier than the request.
	x.receivedAt = x.now.Truncate(time.Microsecond)
	x.expires = x.receivedAt.Add(e.cfg.PendingLifetime)
	if s.isPushed() {
		copy(x.id[:], s.pushed[:]) // every load of a pushed request has one identifier, so it leads to one code
	} else {
		rand.Read(x.id[:])
	}
	return form, nil
}

// parameters returns the parameters of a GET, of a POST, or of a POST that is repeated as a GET. raw is their encoding, "" if it
// is not known.
func (e *Endpoint) parameters(x *exchange, malformed error) (form httpx.Form, raw string, refused *refusal) {
	if refused = checkMethod(x); refused != nil {
		return form, "", refused
	}
	if malformed != nil {
		err := portner.AsError(malformed)
		refused = page(err.Code, "malformed_request", err.Description)
		refused.status = err.HTTPStatus()
		return form, "", refused
	}
	if sealed := x.r.Form.Get(postedField); sealed != "" && x.r.Method == http.MethodGet {
		form, refused = e.openPosted(sealed, x.now)
		return form, "", refused
	}
	return httpx.Form(x.r.Form), x.r.raw, nil
}

// checkMethod rejects methods other than GET and POST. Only these can carry a form that is checked for its origin.
func checkMethod(x *exchange) *refusal {
	if x.r.Method == http.MethodGet || x.r.Method == http.MethodPost {
		return nil
	}
	x.header["Allow"] = []string{"GET, POST"}
	r := page(portner.InvalidRequest, "method_not_allowed", "The method is not allowed here.")
	r.status = http.StatusMethodNotAllowed
	return r
}

// postedField is the parameter with the sealed parameters of a POST that is repeated as a GET.
const postedField = "portner_posted"

// postedLifetime bounds the time a browser takes to follow the redirect.
const postedLifetime = time.Minute

// repeatAsGet answers a POST without cookies. The form of another site does not carry SameSite=Lax cookies, so the session of the
// browser is unknown. A GET to the same endpoint carries them. The parameters are sealed, because they were posted to keep them
// out of URLs.
func (e *Endpoint) repeatAsGet(ctx context.Context, x *exchange, form httpx.Form) *Decision {
	until := x.now.Add(postedLifetime).UTC().Format(time.RFC3339)
	sealed := e.posted.SealString([]byte(until+" "+form.Encode()), "")
	if len(sealed) > maxSealed {
		return e.refuse(ctx, x, x.req.to.invalid("request_too_large", "The request is too large."))
	}
	return e.redirect(x, Redirect{URL: "?" + postedField + "=" + sealed})
}

// openPosted reverses repeatAsGet. It returns the parameters of an expired request, too. The request counts as received now. It is not bound
// to a browser, because any site can make a browser send any authorization request.
func (e *Endpoint) openPosted(sealed string, now time.Time) (httpx.Form, *refusal) {
	expired := page(portner.InvalidRequest, "posted_request_expired", "The request has expired. Start again from the service you came from.")
	expired.late = true
	if len(sealed) > maxSealed {
		return httpx.Form{}, expired
	}
	plain, err := e.posted.OpenString(sealed, "")
	if err != nil {
		return httpx.Form{}, expired
	}
	until, encoded, _ := strings.Cut(string(plain), " ")
	form, err := httpx.Parse(encoded)
	if err != nil {
		return httpx.Form{}, expired
	}
	expires, err := time.Parse(time.RFC3339, until)
	if err != nil || !now.Before(expires) || expires.After(now.Add(postedLifetime+session.MaxSkew)) {
		return form, expired
	}
	return form, nil
}

// currentSession returns the live session of the browser, nil if there is none.
func (e *Endpoint) currentSession(ctx context.Context, x *exchange) (*storage.Session, *refusal) {
	sess, refused := e.presentedSession(ctx, x)
	if !e.cfg.Sessions.IsActive(sess, x.now) {
		sess = nil
	}
	return sess, refused
}

// presentedSession returns the session of the browser as the request found it, also one that has reached its limits. It may end or change
// before the request does: the store rejects a login and a code that rest on what it was.
func (e *Endpoint) presentedSession(ctx context.Context, x *exchange) (*storage.Session, *refusal) {
	if x.read {
		return x.presented, nil
	}
	sess, err := e.cfg.Sessions.Presented(ctx, x.r.Header, x.header, x.now)
	if err != nil {
		return nil, faulty(x.req.to, fmt.Errorf("%w: %w", portner.ErrUnavailable, err))
	}
	x.presented, x.read = sess, true
	return sess, nil
}

// advance loads the facts of a valid request, decides what the request needs next, and returns the Decision. After each
// interaction it loads all facts again, because they may have changed while the page was shown.
func (e *Endpoint) advance(ctx context.Context, x *exchange, sess *storage.Session, given *scope.Answer) *Decision {
	f, refused := e.load(ctx, x, sess, given)
	if refused != nil {
		return e.refuse(ctx, x, refused)
	}
	switch n := f.decide(); n.action {
	case interact:
		return e.interact(ctx, x, n, sess, f)
	case issue:
		return e.issue(ctx, x, sess, f, given)
	default:
		if f.declined {
			if refused := e.deny(ctx, x, sess, given); refused != nil {
				return e.refuse(ctx, x, refused)
			}
		}
		return e.refuse(ctx, x, x.req.to.refuse(n.code, string(n.reason), n.description))
	}
}

// interact returns the Decision that shows a page. The sealed request and the cookie of the browser hold everything that the
// page needs to continue it.
func (e *Endpoint) interact(ctx context.Context, x *exchange, n next, sess *storage.Session, f facts) *Decision {
	if n.step == LoginStep || n.step == StepUpStep { // another user may log in, so the earlier choice is discarded
		x.representation, x.loginAt = representation{}, time.Time{}
	}
	x.step, x.reason, x.sessionID = n.step, string(n.reason), ""
	if sess != nil && n.step != LoginStep && n.step != StepUpStep {
		x.sessionID = sess.ID
	}
	if x.browser == (storage.Hash{}) {
		x.browser = e.browser.ensure(x.r.Header, x.header)
	}
	base := e.pageURLs.path(x.step)
	var room [1024]byte // most requests fit
	url := e.pending.SealURL(base, pack(room[:0], x.progress, x.req), "")
	sealed := url[len(base):]
	if len(sealed) > maxSealed {
		return e.refuse(ctx, x, x.req.to.invalid("request_too_large", "The request is too large."))
	}
	x.interacted = true
	if x.written {
		forbidFrames(x.header) // the redirect sets the other fields
		return e.redirect(x, Redirect{URL: url})
	}
	setPageHeaders(x.header)
	return e.result(x, Decision{Interaction: e.newPending(x, sealed, sess, f)})
}

// refuse logs a refusal and returns its Decision: an error for the client, or an error page.
func (e *Endpoint) refuse(ctx context.Context, x *exchange, r *refusal) *Decision {
	corrID := httpx.NewCorrelationID()
	if r.fault != nil {
		e.log.Fault(ctx, r.fault, corrID, x.now)
	} else {
		r.explain(x.params, x.client)
		e.log.Emit(ctx, portner.Event{Name: r.event, Time: x.now, CorrelationID: corrID, ClientID: x.clientID(), Reason: r.reason, Explanation: r.explanation})
	}
	if r.to != nil {
		return e.respondError(ctx, x, r.to, r)
	}
	p := &ErrorPage{
		Status: cmp.Or(r.status, http.StatusBadRequest), Code: r.code, Parameter: r.explanation.Parameter, Description: r.description,
		CorrelationID: corrID, Locale: e.localeOf(x),
	}
	p.Completed, p.Expired = r.finished, r.late
	if x.client != nil {
		customer, _ := x.client.Customer(x.params.Get(e.cfg.CustomerParameter))
		p.Client, p.BackURL = infoOf(x.client, customer), cmp.Or(customer.URL, x.client.HomeURL())
		if to := e.onlyWayBack(x, p); to != nil {
			return e.respondError(ctx, x, to, r)
		}
	}
	return e.result(x, Decision{Error: p})
}

// onlyWayBack returns the target of a request that has ended, if its client has no page that a link could lead to: a native application
// opens again by its redirect URI only. It returns nil for other pages.
func (e *Endpoint) onlyWayBack(x *exchange, p *ErrorPage) *target {
	if p.BackURL != "" || !p.Completed && !p.Expired {
		return nil
	}
	if x.req != nil {
		return x.req.to
	}
	to, refused := newTarget(x.client, e.cfg.Environment, x.params)
	if refused != nil {
		return nil
	}
	return &to
}

// clientID returns the client_id of the registration, "" until it is found.
func (x *exchange) clientID() string {
	if x.client == nil {
		return ""
	}
	return x.client.ClientID
}

// respondError returns the Decision that sends an error to the client. An error that cannot be signed is a page: it is never sent in
// clear.
func (e *Endpoint) respondError(ctx context.Context, x *exchange, to *target, r *refusal) *Decision {
	d, err := e.respond(x, to, "error", string(r.code), "error_description", r.description)
	if err != nil {
		return e.refuse(ctx, x, faulty(nil, err))
	}
	return d
}

// respond returns the Decision that sends parameters to the client, with state if the request has one, and iss (RFC 9207 §2). It returns
// an error if the response mode is signed and the response cannot be signed.
func (e *Endpoint) respond(x *exchange, to *target, params ...string) (*Decision, error) {
	var room [8]string // most responses fit
	params = append(room[:0], params...)
	if to.state != "" {
		params = append(params, "state", to.state)
	}
	params = append(params, "iss", e.cfg.Issuer)
	if isSigned(to.mode) {
		response, err := e.signResponse(x, params)
		if err != nil {
			return nil, err
		}
		params = []string{"response", response}
	}
	if !isPosted(to.mode) {
		return e.redirect(x, Redirect{URL: httpx.AppendQuery(to.uri, params...)}), nil
	}
	form := make(map[string]string, len(params)/2)
	for i := 0; i+1 < len(params); i += 2 {
		form[params[i]] = params[i+1]
	}
	return e.redirect(x, Redirect{URL: to.uri, Form: form}), nil
}

func (e *Endpoint) redirect(x *exchange, r Redirect) *Decision {
	x.redirect = r
	return e.result(x, Decision{Redirect: &x.redirect})
}

func (e *Endpoint) result(x *exchange, d Decision) *Decision {
	d.Header, d.endpoint = x.header, e
	x.decision = d
	return &x.decision
}

var errPanic = errors.New("authorize: a function of the host panicked")

// rescue turns a panic of the host's code into an error page. The value of the panic is not logged, because it may hold
// anything.
func (e *Endpoint) rescue(ctx context.Context, x *exchange, v any, d *Decision) *Decision {
	if v == nil {
		return d
	}
	if v == http.ErrAbortHandler {
		panic(v)
	}
	return e.refuse(ctx, x, faulty(nil, fmt.Errorf("%w: a value of type %T\n%s", errPanic, v, debug.Stack())))
}
