package walk

import (
	"slices"
	"strings"
	"time"
)

// The reference model: what users, clients and the operator did, and what follows for every code, token and session. It knows
// nothing of the provider's packages, stores or secrets. Texts of tokens are only names of its values.

// Lifetimes and limits of the provider under test.
const (
	sessionMax    = 120 * time.Minute
	sessionIdle   = 30 * time.Minute
	sessionsEach  = 3 // live sessions of a user
	codeLife      = 60 * time.Second
	pendingLife   = 15 * time.Minute
	idTokenLife   = 120 * time.Second
	grace         = 20 * time.Second
	exchangeLimit = 8
)

// person is a user of the host.
type person struct {
	subject  string
	disabled bool
	banned   bool // may not make payments
}

// login is one way in which a person logs in. Each has its own identity.
type login struct {
	name, level, method string
	person              *person
	pid, email          string // one of them identifies the person to the provider
	given               string
}

// key is what pairwise subjects derive from.
func (l *login) key() string { return l.pid + "/" + l.email }

// registration is a client.
type registration struct {
	id, org, sector    string
	public             bool // the subject type
	browser            bool // cannot keep a secret
	isolated, disabled bool
	refreshes, machine bool
	sid, backchannel   bool
	scopes             []string
	customers          map[string]string // organisation numbers by value
	accessLife, all    time.Duration
}

func (c *registration) circle() string {
	if c.isolated {
		return c.id
	}
	return ""
}

func (c *registration) introspects() bool { return slices.Contains(c.scopes, introspection) }

// rule is the record of a scope.
type rule struct {
	name, owner     string
	consent         bool
	version         string
	pseudonymous    bool
	opaque          bool
	longest, oldest time.Duration // of grants and of access tokens; 0 is no limit
	access          map[string]bool
}

const introspection = "idporten:token.introspection"

func reserved(name string) bool {
	return name == "openid" || name == "profile" || name == introspection
}

// proof is a login in a session, valid for one circle.
type proof struct {
	*login
	at time.Time
}

// session is the session of a browser.
type session struct {
	person        *person
	started, last time.Time
	until         time.Time // end of its last login-only grant
	proofs        map[string]proof
	clients       []*registration
	withheld      map[*registration]bool // those with a login that was not open
	over          bool
}

func (s *session) live(now time.Time) bool {
	return s != nil && !s.over && now.Before(s.started.Add(sessionMax)) && now.Before(s.last.Add(sessionIdle))
}

// kept reports whether a login or logout in the browser ends the session: its record is kept until its maximum end, or until the
// last of its login-only grants ends.
func (s *session) kept(now time.Time) bool {
	return s != nil && !s.over && (now.Before(s.started.Add(sessionMax)) || now.Before(s.until))
}

// consentKey names the consents of a person to a client for a customer.
type consentKey struct{ subject, client, customer string }

type consent struct {
	version string
	given   time.Time
	expires time.Time
}

// grant is what a person authorized a client to do.
type grant struct {
	proof
	client            *registration
	customer          string
	scopes            []string
	pseudonymous      bool
	loginOnly         bool
	session           *session // nil for exchanged grants
	parent            *token   // that was exchanged
	actor             *token   // the actor token of the exchange; nil without one
	actors            int      // in the claim act
	created, expires  time.Time
	lasts             time.Duration // from the request to expires
	details           string        // authorization_details as JSON; "" without
	revoked, redeemed bool
	machine           bool
}

func (g *grant) has(scope string) bool { return slices.Contains(g.scopes, scope) }

type kind int

const (
	accessToken kind = iota
	refreshToken
	idToken
)

// token is a token that the provider issued.
type token struct {
	kind
	text      string
	grant     *grant
	scopes    []string
	opaque    bool
	sub       string
	expires   time.Time
	used      bool // a rotated refresh token
	usedAt    time.Time
	successor *token
	details   string // authorization_details as JSON; "" without
	issued    time.Time
}

// code is an authorization code.
type code struct {
	text, verifier, nonce string
	redirect              string
	grant                 *grant
	expires               time.Time
	used                  bool
}

type model struct {
	now      time.Time
	clients  []*registration
	rules    map[string]*rule
	sessions []*session
	consents map[consentKey]map[string]consent
	tokens   []*token
	codes    []*code
}

func (m *model) client(id string) *registration {
	for _, c := range m.clients {
		if c.id == id {
			return c
		}
	}
	return nil
}

// allowed reports whether a client may use a scope now.
func (m *model) allowed(c *registration, scope string) bool {
	if !slices.Contains(c.scopes, scope) {
		return false
	}
	r := m.rules[scope]
	return reserved(scope) || r != nil && r.access[c.org]
}

func (m *model) allowedOf(c *registration, scopes []string) (out []string) {
	for _, s := range scopes {
		if m.allowed(c, s) {
			out = append(out, s)
		}
	}
	return out
}

// asksFirst reports whether a scope requires consent.
func (m *model) asksFirst(scope string) bool { return m.rules[scope] != nil && m.rules[scope].consent }

// consented reports whether a live consent to the present version of a scope is remembered.
func (m *model) consented(k consentKey, scope string) bool {
	c, ok := m.consents[k][scope]
	return ok && c.version == m.rules[scope].version && m.now.Before(c.expires)
}

// pseudonymous reports whether the client of the grant must not learn the identity of the person.
func (m *model) pseudonymous(g *grant) bool {
	return g.pseudonymous || slices.ContainsFunc(g.scopes, func(s string) bool { return m.rules[s] != nil && m.rules[s].pseudonymous })
}

// root is the grant of the login.
func (g *grant) root() *grant {
	for g.parent != nil {
		g = g.parent.grant
	}
	return g
}

func (g *grant) consentKey() consentKey { return consentKey{g.person.subject, g.client.id, g.customer} }

// usable reports whether tokens of a grant may be used now.
func (m *model) usable(g *grant) bool {
	if g.revoked || g.client.disabled || !m.now.Before(g.expires) {
		return false
	}
	if g.machine {
		return true
	}
	if g.person.disabled || !m.serves(g) {
		return false
	}
	for q := g; q.parent != nil; q = q.parent.grant {
		p := q.parent
		if q.actor != nil && !m.active(q.actor) {
			return false
		}
		if p.grant.revoked || p.grant.client.disabled || !m.now.Before(p.expires) || !m.now.Before(p.grant.expires) || !m.serves(p.grant) {
			return false
		}
	}
	root := g.root()
	for _, s := range root.scopes {
		if m.asksFirst(s) && (!m.consented(root.consentKey(), s) || m.consents[root.consentKey()][s].given.After(root.created)) {
			return false // no consent, or one that was given later than the grant
		}
	}
	return true
}

// lasts returns the end of a grant: its own, or that of the first consent that it rests on.
func (m *model) lasts(g *grant) time.Time {
	end := g.expires
	if g.machine {
		return end
	}
	root := g.root()
	for _, s := range root.scopes {
		if m.asksFirst(s) {
			end = earlier(end, m.consents[root.consentKey()][s].expires)
		}
	}
	for q := g; q.parent != nil; q = q.parent.grant {
		if q.actor != nil {
			end = earlier(end, m.lasts(q.actor.grant))
		}
	}
	return end
}

// serves reports whether the customer of a grant is still one of its client's.
func (m *model) serves(g *grant) bool {
	_, ok := g.client.customers[g.customer]
	return g.customer == "" || ok
}

// active reports whether a token may be used now.
func (m *model) active(t *token) bool {
	return m.now.Before(t.expires) && !t.used && m.usable(t.grant)
}

// end ends a session: grants for the login only, and codes that were not redeemed, end with it.
func (m *model) end(s *session) {
	s.over = true
	for _, c := range m.codes {
		if c.grant.session == s {
			c.used = true
		}
	}
	for _, t := range m.tokens {
		if t.grant.session == s && t.grant.loginOnly {
			t.grant.revoked = true
		}
	}
}

// logIn records a login and returns the session, and the sessions that ended.
func (m *model) logIn(current *session, l *login, circle string) (s *session, ended []*session) {
	p := proof{l, m.now}
	if current.live(m.now) && current.person == l.person {
		current.proofs[circle] = p
		current.last = later(current.last, m.now)
		return current, nil
	}
	if current != nil {
		m.end(current)
		ended = append(ended, current)
	}
	s = &session{person: l.person, started: m.now, last: m.now, proofs: map[string]proof{circle: p}}
	m.sessions = append(m.sessions, s)
	var own []*session
	for _, other := range m.sessions {
		if other.person == l.person && other != s && other.kept(m.now) {
			own = append(own, other)
		}
	}
	slices.SortStableFunc(own, func(a, b *session) int { return a.started.Compare(b.started) })
	for len(own) >= sessionsEach {
		m.end(own[0])
		ended = append(ended, own[0])
		own = own[1:]
	}
	return s, ended
}

// plan is what a request leads to, after an answer of the person.
type plan struct {
	granted, missing, declined []string
	pseudonymous, loginOnly    bool
	openid, opaque             bool
	longest                    time.Duration
}

// plan evaluates the scopes of a request. shown and approved are the answer; shown is nil without one.
func (m *model) plan(r *request, k consentKey, shown, approved []string) plan {
	p := plan{loginOnly: true}
	for _, s := range r.scopes {
		if q := m.rules[s]; q != nil {
			p.pseudonymous = p.pseudonymous || q.pseudonymous
			switch {
			case !q.consent:
			case slices.Contains(shown, s):
				if !slices.Contains(approved, s) {
					p.declined = append(p.declined, s)
					continue
				}
			case r.has("consent") || !m.consented(k, s):
				p.missing = append(p.missing, s)
				continue
			}
			p.opaque = p.opaque || q.opaque
			if q.longest > 0 && (p.longest == 0 || q.longest < p.longest) {
				p.longest = q.longest
			}
		}
		p.granted = append(p.granted, s)
		p.openid = p.openid || s == "openid"
		p.loginOnly = p.loginOnly && reserved(s)
	}
	return p
}

// nothing reports whether the person declined, and neither the login nor a scope of an API is left.
func (p *plan) nothing() bool {
	return len(p.declined) > 0 && len(p.missing) == 0 && !p.openid && !slices.ContainsFunc(p.granted, func(s string) bool { return !reserved(s) })
}

// remember stores the answer of the consent page.
func (m *model) remember(k consentKey, approved, declined []string, expires time.Time) {
	all := m.consents[k]
	if all == nil {
		all = map[string]consent{}
		m.consents[k] = all
	}
	for _, s := range declined {
		delete(all, s)
	}
	for _, s := range approved {
		c := consent{m.rules[s].version, m.now, expires}
		if old, ok := all[s]; ok && old.version == c.version {
			if m.now.Before(old.expires) {
				c.given = old.given
			}
			if old.expires.After(expires) {
				continue
			}
		}
		all[s] = c
	}
}

// endAuthorization ends every grant and consent of a person to a client for a customer.
func (m *model) endAuthorization(k consentKey) {
	delete(m.consents, k)
	for _, c := range m.codes {
		if c.grant.consentKey() == k {
			c.used, c.grant.revoked = true, true
		}
	}
	for _, t := range m.tokens {
		if !t.grant.machine && t.grant.consentKey() == k {
			t.grant.revoked = true
		}
	}
}

// levels are the levels of logins, weakest first.
var levels = []string{"selfregistered-email", "idporten-loa-low", "idporten-loa-substantial", "idporten-loa-high"}

func suffices(have, want string) bool {
	return slices.Index(levels, have) >= slices.Index(levels, want)
}

// request is an authorization request.
type request struct {
	client   *registration
	scopes   []string
	prompt   string
	level    string // acr_values; "" is the default
	maxAge   time.Duration
	aged     bool // has max_age
	customer string
	hint     *token // id_token_hint
	details  string // type of authorization_details; "" without
}

func (r *request) has(prompt string) bool { return slices.Contains(strings.Fields(r.prompt), prompt) }

// invalid returns the error for the client of a request, "" if it is valid.
func (m *model) invalid(r *request) string {
	for _, s := range r.scopes {
		if !m.allowed(r.client, s) {
			return "invalid_scope"
		}
	}
	if r.customer != "" && r.client.customers[r.customer] == "" {
		return "invalid_request"
	}
	if r.details != "" && m.hides(r.scopes) {
		return "invalid_authorization_details"
	}
	return ""
}

// hides reports whether requested scopes keep the identity of the person from the client.
func (m *model) hides(scopes []string) bool {
	opaque, login := false, false
	for _, s := range scopes {
		r := m.rules[s]
		if r != nil && r.pseudonymous {
			return true
		}
		opaque, login = opaque || r != nil && r.opaque, login || s == "openid" || s == "profile"
	}
	return opaque && !login
}

// loginStep returns what the login of a session lacks for a request: "" if it answers the request, a page, or an error code.
// received is when the request arrived, if a page was shown since.
func (m *model) loginStep(r *request, s *session, received time.Time, shown bool) (page, failure string) {
	missing := func(page, quiet string) (string, string) {
		if r.has("none") {
			return "", quiet
		}
		return page, ""
	}
	if !s.live(m.now) {
		return missing("login", "login_required")
	}
	p, ok := s.proofs[r.client.circle()]
	if !ok {
		return missing("login", "login_required")
	}
	fresh := shown && !p.at.Before(received)
	if !fresh && (r.has("login") || r.has("select_account") || r.aged && (r.maxAge == 0 || m.now.Sub(p.at) > r.maxAge)) {
		return missing("login", "login_required")
	}
	want := r.level
	if want == "" {
		want = "idporten-loa-substantial"
	}
	if !suffices(p.level, want) {
		return missing("step-up", "interaction_required")
	}
	if p.person.disabled {
		if fresh && !r.has("none") {
			return "", "access_denied"
		}
		return missing("login", "login_required")
	}
	if r.hint != nil && !m.sameUser(r, p.login) {
		if fresh {
			return "", "login_required"
		}
		return missing("login", "login_required")
	}
	return "", ""
}

// sameUser reports whether the hint of a request names the person of a login by the subject that the request would yield. A hint of an
// open login names nobody in a pseudonymous request, and vice versa.
func (m *model) sameUser(r *request, l *login) bool {
	h := r.hint.grant
	if m.pseudonymous(h) != m.hides(r.scopes) {
		return false
	}
	return sameSubject(r.client, !m.pseudonymous(h), h.login, l)
}

// sameSubject reports whether a client receives the same subject for two logins.
func sameSubject(c *registration, open bool, a, b *login) bool {
	if c.public && open {
		return a.person == b.person
	}
	return a.key() == b.key()
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// mayIntrospect reports whether a client may introspect a token: its own, and as a resource server one with a scope of its organisation.
func (m *model) mayIntrospect(caller *registration, t *token) bool {
	return !caller.browser && (caller == t.grant.client ||
		t.kind == accessToken && caller.introspects() && slices.ContainsFunc(t.scopes, func(s string) bool { return m.ownsScope(caller, s) }))
}

func (m *model) ownsScope(c *registration, scope string) bool {
	return !reserved(scope) && m.rules[scope].owner == c.org
}

// visible returns the scopes of a token that the response to an introspection names.
func (m *model) visible(caller *registration, t *token) []string {
	if caller == t.grant.client {
		return t.scopes
	}
	return slices.DeleteFunc(slices.Clone(t.scopes), func(s string) bool { return !reserved(s) && !m.ownsScope(caller, s) })
}

// ownsAll reports whether the organisation of a client owns every scope that belongs to an API, and there is one.
func (m *model) ownsAll(c *registration, scopes []string) bool {
	n := 0
	for _, s := range scopes {
		if reserved(s) {
			continue
		}
		if n++; m.rules[s].owner != c.org {
			return false
		}
	}
	return n > 0
}

// byReference reports whether the client of a token received nothing that identifies the person: the token is opaque, and there was no
// id_token and no userinfo. An exchange gives neither.
func (g *grant) byReference(opaque bool) bool {
	return opaque && (g.parent != nil || !g.has("openid") && !g.has("profile"))
}

// opaque reports whether tokens of a grant are opaque.
func (m *model) opaque(g *grant) bool {
	return slices.ContainsFunc(g.scopes, func(s string) bool { return m.rules[s] != nil && m.rules[s].opaque })
}

// identifies reports whether the client of a grant knows the person.
func (m *model) identifies(g *grant) bool { return !m.pseudonymous(g) && !g.byReference(m.opaque(g)) }

// mayIdentify reports whether the response to an introspection identifies the person: a token that identifies the person itself, or
// by the scopes of the grant and of the token.
func (m *model) mayIdentify(caller *registration, t *token) bool {
	g := t.grant
	if !m.pseudonymous(g) && !t.opaque {
		return true
	}
	if !m.pseudonymous(g) && !g.byReference(t.opaque) {
		return m.mayIntrospect(caller, t)
	}
	if !caller.introspects() {
		return false
	}
	// Another organisation than that of the client, by a scope of its own that withholds the identity.
	if g.parent == nil && caller != g.client && caller.org != g.client.org && caller.org != g.client.customers[g.customer] &&
		slices.ContainsFunc(t.scopes, func(s string) bool {
			return m.ownsScope(caller, s) && (m.rules[s].pseudonymous || m.rules[s].opaque && !m.pseudonymous(g))
		}) {
		return true
	}
	return m.ownsAll(caller, g.scopes) && m.ownsAll(caller, t.scopes)
}
