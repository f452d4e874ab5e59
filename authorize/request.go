package authorize

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/internal/bound"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/requested"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
)

// request is a valid authorization request, as validate returns it.
type request struct {
	source
	client *client.Client
	to     *target
	target target // that to points to, here to save its allocation

	scopes       []string   // as requested
	plan         scope.Plan // of the scopes, before any consent
	challenge    string
	nonce        string
	dpopKey      string // thumbprint of the key that the code is bound to; "" if it is not bound
	prompt       prompts
	acrValues    []string         // of the request, or the default of the provider
	acrEssential bool             // the level must be one of acrValues
	requested    requested.Claims // by the parameter claims
	maxAge       time.Duration
	hasMaxAge    bool
	resources    []string
	onBehalfOf   client.OnBehalfOf
	hintSub      string // the sub of id_token_hint
	details      []rar.Detail
}

// source holds the parameters of a request and where they come from.
type source struct {
	form   httpx.Form
	raw    string       // the encoding that form was parsed from; "" if it is not known
	pushed storage.Hash // of the request_uri; zero if the request was not pushed
	signed bool         // from a request object
	sealed bool         // from a pending request, whose id_token_hint was verified before
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

// allPrompts are the prompt values of OIDC Core §3.1.2.1, in the order of the constants.
var allPrompts = []string{"none", "login", "consent", "select_account"}

func (p prompts) has(v prompts) bool { return p&v != 0 }

// names returns the values.
func (p prompts) names() []string {
	var names []string
	for i, name := range allPrompts {
		if p.has(1 << i) {
			names = append(names, name)
		}
	}
	return names
}

// validate validates the parameters, in the order of docs/spec/idporten.md §3.2. It returns the first problem. No page is shown and
// nothing is stored before.
func (e *Endpoint) validate(ctx context.Context, c *client.Client, s source, now time.Time) (*request, *refusal) {
	to, r := newTarget(c, e.cfg.Environment, s.form)
	if r != nil {
		return nil, r.explain(s.form, c)
	}
	q := &request{source: s, client: c, target: to}
	q.to = &q.target
	for _, check := range [...]func(context.Context, *request, time.Time) *refusal{
		e.checkMode, e.checkResponse, e.checkClient, e.checkScope, e.checkProof, e.checkPrompt,
		e.checkLevels, e.checkClaims, e.checkTarget, e.checkDetails, e.checkHint,
	} {
		if r := check(ctx, q, now); r != nil {
			return nil, r.explain(s.form, c)
		}
	}
	return q, nil
}

// checkResponse validates response_type, and rejects repeated parameters.
func (e *Endpoint) checkResponse(_ context.Context, q *request, _ time.Time) *refusal {
	if q.form.Repeated() != "" {
		return q.to.invalid("parameter_repeated", httpx.RepeatedText(q.form.Repeated())).as(portner.EventDuplicateParam)
	}
	switch q.form.Get("response_type") {
	case "code":
		return nil
	case "":
		return q.to.invalid("response_type_missing", "The parameter response_type is required.")
	}
	return q.to.refuse(portner.UnsupportedResponseType, "response_type_unsupported", "The response_type must be code.")
}

// checkClient validates that the client may send this request in this way.
func (e *Endpoint) checkClient(_ context.Context, q *request, _ time.Time) *refusal {
	switch {
	case !q.client.HasGrant(client.AuthorizationCode):
		return q.to.refuse(portner.UnauthorizedClient, "grant_type_unregistered", "The response_type code requires a client that is registered for the grant type authorization_code.")
	case (e.cfg.requires("request_uri") || q.client.RequirePushedAuthorizationRequests) && !q.isPushed():
		return q.to.invalid("request_uri_missing", "The parameter request_uri is required: the client must push its authorization requests.")
	case (e.cfg.requires("request") || q.client.RequireSignedRequestObject) && !q.signed:
		return q.to.invalid("request_object_missing", "The parameter request is required: the client must send a signed request object.")
	}
	return nil
}

// checkScope rejects scopes that the client may not request, before a page is shown.
func (e *Endpoint) checkScope(_ context.Context, q *request, now time.Time) *refusal {
	text := q.form.Get("scope")
	if text == "" {
		return q.to.invalid("scope_missing", "The parameter scope is required.")
	}
	scopes, err := scope.Parse(text)
	if err != nil {
		return q.to.refuse(portner.InvalidScope, "scope_malformed", "The scope is malformed.")
	}
	q.scopes = scopes
	if q.plan, err = scope.Evaluate(e.scopeRequest(q, now)); err != nil {
		return q.to.refuseScopes(err)
	}
	return nil
}

// refuseScopes returns the refusal for an error of scope.Evaluate.
func (t *target) refuseScopes(err error) *refusal {
	if refused, ok := errors.AsType[*scope.RefusedError](err); ok {
		first := refused.Refusals[0]
		r := t.refuse(portner.InvalidScope, string(first.Reason), "A requested scope is not available to the client.").as(portner.EventScopeDenied)
		r.explanation.Parameter, r.explanation.Received = "scope", audit.Received("scope", first.Scope)
		return r
	}
	return faulty(t, err)
}

// scopeRequest returns the request to package scope, without an answer of the user.
func (e *Endpoint) scopeRequest(q *request, now time.Time) scope.Request {
	return scope.Request{
		Requested: q.scopes, Client: q.client.ScopeClient(),
		Scopes: e.cfg.Scopes, Now: now, AllowNoPID: e.cfg.Environment.NoPID,
		PromptConsent: q.prompt.has(promptConsent),
	}
}

// checkProof validates PKCE, state, nonce and dpop_jkt. Without Config.DPoP, dpop_jkt is ignored like every unrecognized parameter (RFC
// 6749 §3.1); the token_type of the tokens then shows that they are not bound (RFC 9449 §5).
func (e *Endpoint) checkProof(_ context.Context, q *request, _ time.Time) *refusal {
	q.challenge, q.nonce = q.form.Get("code_challenge"), q.form.Get("nonce")
	policy := q.client.PKCE()
	policy.Optional = policy.Optional && !e.cfg.requires("code_challenge")
	if policy.CheckRequest(q.challenge, q.form.Get("code_challenge_method")) != nil {
		return q.to.invalid("code_challenge", "A code_challenge of 43 characters with code_challenge_method S256 is required.")
	}
	state := q.form.Get("state")
	switch {
	case !httpx.ValidState(state):
		return q.to.invalid("state_malformed", "The state must be printable ASCII of at most 2048 characters.")
	case state == "" && (e.cfg.requires("state") || q.client.StateRequired()):
		return q.to.invalid("state_missing", "The parameter state is required.")
	case q.nonce == "" && (e.cfg.requires("nonce") || q.client.RequireNonce):
		return q.to.invalid("nonce_missing", "The parameter nonce is required.")
	case len(q.nonce) > maxNonce:
		return q.to.invalid("nonce_too_long", "The nonce must be at most 512 characters.")
	case e.cfg.DPoP == nil:
		return nil
	}
	if q.dpopKey = q.form.Get(jktField); q.dpopKey != "" && !bound.IsThumbprint(q.dpopKey) {
		return q.to.invalid("dpop_jkt_malformed", "The dpop_jkt must be the SHA-256 thumbprint of a key, as 43 characters of base64url.")
	}
	return nil
}

// checkPrompt validates prompt and max_age.
func (e *Endpoint) checkPrompt(_ context.Context, q *request, _ time.Time) *refusal {
	for value := range strings.SplitSeq(q.form.Get("prompt"), " ") {
		if value == "" {
			continue
		}
		p := promptOf(value)
		if p == 0 || !slices.Contains(e.promptValues(q.client), value) {
			return q.to.invalid("prompt_unsupported", "A prompt value is not supported.").expect(e.promptValues(q.client))
		}
		q.prompt |= p
	}
	if q.prompt.has(promptNone) && q.prompt != promptNone {
		return q.to.invalid("prompt_none_combined", "The prompt value none must not be combined with others.")
	}
	text := q.form.Get("max_age")
	if text == "" {
		return nil
	}
	seconds, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return q.to.invalid("max_age_malformed", "The max_age must be a number of seconds.")
	}
	q.maxAge, q.hasMaxAge = time.Duration(seconds)*time.Second, true
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

// checkLevels validates acr_values. Unknown values are ignored. If no value is known, the request is rejected where
// Config.RequireKnownACR says so; elsewhere acr is a voluntary claim (OIDC Core §5.5.1.1), and the request has no values.
func (e *Endpoint) checkLevels(_ context.Context, q *request, _ time.Time) *refusal {
	if !e.hasLevels {
		return nil
	}
	q.acrValues = e.requestedLevels(q.form)
	switch {
	case len(q.acrValues) > 0:
	case q.form.Has("acr_values") && e.cfg.RequireKnownACR:
		return q.to.invalid("acr_values_unknown", "The acr_values must name a supported level.")
	default:
		q.acrValues = e.cfg.DefaultACRValues
	}
	return nil
}

// requestedLevels returns the known values of acr_values.
func (e *Endpoint) requestedLevels(form httpx.Form) []string {
	return e.cfg.Levels.Known(strings.Fields(form.Get("acr_values")))
}

// maxResources bounds the audiences of one request.
const maxResources = 5

// checkTarget validates resource and onbehalfof.
func (e *Endpoint) checkTarget(ctx context.Context, q *request, _ time.Time) *refusal {
	q.resources = q.form.All("resource")
	if len(q.resources) > maxResources {
		return q.to.refuse(portner.InvalidTarget, "resource_count", "At most five resources may be requested.")
	}
	for _, res := range q.resources {
		ok, err := client.IsAPI(ctx, e.cfg.Clients, e.cfg.Issuer, res)
		if err != nil {
			return faulty(q.to, err)
		} else if !ok || !client.IsResource(e.cfg.Issuer, res) {
			return q.to.refuse(portner.InvalidTarget, "resource_invalid", "A resource must be an absolute URI without fragment, and not the provider or a client.")
		}
	}
	if value := q.form.Get(e.cfg.CustomerParameter); value != "" {
		customer, ok := q.client.Customer(value)
		if !ok {
			return q.to.invalid("onbehalfof_unregistered", "The value of "+e.cfg.CustomerParameter+" is not registered for this client.")
		}
		q.onBehalfOf = customer
	}
	return nil
}
