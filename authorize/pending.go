package authorize

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// Pending is an authorization request that waits for a person. Its fields are for the pages to show;
// changing them changes nothing else. It belongs to one HTTP request.
type Pending struct {
	// Step is what the request waits for.
	Step Step
	// Reason is a fixed word for why: at the login step a session.Reason, or "other_person"
	// if the client named another person than the one logged in; "consent" at the consent step.
	Reason string
	// Client is who asks.
	Client ClientInfo
	// Locale is the language to show (idporten section 3.6).
	Locale string
	// Prompt are the request's prompt values: a page may offer the choice of account for select_account.
	Prompt []string
	// RequestedACR are the known levels asked for, the provider's default if the request names none. A
	// login of a lower level than the lowest of them leads back to the login page.
	RequestedACR []string
	// LoginHint is what the client wrote about the person. It may be an identity number.
	LoginHint Hint
	// Scopes are what the person is asked to consent to, at the consent step only.
	Scopes []scope.Shown
	// Question is whom the person may represent, at the representation step only. The page shows every
	// choice, and a way to represent nobody unless the question is Required.
	Question *rar.Question
	// Sealed is the request itself: the forms of the page post it as RequestField.
	Sealed string

	flow     *flow
	plan     scope.Plan
	verified bool // the browser posted the form of the page it was shown
}

// ClientInfo is what a person is told of a client. The texts are the registration's, not the request's.
type ClientInfo struct {
	ID       string // client_id
	Name     string // client_name, or the customer's name for onbehalfof
	Orgno    string // the organisation number, always to be shown beside the name
	Supplier string // client_name of the supplier, if Name is a customer's
	URI      string // client_uri
	LogoURI  string // logo_uri
}

func infoOf(c *client.Client, customer client.OnBehalfOf) ClientInfo {
	info := ClientInfo{ID: c.ClientID, Name: c.DisplayName(), Orgno: c.OrganisationNo, URI: c.ClientURI, LogoURI: c.LogoURI}
	if customer.Name != "" {
		info.Supplier, info.Name = info.Name, customer.Name
	}
	if customer.Orgno != "" {
		info.Orgno = customer.Orgno
	}
	return info
}

// pending is the page's view of the flow.
func (f *flow) pending(sealed string, plan scope.Plan) *Pending {
	q := f.req
	p := &Pending{
		Step: f.step, Reason: f.reason, Client: infoOf(q.client, q.onBehalfOf),
		Locale: f.locale(f.r, q.form.Get("ui_locales")),
		Prompt: q.prompt.names(), RequestedACR: slices.Clone(q.acrValues),
		LoginHint: Hint{q.form.Get("login_hint")},
		Sealed:    sealed, flow: f, plan: plan,
	}
	if f.step == StepConsent {
		p.Scopes = plan.Show(p.Locale, f.authorizationLifetime(q.client))
	}
	p.Question = f.shownChoice()
	return p
}

// CSRF proves that the page was shown to this browser: the forms post it as CSRFField.
func (p *Pending) CSRF() string { return csrf(p.flow.csrfKeys[0], p.flow.travel, p.shown()) }

// shown is everything the person says yes or no to, or chooses from.
func (p *Pending) shown() string {
	parts := []string{p.flow.req.client.ClientID}
	switch p.Step {
	case StepRepresentation:
		return strings.Join(append(parts, shownChoices(p.flow.choice)...), "\x00")
	case StepConsent:
	default:
		return ""
	}
	parts = append(parts, p.flow.req.resources...)
	for _, s := range p.plan.NeedsConsent {
		parts = append(parts, s.Name)
	}
	return strings.Join(parts, "\x00")
}

// FormAction returns the sources a page must allow in the form-action of its Content-Security-Policy:
// 'self' and where the request redirects to, because Chromium holds form-action against the redirect
// that follows a POST (security row I1).
func (p *Pending) FormAction() []string {
	return []string{"'self'", httpx.Origin(p.flow.req.to.uri)}
}

// Authenticated records who logged in and goes on with the request: to the consent page, to the
// client, or back to the login page if the level does not suffice. It writes the answer.
//
// Call it when the login page's form was posted and the person checked, or when the browser came back
// from another identity provider to a URL of yours; what proves that it is the same login is then
// yours to check.
func (p *Pending) Authenticated(w http.ResponseWriter, r *http.Request, a session.Authentication) {
	p.act(w, r, func(f *flow) *refusal {
		if p.Step != StepLogin {
			return notOurPage("step")
		}
		return f.authenticated(a)
	})
}

// Consented records that the person said yes to the approved scopes and no to the others shown, and
// goes on with the request. It writes the answer. Only the posted form of the consent page counts.
func (p *Pending) Consented(w http.ResponseWriter, r *http.Request, approved []string) {
	p.act(w, r, func(f *flow) *refusal {
		if p.Step != StepConsent || !p.verified {
			return notOurPage("consent_not_posted")
		}
		said := &answer{approved: slices.Clone(approved), shown: make([]string, len(p.plan.NeedsConsent))}
		for i, s := range p.plan.NeedsConsent {
			said.shown[i] = s.Name
		}
		for _, name := range approved {
			if !contains(said.shown, name) {
				return notOurPage("consent_not_shown")
			}
		}
		return f.consentGiven(said)
	})
}

// Deny is Consented with nothing approved: the login succeeds without the scopes that need consent,
// or ends with access_denied if nothing is left.
func (p *Pending) Deny(w http.ResponseWriter, r *http.Request) { p.Consented(w, r, nil) }

// Cancel ends the request: the client gets access_denied.
func (p *Pending) Cancel(w http.ResponseWriter, r *http.Request) {
	p.act(w, r, func(f *flow) *refusal {
		return f.req.to.refuse(portner.AccessDenied, "cancelled", "The person cancelled.")
	})
}

// act runs one step of the flow with the request the page is answering.
func (p *Pending) act(w http.ResponseWriter, r *http.Request, step func(*flow) *refusal) {
	f := p.flow
	f.w, f.r = w, r
	defer func() { f.rescue(recover()) }()
	f.finish(step(f))
}

// authenticated turns a login into a session and goes on.
func (f *flow) authenticated(a session.Authentication) *refusal {
	sess, refused := f.login(a)
	if refused != nil {
		return refused
	}
	f.logins++
	return f.proceed(sess, nil)
}

// login starts or renews the browser's session.
func (f *flow) login(a session.Authentication) (*storage.Session, *refusal) {
	q := f.req
	if a.Identity.Subject == "" || !f.cfg.Levels.AtLeast(a.ACR, a.ACR) {
		return nil, faulty(q.to, errors.New("authorize: the login page named nobody, or a level that Config.Levels does not know"))
	}
	current, err := f.cfg.Sessions.Current(f.r.Context(), f.r.Header, f.w.Header(), f.now)
	if err != nil {
		return nil, faulty(q.to, fmt.Errorf("%w: %w", portner.ErrUnavailable, err))
	}
	circle := f.cfg.Sessions.CircleOf(q.client.ClientID, q.client.SSODisabled)
	sess, err := f.cfg.Sessions.LogIn(f.r.Context(), f.w.Header(), current, a, circle, f.now)
	if err != nil {
		return nil, faulty(q.to, fmt.Errorf("%w: %w", portner.ErrUnavailable, err))
	}
	return sess, nil
}

// consentGiven takes the answer if the person who gave it is still the one who logged in.
func (f *flow) consentGiven(said *answer) *refusal {
	sess, refused := f.same()
	if refused != nil || sess == nil {
		return refused
	}
	return f.proceed(sess, said)
}

// same returns the session if it is still the one that authenticated. Otherwise it is nil and the person
// was asked to log in again, or the request refused.
func (f *flow) same() (*storage.Session, *refusal) {
	sess, err := f.cfg.Sessions.Current(f.r.Context(), f.r.Header, f.w.Header(), f.now)
	if err != nil {
		return nil, faulty(f.req.to, fmt.Errorf("%w: %w", portner.ErrUnavailable, err))
	}
	if sess == nil || sess.ID != f.sessionID {
		return nil, f.loginAgain()
	}
	return sess, nil
}

// loginAgain asks who is there: the one who logged in for this request has logged out, or somebody else
// has logged in since. Of what was said nothing is kept.
func (f *flow) loginAgain() *refusal { return f.askLogin(reasonSessionChanged) }

// notOurPage is the answer to a form that is not the page's own (security row G1).
func notOurPage(reason string) *refusal {
	r := page(portner.InvalidRequest, reason, "The form does not belong to this page. Go back and load it again.").
		as(portner.EventCSRF)
	r.status = http.StatusForbidden
	return r
}

// errAnswered says that Resume had nothing to show: the request went on by itself.
var errAnswered = &portner.Error{Code: portner.InteractionRequired, Description: "The request needs another step."}

// resume opens a request that came back to a page.
func (f *flow) resume() (*Pending, *refusal, error) {
	bornSafe(f.w.Header())
	sealed, refused := f.sealedValue()
	if refused != nil {
		return nil, refused, refused.wireError()
	}
	if refused = f.open(sealed); refused != nil {
		return nil, refused, refused.wireError()
	}
	var plan scope.Plan
	if f.step != StepLogin {
		sess, refused := f.same()
		if refused != nil {
			return nil, refused, refused.wireError()
		}
		if sess == nil {
			return nil, nil, errAnswered
		}
		if plan, refused = f.asked(sess); refused != nil {
			return nil, refused, refused.wireError()
		}
		if len(plan.NeedsConsent) == 0 && f.choice == nil { // said in another tab, or nothing is left to choose
			return nil, f.proceed(sess, nil), errAnswered
		}
	}
	p := f.pending(sealed, plan)
	if f.r.Method == http.MethodPost {
		if reason := f.notFromOurPage(p.shown()); reason != "" {
			refused = notOurPage(reason)
			return nil, refused, refused.wireError()
		}
		p.verified = true
	}
	return p, nil, nil
}

// asked derives again what the page of the step asks.
func (f *flow) asked(sess *storage.Session) (plan scope.Plan, refused *refusal) {
	if f.step == StepRepresentation {
		f.choice, refused = f.choose(sess)
		return plan, refused
	}
	return f.consented(sess, nil)
}

// sealedValue finds the sealed request: in the form of a POST, else in the query.
func (f *flow) sealedValue() (string, *refusal) {
	if f.r.Method != http.MethodGet && f.r.Method != http.MethodPost { // no other proves that it is our form
		f.w.Header().Set("Allow", "GET, POST")
		r := page(portner.InvalidRequest, "method", "The method is not allowed here.")
		r.status = http.StatusMethodNotAllowed
		return "", r
	}
	query, err := httpx.ParseQuery(f.r.URL.RawQuery)
	if err == nil && f.r.Method == http.MethodPost {
		f.r.Body = http.MaxBytesReader(f.w, f.r.Body, httpx.MaxBody)
		err = f.r.ParseForm()
	}
	if err != nil {
		return "", page(portner.InvalidRequest, "malformed", "The request is malformed.")
	}
	values := f.r.PostForm[RequestField]
	if len(values) == 0 {
		values = query.All(RequestField)
	}
	if len(values) != 1 || len(values[0]) > maxSealed {
		return "", gone("waiting_missing")
	}
	return values[0], nil
}

// gone is the answer to a login page opened from a bookmark, too late, or in another browser. It is
// the same for all: idporten section 19.1 shows "invalid or expired session".
func gone(reason string) *refusal {
	return page(portner.InvalidRequest, reason, "The login has expired. Start again from the service you came from.")
}

// otherBrowser: a request of another browser, or one beside whose cookie another was planted.
func (f *flow) otherBrowser() *refusal {
	if _, duplicate := browserCookies(f.r); duplicate {
		forgetBrowser(f.w)
		return gone("browser_cookie").as(portner.EventCookieDuplicate)
	}
	return gone("other_browser").as(portner.EventCSRF)
}

// open makes the flow of a sealed request: the values are those that were validated, and they are
// validated again, for the registration may have changed.
func (f *flow) open(sealed string) *refusal {
	plain, err := f.waiting.OpenString(sealed, "")
	if err != nil {
		return gone("waiting_seal")
	}
	t, s, hintSub, err := unpackSealed(plain)
	switch {
	case err != nil:
		return gone("waiting_format")
	case !f.now.Before(t.expires) || f.now.Before(t.receivedAt.Add(-time.Minute)):
		return gone("waiting_expired")
	case !sameBrowser(t, f.r):
		return f.otherBrowser()
	}
	c, refused := f.findClient(f.r.Context(), s.form)
	if refused != nil {
		return refused
	}
	f.clientID = c.ClientID
	if f.req, refused = f.validate(f.r.Context(), c, s, f.now); refused != nil {
		return refused
	}
	f.travel, f.req.hintSub, f.interacted = t, hintSub, true
	return nil
}
