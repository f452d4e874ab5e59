package authorize

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// flow is one HTTP request's work on an authorization request.
type flow struct {
	*Endpoint
	w   http.ResponseWriter
	r   *http.Request
	now time.Time

	req *request
	travel
	clientID   string        // once it is known that there is such a client
	choice     *rar.Question // at the representation step: what is or was asked
	interacted bool          // a page was shown: the person may have logged in for this request
	logins     int           // made in this very HTTP request, to stop pages that answer themselves for ever
}

// postedField carries a request that was posted without cookies, from the endpoint to itself. The name
// is one that clients do not send: their unknown parameters are ignored.
const postedField = "portner_posted"

// arrive takes a new authorization request as far as it goes.
func (f *flow) arrive() *refusal {
	form, raw, refused := f.read()
	if refused != nil {
		return refused
	}
	c, s, refused := f.resolve(f.r.Context(), form, f.now)
	if c != nil {
		f.clientID = c.ClientID
	}
	if refused != nil {
		return refused
	}
	if !s.isPushed() && !s.signed {
		s.raw = raw
	}
	if f.req, refused = f.validate(f.r.Context(), c, s, f.now); refused != nil {
		return refused
	}
	sess, err := f.cfg.Sessions.Current(f.r.Context(), f.r.Header, f.w.Header(), f.now)
	if err != nil {
		return faulty(f.req.to, fmt.Errorf("%w: %w", portner.ErrUnavailable, err))
	}
	if f.r.Method == http.MethodPost && sess == nil && browserOf(f.r) == "" {
		return f.again(form)
	}
	// A session keeps microseconds: the arrival must not seem later than a login it came before.
	f.receivedAt = f.now.Truncate(time.Microsecond)
	f.expires = f.receivedAt.Add(f.cfg.PendingLifetime)
	if s.isPushed() {
		copy(f.id[:], s.pushed[:]) // however often the browser loads it: one code
	} else {
		rand.Read(f.id[:])
	}
	if f.wantsTestLogin() {
		return f.testLogin()
	}
	return f.proceed(sess, nil)
}

// read returns the parameters of a GET, of a POST, or of a POST that was sent on as a GET; raw is the
// encoding they came in, if that is at hand.
func (f *flow) read() (form httpx.Form, raw string, refused *refusal) {
	var err error
	if f.r.Method == http.MethodPost {
		form, err = httpx.ReadPost(f.w, f.r)
	} else {
		raw = f.r.URL.RawQuery
		form, err = httpx.ParseQuery(raw)
	}
	if err != nil {
		e := portner.AsError(err)
		refused = page(e.Code, "malformed", e.Description)
		refused.status = e.HTTPStatus()
		return form, "", refused
	}
	if sealed := form.Get(postedField); sealed != "" && f.r.Method == http.MethodGet {
		form, refused = f.reopen(sealed)
		raw = ""
	}
	return form, raw, refused
}

// again answers a POST that came without any of our cookies. Another site's form does not carry Lax
// cookies, so nobody knows whether the browser has a session: it is sent on to the same endpoint by a
// GET, which does carry them. The parameters are sealed, for they were posted to stay out of URLs.
func (f *flow) again(form httpx.Form) *refusal {
	until := f.now.Add(postedLifetime).UTC().Format(time.RFC3339)
	sealed := f.posted.SealString([]byte(until+" "+form.Encode()), "")
	if len(sealed) > maxSealed {
		return f.req.to.invalid("too_large", "The request is too large.")
	}
	httpx.SeeOther(f.w, "?"+postedField+"="+sealed)
	return nil
}

// postedLifetime is how long a browser takes to follow a redirect, generously.
const postedLifetime = time.Minute

// reopen reverses again. The request counts as arriving now, and is not bound to a browser: anybody
// can make a browser send any authorization request.
func (f *flow) reopen(sealed string) (httpx.Form, *refusal) {
	gone := page(portner.InvalidRequest, "posted_expired", "The request has expired. Start again from the service you came from.")
	if len(sealed) > maxSealed {
		return httpx.Form{}, gone
	}
	plain, err := f.posted.OpenString(sealed, "")
	if err != nil {
		return httpx.Form{}, gone
	}
	until, encoded, _ := strings.Cut(string(plain), " ")
	expires, err := time.Parse(time.RFC3339, until)
	if err != nil || !f.now.Before(expires) {
		return httpx.Form{}, gone
	}
	form, err := httpx.Parse(encoded)
	if err != nil {
		return httpx.Form{}, gone
	}
	return form, nil
}

// proceed decides what the request needs now, and does it. It runs again after each interaction, from
// the start: what was decided before a page was shown decides nothing.
func (f *flow) proceed(sess *storage.Session, said *answer) *refusal {
	needs, circle, refused := f.decide(sess)
	if refused != nil {
		return refused
	}
	switch needs.do {
	case refuseIt:
		return f.req.to.refuse(needs.code, needs.reason, needs.description())
	case askLogin:
		return f.askLogin(needs.reason)
	}
	if f.choice, refused = f.choose(sess); refused != nil {
		return refused
	}
	if f.choice != nil && f.req.prompt.has(promptNone) {
		return f.req.to.refuse(portner.InteractionRequired, "representation", "The person has to choose whom to represent.")
	}
	if f.choice != nil {
		return f.ask(StepRepresentation, "representation", sess, scope.Plan{})
	}
	plan, refused := f.consented(sess, said)
	if refused != nil {
		return refused
	}
	if len(plan.NeedsConsent) == 0 {
		return f.issue(sess, circle, plan, said)
	}
	if f.req.prompt.has(promptNone) {
		return f.req.to.refuse(portner.ConsentRequired, "consent", "The person has to be asked for consent.")
	}
	return f.ask(StepConsent, "consent", sess, plan)
}

// decide asks the session, and compares the person with the one the client named.
func (f *flow) decide(sess *storage.Session) (decision, *storage.Circle, *refusal) {
	q := f.req
	rules := f.cfg.Sessions
	var since time.Time
	if f.interacted { // before, no login was for this request, were it at the same instant
		since = f.receivedAt
	}
	circle, reason := rules.Decide(sess, session.Request{
		Circle:      rules.CircleOf(q.client.ClientID, q.client.SSODisabled),
		Sufficient:  func(level string) bool { return f.cfg.sufficient(level, q.acrValues) },
		PromptLogin: q.prompt.has(promptLogin | promptSelectAccount),
		FreshScope:  q.plan.NeedsFreshLogin,
		MaxAge:      q.maxAge, HasMaxAge: q.hasMaxAge,
		At: since,
	}, f.now)
	asked := question{reason: reason, silent: q.prompt.has(promptNone)}
	if circle != nil && q.hintSub != "" {
		same, err := f.isHinted(sess)
		if err != nil {
			return decision{}, nil, faulty(q.to, err)
		}
		asked.otherPerson = !same
		asked.fresh = f.interacted && !circle.AuthTime.Before(f.receivedAt)
	}
	return asked.decide(), circle, nil
}

// isHinted reports whether the session is of the person the id_token_hint names.
func (f *flow) isHinted(sess *storage.Session) (bool, error) {
	who, err := f.cfg.Sessions.Identity(sess)
	if err != nil {
		return false, err
	}
	return f.cfg.Subject(f.req.client, who) == f.req.hintSub, nil
}

// answer is what a person said on the consent page.
type answer struct{ approved, shown []string }

// consented evaluates the scopes with what the person said now or before.
func (f *flow) consented(sess *storage.Session, said *answer) (scope.Plan, *refusal) {
	q := f.req
	if len(q.plan.NeedsConsent) == 0 && said == nil {
		return q.plan, nil
	}
	ask := f.question(q, f.now)
	if said != nil {
		ask.Answer = &scope.Answer{Shown: said.shown, Approved: said.approved}
	}
	if f.cfg.Consents != nil && !ask.Again {
		remembered, err := f.cfg.Consents.Consents(f.r.Context(), sess.UserKey, q.client.ClientID, f.now)
		if err != nil {
			return scope.Plan{}, faulty(q.to, fmt.Errorf("%w: reading consents: %w", portner.ErrUnavailable, err))
		}
		for _, c := range remembered {
			ask.Consents = append(ask.Consents, scope.Consent{Scope: c.Scope, ExpiresAt: c.ExpiresAt})
		}
	}
	plan, err := scope.Evaluate(ask)
	if err != nil {
		return plan, q.to.scopes(err)
	}
	return plan, nil
}

// askLogin takes the browser to the login page.
func (f *flow) askLogin(reason string) *refusal {
	if f.logins > 2 {
		return faulty(f.req.to, errors.New("authorize: the pages log in by themselves, and it never suffices"))
	}
	f.choice, f.representation = nil, representation{} // what the person before said is not said
	return f.ask(StepLogin, reason, nil, scope.Plan{})
}

// ask seals the request and hands the browser to the host's page. Everything the page needs to come
// back with is in the sealed value and the browser's cookie.
func (f *flow) ask(step Step, reason string, sess *storage.Session, plan scope.Plan) *refusal {
	f.step, f.sessionID, f.reason = step, "", reason
	if sess != nil {
		f.sessionID = sess.ID
	}
	if f.browser == (storage.Hash{}) {
		f.browser = storage.HashOf(knowBrowser(f.w, f.r))
	}
	sealed := f.waiting.SealString(pack(f.travel, f.req), "")
	if len(sealed) > maxSealed {
		return f.req.to.invalid("too_large", "The request is too large.")
	}
	bornSafe(f.w.Header())
	f.interacted = true
	f.cfg.Pages.Interact(f.w, f.r, f.pending(sealed, plan))
	return nil
}

// finish writes the refusal, if there is one.
func (f *flow) finish(r *refusal) {
	if r == nil {
		return
	}
	corrID := httpx.NewCorrelationID()
	if r.fault != nil {
		f.log.Fault(f.r.Context(), r.fault, corrID, f.now)
	} else {
		f.log.Emit(f.r.Context(), portner.Event{Name: r.event, Time: f.now, CorrelationID: corrID, ClientID: f.clientID, Reason: r.reason})
	}
	if r.to == nil {
		f.writePage(r, corrID)
		return
	}
	f.respond(r.to, "error", string(r.code), "error_description", r.description)
}

// rescue turns a panic of the host's code into an error page: a hook that panics denies (security row
// J13). The value of the panic is not logged, it may hold anything. It reports whether there was one.
func (f *flow) rescue(v any) bool {
	if v == nil {
		return false
	}
	if v == http.ErrAbortHandler {
		panic(v)
	}
	corrID := httpx.NewCorrelationID()
	f.log.Fault(f.r.Context(), fmt.Errorf("authorize: panic of type %T\n%s", v, debug.Stack()), corrID, f.now)
	f.writePage(faulty(nil, errPanic), corrID)
	return true
}

var errPanic = errors.New("authorize: a hook panicked")
