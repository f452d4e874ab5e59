package walk

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/digdir/authorizations"
	tokens "github.com/portner-go/portner/token"
)

// pushed is a pushed authorization request.
type pushed struct {
	*request
	*ticket
	flow    *flow
	uri     string
	expires time.Time
}

// push pushes an authorization request, also without authentication for a browser application.
func (w *world) push(o *op) {
	r := w.newRequest(o)
	f := w.newFlow(r)
	caller := w.another(o, r.client)
	w.note("%s pushes %s", caller.id, describe(r))
	want := ""
	switch {
	case caller.disabled, caller != r.client: // the client_id of the request is that of another client
		want = "invalid_client"
	default:
		want = w.invalid(r)
	}
	if caller.browser && caller != r.client {
		return // a client_id alone names the client
	}
	a := w.call("/par", caller, f.params)
	if a.status == http.StatusCreated {
		a.status = http.StatusOK
	}
	if w.answered(a, want) {
		p := &pushed{request: r, ticket: &ticket{pushed: true}, flow: f, uri: a.str("request_uri"), expires: w.now.Add(120 * time.Second)}
		w.texts = append(w.texts, p.uri)
		w.pushes = append(w.pushes, p)
	}
}

// openPushed opens a pushed request in a browser, perhaps not for the first time.
func (w *world) openPushed(o *op) {
	if len(w.pushes) == 0 {
		return
	}
	p := w.pushes[len(w.pushes)-1]
	if o.n(3) == 0 {
		p = w.pushes[o.n(len(w.pushes))]
	}
	first := *p.flow
	f := &first
	f.pages, f.ticket = nil, p.ticket
	f.browser = w.browsers[o.n(len(w.browsers))]
	caller := w.another(o, p.client)
	w.note("browser %d opens, as %s, the pushed %s", f.browser.id, caller.id, describe(f.request))
	w.flows = append(w.flows, f)
	var d decision
	switch {
	case caller != p.client, p.used, !w.now.Before(p.expires):
		d = decision{outcome: "error page 400"}
	default:
		d = w.opened(f)
	}
	q := url.Values{"client_id": {caller.id}, "request_uri": {p.uri}}
	w.agree(f, d, f.browser.do(http.MethodGet, issuer+"/authorize?"+q.Encode(), nil))
}

// flood pushes requests of a browser application, which nobody has to authenticate for, from one address. That address has to wait at
// some point, and no other one.
func (w *world) flood(o *op) {
	app := w.model.client("app")
	w.serial++
	network := w.serial
	from := func(host int) *answer {
		f := w.newFlow(&request{client: app, scopes: []string{"openid"}})
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, issuer+"/par", strings.NewReader(f.params.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.RemoteAddr = fmt.Sprintf("10.%d.%d.%d:1234", network>>8, network&255, host)
		rec := httptest.NewRecorder()
		w.provider.ServeHTTP(rec, r)
		return &answer{status: rec.Code, text: rec.Body.String()}
	}
	w.note("one address pushes without end")
	refused := false
	for range 21 {
		refused = refused || from(1).status == http.StatusServiceUnavailable
	}
	if app.disabled {
		return
	}
	if !refused {
		w.fail("an anonymous address pushes without end")
	}
	if a := from(2); a.status != http.StatusCreated {
		w.fail("an address cannot push because of another one: %d %s", a.status, a.text)
	}
	web := w.model.client("web")
	if a := w.call("/par", web, w.newFlow(&request{client: web, scopes: []string{"openid"}}).params); !web.disabled && a.status != http.StatusCreated {
		w.fail("a client cannot push because of another one: %d %s", a.status, a.text)
	}
	w.reach("flood")
}

// bear presents an assertion of a machine, or another JWT that the machine signed.
func (w *world) bear(o *op) {
	c := w.model.client("machine")
	w.serial++
	claims := map[string]any{
		"iss": c.id, "aud": issuer, "scope": "api:machine", "iat": w.now.Unix(), "exp": w.now.Unix() + 60, "jti": fmt.Sprint("jti-", w.serial),
	}
	typ := pick(o, "", "JWT") // RFC 7519 §5.1
	resource := ""
	switch o.n(8) {
	case 0:
		typ = pick(o, "oauth-authz-req+jwt", "at+jwt", "logout+jwt", "client-authentication+jwt", "dpop+jwt")
	case 1: // a request object
		claims["client_id"], claims["response_type"], claims["redirect_uri"] = c.id, "code", "https://machine.example.no/callback"
	case 2:
		resource = pick(o, issuer, "web", "https://api.example.no")
		claims["resource"] = resource
	}
	_, object := claims["client_id"]
	honest := (typ == "" || typ == "JWT") && !object && resource != issuer && resource != "web"
	jwt := must(machine().Sign("RS256", typ, must(json.Marshal(claims)), w.now))
	w.texts = append(w.texts, jwt)
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {jwt}}
	w.note("machine presents a JWT of type %q, a request object: %v, for %q", typ, object, resource)
	a := w.call("/token", nil, form)
	want := honest && w.allowed(c, "api:machine")
	if got := a.status == http.StatusOK; got != want {
		w.fail("the machine received %d %s, expected a token: %v", a.status, a.failure(), want)
	}
	w.reach("machine %v", want)
	if !want {
		return
	}
	value := a.str("access_token")
	doc, text := payload(value)
	w.want("machine token", doc, "sub", nil)
	w.want("machine token", doc, "pid", nil)
	w.want("machine token", doc, "client_id", c.id)
	w.identifiesNobody("machine token", text)
	w.texts = append(w.texts, value)
	if got := w.userInfo(value).failure(); got != "invalid_token" {
		w.fail("userinfo for a machine: %q", got)
	}
	if again := w.call("/token", nil, form); again.status == http.StatusOK {
		w.fail("an assertion was accepted twice")
	}
}

// confuse presents a value of one kind where another kind is expected.
func (w *world) confuse(o *op) {
	var values []string
	if t := w.pickToken(o, func(t *token) bool { return t.kind == accessToken }); t != nil {
		values = append(values, t.text)
	}
	if t := w.pickToken(o, func(t *token) bool { return t.kind == refreshToken }); t != nil {
		values = append(values, t.text)
	}
	if t := w.pickToken(o, func(t *token) bool { return t.kind == idToken }); t != nil {
		values = append(values, t.text)
	}
	if len(w.codes) > 0 {
		values = append(values, w.codes[len(w.codes)-1].text)
	}
	if len(values) == 0 {
		return
	}
	value := values[o.n(len(values))]
	is := func(kind kind) bool {
		return slices.ContainsFunc(w.tokens, func(t *token) bool { return t.text == value && t.kind == kind })
	}
	isCode := slices.ContainsFunc(w.codes, func(c *code) bool { return c.text == value })
	web := w.model.client("web")
	w.note("a value is presented as another kind")
	refused := func(a *answer) {
		if a.status == http.StatusOK && a.doc["active"] != false {
			w.fail("a value of another kind is accepted: %s", a.text)
		}
	}
	if !is(accessToken) {
		refused(w.userInfo(value))
		refused(w.call("/token", web, url.Values{
			"grant_type": {exchangeType}, "subject_token": {value}, "subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
		}))
	}
	if !is(refreshToken) {
		refused(w.call("/token", web, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {value}}))
	}
	if !isCode {
		refused(w.call("/token", web, url.Values{
			"grant_type": {"authorization_code"}, "code": {value}, "redirect_uri": {"https://web.example.no/callback"}, "code_verifier": {"verifier"},
		}))
	}
	if !is(idToken) {
		r := (&browser{world: w, cookies: map[string]string{}}).do(http.MethodGet, issuer+"/logout?id_token_hint="+url.QueryEscape(value), nil)
		if r.status != http.StatusBadRequest {
			w.fail("a value of another kind is accepted as id_token_hint of a logout: %d", r.status)
		}
		f := w.newFlow(&request{client: web, scopes: []string{"openid"}, prompt: "none"})
		f.params.Set("id_token_hint", value)
		if r := (&browser{world: w, cookies: map[string]string{}}).do(http.MethodGet, issuer+"/authorize?"+f.params.Encode(), nil); !web.disabled && r.outcome() != "error invalid_request" {
			w.fail("a value of another kind is accepted as id_token_hint: %s", r.outcome())
		}
	}
	if isCode || is(idToken) {
		refused(w.call("/tokeninfo", w.model.client("reader"), url.Values{"token": {value}}))
	}
}

// VerifyMachine implements authorizations.Machines: the token of an organisation is its number.
func (w *world) VerifyMachine(_ context.Context, token, _ string, _ time.Time) (string, error) {
	if token == org || token == ownerOrg || token == otherOrg {
		return token, nil
	}
	return "", fmt.Errorf("walk: %w", portner.InvalidToken)
}

// endByOrganisation ends an authorization as an organisation: that of the client, or the owner of a scope.
func (w *world) endByOrganisation(o *op) {
	t := w.pickToken(o, func(t *token) bool { return t.kind == accessToken && !t.grant.machine })
	if t == nil {
		return
	}
	g := t.grant
	caller := pick(o, org, ownerOrg, otherOrg)
	id, live, ok := w.handle(g)
	if !ok {
		return
	}
	w.note("organisation %s ends an authorization of %s at %s for %v", caller, g.person.subject, g.client.id, g.scopes)
	ofClient := g.client.org == caller
	may := live && (ofClient || w.owns(caller, g))
	c := must(w.api.AuthenticateMachine(ctx, []string{"Bearer " + caller}))
	err := w.api.End(ctx, c, id)
	if (err == nil) != may {
		w.fail("ending an authorization: %v, allowed %v", err, may)
	}
	w.reach("ended by organisation %v", may)
	if !may {
		return
	}
	all := w.together(g)
	if !ofClient && slices.ContainsFunc(all, func(o *grant) bool { return !w.owns(caller, o) }) {
		g.revoked = true
		return
	}
	owner := caller
	if ofClient {
		owner = ""
	}
	if !slices.ContainsFunc(all, func(o *grant) bool { return !w.mayLink(o, owner) }) {
		w.endAuthorization(g.consentKey())
		return
	}
	for _, o := range all {
		if o == g || w.mayLink(g, owner) && w.mayLink(o, owner) {
			o.revoked = true
		}
	}
}

// owns reports whether an organisation owns a scope of a grant.
func (m *model) owns(organisation string, g *grant) bool {
	return slices.ContainsFunc(g.scopes, func(s string) bool { return m.rules[s] != nil && m.rules[s].owner == organisation })
}

// mayLink reports whether an organisation may learn that a grant is that of a person whose identity it knows: if the grant identifies
// the person, or to the owner of all of its scopes.
func (m *model) mayLink(g *grant, owner string) bool {
	if m.identifies(g) {
		return true
	}
	return owner != "" && !slices.ContainsFunc(g.scopes, func(s string) bool { return m.rules[s] != nil && m.rules[s].owner != owner })
}

// together returns the live grants of one person to one client for one customer.
func (m *model) together(g *grant) (all []*grant) {
	for _, t := range m.tokens {
		o := t.grant
		if !o.machine && o.consentKey() == g.consentKey() && !o.revoked && m.now.Before(o.expires) && !slices.Contains(all, o) {
			all = append(all, o)
		}
	}
	return all
}

// entry is one entry of the login history.
type entry struct {
	client, org string
	hidden      bool
	at          time.Time
}

// entry returns the entry for a request that led to a code. A customer's logins are those of its organisation.
func (w *world) entry(f *flow) entry {
	organisation := f.client.org
	if f.customer != "" {
		organisation = f.client.customers[f.customer]
	}
	return entry{f.client.id, organisation, w.hides(f.scopes), w.now}
}

// checkHistory compares the login history that organisations see with the logins of a person.
func (w *world) checkHistory(t *token) {
	if !slices.Contains(t.scopes, authorizations.HistoryScope) || w.pseudonymous(t.grant) || w.hides(t.grant.scopes) || t.grant.pid == "" || !w.active(t) {
		return
	}
	c, err := w.api.AuthenticateUser(ctx, tokens.APIRequest{Authorization: []string{"Bearer " + t.text}}, authorizations.HistoryScope)
	if err != nil {
		w.fail("reading the login history: %v", err)
	}
	list := must(w.api.History(ctx, c, 1000))
	var want []string
	for _, v := range w.visits[t.grant.person] {
		if v.org == t.grant.client.org && !v.hidden {
			want = append(want, v.client+v.at.String())
		}
	}
	slices.Reverse(want)
	var got []string
	for _, l := range list {
		got = append(got, l.ClientID+l.At.UTC().String())
	}
	w.reach("history")
	if !slices.Equal(got, want) {
		w.fail("the login history is\n%v, expected\n%v", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// reach counts what walks reach.
func (w *world) reach(format string, args ...any) { w.reached[fmt.Sprintf(format, args...)]++ }
