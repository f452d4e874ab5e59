package authorize

import (
	"cmp"
	"context"
	"net/http"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// Step is what a pending request waits for.
type Step string

// Steps of a pending request.
const (
	LoginStep          Step = "login"          // Pending.LogIn continues
	StepUpStep         Step = "step-up"        // Pending.LogIn continues, with a level that suffices
	RepresentationStep Step = "representation" // Pending.Represent continues
	ConsentStep        Step = "consent"        // Pending.Consent continues
)

// Pages holds the paths of the host's pages, on the origin of the authorization endpoint. Zero fields are login, step-up, consent
// and representation in the folder of the authorization endpoint: with https://login.example.no/a/authorize the login page is
// /a/login.
type Pages struct {
	Login          string // for LoginStep
	StepUp         string // for StepUpStep
	Consent        string // for ConsentStep
	Representation string // for RepresentationStep
}

// Pages returns the paths of the host's pages, defaults included.
func (e *Endpoint) Pages() Pages { return e.cfg.Pages }

// withDefaults returns p with its defaults below a path.
func (p Pages) withDefaults(base string) Pages {
	return Pages{
		Login: cmp.Or(p.Login, base+"/login"), StepUp: cmp.Or(p.StepUp, base+"/step-up"),
		Consent: cmp.Or(p.Consent, base+"/consent"), Representation: cmp.Or(p.Representation, base+"/representation"),
	}
}

// urls returns the URLs of the pages up to a sealed request, which has no character that needs an escape. The paths of pages have no query.
func (p Pages) urls() Pages {
	const query = "?" + RequestField + "="
	return Pages{Login: p.Login + query, StepUp: p.StepUp + query, Consent: p.Consent + query, Representation: p.Representation + query}
}

// path returns the path of the page for a step.
func (p Pages) path(step Step) string {
	switch step {
	case StepUpStep:
		return p.StepUp
	case RepresentationStep:
		return p.Representation
	case ConsentStep:
		return p.Consent
	}
	return p.Login
}

// Names of the form fields that every form of a page posts.
const (
	RequestField = "request" // Pending.Sealed
	CSRFField    = "csrf"    // Pending.CSRF
)

// PageFunc writes a page of the host and returns nil, or continues the pending request and returns the Decision of that method of
// Pending.
//
// The header of w forbids framing and caching already. A page that sets a Content-Security-Policy of its own includes
// frame-ancestors 'none' and no form-action: Chromium applies form-action to every redirect that follows the form, and after the login
// the client may redirect the browser to any origin. The field Referrer-Policy must stay "same-origin": with "no-referrer" browsers
// hide the Origin of the form, which is then rejected.
type PageFunc func(w http.ResponseWriter, r *http.Request, p *Pending) *Decision

// Page returns a handler for the host's pages. It loads the pending request and verifies its expiry, the cookie and, for a
// POST, the origin and the CSRF token. If a text that the user answers has changed since the page was shown, the page is shown
// again. Otherwise it calls show, and writes the Decision that show returns. r.PostForm holds the fields of a posted form.
func (e *Endpoint) Page(show PageFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, err := pageRequest(w, r)
		x := e.newExchange(req, w.Header())
		x.written = true
		p, d := e.resume(r.Context(), x, err)
		if p != nil {
			d = show(w, r, p)
		}
		if d != nil {
			httpx.WriteReply(w, d.render())
		}
	})
}

// pageRequest reads the request for a page. The form of a page has fields of the host, in any number, so only the two fields of this
// package become parameters. The sealed request may be in the form or in the query.
func pageRequest(w http.ResponseWriter, r *http.Request) (Request, error) {
	req := Request{Method: r.Method, Header: r.Header, RemoteAddr: r.RemoteAddr}
	query, err := httpx.ParseQuery(r.URL.RawQuery)
	if err == nil && r.Method == http.MethodPost {
		r.Body = http.MaxBytesReader(w, r.Body, httpx.MaxBody)
		err = r.ParseForm()
	}
	if err != nil {
		return req, &portner.Error{Code: portner.InvalidRequest, Description: "The request is malformed.", Err: err}
	}
	var form httpx.Form
	if sealed := r.PostForm[RequestField]; len(sealed) == 1 {
		form = form.With(RequestField, sealed[0])
	} else if len(sealed) == 0 && query.Count(RequestField) == 1 {
		form = form.With(RequestField, query.Get(RequestField))
	}
	if csrf := r.PostForm[CSRFField]; len(csrf) == 1 {
		form = form.With(CSRFField, csrf[0])
	}
	req.Form = client.Form(form)
	return req, nil
}

// Resume returns the pending request of a request for a page. The parameter RequestField of r names it. For a POST, Resume verifies
// that the form was shown to this browser: Origin or Sec-Fetch-Site, and CSRFField. If the request cannot be resumed, has nothing left
// to show, or the texts of the page have changed since it was shown, Resume returns the Decision to write.
func (e *Endpoint) Resume(ctx context.Context, r Request) (*Pending, *Decision) {
	return e.resume(ctx, e.newExchange(r, http.Header{}), nil)
}

func (e *Endpoint) resume(ctx context.Context, x *exchange, malformed error) (p *Pending, d *Decision) {
	defer func() {
		if d = e.rescue(ctx, x, recover(), d); d != nil {
			p = nil
		}
	}()
	setPageHeaders(x.header)
	sealed, refused := e.reopen(ctx, x, malformed)
	if refused == nil && x.r.Method == http.MethodPost {
		if reason := e.checkForm(x); reason != "" {
			refused = foreignForm(reason)
		}
	}
	if refused != nil {
		return nil, e.refuse(ctx, x, refused)
	}
	sess, refused := e.currentSession(ctx, x)
	if refused != nil {
		return nil, e.refuse(ctx, x, refused)
	}
	var f facts
	if x.step == RepresentationStep || x.step == ConsentStep {
		if changed(x, sess) {
			return nil, e.loginAgain(ctx, x)
		}
		if f, refused = e.loadShown(ctx, x, sess); refused != nil {
			return nil, e.refuse(ctx, x, refused)
		}
		// The login does not suffice any more, the page was answered in another tab, no choice is left, or the choices have changed.
		if f.circle == nil || !f.belongTo(x.step) {
			return nil, e.advance(ctx, x, sess, nil)
		}
	}
	p = e.newPending(x, sealed, sess, f)
	if x.r.Method == http.MethodPost {
		if !e.formShows(x, p.content) && x.step == ConsentStep {
			if p, refused = e.asBefore(ctx, x, sealed, sess); refused != nil {
				return nil, e.refuse(ctx, x, refused)
			}
		}
		if !e.formShows(x, p.content) {
			x.again = false
			return nil, e.interact(ctx, x, next{action: interact, step: x.step, reason: reasonContentChanged}, sess, f)
		}
		p.verified = true
	}
	return p, nil
}

// asBefore returns the pending request as its consent page was shown before a first post of the form: a browser may post a form twice,
// and the first post has remembered consents.
func (e *Endpoint) asBefore(ctx context.Context, x *exchange, sealed string, sess *storage.Session) (*Pending, *refusal) {
	x.again = true
	f, refused := e.loadShown(ctx, x, sess)
	if refused != nil {
		return nil, refused
	}
	return e.newPending(x, sealed, sess, f), nil
}

// loadShown loads what the page of the step shows to the user of the login that answers the request. Without such a login the
// circle of the facts is nil.
func (e *Endpoint) loadShown(ctx context.Context, x *exchange, sess *storage.Session) (f facts, refused *refusal) {
	f, refused = e.loadLogin(ctx, x, sess)
	if refused != nil || f.decideLogin().action != proceed {
		f.circle = nil
		return f, refused
	}
	if refused = e.loadDetails(ctx, x, &f); refused != nil || x.step == RepresentationStep {
		return f, refused
	}
	f.plan, f.declined, refused = e.evaluate(ctx, x, sess, nil)
	return f, refused
}

// belongTo reports whether the page of a step has something to show.
func (f *facts) belongTo(step Step) bool {
	if step == RepresentationStep {
		return f.selection != nil
	}
	return f.selection == nil && f.needsConsent()
}

// changed reports whether sess is not the session of the login of this request.
func changed(x *exchange, sess *storage.Session) bool { return sess == nil || sess.ID != x.sessionID }

// loginAgain shows the login page because the user who logged in for this request has logged out, or another user has logged in.
// Earlier answers are discarded.
func (e *Endpoint) loginAgain(ctx context.Context, x *exchange) *Decision {
	return e.interact(ctx, x, next{action: interact, step: LoginStep, reason: reasonSessionChanged}, nil, facts{})
}

// reopen opens a sealed request. Its parameters are validated again, because the registration may have changed.
func (e *Endpoint) reopen(ctx context.Context, x *exchange, malformed error) (sealed string, refused *refusal) {
	if refused = checkMethod(x); refused != nil {
		return "", refused
	}
	if malformed != nil {
		return "", page(portner.InvalidRequest, "malformed_request", "The request is malformed.")
	}
	sealed = x.r.Form.Get(RequestField)
	if sealed == "" || repeated(httpx.Form(x.r.Form), RequestField) || len(sealed) > maxSealed {
		return "", expired("pending_request_missing")
	}
	plain, err := e.pending.OpenString(sealed, "")
	if err != nil {
		return "", expired("pending_request_seal")
	}
	t, s, hintSub, err := unpack(plain)
	x.params = s.form
	if err == nil {
		x.client, refused = e.findClient(ctx, s.form)
	}
	switch {
	case err != nil:
		return "", expired("pending_request_format")
	case !x.now.Before(t.expires) || x.now.Before(t.receivedAt.Add(-session.MaxSkew)):
		return "", expired("pending_request_expired")
	}
	if foreign := e.checkBrowser(x, t.browser); foreign != nil {
		return "", foreign
	}
	if refused != nil {
		return "", refused
	}
	// The clock of this node may run behind that of the node that received the request. A login on this page was made after it.
	if x.now.Before(t.receivedAt) {
		x.now = t.receivedAt
	}
	if x.req, refused = e.validate(ctx, x.client, s, x.now); refused != nil {
		return "", refused
	}
	x.progress, x.req.hintSub, x.interacted = t, hintSub, true
	return sealed, nil
}

// expired is the refusal of a page that was opened from a bookmark, too late, or in another browser. The description is the same
// for all of them.
func expired(reason string) *refusal {
	r := page(portner.InvalidRequest, reason, "The login has expired. Start again from the service you came from.")
	r.late = true
	return r
}

// checkBrowser refuses a request that was sealed for another browser, or arrives with two cookies of which one is planted.
func (e *Endpoint) checkBrowser(x *exchange, sealed storage.Hash) *refusal {
	switch matches, duplicate := e.browser.matches(sealed, x.r.Header); {
	case matches:
		return nil
	case duplicate:
		e.browser.clear(x.header, sealed)
		return expired("browser_cookie_duplicate").as(portner.EventCookieDuplicate)
	}
	return expired("browser_mismatch").as(portner.EventCSRF)
}

// foreignForm refuses a form that was not shown to this browser for this step.
func foreignForm(reason string) *refusal {
	r := page(portner.InvalidRequest, reason, "The form does not belong to this page. Go back and load it again.").as(portner.EventCSRF)
	r.status = http.StatusForbidden
	return r
}

// Header fields of the host's pages, unless the page sets its own. Scripts and styles are left to the host. With Referrer-Policy no-referrer
// the Origin field of a form would be null.
var (
	frameDeny  = []string{"DENY"}
	sameOrigin = []string{"same-origin"}
	pagePolicy = []string{"base-uri 'none'; object-src 'none'; frame-ancestors 'none'"}
)

func setPageHeaders(h http.Header) {
	httpx.Secure(h)
	h["Referrer-Policy"] = sameOrigin
	forbidFrames(h)
}

func forbidFrames(h http.Header) {
	h["X-Frame-Options"] = frameDeny
	h["Content-Security-Policy"] = pagePolicy
}
