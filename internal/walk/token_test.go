package walk

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner/exchange"
)

// newest returns a token that matches: mostly one of the latest.
func (w *world) pickToken(o *op, match func(*token) bool) *token {
	var all []*token
	for _, t := range w.tokens {
		if match(t) {
			all = append(all, t)
		}
	}
	if len(all) == 0 {
		return nil
	}
	if n := o.n(4); n < len(all) && n < 3 {
		return all[len(all)-1-n]
	}
	return all[o.n(len(all))]
}

// another returns the client itself, or sometimes another one.
func (w *world) another(o *op, c *registration) *registration {
	if o.n(10) == 0 {
		return w.loginClient(o)
	}
	return c
}

// redeem presents a code at the token endpoint.
func (w *world) redeem(o *op) {
	if len(w.codes) == 0 {
		return
	}
	c := w.codes[len(w.codes)-1]
	for i := len(w.codes) - 1; i > 0 && c.used; i-- {
		c = w.codes[i]
	}
	if o.n(4) == 0 {
		c = w.codes[o.n(len(w.codes))]
	}
	w.present(c, w.another(o, c.grant.client), o.n(16) != 0, o.n(16) != 0)
}

// present presents a code with the right or a wrong verifier and redirect URI.
func (w *world) present(c *code, caller *registration, rightVerifier, rightRedirect bool) {
	verifier, redirect := c.verifier, c.redirect
	if !rightVerifier {
		verifier = strings.Replace(verifier, "verifier", "guessing", 1)
	}
	if !rightRedirect {
		redirect += "/other"
	}
	bound := rightVerifier && rightRedirect
	w.note("%s redeems a code of %s (bindings right: %v)", caller.id, c.grant.client.id, bound)
	want, scopes := w.redeemed(c, caller, bound)
	a := w.call("/token", caller, url.Values{
		"grant_type": {"authorization_code"}, "code": {c.text}, "redirect_uri": {redirect}, "code_verifier": {verifier},
	})
	if w.answered(a, want) {
		c.used, c.grant.redeemed = true, true
		c.grant.expires = w.lasts(c.grant)
		w.issuedTokens(a, c.grant, scopes, nil, c)
	}
}

// redeemed returns the expected error of a redemption, and the scopes of the tokens without one.
func (w *world) redeemed(c *code, caller *registration, bound bool) (failure string, scopes []string) {
	const refused = "invalid_grant"
	g := c.grant
	switch {
	case caller.disabled:
		return "invalid_client", nil
	case !c.used && !w.now.Before(c.expires), caller != g.client:
		return refused, nil
	case c.used && bound: // a replay ends what the first use gave
		g.revoked = true
		w.reach("code replayed")
		return refused, nil
	case !bound:
		c.used = true
		return refused, nil
	}
	scopes = w.allowedOf(g.client, g.scopes)
	switch {
	case len(scopes) == 0:
		return "invalid_scope", nil
	case !w.usable(g), g.details == detailText("payment") && g.person.banned:
		c.used = true
		return refused, nil
	case w.lasts(g).Unix() <= w.now.Unix():
		return refused, nil
	}
	return "", scopes
}

// answered compares the answer with the expected error code. It reports whether there is none.
func (w *world) answered(a *answer, want string) bool {
	if got := a.failure(); got != want {
		w.fail("expected error %q, got %q %s", want, got, a.text)
	}
	w.note("   → %s", orOK(want))
	w.reach("%s: %s", w.doing, orOK(want))
	return want == ""
}

func orOK(failure string) string {
	if failure == "" {
		return "ok"
	}
	return failure
}

// refresh presents a refresh token.
func (w *world) refresh(o *op) {
	t := w.pickToken(o, func(t *token) bool { return t.kind == refreshToken })
	if t == nil {
		return
	}
	if t.successor != nil && o.n(2) == 0 {
		for t.successor != nil {
			t = t.successor
		}
	}
	caller := w.another(o, t.grant.client)
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {t.text}}
	var narrowed []string
	switch o.n(5) {
	case 0:
		narrowed = t.grant.scopes[:1+o.n(len(t.grant.scopes))]
	case 1:
		narrowed = []string{"api:read"}
	}
	if narrowed != nil {
		form.Set("scope", strings.Join(narrowed, " "))
	}
	w.note("%s refreshes for %v with a token of %s for %v (used: %v)", caller.id, narrowed, t.grant.client.id, t.grant.scopes, t.used)
	want, scopes := w.refreshed(t, caller, narrowed)
	a := w.call("/token", caller, form)
	if w.answered(a, want) {
		w.issuedTokens(a, t.grant, scopes, t, nil)
	}
}

// refreshed returns the expected error of a refresh, and the scopes of the access token without one.
func (w *world) refreshed(t *token, caller *registration, narrowed []string) (failure string, scopes []string) {
	const refused = "invalid_grant"
	g := t.grant
	switch {
	case caller.disabled:
		return "invalid_client", nil
	case !caller.refreshes:
		return "unauthorized_client", nil
	case g.revoked, !w.now.Before(g.expires), !t.used && !w.now.Before(t.expires), caller != g.client:
		return refused, nil
	case t.used && (w.now.Sub(t.usedAt) >= grace || t.successor.used):
		g.revoked = true
		w.reach("refresh token replayed")
		return refused, nil
	}
	for _, s := range narrowed {
		if !g.has(s) || !w.allowed(g.client, s) {
			return "invalid_scope", nil
		}
	}
	if scopes = w.allowedOf(g.client, g.scopes); len(scopes) == 0 || !w.usable(g) || g.details == detailText("payment") && g.person.banned {
		g.revoked = true
		return refused, nil
	}
	if narrowed != nil {
		scopes = slices.DeleteFunc(slices.Clone(g.scopes), func(s string) bool { return !slices.Contains(narrowed, s) })
	}
	if w.lasts(g).Unix() <= w.now.Unix() {
		return refused, nil
	}
	if t.used && !w.now.Before(t.successor.expires) {
		return refused, nil
	}
	return "", scopes
}

// issuedTokens records the tokens of a response. from is the refresh token that was used, nil for a code.
func (w *world) issuedTokens(a *answer, g *grant, scopes []string, from *token, c *code) {
	if got := a.str("scope"); got != strings.Join(scopes, " ") {
		w.fail("scope %q, expected %q", got, scopes)
	}
	details := g.details
	if from != nil && details == detailText("notice") {
		details = "[]" // only the tokens of the code have it
	}
	access := w.newAccess(a, g, scopes, details)
	w.tokens = append(w.tokens, access)
	id := a.str("id_token")
	if (id != "") != slices.Contains(scopes, "openid") {
		w.fail("id_token %q with %v", id, scopes)
	}
	if id != "" {
		t := &token{kind: idToken, text: id, grant: g, scopes: scopes, expires: w.now.Add(idTokenLife), issued: w.now, details: details}
		w.tokens = append(w.tokens, t)
		w.texts = append(w.texts, id)
		w.checkIDToken(t, c)
	}
	w.newRefresh(a, g, from)
}

// newAccess records the access token of a response and checks it.
func (w *world) newAccess(a *answer, g *grant, scopes []string, details string) *token {
	lasts := g.client.accessLife
	if lasts == 0 {
		lasts = 120 * time.Second
	}
	t := &token{kind: accessToken, text: a.str("access_token"), grant: g, scopes: scopes, issued: w.now, details: details}
	for _, s := range scopes {
		if r := w.rules[s]; r != nil && r.oldest > 0 {
			lasts = min(lasts, r.oldest)
		}
	}
	t.opaque = w.opaque(g)
	t.expires = time.Unix(earlier(w.now.Add(lasts), w.lasts(g)).Unix(), 0)
	w.texts = append(w.texts, t.text)
	if got := a.doc["expires_in"]; got != float64(t.expires.Unix()-w.now.Unix()) {
		w.fail("expires_in %v, expected %v", got, t.expires.Sub(w.now))
	}
	if opaque := strings.Count(t.text, ".") != 2; opaque != t.opaque {
		w.fail("opaque %v, expected %v", opaque, t.opaque)
	}
	if !t.opaque {
		doc, text := payload(t.text)
		w.checkClaims("access token", t, doc, text, !w.pseudonymous(g))
	}
	return t
}

// newRefresh records the refresh token of a response.
func (w *world) newRefresh(a *answer, g *grant, from *token) {
	text := a.str("refresh_token")
	if (text != "") != g.client.refreshes {
		w.fail("refresh_token %q for %s", text, g.client.id)
	}
	if text == "" {
		return
	}
	if from != nil && from.successor != nil { // a retry within the grace
		if from.successor.text != text {
			w.fail("a refresh token has two successors")
		}
		w.reach("refresh within the grace")
		return
	}
	t := &token{kind: refreshToken, text: text, grant: g, scopes: g.scopes, expires: earlier(w.now.Add(600*time.Second), w.lasts(g)), issued: w.now}
	for _, other := range w.tokens {
		if other.text == text {
			w.fail("a refresh token was issued twice")
		}
	}
	w.texts = append(w.texts, text)
	w.tokens = append(w.tokens, t)
	if from != nil {
		from.used, from.usedAt, from.successor = true, w.now, t
	}
}

const exchangeType = "urn:ietf:params:oauth:grant-type:token-exchange"

// exchange presents an access token for another one.
func (w *world) exchange(o *op) {
	t := w.pickToken(o, func(t *token) bool { return t.kind == accessToken && !t.grant.machine })
	if t == nil {
		return
	}
	caller := t.grant.client
	if o.n(2) == 0 {
		caller = w.loginClient(o)
	}
	form := url.Values{
		"grant_type": {exchangeType}, "subject_token": {t.text}, "subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
	}
	var narrowed []string
	if o.n(3) == 0 {
		narrowed = t.scopes[:1+o.n(len(t.scopes))]
		form.Set("scope", strings.Join(narrowed, " "))
	}
	var actor *token
	if o.n(3) == 0 {
		actor = w.pickToken(o, func(a *token) bool { // the sub of a public client would name the actor in the tokens of another person
			return a.kind == accessToken && !a.grant.machine && !a.grant.client.public && (a.grant.client == caller || o.n(8) == 0)
		})
	}
	if actor != nil {
		form.Set("actor_token", actor.text)
		form.Set("actor_token_type", "urn:ietf:params:oauth:token-type:access_token")
	}
	w.note("%s exchanges a token of %s for %v, actor token: %v", caller.id, t.grant.client.id, t.scopes, actor != nil)
	want, scopes := w.exchanged(t, actor, caller, narrowed)
	a := w.call("/token", caller, form)
	if !w.answered(a, want) {
		return
	}
	from := t.grant
	if from.parent != nil {
		w.reach("exchanged again")
	}
	own := caller == from.client && actor == nil
	g := &grant{
		proof: from.proof, client: caller, scopes: from.scopes, pseudonymous: w.pseudonymous(from), parent: t, created: from.created,
		expires: t.expires, actor: actor, actors: from.actors,
	}
	if own {
		g.customer = from.customer
	} else {
		g.actors++
	}
	if actor != nil {
		g.expires = earlier(g.expires, actor.expires)
		w.reach("exchanged with an actor token")
	}
	g.expires = w.lasts(g)
	if got := a.str("scope"); got != strings.Join(scopes, " ") {
		w.fail("scope %q, expected %q", got, scopes)
	}
	if a.str("refresh_token") != "" || a.str("id_token") != "" {
		w.fail("an exchange gives more than an access token")
	}
	w.tokens = append(w.tokens, w.newAccess(a, g, scopes, t.details))
}

// exchanges returns the number of exchanges that led to a grant.
func (g *grant) exchanges() (n int) {
	for ; g.parent != nil; g = g.parent.grant {
		n++
		if g.actor != nil {
			n += g.actor.grant.exchanges()
		}
	}
	return n
}

// exchanged returns the expected error of an exchange, and the scopes of the new token without one.
func (w *world) exchanged(t, actor *token, caller *registration, narrowed []string) (failure string, scopes []string) {
	own := caller == t.grant.client && actor == nil
	switch {
	case caller.disabled:
		return "invalid_client", nil
	case !w.active(t), t.grant.exchanges() >= exchangeLimit:
		return "invalid_request", nil
	case actor != nil && !w.mayAct(actor, caller), actor != nil && t.grant.exchanges()+actor.grant.exchanges() >= exchangeLimit:
		return "invalid_request", nil
	case !own && t.grant.actors >= exchange.DefaultMaxActors:
		return "invalid_request", nil
	case caller.browser && !own:
		return "unauthorized_client", nil
	}
	for _, s := range narrowed {
		if !w.allowed(caller, s) {
			return "invalid_scope", nil
		}
	}
	scopes = w.allowedOf(caller, t.scopes)
	if len(scopes) == 0 {
		return "invalid_scope", nil
	}
	if narrowed != nil {
		scopes = narrowed
	}
	end, last := t.expires, w.lasts(t.grant)
	if actor != nil {
		end, last = earlier(end, actor.expires), earlier(last, w.lasts(actor.grant))
	}
	if end.Unix() <= w.now.Unix() {
		return "invalid_request", nil
	}
	if earlier(end, last).Unix() <= w.now.Unix() {
		return "invalid_grant", nil
	}
	return "", scopes
}

// mayAct reports whether a client may present an actor token: one of its own that names a user, and no other actor.
func (w *world) mayAct(actor *token, caller *registration) bool {
	g := actor.grant
	return w.active(actor) && g.client == caller && g.actors == 0 && (w.pseudonymous(g) || !g.byReference(actor.opaque))
}

// revoke presents a token for revocation.
func (w *world) revoke(o *op) {
	t := w.pickToken(o, func(t *token) bool { return t.kind != idToken && !t.grant.machine })
	if t == nil {
		return
	}
	caller := w.another(o, t.grant.client)
	w.note("%s revokes a token of %s", caller.id, t.grant.client.id)
	g, want := t.grant, ""
	found := !g.revoked && w.now.Before(g.expires) && (w.now.Before(t.expires) || t.kind == refreshToken && t.used)
	switch {
	case caller.disabled:
		want = "invalid_client"
	case found && caller != g.client:
		want = "unauthorized_client"
	case found:
		g.revoked = true
	}
	a := w.call("/revoke", caller, url.Values{"token": {t.text}})
	w.answered(a, want)
}

// endAuthorizations ends what a person authorized a client to do, from the page of the host.
func (w *world) endAuthorizations(o *op) {
	t := w.pickToken(o, func(t *token) bool { return t.kind == accessToken && !t.grant.machine })
	if t == nil {
		return
	}
	g := t.grant
	who := g.person
	if o.n(5) == 0 {
		who = w.people[o.n(len(w.people))]
	}
	id, live, ok := w.handle(g)
	if !ok {
		return
	}
	w.note("%s ends an authorization of %s at %s", who.subject, g.person.subject, g.client.id)
	err := w.revokeAuthorization(who, id)
	if ok := err == nil; ok != (live && who == g.person) {
		w.fail("ending an authorization: %v, live %v", err, live)
	}
	if err == nil {
		w.endAuthorization(g.consentKey())
		w.reach("authorization ended by its person")
	}
	w.note("   → %v", err)
}

// logOut ends the session of a browser at the provider, with or without a hint.
func (w *world) logOut(o *op) {
	b := w.browsers[o.n(len(w.browsers))]
	form := url.Values{}
	var hint *token
	if o.n(2) == 0 {
		hint = w.pickToken(o, func(t *token) bool { return t.kind == idToken && !t.grant.client.disabled })
	}
	if hint != nil {
		form.Set("id_token_hint", hint.text)
	}
	s := b.presented()
	w.note("browser %d logs out (hint: %v)", b.id, hint != nil)
	r := b.do("GET", issuer+"/logout?"+form.Encode(), nil)
	switch at := w.hinted(hint, s); {
	case s == nil:
		return
	case at:
		w.loggedOut(b, s, r)
	default: // the user has to confirm
		value := between(r.body, `name="logout_confirmation" value="`, `"`)
		if value == "" {
			w.fail("no confirmation: %d %s", r.status, r.body)
		}
		answer := url.Values{"logout_confirmation": {value}}
		if o.n(5) == 0 {
			answer.Set("logout_cancelled", "1")
			b.do("POST", issuer+"/logout", answer)
			return
		}
		w.loggedOut(b, s, b.do("POST", issuer+"/logout", answer))
	}
}

// hinted reports whether a hint is about a session.
func (w *world) hinted(hint *token, s *session) bool {
	if hint == nil || s == nil || !slices.Contains(s.clients, hint.grant.client) {
		return false
	}
	g := hint.grant
	if g.client.sid || g.client.backchannel {
		return g.session == s
	}
	if s.withheld[g.client] || hint.issued.Unix() < s.started.Unix() {
		return false
	}
	p, ok := s.proofs[g.client.circle()]
	if !ok {
		return false
	}
	return !w.pseudonymous(g) && sameSubject(g.client, true, g.login, p.login)
}

func (w *world) loggedOut(b *browser, s *session, r *response) {
	if r.status >= 400 {
		w.fail("logout answers %d", r.status)
	}
	w.end(s)
	w.dropped([]*session{s})
	b.session = nil
	w.note("   → logged out")
	w.reach("logged out")
}

func between(text, from, to string) string {
	_, rest, ok := strings.Cut(text, from)
	if !ok {
		return ""
	}
	value, _, _ := strings.Cut(rest, to)
	return value
}

// change is a decision of the operator: about a client, a scope, a customer or a person.
func (w *world) change(o *op) {
	toggle := func(b *bool) { *b = !*b }
	c := w.loginClient(o)
	switch o.n(8) {
	case 0:
		toggle(&c.disabled)
		w.note("client %s disabled: %v", c.id, c.disabled)
	case 1:
		p := w.people[o.n(len(w.people))]
		toggle(&p.disabled)
		w.note("%s disabled: %v", p.subject, p.disabled)
	case 2:
		name := pick(o, "api:read", "api:consent", "api:answer", "api:opaque")
		w.rules[name].access[org] = !w.rules[name].access[org]
		w.note("access of %s to %s: %v", org, name, w.rules[name].access[org])
	case 3:
		sup := w.model.client("sup")
		name := pick(o, "north", "south")
		if _, ok := sup.customers[name]; ok {
			delete(sup.customers, name)
		} else {
			sup.customers[name] = map[string]string{"north": otherOrg, "south": ownerOrg}[name]
		}
		w.note("customers of sup: %v", sup.customers)
	case 4:
		r := w.rules[pick(o, "api:consent", "api:answer")]
		r.version = fmt.Sprint("v", o.n(3))
		w.note("%s has version %s", r.name, r.version)
	case 5:
		toggle(&w.rules["api:read"].consent)
		w.note("api:read requires consent: %v", w.rules["api:read"].consent)
	case 6:
		p := w.people[o.n(len(w.people))]
		toggle(&p.banned)
		w.note("%s may not pay: %v", p.subject, p.banned)
	default: // what was disabled is enabled
		for _, c := range w.clients {
			c.disabled = false
		}
		for _, p := range w.people {
			p.disabled, p.banned = false, false
		}
		for _, r := range w.rules {
			r.access[org] = true
		}
		w.model.client("sup").customers["north"] = otherOrg
		w.note("everything enabled")
	}
}

// tick moves the clock, sometimes a little backwards: but never before an instant at which something expired.
func (w *world) tick(o *op) {
	step := pick(o, time.Second, 5*time.Second, 15*time.Second, 50*time.Second, 2*time.Minute, 5*time.Minute, 11*time.Minute, 31*time.Minute, -10*time.Second)
	to := w.now.Add(step)
	if step < 0 {
		to = later(to, w.lastExpiry().Add(time.Millisecond))
		to = later(to, w.latest.Add(-30*time.Second)) // the clocks of two nodes differ less than a minute
		to = earlier(to, w.now)
	}
	w.note("clock %v", to.Sub(w.now))
	w.now, w.latest = to, later(w.latest, w.now)
}

// lastExpiry returns the latest instant until now at which something expired.
func (w *world) lastExpiry() (last time.Time) {
	last = start
	add := func(t time.Time) {
		if !t.After(w.now) && t.After(last) {
			last = t
		}
	}
	for _, t := range w.tokens {
		add(t.expires)
		add(t.grant.expires)
	}
	for _, c := range w.codes {
		add(c.expires)
		add(c.grant.expires)
	}
	for _, f := range w.flows {
		add(f.expires)
	}
	for _, s := range w.sessions {
		add(s.last.Add(sessionIdle))
		add(s.started.Add(sessionMax))
	}
	for _, k := range w.consents {
		for _, c := range k {
			add(c.expires)
		}
	}
	return last
}
