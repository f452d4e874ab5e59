package scope

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// ErrAllDeclined reports that the user declined, and that neither openid nor a scope of an API is granted. It becomes
// access_denied.
var ErrAllDeclined = errors.New("scope: every scope declined")

var errNow = errors.New("scope: Request.Now is required with Consents")

// RefusedError lists the scopes that the client may not have. It becomes invalid_scope.
type RefusedError struct {
	Refusals []Refusal // at least one, in the order of the request
}

// Error lists the reasons. It does not contain the scope names, which are untrusted text.
func (e *RefusedError) Error() string {
	var reasons []string
	for _, r := range e.Refusals {
		if !slices.Contains(reasons, string(r.Reason)) {
			reasons = append(reasons, string(r.Reason))
		}
	}
	return "scope: refused: " + strings.Join(reasons, ", ")
}

// Request is the input of [Evaluate].
type Request struct {
	Requested []string  // as returned by Parse
	Client    Client    // the client that sent the request
	Scopes    Source    // if nil, only the built-in scopes exist
	Consents  []Consent // remembered for this user, client and customer
	Answer    *Answer   // nil before the consent page
	Now       time.Time // required with Consents
	// PromptConsent is true for prompt=consent: remembered consents do not count.
	PromptConsent bool
	// AllowNoPID accepts the retired scope no_pid, requested or registered: the grant is pseudonymous.
	AllowNoPID bool
}

// Plan is the result of [Evaluate] and [Narrow]: the scopes and the conditions of a grant or token.
type Plan struct {
	// Granted are the granted scopes in the order of the request, without scopes that still need consent.
	Granted      []string
	NeedsConsent []*Scope // if not empty, show the consent page and evaluate again with an Answer
	Declined     []string // withdraw remembered consents for these

	NeedsFreshLogin bool // a requested scope has requires_user_authentication
	// Pseudonymous reports that no identifying claim may reach the client. It is decided on all requested scopes, declined
	// ones included, and applies to the whole grant. Pass it to pseudonym.Decide.
	Pseudonymous bool
	LoginOnly    bool      // only reserved scopes other than offline_access are granted: the grant ends at logout
	OpenID       bool      // openid is granted: issue an id_token
	TokenType    TokenType // Opaque if a granted scope is
	Audience     []string  // enforced_aud_for_access_token of the granted scopes

	AccessTokenMaxAge   time.Duration // lowest at_max_age of the granted scopes; 0 is no limit
	AuthorizationMaxAge time.Duration // lowest authorization_max_lifetime of the granted scopes; 0 is no limit
}

// Evaluate decides a request. If a scope needs consent, call it before the consent page, and again with the answer.
//
// It returns a *[RefusedError] if the client may not have a requested scope, and [ErrAllDeclined] if the user declined and
// nothing is left. The Plan then grants nothing; its Pseudonymous and Declined are valid. It returns another error, and the
// zero Plan, if Now is zero and there are Consents: no consent would have expired at the zero time.
func Evaluate(r Request) (Plan, error) {
	if r.Now.IsZero() && len(r.Consents) > 0 {
		return Plan{}, errNow
	}
	p := Plan{TokenType: SelfContained, LoginOnly: true}
	if r.AllowNoPID {
		p.Pseudonymous = slices.Contains(r.Requested, NoPID) || slices.Contains(r.Client.Scopes, NoPID)
	}
	var refused []Refusal
	for _, name := range r.Requested {
		// no_pid is a property of the request. On its own it is refused, because it has no record.
		if name == NoPID && r.AllowNoPID && len(r.Requested) > 1 {
			continue
		}
		s, reason := admit(name, r.Client, r.Scopes)
		if reason != "" {
			refused = append(refused, Refusal{name, reason})
			continue
		}
		p.NeedsFreshLogin = p.NeedsFreshLogin || s.RequiresUserAuthentication
		p.Pseudonymous = p.Pseudonymous || s.RequiresPseudonymousTokens
		switch r.consent(s) {
		case consentGiven:
			p.grant(s, len(r.Requested))
		case consentMissing:
			p.NeedsConsent = append(p.NeedsConsent, s)
		case consentDeclined:
			p.Declined = append(p.Declined, s.Name)
		}
	}
	switch {
	case len(refused) > 0: // one refused scope fails the whole request
		return Plan{Pseudonymous: p.Pseudonymous}, &RefusedError{refused}
	case len(p.Declined) > 0 && len(p.NeedsConsent) == 0 && !p.OpenID && !slices.ContainsFunc(p.Granted, ofAPI):
		return Plan{Declined: p.Declined, Pseudonymous: p.Pseudonymous}, ErrAllDeclined
	}
	return p, nil
}

// ofAPI reports whether a scope belongs to an API.
func ofAPI(name string) bool { return !Reserved(name) }

// grant adds a scope, and what its record requires of tokens.
func (p *Plan) grant(s *Scope, size int) {
	if p.Granted == nil {
		p.Granted = make([]string, 0, size)
	}
	p.Granted = append(p.Granted, s.Name)
	p.OpenID = p.OpenID || s.Name == OpenID
	p.LoginOnly = p.LoginOnly && loginOnly(s.Name)
	if s.opaque() {
		p.TokenType = Opaque
	}
	if aud := s.EnforcedAudForAccessToken; aud != "" && !slices.Contains(p.Audience, aud) {
		p.Audience = append(p.Audience, aud)
	}
	p.AccessTokenMaxAge = lower(p.AccessTokenMaxAge, seconds(s.ATMaxAge))
	p.AuthorizationMaxAge = lower(p.AuthorizationMaxAge, seconds(s.AuthorizationMaxLifetime))
}
