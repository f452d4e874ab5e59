package walk

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/storage"
)

var errNotFound = storage.ErrNotFound

// handle returns the identifier of the authorization of a grant at the page of its person, and whether the page lists it. ok is false
// if the page lists several that look alike.
func (w *world) handle(g *grant) (id string, live, ok bool) {
	live, id = !g.revoked && w.now.Before(g.expires), "unknown"
	alike := 0
	for _, a := range w.listed(g.person) {
		if a.ClientID == g.client.id && a.Expires == g.expires.UnixMilli() && a.AuthorizedAt == g.created.UnixMilli() {
			id = a.ID
			alike++
		}
	}
	if alike == 0 && live || alike == 1 && !live && !w.alike(g) {
		w.fail("%d authorizations are listed for a grant, live %v: %v", alike, live, g.scopes)
	}
	return id, live, alike == 0 || alike == 1 && live
}

// listed returns every authorization on the page of a person.
func (w *world) listed(p *person) (all []authorizations.Authorization) {
	for f, more := (authorizations.Filter{WithoutConsent: true}), true; more; {
		page := must(w.api.OfUser(ctx, p.subject, f, w.now))
		all = append(all, page.Authorizations...)
		f.After, more = page.Next, page.Next != ""
	}
	return all
}

// alike reports whether there is another grant with the same client and times.
func (w *world) alike(g *grant) bool {
	return slices.ContainsFunc(w.tokens, func(t *token) bool {
		o := t.grant
		return o != g && o.client == g.client && o.created.Equal(g.created) && o.expires.Equal(g.expires)
	})
}

func (w *world) revokeAuthorization(p *person, id string) error {
	return w.api.Revoke(ctx, p.subject, id, w.now)
}

// identifiesNobody fails if a text holds what identifies a person.
func (w *world) identifiesNobody(what, text string) {
	for _, l := range w.logins {
		for _, value := range []string{l.pid, l.email, l.given, l.person.subject} {
			if value != "" && strings.Contains(text, value) {
				w.fail("%s identifies a person: %s", what, text)
			}
		}
	}
}

// identifiesOnly fails if a text holds what identifies a person, other than the given login does.
func (w *world) identifiesOnly(of *login, what, text string) {
	own := []string{of.pid, of.email, of.given, of.person.subject}
	for _, l := range w.logins {
		for _, value := range []string{l.pid, l.email, l.given, l.person.subject} {
			if value != "" && !slices.Contains(own, value) && strings.Contains(text, value) {
				w.fail("%s of %s identifies by another login: %s", what, of.name, text)
			}
		}
	}
}

// checkSub checks the subject of a document: a client with public subjects receives the one of the host, and others one that
// belongs to one person in one sector, and is either that of open or that of pseudonymous grants. A document that must not identify the
// person of an open grant has none.
func (w *world) checkSub(g *grant, open bool, sub string) {
	if !open && !w.pseudonymous(g) {
		w.reach("sub withheld")
		if sub != "" {
			w.fail("sub %q tells which pseudonym belongs to the person", sub)
		}
		return
	}
	open = !w.pseudonymous(g)
	if open && g.client.public {
		if sub != g.person.subject {
			w.fail("sub %q is not that of %s", sub, g.person.subject)
		}
		return
	}
	if len(sub) != 43 {
		w.fail("sub %q is not pairwise", sub)
	}
	belongs := g.client.sector + "|" + g.key() + "|" + fmt.Sprint(open)
	for _, pair := range [][2]string{{"sub " + sub, belongs}, {"of " + belongs, sub}} {
		if had, ok := w.subjects[pair[0]]; ok && had != pair[1] {
			w.fail("%s is %q, was %q", pair[0], pair[1], had)
		}
		w.subjects[pair[0]] = pair[1]
	}
}

// want fails unless a claim has a value; nil is a claim that must be absent.
func (w *world) want(what string, doc map[string]any, claim string, value any) {
	got, ok := doc[claim]
	if s, is := value.(string); is && s == "" {
		value = nil
	}
	if value == nil && ok || value != nil && got != value {
		w.fail("%s: %s is %v, expected %v: %v", what, claim, got, value, doc)
	}
}

// checkClaims checks the claims of an access token: in the token itself, or in an introspection response.
func (w *world) checkClaims(what string, t *token, doc map[string]any, text string, open bool) {
	g := t.grant
	w.want(what, doc, "iss", issuer)
	w.want(what, doc, "client_id", g.client.id)
	w.want(what, doc, "scope", strings.Join(t.scopes, " "))
	w.want(what, doc, "exp", float64(t.expires.Unix()))
	w.want(what, doc, "acr", g.level)
	w.want(what, doc, "client_onbehalfof", g.customer)
	w.want(what, doc, "client_onbehalfof_orgno", g.client.customers[g.customer])
	sub, _ := doc["sub"].(string)
	w.checkSub(g, open, sub)
	w.checkIdentity(what, g, doc, text, open)
	if open {
		w.checkDetails(what, t, doc)
	}
}

// checkDetails checks the authorization_details of a document.
func (w *world) checkDetails(what string, t *token, doc map[string]any) {
	got := ""
	if value, ok := doc["authorization_details"]; ok {
		got = string(must(json.Marshal(value)))
	}
	if got != t.details {
		w.fail("%s: authorization_details %s, expected %s", what, got, t.details)
	}
}

// checkIdentity checks that a document identifies the person of the login, or nobody.
func (w *world) checkIdentity(what string, g *grant, doc map[string]any, text string, open bool) {
	if !open {
		w.want(what, doc, "pid", nil)
		w.want(what, doc, "email", nil)
		w.want(what, doc, "authorization_details", nil)
		w.identifiesNobody(what, text)
		return
	}
	w.want(what, doc, "pid", g.pid)
	w.want(what, doc, "email", g.email)
	w.identifiesOnly(g.login, what, text)
}

func (w *world) checkIDToken(t *token, c *code) {
	doc, text := payload(t.text)
	g, open := t.grant, !w.pseudonymous(t.grant)
	const what = "id_token"
	w.want(what, doc, "iss", issuer)
	w.want(what, doc, "aud", g.client.id)
	w.want(what, doc, "exp", float64(t.expires.Unix()))
	w.want(what, doc, "auth_time", float64(g.at.Unix()))
	w.want(what, doc, "acr", g.level)
	w.want(what, doc, "client_onbehalfof", g.customer)
	if amr, _ := doc["amr"].([]any); len(amr) != 1 || amr[0] != g.method {
		w.fail("amr %v, expected %v", doc["amr"], g.method)
	}
	nonce := ""
	if c != nil {
		nonce = c.nonce
	}
	w.want(what, doc, "nonce", nonce)
	if _, has := doc["sid"]; has != (g.client.sid || g.client.backchannel) {
		w.fail("sid: %v", doc)
	}
	t.sub, _ = doc["sub"].(string)
	w.checkSub(g, open, t.sub)
	w.checkIdentity(what, g, doc, text, open)
	if open {
		w.checkDetails(what, t, doc)
		w.want(what, doc, "given_name", g.given)
	} else {
		w.want(what, doc, "given_name", nil)
	}
}

// probe compares what clients and APIs see of a token with the model.
func (w *world) probe(t *token) {
	if t.kind == idToken {
		return
	}
	for _, caller := range []*registration{t.grant.client, w.model.client("reader"), w.clients[w.checked%len(w.clients)]} {
		if caller.disabled || caller.browser || caller.machine {
			continue
		}
		w.introspect(t, caller)
	}
	if t.kind == accessToken {
		w.describeUser(t)
		w.checkHistory(t)
	}
}

// introspect compares the introspection of a token with the model.
func (w *world) introspect(t *token, caller *registration) {
	w.checked++
	a := w.call("/tokeninfo", caller, url.Values{"token": {t.text}})
	want := w.active(t) && w.mayIntrospect(caller, t)
	if a.failure() != "" || a.doc["active"] != want {
		w.fail("introspection by %s of a token of %s for %v: %s, expected active %v", caller.id, t.grant.client.id, t.scopes, a.text, want)
	}
	if !want {
		if len(a.doc) != 1 {
			w.fail("inactive, but %s", a.text)
		}
		return
	}
	w.reach("active")
	if t.kind == accessToken && !t.grant.machine {
		seen := *t
		if seen.scopes = w.visible(caller, t); len(seen.scopes) < len(t.scopes) {
			w.reach("scopes of others left out")
			if t.opaque {
				seen.details = ""
			}
		}
		w.checkClaims("introspection", &seen, a.doc, a.text, w.mayIdentify(caller, t))
	}
}

// describeUser compares userinfo for a token with the model.
func (w *world) describeUser(t *token) {
	w.checked++
	a := w.userInfo(t.text)
	want := ""
	switch {
	case !w.active(t):
		want = "invalid_token"
	case !slices.Contains(t.scopes, "profile") || t.grant.machine || !w.pseudonymous(t.grant) && t.grant.byReference(t.opaque):
		want = "insufficient_scope"
	}
	if a.failure() != want {
		w.fail("userinfo for a token of %s for %v: %d %s, expected %q", t.grant.client.id, t.scopes, a.status, a.text, want)
	}
	if want != "" {
		return
	}
	w.reach("userinfo")
	open := w.identifies(t.grant)
	w.checkSub(t.grant, open, a.str("sub"))
	w.checkIdentity("userinfo", t.grant, a.doc, a.text, open)
}

// checkFamilies fails if a grant has two live refresh tokens.
func (w *world) checkFamilies() {
	live := map[*grant]bool{}
	for _, t := range w.tokens {
		if t.kind == refreshToken && !t.used && !t.grant.revoked {
			if live[t.grant] {
				w.fail("a grant has two live refresh tokens")
			}
			live[t.grant] = true
		}
	}
}

// checkLog fails if the log holds an identifier of a person, a token, a code or a secret.
func (w *world) checkLog() {
	text := w.log.String()
	w.identifiesNobody("the log", text)
	for _, value := range append([]string{secret}, w.texts...) {
		if strings.Contains(text, value) {
			w.fail("the log holds %q", value)
		}
	}
}

// checkSent compares the logout tokens that were sent with those that should have been.
func (w *world) checkSent() {
	slices.Sort(w.sent)
	slices.Sort(w.notified)
	if !slices.Equal(w.sent, w.notified) {
		w.fail("logout tokens were sent to %v, expected %v", w.sent, w.notified)
	}
	w.sent, w.notified = nil, nil
}
