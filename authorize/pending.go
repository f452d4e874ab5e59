package authorize

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// Pending is an authorization request that waits for the user. Its fields are for the page; changing them has no other effect.
// Every method may be called again with the same arguments, because a browser may post a form twice.
type Pending struct {
	// Step is what the request waits for.
	Step Step
	// Reason is why the page is shown: a reason of package session, or "other_user" if the client named another user
	// than the session's, "user_disabled", "session_changed", "representation", "consent", or "content_changed" if a text of the page changed while
	// it was shown, so that the answer does not count.
	Reason session.Reason
	// Header holds the header fields of the page. [Endpoint.Page] has set them in the response already.
	Header http.Header
	// Client describes the client.
	Client ClientInfo
	// User is the Subject of the live session of the browser. It is "" without one, and if the user did not log in for the
	// circle of the client.
	User string
	// Locale is the language of the page.
	Locale string
	// Prompt holds the prompt values of the request. A page may offer a choice of accounts for select_account.
	Prompt []string
	// RequestedACR holds the levels that the request accepts. LogIn with a lower level shows the login page again.
	RequestedACR []string
	// ACRValues are the acr_values of the request, also those that are no levels: a page may read from them how the user is to log in.
	ACRValues []string
	// LoginHint is the login_hint of the request. It may be a national identity number.
	LoginHint Hint
	// Scopes are the scopes to consent to, at ConsentStep. There may be none if there are Details.
	Scopes []scope.Shown
	// Details are objects of authorization_details that the page must show: at ConsentStep each with a way to approve it, at
	// RepresentationStep together with the Selection, which approves them.
	Details []rar.Shown
	// Selection holds the parties that the user may represent, at RepresentationStep. The page shows every choice, and a way to
	// choose none unless the selection is Required.
	Selection *rar.Selection
	// Sealed is the value of the form field RequestField.
	Sealed string

	endpoint *Endpoint
	x        *exchange
	// What the page shows, as loaded: pages cannot change it.
	locale   string
	sealed   string
	content  string // digest; "" for pages that approve nothing
	facts    facts
	verified bool // the browser posted the form of the page
}

// ClientInfo describes a client to the user. The texts are those of the registration.
type ClientInfo struct {
	ID       string // client_id
	Name     string // client_name, or the customer's name for onbehalfof
	Orgno    string // organisation number; show it beside the name
	Supplier string // client_name of the supplier, if Name is a customer's
	URI      string // client_uri
	LogoURI  string // logo_uri
}

func infoOf(c *client.Client, customer client.OnBehalfOf) ClientInfo {
	p := c.Parties(customer, storage.Delegation{})
	info := ClientInfo{ID: c.ClientID, Name: c.DisplayName(), Orgno: p.Consumer, URI: c.ClientURI, LogoURI: c.LogoURI}
	if customer.Name != "" {
		info.Supplier, info.Name = info.Name, customer.Name
	}
	return info
}

func (e *Endpoint) newPending(x *exchange, sealed string, sess *storage.Session, f facts) *Pending {
	q := x.req
	p := &Pending{
		Step: x.step, Reason: session.Reason(x.reason), Header: x.header, Client: infoOf(q.client, q.onBehalfOf),
		Locale: e.localeOf(x),
		Prompt: q.prompt.names(), RequestedACR: slices.Clone(q.acrValues), ACRValues: strings.Fields(q.form.Get("acr_values")),
		LoginHint: Hint{q.form.Get("login_hint")}, Sealed: sealed,
		endpoint: e, x: x, facts: f,
	}
	switch {
	case f.circle != nil:
		p.User = f.identity.Subject
	case sess != nil:
		if who, err := e.cfg.Sessions.Identity(sess, e.circleOf(q.client)); err == nil { // an identity that does not open belongs to no user
			p.User = who.Subject
		}
	}
	p.locale, p.sealed = p.Locale, p.Sealed
	p.show()
	return p
}

// show sets what the user approves or chooses from, and its digest.
func (p *Pending) show() {
	f := &p.facts
	if p.x.step != ConsentStep && f.selection == nil {
		return
	}
	c := newContent()
	c.client(p.Client)
	c.add(p.Locale)
	if p.x.step == ConsentStep {
		p.Scopes = f.plan.Show(p.Locale, p.endpoint.authorizationLifetime(p.x.req.client))
		c.add(p.x.req.resources...)
		c.scopes(p.Scopes, f.plan.NeedsConsent)
		c.details(f.approvable)
		p.Details = cloneDetails(f.approvable)
	} else {
		shown := *f.selection
		shown.Choices = slices.Clone(shown.Choices)
		p.Selection = &shown
		c.details(f.represented)
		c.selection(f.selection)
		p.Details = cloneDetails(f.represented)
	}
	p.content = c.digest()
}

func cloneDetails(all []rar.Shown) []rar.Shown {
	all = slices.Clone(all)
	for i := range all {
		all[i].JSON, all[i].Lines = slices.Clone(all[i].JSON), slices.Clone(all[i].Lines)
	}
	return all
}

// CSRF returns the value of the form field CSRFField. It proves that the page was shown to this browser, with these texts.
func (p *Pending) CSRF() string {
	return p.endpoint.csrfToken(0, p.x.progress, p.locale, p.content)
}

// approvable returns what the consent page requests: the names of scopes, and the IDs of details.
func (p *Pending) approvable() (scopes, details []string) {
	for _, s := range p.facts.plan.NeedsConsent {
		scopes = append(scopes, s.Name)
	}
	for _, d := range p.facts.approvable {
		details = append(details, d.ID)
	}
	return scopes, details
}

// version returns the version of the texts of a scope that the page showed.
func (p *Pending) version(name string) string {
	i := slices.IndexFunc(p.facts.plan.NeedsConsent, func(s *scope.Scope) bool { return s.Name == name })
	return p.facts.plan.NeedsConsent[i].ConsentVersion
}

// LogIn records a login and continues. If the level does not suffice, the Decision shows the login page again.
//
// Call it when the host has authenticated the user by the posted form of the page, or when another identity provider has
// redirected the browser back to the host. The host must verify that the response of the identity provider belongs to this request.
func (p *Pending) LogIn(ctx context.Context, a session.Authentication) *Decision {
	return p.continueRequest(ctx, func(x *exchange) *Decision {
		e := p.endpoint
		if x.step != LoginStep && x.step != StepUpStep {
			return e.refuse(ctx, x, foreignForm("step_mismatch"))
		}
		sess, refused := e.logIn(ctx, x, a)
		if refused != nil {
			return e.refuse(ctx, x, refused)
		}
		return e.advance(ctx, x, sess, nil)
	})
}

// Consent records the answer of the consent page and continues. The argument approved holds the names of approved Scopes and the IDs
// of approved Details. The others that were shown are declined: the scopes and details of the grant are then fewer than the
// requested ones (RFC 9396 §7). If no scope is left, the client receives access_denied. The request must be the posted form of the
// page; otherwise the Decision is an error page.
func (p *Pending) Consent(ctx context.Context, approved []string) *Decision {
	return p.continueRequest(ctx, func(x *exchange) *Decision {
		e := p.endpoint
		if x.step != ConsentStep || !p.verified {
			return e.refuse(ctx, x, foreignForm("consent_form_missing"))
		}
		scopes, details := p.approvable()
		given := &scope.Answer{Shown: scopes}
		x.approval = approval{answered: true}
		for _, name := range approved {
			switch {
			case slices.Contains(scopes, name):
				given.Approved = append(given.Approved, name)
				x.versions = append(x.versions, p.version(name))
			case !slices.Contains(details, name):
				return e.refuse(ctx, x, foreignForm("scope_not_shown"))
			}
		}
		for _, id := range details { // in the order of the request
			if slices.Contains(approved, id) {
				x.approval.approved = append(x.approval.approved, id)
			}
		}
		return p.advance(ctx, x, given)
	})
}

// Represent records the parties that the user represents, as identifiers of choices on the page, and continues. It approves the
// Details of the page for them. An empty list means that the user represents no other party; if the selection is Required, the client
// receives access_denied. The request must be the posted form of the page; otherwise the Decision is an error page.
func (p *Pending) Represent(ctx context.Context, choices []string) *Decision {
	return p.continueRequest(ctx, func(x *exchange) *Decision {
		e := p.endpoint
		if x.step != RepresentationStep || !p.verified {
			return e.refuse(ctx, x, foreignForm("representation_form_missing"))
		}
		chosen, err := p.facts.selection.Check(choices)
		switch {
		case errors.Is(err, rar.ErrDenied):
			return e.refuse(ctx, x, denied(x, rar.ErrDenied))
		case err != nil:
			return e.refuse(ctx, x, foreignForm("choice_not_shown"))
		}
		x.representation = representation{true, chosen, p.locale, offered(p.facts.represented, p.facts.selection)}
		return p.advance(ctx, x, nil)
	})
}

// Cancel ends the request: the client receives access_denied.
func (p *Pending) Cancel(ctx context.Context) *Decision {
	return p.continueRequest(ctx, func(x *exchange) *Decision {
		e := p.endpoint
		sess, refused := e.currentSession(ctx, x)
		if refused == nil && x.sessionID != "" && !changed(x, sess) {
			// Another tab must not end the request differently. Before the login nothing is stored.
			refused = e.deny(ctx, x, sess, &scope.Answer{})
		}
		if refused != nil {
			return e.refuse(ctx, x, refused)
		}
		return e.refuse(ctx, x, x.req.to.refuse(portner.AccessDenied, "user_cancelled", "The user cancelled."))
	})
}

// advance continues in the session that the page was shown in.
func (p *Pending) advance(ctx context.Context, x *exchange, given *scope.Answer) *Decision {
	e := p.endpoint
	sess, refused := e.currentSession(ctx, x)
	switch {
	case refused != nil:
		return e.refuse(ctx, x, refused)
	case changed(x, sess):
		return e.loginAgain(ctx, x)
	}
	return e.advance(ctx, x, sess, given)
}

// continueRequest calls step with a copy of the exchange, so that a Pending can be continued twice.
func (p *Pending) continueRequest(ctx context.Context, step func(*exchange) *Decision) (d *Decision) {
	x := *p.x
	x.header, x.written = x.continuedHeader(), false // the page may read the Decision
	defer func() { d = p.endpoint.rescue(ctx, &x, recover(), d) }()
	return step(&x)
}

// continuedHeader returns a copy of the header of the response for the Decision of a page. If Page writes the Decision, the fields of the
// page are in the response already.
func (x *exchange) continuedHeader() http.Header {
	if !x.written {
		return x.header.Clone()
	}
	h := http.Header{}
	if lines := x.header["Set-Cookie"]; len(lines) > 0 {
		h["Set-Cookie"] = slices.Clip(lines)
	}
	return h
}

// logIn starts or renews the session of the browser.
func (e *Endpoint) logIn(ctx context.Context, x *exchange, a session.Authentication) (*storage.Session, *refusal) {
	to := x.req.to
	if !e.hasLevels {
		a.ACR = ""
	}
	if a.Identity.Subject == "" || e.hasLevels && !e.cfg.Levels.AtLeast(a.ACR, a.ACR) {
		return nil, faulty(to, errors.New("authorize: the authentication has no subject, or a level that Config.Levels does not contain"))
	}
	current, refused := e.presentedSession(ctx, x)
	if refused != nil {
		return nil, refused
	}
	x.level = a.ACR
	a.Key = loginKey(x, e.cfg.Sessions.CookieHash(x.r.Header))
	sess, err := e.cfg.Sessions.LogIn(ctx, x.header, current, a, e.circleOf(x.req.client), x.now)
	if err != nil {
		return nil, faulty(to, fmt.Errorf("%w: %w", portner.ErrUnavailable, err))
	}
	for i := range sess.Circles {
		if c := &sess.Circles[i]; c.Name == e.circleOf(x.req.client) {
			x.loginAt = c.AuthTime
		}
	}
	return sess, nil
}

// loginKey identifies a login of a request. A second login in the same request presents the cookie of the first one, so it has
// another key.
func loginKey(x *exchange, cookie storage.Hash) string {
	return string(x.id[:]) + string(x.browser[:]) + string(cookie[:])
}
