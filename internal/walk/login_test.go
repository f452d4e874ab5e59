package walk

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner/digdir/authorizations"
)

// ticket is one authorization request: it has one outcome, in however many tabs it is open.
type ticket struct {
	outcome *outcome
	pushed  bool
	used    bool // the request_uri led to an outcome
}

// outcome is the end of a request: a code, or a denial.
type outcome struct {
	code *code
	key  string // of what the code was issued for
}

// flow is an authorization request in a browser.
type flow struct {
	*request
	*ticket
	browser           *browser
	params            url.Values
	verifier, nonce   string
	received, expires time.Time
	pages             []*pending
}

// pending is a page that was shown.
type pending struct {
	*flow
	step, url, csrf string
	session         *session // of the consent page
	shown           []string // texts of the page
	scopes          []string
	details         bool // the page shows authorization_details
}

// decision is what the model expects. Its effects apply when the provider agrees.
type decision struct {
	outcome string
	step    string
	session *session
	shown   []string
	scopes  []string
	apply   func(r *response)
}

// given is the answer of a consent page.
type given struct {
	shown, approved []string
	details         bool // the authorization_details are approved
}

const (
	finished = "error page 400" // the request has another outcome, or has expired
)

func (f *flow) consentKey(s *session) consentKey {
	return consentKey{s.person.subject, f.client.id, f.customer}
}

// continued decides what a request leads to in a session. shown reports that a page was shown before.
func (w *world) continued(f *flow, s *session, shown bool, g *given) decision {
	page, failure := w.loginStep(f.request, s, f.received, shown)
	switch {
	case page != "":
		return decision{outcome: "page " + page, step: page}
	case failure != "":
		return decision{outcome: "error " + failure}
	}
	k := f.consentKey(s)
	var p plan
	if g == nil {
		p = w.plan(f.request, k, nil, nil)
	} else {
		p = w.plan(f.request, k, g.shown, g.approved)
	}
	switch {
	case p.nothing():
		return w.denied(f, k, p.declined)
	case f.asks(p.missing, g) && f.has("none"):
		return decision{outcome: "error consent_required"}
	case f.asks(p.missing, g):
		return w.consentPage(f, s, p.missing)
	case len(p.granted) == 0:
		return decision{outcome: "error access_denied"}
	}
	return w.issued(f, s, p, g)
}

// asks reports whether the consent page has something to ask for: scopes, or details.
func (f *flow) asks(missing []string, g *given) bool {
	return len(missing) > 0 || f.details == "payment" && g == nil
}

// consentPage shows the consent page.
func (w *world) consentPage(f *flow, s *session, missing []string) decision {
	return decision{outcome: "page consent", step: "consent", session: s, scopes: missing, shown: w.content(f, missing)}
}

// content returns what a consent page shows.
func (w *world) content(f *flow, scopes []string) (out []string) {
	for _, s := range scopes {
		out = append(out, s+"@"+w.rules[s].version)
	}
	return append(out, f.client.customers[f.customer])
}

// denied ends a request without a code.
func (w *world) denied(f *flow, k consentKey, declined []string) decision {
	if f.outcome != nil && f.outcome.code != nil {
		return decision{outcome: finished}
	}
	return decision{outcome: "error access_denied", apply: func(*response) {
		if f.outcome == nil {
			f.outcome = &outcome{}
			w.remember(k, nil, declined, time.Time{})
		}
	}}
}

// issued ends a request with a code.
func (w *world) issued(f *flow, s *session, p plan, answer *given) decision {
	granted := detailText(f.details)
	if f.details == "payment" && (answer == nil || !answer.details) {
		granted = "[]"
	}
	key := fmt.Sprintf("%p %v %s", s, p.granted, granted)
	if s.person.banned && granted == detailText("payment") {
		return decision{outcome: "error access_denied"}
	}
	if f.pushed {
		f.used = true
	}
	if o := f.outcome; o != nil {
		if o.code == nil || o.key != key || o.code.used || !w.now.Before(o.code.expires) {
			return decision{outcome: finished}
		}
		return decision{outcome: "code", apply: func(r *response) {
			if got := r.left.Query().Get("code"); got != o.code.text {
				w.fail("a request has two codes")
			}
			again := *o.code.grant
			again.expires = w.now.Add(again.lasts)
			w.visited(s, &again, w.hides(f.scopes))
			w.reach("code repeated")
		}}
	}
	lasts := f.client.all
	if lasts == 0 {
		lasts = 7200 * time.Second
	}
	if p.longest > 0 {
		lasts = min(lasts, p.longest)
	}
	g := &grant{
		proof: s.proofs[f.client.circle()], client: f.client, customer: f.customer, scopes: p.granted, pseudonymous: p.pseudonymous,
		loginOnly: p.loginOnly, session: s, created: w.now, expires: w.now.Add(lasts), details: granted,
	}
	for _, name := range p.granted { // a grant ends with the first consent that it rests on
		if answered := answer != nil && slices.Contains(answer.shown, name); w.asksFirst(name) && !answered {
			g.expires = earlier(g.expires, w.consents[f.consentKey(s)][name].expires)
		}
	}
	g.lasts = g.expires.Sub(w.now)
	if answer != nil || slices.ContainsFunc(f.scopes, w.asksFirst) {
		g.created = later(g.created, w.consentedAt(f.consentKey(s), f.scopes))
	}
	return decision{outcome: "code", apply: func(r *response) {
		q := r.left.Query()
		if q.Get("iss") != issuer || q.Get("state") != f.params.Get("state") {
			w.fail("the redirect lacks iss or state: %v", q)
		}
		c := &code{
			text: q.Get("code"), verifier: f.verifier, nonce: f.nonce, redirect: f.params.Get("redirect_uri"), grant: g, expires: w.now.Add(codeLife),
		}
		w.texts = append(w.texts, c.text)
		w.codes = append(w.codes, c)
		w.reach("code with details %q", granted)
		f.outcome = &outcome{c, key}
		if answer != nil {
			var declined []string
			for _, name := range answer.shown {
				if !slices.Contains(answer.approved, name) {
					declined = append(declined, name)
				}
			}
			w.remember(f.consentKey(s), answer.approved, declined, w.now.Add(lasts))
		}
		w.visited(s, g, w.hides(f.scopes))
		w.visits[s.person] = append(w.visits[s.person], w.entry(f))
	}}
}

// visited records that a session answered a request with a grant. hidden reports that the client does not learn who the person is.
func (w *world) visited(s *session, g *grant, hidden bool) {
	s.last = later(s.last, w.now)
	if g.loginOnly {
		s.until = later(s.until, g.expires)
	}
	if !slices.Contains(s.clients, g.client) {
		s.clients = append(s.clients, g.client)
	}
	if hidden {
		if s.withheld == nil {
			s.withheld = map[*registration]bool{}
		}
		s.withheld[g.client] = true
	}
}

// agree compares the response of the provider with the decision of the model, and keeps the page.
func (w *world) agree(f *flow, d decision, r *response) {
	w.note("   → %s", r.outcome())
	w.reach("authorization: %s", r.outcome())
	if got := r.outcome(); got != d.outcome {
		w.fail("expected %q, got %q %v", d.outcome, got, r.left)
	}
	if d.apply != nil {
		d.apply(r)
	}
	if r.step == "" {
		return
	}
	if d.step == "consent" && r.details != (f.details == "payment") {
		w.fail("the consent page shows details: %v", r.details)
	}
	if d.step == "consent" && !slices.Equal(r.shown, d.scopes) {
		w.fail("the consent page shows %v, expected %v", r.shown, d.scopes)
	}
	w.identifiesNobody("a page header", r.csrf)
	f.pages = append(f.pages, &pending{flow: f, step: d.step, url: r.url, csrf: r.csrf, session: d.session, shown: d.shown, scopes: d.scopes, details: r.details})
}

// current returns the live session of a browser.
func (b *browser) current() *session {
	if b.session.live(b.now) {
		return b.session
	}
	return nil
}

// presented returns the session that the cookie of a browser names, which may have reached its limits.
func (b *browser) presented() *session {
	if b.session.kept(b.now) {
		return b.session
	}
	return nil
}

// newRequest returns a random authorization request.
func (w *world) newRequest(o *op) *request {
	r := &request{client: w.loginClient(o)}
	sets := [][]string{
		{"openid"},
		{"openid", "profile"},
		{"openid", "profile", "api:read"},
		{"openid", "api:consent"},
		{"openid", "api:consent", "api:answer"},
		{"api:consent"},
		{"openid", "profile", "api:secret"},
		{"api:secret", "api:consent"},
		{"api:opaque"},
		{"openid", "api:opaque", "api:read"},
		{"openid", authorizations.HistoryScope},
		{"api:sealed", "api:read"},
		{"api:sealed"},
		{"openid", "api:read", "api:write"},
		{"profile", "api:consent", "api:read"},
		{"api:answer", "api:consent"},
		{"api:read", "api:write"},
	}
	r.scopes = sets[o.n(len(sets))]
	r.prompt = pick(o, "", "", "", "", "", "none", "none", "login", "consent", "select_account", "login consent")
	r.level = pick(o, "", "", "", "idporten-loa-high", "selfregistered-email", "idporten-loa-low")
	if o.n(6) == 0 {
		r.aged, r.maxAge = true, time.Duration(pick(o, 0, 1, 60, 600))*time.Second
	}
	if len(r.client.customers) > 0 {
		r.customer = pick(o, "", "north", "south", "north")
	}
	if o.n(6) == 0 {
		r.hint = w.pickToken(o, func(t *token) bool { return t.kind == idToken && t.grant.client == r.client })
	}
	if o.n(12) == 0 {
		r.details = pick(o, "payment", "notice")
	}
	return r
}

// loginClient returns a client that logs users in.
func (w *world) loginClient(o *op) *registration { return w.clients[o.n(len(w.clients)-2)] }

// start returns a flow of a request, with the parameters of its URL.
func (w *world) newFlow(r *request) *flow {
	w.serial++
	f := &flow{request: r, ticket: &ticket{}, verifier: fmt.Sprintf("verifier-%040d", w.serial), nonce: fmt.Sprintf("nonce-%d", w.serial)}
	sum := sha256.Sum256([]byte(f.verifier))
	f.params = url.Values{
		"response_type": {"code"}, "client_id": {r.client.id}, "redirect_uri": {"https://" + r.client.id + ".example.no/callback"},
		"scope": {strings.Join(r.scopes, " ")}, "state": {"state-" + f.nonce}, "nonce": {f.nonce},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	set := func(name, value string) {
		if value != "" {
			f.params.Set(name, value)
		}
	}
	set("prompt", r.prompt)
	set("acr_values", r.level)
	set("onbehalfof", r.customer)
	if r.aged {
		set("max_age", fmt.Sprint(int(r.maxAge/time.Second)))
	}
	if r.hint != nil {
		set("id_token_hint", r.hint.text)
	}
	if r.details != "" {
		set("authorization_details", detailText(r.details))
	}
	return f
}

// opened is the decision for a request that has just arrived.
func (w *world) opened(f *flow) decision {
	f.received, f.expires = w.now, w.now.Add(pendingLife)
	switch {
	case f.client.disabled:
		return decision{outcome: "error page 400"}
	case w.invalid(f.request) != "":
		return decision{outcome: "error " + w.invalid(f.request)}
	}
	s := f.browser.current()
	if s != nil { // idle is the time between two requests, whatever they lead to
		s.last = later(s.last, w.now)
	}
	return w.continued(f, s, false, nil)
}

// open sends a browser to the provider with an authorization request.
func (w *world) open(o *op) {
	f := w.newFlow(w.newRequest(o))
	f.browser = w.browsers[o.n(len(w.browsers))]
	w.note("browser %d opens %s", f.browser.id, describe(f.request))
	w.flows = append(w.flows, f)
	d := w.opened(f)
	w.agree(f, d, f.browser.do(http.MethodGet, issuer+"/authorize?"+f.params.Encode(), nil))
}

func describe(r *request) string {
	text := r.client.id + " " + strings.Join(r.scopes, " ")
	for _, p := range [][2]string{{"prompt", r.prompt}, {"level", r.level}, {"customer", r.customer}, {"details", r.details}} {
		if p[1] != "" {
			text += " " + p[0] + "=" + p[1]
		}
	}
	if r.aged {
		text += fmt.Sprintf(" max_age=%v", r.maxAge)
	}
	if r.hint != nil {
		text += " hint=" + r.hint.grant.login.name
	}
	return text
}

// post posts the form of a page: mostly the latest one, sometimes an earlier one, or one of another browser.
func (w *world) post(o *op) {
	if len(w.flows) == 0 {
		return
	}
	f := w.flows[len(w.flows)-1]
	for i := len(w.flows) - 1; i > 0 && (len(f.pages) == 0 || f.outcome != nil); i-- {
		f = w.flows[i]
	}
	if o.n(4) == 0 {
		f = w.flows[o.n(len(w.flows))]
	}
	if len(f.pages) == 0 {
		return
	}
	p := f.pages[len(f.pages)-1]
	if o.n(6) == 0 {
		p = f.pages[o.n(len(f.pages))]
	}
	b := f.browser
	if o.n(25) == 0 {
		b = w.browsers[o.n(len(w.browsers))]
	}
	l := w.logins[o.n(len(w.logins))]
	if o.n(2) == 0 { // mostly the level suffices
		l = w.logins[pick(o, 0, 0, 1, 3)]
	}
	w.submit(p, b, l, pick(o, 255, 255, 255, 0, 1, 2, 4, 251), o.n(15) == 0)
}

// submit posts the form of a page. mask selects the scopes that are approved.
func (w *world) submit(p *pending, b *browser, l *login, mask int, cancel bool) *response {
	form := url.Values{"csrf": {p.csrf}, "login": {l.name}}
	if cancel {
		form.Set("cancel", "1")
	}
	approved := []string{}
	for i, s := range p.scopes {
		if mask&(1<<i) != 0 {
			approved = append(approved, s)
		}
	}
	form["scope"] = approved
	details := mask&4 != 0
	if details && p.details {
		form.Add("scope", "detail 1")
	}
	does := "logs in as " + l.name
	if p.step == "consent" {
		does = fmt.Sprintf("approves %v, details: %v", approved, details)
	}
	if cancel {
		does = "cancels"
	}
	w.note("browser %d %s for %s", b.id, does, describe(p.request))
	now := w.now
	w.now = later(now, p.received) // a form is posted after its request arrived, whatever the clock shows
	d := w.posted(p, b, l, approved, details, cancel)
	w.now = now
	r := b.do(http.MethodPost, p.url, form)
	w.now = later(now, p.received)
	w.agree(p.flow, d, r)
	w.now = now
	return r
}

// visit logs in at a client, answers every page, and redeems the code.
func (w *world) visit(o *op) {
	w.walkThrough(o, w.newRequest(o), w.browsers[o.n(len(w.browsers))], w.logins[pick(o, 0, 0, 0, 1, 1, 2, 3, 3, 4)])
}

// reconsider repeats the request of a grant: with another answer, for another customer, or without a page.
func (w *world) reconsider(o *op) {
	t := w.pickToken(o, func(t *token) bool { return t.grant.session != nil && slices.ContainsFunc(t.grant.scopes, w.asksFirst) })
	if t == nil {
		return
	}
	g := t.grant
	r := &request{client: g.client, scopes: g.scopes, customer: g.customer, prompt: pick(o, "consent", "none", "none", ""), level: levels[0]}
	if len(g.client.customers) > 0 && o.n(2) == 0 {
		r.customer = pick(o, "", "north", "south")
	}
	b := w.browsers[o.n(len(w.browsers))]
	for _, other := range w.browsers {
		if other.session == g.session {
			b = other
		}
	}
	w.walkThrough(o, r, b, g.login)
}

// walkThrough opens a request, logs in, answers every page, and redeems the code.
func (w *world) walkThrough(o *op, r *request, b *browser, l *login) {
	f := w.newFlow(r)
	f.browser = b
	mask := pick(o, 255, 255, 255, 255, 1, 2, 0, 4, 251)
	w.note("browser %d visits %s", f.browser.id, describe(f.request))
	w.flows = append(w.flows, f)
	d := w.opened(f)
	page := f.browser.do(http.MethodGet, issuer+"/authorize?"+f.params.Encode(), nil)
	w.agree(f, d, page)
	for range 3 {
		if page.step == "" {
			break
		}
		if page.step == "step-up" {
			l = w.logins[0]
		}
		page = w.submit(f.pages[len(f.pages)-1], f.browser, l, mask, false)
	}
	if page.outcome() == "code" && o.n(6) != 0 {
		w.present(w.codes[len(w.codes)-1], f.client, true, true)
	}
}

// posted is the decision for a posted form.
func (w *world) posted(p *pending, b *browser, l *login, approved []string, details, cancel bool) decision {
	f, s := p.flow, b.current()
	switch {
	case !w.now.Before(f.expires), w.now.Before(f.received.Add(-time.Minute)), b != f.browser:
		return decision{outcome: finished}
	case f.client.disabled:
		return decision{outcome: "error page 400"}
	case w.invalid(f.request) != "":
		return decision{outcome: "error " + w.invalid(f.request)}
	}
	if p.step != "consent" {
		if cancel {
			return decision{outcome: "error access_denied"}
		}
		var ended []*session
		b.session, ended = w.logIn(b.presented(), l, f.client.circle())
		w.dropped(ended)
		return w.continued(f, b.session, true, nil)
	}
	if s == nil || s != p.session {
		return decision{outcome: "page login", step: "login"}
	}
	if page, failure := w.loginStep(f.request, s, f.received, true); page+failure != "" {
		return w.continued(f, s, true, nil)
	}
	k := f.consentKey(s)
	now := w.plan(f.request, k, nil, nil)
	if before := w.before(f, k); f.asks(now.missing, nil) && !slices.Equal(w.content(f, now.missing), p.shown) && slices.Equal(w.content(f, before.missing), p.shown) {
		now = before // the form was posted before
	}
	switch {
	case !f.asks(now.missing, nil):
		return w.continued(f, s, true, nil)
	case !slices.Equal(w.content(f, now.missing), p.shown): // what the page showed has changed
		return w.consentPage(f, s, now.missing)
	case cancel:
		return w.denied(f, k, nil)
	}
	return w.continued(f, s, true, &given{now.missing, approved, details})
}

// consentedAt returns when the latest of the live consents to some scopes was given: no grant that rests on them is older.
func (w *world) consentedAt(k consentKey, scopes []string) (last time.Time) {
	for name, c := range w.consents[k] {
		if slices.Contains(scopes, name) && w.now.Before(c.expires) {
			last = later(last, c.given)
		}
	}
	return last
}

// before returns the plan of a request without the consents that were given since it was received.
func (w *world) before(f *flow, k consentKey) plan {
	all := w.consents[k]
	defer func() { w.consents[k] = all }()
	w.consents[k] = map[string]consent{}
	for s, c := range all {
		if c.given.Before(f.received) {
			w.consents[k][s] = c
		}
	}
	return w.plan(f.request, k, nil, nil)
}

// dropped records which clients should learn that sessions ended.
func (w *world) dropped(ended []*session) {
	for _, s := range ended {
		for _, c := range s.clients {
			if c.backchannel && !c.disabled {
				w.notified = append(w.notified, c.id)
			}
		}
	}
}
