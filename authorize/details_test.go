package authorize_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/storage"
)

// parties is a type of authorization_details whose users act for organisations. Rights can be changed during a login.
type parties struct {
	*world
	of    map[string][]rar.Choice // by subject
	text  rar.Text                // of details of type party and titled
	calls map[string]int          // of the functions of type party
	fault error
}

const twoParties = `[{"type":"party"}]`

func (p *parties) rights(r rar.Request) ([]rar.Choice, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls["choices"]++
	return slices.Clone(p.of[r.Subject]), p.fault
}

func (p *parties) set(subject string, ids ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.of[subject] = nil
	for _, id := range ids {
		p.of[subject] = append(p.of[subject], rar.Choice{ID: id, Name: "Org " + id, Hint: id})
	}
}

// describe describes details with the text of p and the language.
func (p *parties) describe(_ context.Context, r rar.Request, details []rar.Detail) ([]rar.Text, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls["describe"]++
	texts := make([]rar.Text, len(details))
	for i := range texts {
		texts[i] = rar.Text{Title: p.text.Title + " " + r.Locale, Lines: slices.Clone(p.text.Lines)}
	}
	return texts, nil
}

// count returns how often the functions of the type party were called since the last count.
func (p *parties) count() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	calls := p.calls
	p.calls = map[string]int{}
	return calls
}

// echoes grants details as requested.
func echoes(_ context.Context, _ rar.Request, details []rar.Detail, _ []string) (all []json.RawMessage, err error) {
	for _, d := range details {
		all = append(all, d.JSON)
	}
	return all, nil
}

func has(d []rar.Detail, member string) bool { return strings.Contains(string(d[0].JSON), member) }

func (p *parties) party() rar.Type {
	return rar.Type{
		Name: "party", Members: []string{"several", "required"}, Alone: true, Describe: p.describe,
		Choices:  func(_ context.Context, r rar.Request, _ []rar.Detail) ([]rar.Choice, error) { return p.rights(r) },
		Multiple: func(d []rar.Detail) bool { return has(d, "several") },
		Required: func(d []rar.Detail) bool { return has(d, "required") },
		Grant: func(_ context.Context, r rar.Request, _ []rar.Detail, chosen []string) ([]json.RawMessage, error) {
			p.mu.Lock()
			p.calls["grant"]++
			p.mu.Unlock()
			if len(chosen) == 0 {
				return nil, nil
			}
			doc, err := json.Marshal(map[string]any{"type": "party", "for": chosen, "client": r.ClientID, "org": r.Organisation, "name": r.Name})
			return []json.RawMessage{doc}, err
		},
	}
}

// failingType is a type whose Grant returns err.
func failingType(name string, err error) rar.Type {
	return rar.Type{Name: name, Grant: func(context.Context, rar.Request, []rar.Detail, []string) ([]json.RawMessage, error) { return nil, err }}
}

// newParties returns a world with authorization_details. Kari may act for two organisations, Ola for none.
func newParties(t testing.TB, change ...func(*authorize.Config)) *parties {
	t.Helper()
	p := &parties{of: map[string][]rar.Choice{}, calls: map[string]int{}, text: rar.Text{Title: "A", Lines: []string{"b"}}}
	registry := must(rar.NewRegistry(p.party(),
		rar.Type{Name: "plain", Members: []string{"x"}, Grant: echoes},
		rar.Type{Name: "titled", Describe: p.describe, Grant: echoes},
		rar.Type{Name: "free", Members: []string{"x"}, NoApproval: true, Grant: echoes},
		failingType("denied", fmt.Errorf("nothing here: %w", rar.ErrDenied)), failingType("mandate", rar.ErrNoMandate),
		failingType("value", fmt.Errorf("%w: no such case", rar.ErrValue)), failingType("broken", errors.New("the register is down"))))
	p.world = newWorld(t, append([]func(*authorize.Config){func(c *authorize.Config) {
		c.AuthorizationDetails = registry
	}}, change...)...)
	p.set("kari", "991825827", "974761076")
	return p
}

// pick fills in the representation page that res redirects to.
func (b *browser) pick(res *http.Response, ids ...string) *http.Response {
	b.t.Helper()
	form := b.open(res, "/representation")
	form["party"] = ids
	return b.post("/representation", form)
}

// details returns the details that were granted with the code.
func (p *parties) details(res *http.Response) string {
	p.t.Helper()
	code := requireCode(p.t, res)
	c, err := p.store.Code(p.t.Context(), storage.HashOf(code), p.clock())
	require.NoError(p.t, err)
	require.NotContains(p.t, string(c.Grant.AuthorizationDetails), "party", "sealed at rest")
	plain, err := p.vault.OpenDetails(c.Grant.AuthorizationDetails, c.Grant.ID)
	require.NoError(p.t, err)
	return string(plain)
}

// TestDetailsRefused: invalid details are rejected before the login, in requests and pushed requests (RFC 9396 §5).
func TestDetailsRefused(t *testing.T) {
	t.Parallel()
	w := newParties(t)
	for name, tt := range map[string]struct{ details, reason string }{
		"not JSON":         {`type=party`, "details_malformed"},
		"an object":        {`{"type":"party"}`, "details_malformed"},
		"empty":            {`[]`, "details_malformed"},
		"no type":          {`[{"x":1}]`, "details_malformed"},
		"member twice":     {`[{"type":"plain","type":"party"}]`, "details_malformed"},
		"trailing data":    {`[{"type":"plain"}] x`, "details_malformed"},
		"unknown type":     {`[{"type":"other"}]`, "details_type_unknown"},
		"unknown member":   {`[{"type":"plain","y":1}]`, "details_member_unknown"},
		"case of a member": {`[{"type":"plain","X":1}]`, "details_member_unknown"},
		"mixed types":      {`[{"type":"plain"},{"type":"party"}]`, "details_types_mixed"},
	} {
		res := w.browser().authorize(params("web", "authorization_details", tt.details))
		require.Equal(t, "error invalid_authorization_details", outcome(t, res), name)
		_, reason := w.lastEvent()
		require.Equal(t, tt.reason, reason, name)
		rec := w.push(params("web", "authorization_details", tt.details))
		require.Equal(t, http.StatusBadRequest, rec.StatusCode, name)
		require.Equal(t, "invalid_authorization_details", jsonBody(t, rec)["error"], name)
	}
	require.Equal(t, "error invalid_authorization_details", outcome(t, newWorld(t).browser().authorize(params("web", "authorization_details", twoParties))),
		"no type is supported without a registry")
}

// TestDetailsNameTheMember: a rejection of a value names the member, if its type does with a name that a response can have.
func TestDetailsNameTheMember(t *testing.T) {
	t.Parallel()
	failing := func(name string, err error) rar.Type {
		return rar.Type{Name: name, Grant: echoes, Validate: func(rar.Detail) error { return err }}
	}
	w := newWorld(t, func(c *authorize.Config) {
		c.AuthorizationDetails = must(rar.NewRegistry(
			failing("named", fmt.Errorf("validating: %w", &portner.FieldError{Field: "resource", Err: fmt.Errorf("%w: not a URN", rar.ErrValue)})),
			failing("unnamed", fmt.Errorf("%w: resource", rar.ErrValue)),
			failing("text", &portner.FieldError{Field: "resource\r\nx: \"y\"", Err: rar.ErrValue}),
			rar.Type{Name: "register", Grant: echoes, Check: func(context.Context, rar.Request, []rar.Detail) error {
				return &portner.FieldError{Field: "resource", Err: rar.ErrValue}
			}},
			rar.Type{Name: "fault", Grant: echoes, Check: func(context.Context, rar.Request, []rar.Detail) error {
				return &portner.FieldError{Field: "resource", Err: errors.New("the register is down")}
			}},
		))
	})
	const member, general = "The member resource of authorization_details is missing or invalid.", "A value in authorization_details is missing or invalid."
	for name, tt := range map[string]struct{ description, expected string }{
		"named": {member, "a valid value of the member resource"}, "register": {member, "a valid value of the member resource"},
		"unnamed": {general, "valid values"}, "text": {general, "valid values"},
	} {
		details := `[{"type":"` + name + `"}]`
		require.Equal(t, tt.description, answered(t, w.browser().authorize(params("web", "authorization_details", details))).Get("error_description"), name)
		require.Equal(t, tt.description, jsonBody(t, w.push(params("web", "authorization_details", details)))["error_description"], name)
		last := w.events[len(w.events)-1]
		require.Equal(t, []string{"details_value", "authorization_details", tt.expected}, []string{last.Reason, last.Explanation.Parameter, last.Explanation.Expected}, name)
	}
	require.Equal(t, "temporarily_unavailable", answered(t, w.browser().authorize(params("web", "authorization_details", `[{"type":"fault"}]`))).Get("error"))
}

// TestDetailsExcludePseudonyms: details may identify the user, and RFC 9396 §7 sends them to the client.
func TestDetailsExcludePseudonyms(t *testing.T) {
	t.Parallel()
	w := newParties(t)
	for scopes, want := range map[string]string{
		"openid test:pseudo": "error invalid_authorization_details", "test:opaque": "error invalid_authorization_details",
		"openid test:opaque": "login", "test:plain": "login",
	} {
		require.Equal(t, want, outcome(t, w.browser().authorize(params("web", "scope", scopes, "authorization_details", twoParties))), scopes)
	}
}

func TestRepresentation(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		user, details string
		pick          []string
		want          string // granted details, or the outcome
	}{
		"one":                   {"kari", twoParties, []string{"991825827"}, `[{"client":"web","for":["991825827"],"name":"","org":"991825827","type":"party"}]`},
		"none":                  {"kari", twoParties, nil, `[]`},
		"several":               {"kari", `[{"type":"party","several":true}]`, []string{"974761076", "991825827"}, `[{"client":"web","for":["991825827","974761076"],"name":"","org":"991825827","type":"party"}]`},
		"several of one":        {"kari", twoParties, []string{"974761076", "991825827"}, "page 403 invalid_request"},
		"not shown":             {"kari", twoParties, []string{"910753614"}, "page 403 invalid_request"},
		"none, though required": {"kari", `[{"type":"party","required":true}]`, nil, "error access_denied"},
		"required":              {"kari", `[{"type":"party","required":true}]`, []string{"974761076"}, `[{"client":"web","for":["974761076"],"name":"","org":"991825827","type":"party"}]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newParties(t)
			b := w.browser()
			res := b.loginAs(b.authorize(params("web", "authorization_details", tt.details)), tt.user)
			res = b.pick(res, tt.pick...)
			if !strings.HasPrefix(tt.want, "[") {
				require.Equal(t, tt.want, strings.Replace(outcome(t, res), "Forbidden", "403", 1))
				return
			}
			require.Equal(t, tt.want, w.details(res))
		})
	}
}

// TestNothingToRepresent: a user without rights sees no page. Whether that is an error depends on the details.
func TestNothingToRepresent(t *testing.T) {
	t.Parallel()
	w := newParties(t)
	b := w.browser()
	require.Equal(t, "[]", w.details(b.loginAs(b.authorize(params("web", "authorization_details", twoParties)), "ola")))
	res := b.authorize(params("web", "authorization_details", `[{"type":"party","required":true}]`))
	require.Equal(t, "error access_denied", outcome(t, res))
	_, reason := w.lastEvent()
	require.Equal(t, "details_denied", reason)
}

// TestRepresentationEachTime: the representation page is shown for every request, also with a live session.
func TestRepresentationEachTime(t *testing.T) {
	t.Parallel()
	w := newParties(t)
	b := w.browser()
	first := b.loginAs(b.authorize(params("web", "authorization_details", twoParties)), "kari")
	w.details(b.pick(first, "991825827"))
	again := b.authorize(params("web", "authorization_details", twoParties))
	require.Contains(t, w.details(b.pick(again, "974761076")), "974761076", "the page is shown again, without a login")
	requireCode(t, b.authorize(params("web")))

	silent := params("silent", "prompt", "none", "authorization_details", twoParties)
	require.Equal(t, "error interaction_required", outcome(t, b.authorize(silent)))
	w.set("kari")
	require.Equal(t, "[]", w.details(b.authorize(silent)), "no choice")
}

// TestRepresentationThenConsent: a choice stays valid through the consent page, unless the user changes or loses the right.
func TestRepresentationThenConsent(t *testing.T) {
	t.Parallel()
	request := params("web", "scope", "openid test:shared", "authorization_details", twoParties)
	t.Run("granted", func(t *testing.T) {
		t.Parallel()
		w := newParties(t)
		b := w.browser()
		res := b.pick(b.loginAs(b.authorize(request), "kari"), "974761076")
		require.Contains(t, w.details(b.consentTo(res, "test:shared")), "974761076")
	})
	t.Run("lost right", func(t *testing.T) {
		t.Parallel()
		w := newParties(t)
		b := w.browser()
		res := b.pick(b.loginAs(b.authorize(request), "kari"), "974761076")
		form := b.open(res, "/consent")
		form["scope"] = []string{"test:shared"}
		w.set("kari", "991825827")
		res = b.post("/consent", form)
		require.NotContains(t, w.details(b.consentTo(b.pick(res, "991825827"), "test:shared")), "974761076", "the choice is made again")
	})
	t.Run("another user", func(t *testing.T) {
		t.Parallel()
		w := newParties(t)
		b := w.browser()
		res := b.pick(b.loginAs(b.authorize(request), "kari"), "974761076")
		form := b.open(res, "/consent")
		form["scope"] = []string{"test:shared"}
		w.set("per", "974761076")
		b.loginAs(b.authorize(params("web", "prompt", "login")), "per")
		res = b.post("/consent", form)
		require.Equal(t, "login", outcome(t, res))
		res = b.loginAs(res, "per")
		require.Equal(t, "/representation", strings.Split(res.Header.Get("Location"), "?")[0], "the choice was made by another user")
	})
}

// TestRepresentationForm: the form is valid for the choices that were shown.
func TestRepresentationForm(t *testing.T) {
	t.Parallel()
	w := newParties(t)
	b := w.browser()
	res := b.loginAs(b.authorize(params("web", "authorization_details", twoParties)), "kari")
	location := res.Header.Get("Location")
	form := b.open(res, "/representation")
	require.Equal(t, authorize.RepresentationStep, w.seen.Step)
	require.Equal(t, &rar.Selection{Choices: []rar.Choice{
		{ID: "991825827", Name: "Org 991825827", Hint: "991825827"}, {ID: "974761076", Name: "Org 974761076", Hint: "974761076"},
	}}, w.seen.Selection)
	form["party"] = []string{"991825827"}

	w.set("kari", "991825827", "910753614")
	require.Equal(t, "representation", outcome(t, b.post("/representation", form)), "the list has changed")
	w.set("kari", "991825827", "974761076")
	without := url.Values{"request": form["request"], "party": form["party"]}
	require.Equal(t, "page Forbidden invalid_request", outcome(t, b.post("/representation", without)), "no CSRF token")
	require.Equal(t, "page Forbidden invalid_request", outcome(t, b.get(location+"&hasty=1")), "GET does not choose")
	require.Equal(t, "page Bad Request invalid_request", outcome(t, w.browser().get(location)), "another browser")
	require.Equal(t, "page Forbidden invalid_request", outcome(t, b.post("/consent", form)), "the form of another page")
	w.set("kari")
	require.Equal(t, "[]", w.details(b.get(location)), "no choice is left")
}

// TestTypeVerdicts: the type of the details decides again after the login.
func TestTypeVerdicts(t *testing.T) {
	t.Parallel()
	for details, want := range map[string]string{
		"denied": "error access_denied", "mandate": "page Forbidden access_denied",
		"value": "error invalid_authorization_details", "broken": "error temporarily_unavailable",
	} {
		w := newParties(t)
		b := w.browser()
		res := b.loginAs(b.authorize(params("web", "authorization_details", `[{"type":"`+details+`"}]`)), "kari")
		require.Equal(t, want, outcome(t, b.consentTo(res, "detail 1")), details)
	}
	w := newParties(t)
	b := w.browser()
	requireCode(t, b.loginAs(b.authorize(params("web")), "kari"))
	w.fault = rar.ErrNoMandate
	res := b.authorize(params("silent", "prompt", "none", "authorization_details", twoParties))
	require.Equal(t, "error access_denied", outcome(t, res), "prompt=none shows no page")
	require.Equal(t, "page Forbidden access_denied", outcome(t, b.authorize(params("web", "authorization_details", twoParties))))
	w.fault = errors.New("down")
	require.Equal(t, "error temporarily_unavailable", outcome(t, b.authorize(params("web", "authorization_details", twoParties))))
}

// TestDetailsPushedAndSigned: pushed and signed details are the same as those of a plain request.
func TestDetailsPushedAndSigned(t *testing.T) {
	t.Parallel()
	w := newParties(t)
	b := w.browser()
	uri := w.pushed(params("web", "authorization_details", twoParties))
	res := b.authorize(use("web", uri, "authorization_details", `[{"type":"other"}]`))
	require.Contains(t, w.details(b.pick(b.loginAs(res, "kari"), "991825827")), "991825827")

	claims := map[string]any{"authorization_details": []any{map[string]any{"type": "party"}}}
	res = w.browser().authorize(params("signing", "request", sign(object("signing", claims), "")))
	require.Equal(t, "login", outcome(t, res))
	claims["authorization_details"] = []any{map[string]any{"type": "other"}}
	require.Equal(t, "error invalid_authorization_details", outcome(t, w.browser().authorize(params("signing", "request", sign(object("signing", claims), "")))))
}

// TestTestLoginRepresents: a test login makes the first choice.
func TestTestLoginRepresents(t *testing.T) {
	t.Parallel()
	w := newParties(t, func(c *authorize.Config) {
		c.TestLogin = must(authorize.NewTestLogin(authorize.TestLoginConfig{Issuer: issuer, TestIssuer: issuer}))
	})
	hint := "testid:" + testPID.Reveal()
	w.set(hint, "974761076", "991825827")
	ask := func(details string) *http.Response {
		return w.browser().authorize(params("web", "login_hint", hint+"_idporten-loa-high", "authorization_details", details))
	}
	require.Contains(t, w.details(ask(twoParties)), "974761076")
	w.set(hint)
	require.Equal(t, "[]", w.details(ask(twoParties)))
	require.Equal(t, "error access_denied", outcome(t, ask(`[{"type":"party","required":true}]`)))
}
