package authorize

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
)

// request is a valid authorization request: what validate made of the parameters.
type request struct {
	source
	client *client.Client
	to     *target

	scopes        []string   // requested
	plan          scope.Plan // of the requested scopes, before any consent
	challenge     string
	nonce         string
	prompt        prompts
	acrValues     []string // of the request, or the provider's default
	maxAge        time.Duration
	hasMaxAge     bool
	authTimeAsked bool
	resources     []string
	onBehalfOf    client.OnBehalfOf
	hintSub       string // whom the id_token_hint names
	details       []rar.Detail
}

// source is how the parameters came.
type source struct {
	form   httpx.Form
	raw    string       // form in the encoding it came in; "": encode it
	pushed storage.Hash // of the request_uri; zero: not pushed
	signed bool         // from a request object
	sealed bool         // from a request that waited: what is costly to check was checked
}

func (s source) isPushed() bool { return s.pushed != storage.Hash{} }

// prompts is the set of prompt values.
type prompts uint8

const (
	promptNone prompts = 1 << iota
	promptLogin
	promptConsent
	promptSelectAccount
)

// allPrompts are the prompt values there are (OpenID Connect Core section 3.1.2.1), in the order of
// the constants.
var allPrompts = []string{"none", "login", "consent", "select_account"}

func (p prompts) has(v prompts) bool { return p&v != 0 }

// names lists the values.
func (p prompts) names() []string {
	var names []string
	for i, name := range allPrompts {
		if p.has(1 << i) {
			names = append(names, name)
		}
	}
	return names
}

// validate checks the parameters in the order of idporten section 3.2, from row 3 on: the first
// problem is the answer. Nothing is shown and nothing is stored before it says yes.
func (e *Endpoint) validate(ctx context.Context, c *client.Client, s source, now time.Time) (*request, *refusal) {
	to, r := newTarget(c, e.cfg.Environment, s.form)
	if r != nil {
		return nil, r
	}
	q := &request{source: s, client: c, to: to}
	for _, check := range [...]func(context.Context, *request, time.Time) *refusal{
		e.checkResponse, e.checkClient, e.checkScope, e.checkProof, e.checkPrompt,
		e.checkLevels, e.checkTarget, e.checkDetails, e.checkExtensions, e.checkHint,
	} {
		if r := check(ctx, q, now); r != nil {
			return nil, r
		}
	}
	return q, nil
}

// checkResponse: rows 4 and 5, and parameters sent twice (security row B1).
func (e *Endpoint) checkResponse(_ context.Context, q *request, _ time.Time) *refusal {
	mode := q.form.Get("response_mode")
	switch {
	case mode == "" || repeated(q.form, "response_mode"):
	case mode != modeQuery && mode != modeFormPost:
		return page(portner.InvalidRequest, "response_mode", "The response_mode is not supported.")
	case !q.client.HasResponseMode(mode):
		return q.to.invalid("response_mode", "The response_mode is not registered for this client.")
	case mode == modeFormPost && !strings.HasPrefix(q.to.uri, "http"):
		return q.to.invalid("response_mode", "The response_mode form_post needs an http redirect_uri.")
	default:
		q.to.mode = mode
	}
	if q.form.Repeated() != "" {
		return q.to.invalid("repeated", "A parameter was sent twice.").as(portner.EventDuplicateParam)
	}
	switch q.form.Get("response_type") {
	case "code":
		return nil
	case "":
		return q.to.invalid("response_type_missing", "The parameter response_type is required.")
	}
	return q.to.refuse(portner.UnsupportedResponseType, "response_type", "The only response_type is code.")
}

// checkClient: row 6, and how the client's requests must come.
func (e *Endpoint) checkClient(_ context.Context, q *request, _ time.Time) *refusal {
	switch {
	case !q.client.HasGrant(client.AuthorizationCode):
		return q.to.refuse(portner.UnauthorizedClient, "grant_type", "The client is not registered for authorization_code.")
	case q.client.RequirePushedAuthorizationRequests && !q.isPushed():
		return q.to.invalid("par_required", "The client must push its authorization requests.")
	case q.client.RequireSignedRequestObject && !q.signed:
		return q.to.invalid("request_object_required", "The client must send a signed request object.")
	}
	return nil
}

// checkScope: row 7. A scope the client may not have ends the request before anything is shown
// (security row G13).
func (e *Endpoint) checkScope(_ context.Context, q *request, now time.Time) *refusal {
	text := q.form.Get("scope")
	if text == "" {
		return q.to.invalid("scope_missing", "The parameter scope is required.")
	}
	scopes, err := scope.Parse(text)
	if err != nil || len(text) > maxScope || len(scopes) > maxScopes {
		return q.to.refuse(portner.InvalidScope, "scope_syntax", "The scope is malformed.")
	}
	q.scopes = scopes
	if q.plan, err = scope.Evaluate(e.question(q, now)); err != nil {
		return q.to.scopes(err)
	}
	return nil
}

// scopes returns the refusal for an error of scope.Evaluate.
func (t *target) scopes(err error) *refusal {
	var refused *scope.RefusedError
	switch {
	case errors.As(err, &refused):
		return t.refuse(portner.InvalidScope, string(refused.Refusals[0].Reason), "The client may not have a requested scope.").
			as(portner.EventScopeDenied)
	case errors.Is(err, scope.ErrAllDeclined):
		return t.refuse(portner.AccessDenied, "all_declined", "The person declined.")
	}
	return faulty(t, err)
}

// question is what is asked of package scope before anybody consented.
func (e *Endpoint) question(q *request, now time.Time) scope.Request {
	return scope.Request{
		Requested: q.scopes, Client: q.client.ScopeClient(),
		Scopes: e.cfg.Scopes, Now: now, AllowNoPID: e.cfg.AllowNoPID,
		Again: q.prompt.has(promptConsent),
	}
}

// checkProof: rows 8 and 9. PKCE, state and nonce.
func (e *Endpoint) checkProof(_ context.Context, q *request, _ time.Time) *refusal {
	q.challenge, q.nonce = q.form.Get("code_challenge"), q.form.Get("nonce")
	policy := q.client.PKCE()
	policy.Optional = policy.Optional && !e.cfg.RequirePKCE
	if policy.CheckRequest(q.challenge, q.form.Get("code_challenge_method")) != nil {
		return q.to.invalid("pkce", "PKCE with code_challenge_method S256 and a code_challenge of 43 characters is required.")
	}
	state := q.form.Get("state")
	switch {
	case !validState(state):
		return q.to.invalid("state", "The state must be printable ASCII of at most 2048 characters.")
	case state == "" && (e.cfg.RequireState || q.client.StateRequired()):
		return q.to.invalid("state_missing", "The parameter state is required.")
	case q.nonce == "" && (e.cfg.RequireNonce || q.client.RequireNonce):
		return q.to.invalid("nonce_missing", "The parameter nonce is required.")
	case len(q.nonce) > maxNonce:
		return q.to.invalid("nonce", "The nonce is longer than 512 characters.")
	}
	return nil
}

// checkPrompt: row 10, and max_age.
func (e *Endpoint) checkPrompt(_ context.Context, q *request, _ time.Time) *refusal {
	for value := range strings.SplitSeq(q.form.Get("prompt"), " ") {
		if value == "" {
			continue
		}
		p := promptOf(value)
		if p == 0 || !contains(e.promptValues(q.client), value) {
			return q.to.invalid("prompt", "A prompt value is not supported.")
		}
		q.prompt |= p
	}
	if q.prompt.has(promptNone) && q.prompt != promptNone {
		return q.to.invalid("prompt_none", "The prompt none excludes all others.")
	}
	text := q.form.Get("max_age")
	if text == "" {
		return nil
	}
	seconds, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return q.to.invalid("max_age", "The max_age is not a number of seconds.")
	}
	// OpenID Connect Core section 2: with max_age the id_token must carry auth_time.
	q.maxAge, q.hasMaxAge, q.authTimeAsked = time.Duration(seconds)*time.Second, true, true
	return nil
}

func promptOf(value string) prompts {
	for i, name := range allPrompts {
		if name == value {
			return 1 << i
		}
	}
	return 0
}

func (e *Endpoint) promptValues(c *client.Client) []string {
	if len(c.PromptValues) > 0 {
		return c.PromptValues
	}
	return e.cfg.PromptValues
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

// checkLevels: row 11. Unknown values are ignored and never raise the level, but not all may be
// unknown (security row B7).
func (e *Endpoint) checkLevels(_ context.Context, q *request, _ time.Time) *refusal {
	text := q.form.Get("acr_values")
	if text == "" {
		q.acrValues = e.cfg.DefaultACRValues
		return nil
	}
	q.acrValues = e.cfg.Levels.Known(strings.Fields(text))
	if len(q.acrValues) == 0 {
		return q.to.invalid("acr_values", "No acr value is known.")
	}
	return nil
}

// sufficient reports whether a login of this level answers a request for these values. A request without values, of a provider
// without DefaultACRValues, accepts every level of the set.
func (c *Config) sufficient(level string, requested []string) bool {
	if len(requested) == 0 {
		return c.Levels.AtLeast(level, level)
	}
	return c.Levels.Satisfies(level, requested)
}

// maxResources is the most audiences one request may ask for (security row D10).
const maxResources = 5

// checkTarget: rows 12 and 13.
func (e *Endpoint) checkTarget(ctx context.Context, q *request, _ time.Time) *refusal {
	q.resources = q.form.All("resource")
	if len(q.resources) > maxResources {
		return q.to.refuse(portner.InvalidTarget, "resource_count", "At most five resources may be asked for.")
	}
	for _, res := range q.resources {
		if ok, err := e.validResource(ctx, res); err != nil {
			return faulty(q.to, err)
		} else if !ok {
			return q.to.refuse(portner.InvalidTarget, "resource", "A resource is not an absolute URI that may be an audience.")
		}
	}
	if value := q.form.Get("onbehalfof"); value != "" {
		sub, ok := q.client.SubClient(value)
		if !ok {
			return q.to.invalid("onbehalfof", "The onbehalfof value is not registered for this client.")
		}
		q.onBehalfOf = sub
	}
	return nil
}

// validResource: an absolute https URI or URN without fragment (RFC 8707 section 2; URNs since
// ID-porten's release 20-09), and neither the provider itself nor a client (security row D10). Plain
// http is for providers that are on plain http themselves.
func (e *Endpoint) validResource(ctx context.Context, res string) (bool, error) {
	u, err := url.Parse(res)
	if err != nil || len(res) > maxRedirectURI || strings.Contains(res, "#") || u.User != nil {
		return false, nil
	}
	switch {
	case u.Scheme == "urn":
		if u.Opaque == "" {
			return false, nil
		}
	case u.Scheme == "https", u.Scheme == "http" && strings.HasPrefix(e.cfg.Issuer, "http://"):
		if u.Host == "" || strings.TrimRight(res, "/") == strings.TrimRight(e.cfg.Issuer, "/") {
			return false, nil
		}
	default:
		return false, nil
	}
	switch _, err = client.Lookup(ctx, e.cfg.Clients, res); {
	case err == nil, errors.Is(err, client.ErrDisabled):
		return false, nil
	case errors.Is(err, storage.ErrNotFound):
		return true, nil
	}
	return false, err
}

// checkExtensions: the claims parameter, which is read for auth_time only.
func (e *Endpoint) checkExtensions(_ context.Context, q *request, _ time.Time) *refusal {
	text := q.form.Get("claims")
	if text == "" {
		return nil
	}
	if len(text) > maxClaims {
		return q.to.invalid("claims", "The parameter claims is too long.")
	}
	claims, err := jose.ParseObject([]byte(text))
	if err != nil {
		return q.to.invalid("claims", "The parameter claims is not a JSON object.")
	}
	if idToken, err := claims.Object("id_token"); err == nil && idToken.Has("auth_time") {
		q.authTimeAsked = true
	}
	return nil
}
