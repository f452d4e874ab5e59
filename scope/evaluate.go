package scope

import (
	"errors"
	"slices"
	"time"
)

// Consent is a remembered yes of this person to this client.
type Consent struct {
	Scope     string    // its name
	ExpiresAt time.Time // valid iff now is before it
}

// Request is one question to Evaluate.
type Request struct {
	Client   Client    // who asks
	Scopes   Source    // nil knows the built-in scopes only
	Consents []Consent // remembered; a consent is valid iff Now.Before(ExpiresAt)
	Now      time.Time // decides which consents are live

	Answered bool     // the person has just answered the consent page
	Approved []string // … with yes to these, and no to the others
	// Shown are the scopes that page asked about. Then an answer counts for those only, and
	// before a remembered consent; a scope that was not on the page still needs consent. Nil
	// means: all that have no remembered consent.
	Shown []string

	AskConsent bool // prompt=consent: remembered consents do not count
	// AllowNoPID understands the retired scope no_pid, requested or registered on the client.
	AllowNoPID bool
}

// Plan is the answer of Evaluate.
type Plan struct {
	Requested []string // as given, not copied
	// Granted are the scopes the token will hold if it is issued now: in request order, without
	// declined ones and without those that still need consent. Empty if anything is refused.
	Granted      []string
	Refused      []Refusal // not empty: answer invalid_scope, before any page is shown
	NeedsConsent []*Scope  // not empty: show the consent page
	Declined     []string  // the person said no to these

	NeedsFreshLogin bool // a requested scope has requires_user_authentication
	// Pseudonymous says that nothing identifying may reach the client. It is decided on the
	// requested scopes, declined ones included, and holds for the whole grant and all that
	// comes of it (idporten section 13.2, security K8).
	Pseudonymous bool
	LoginOnly    bool // nothing but openid, profile and the like is granted: the grant dies at logout
	OpenID       bool // openid is granted: an id_token is issued
	// TokenType is Opaque if any granted scope is, otherwise SelfContained.
	TokenType TokenType
	Audience  []string // enforced_aud_for_access_token of the granted scopes

	AccessTokenMaxAge   time.Duration // lowest at_max_age of the granted scopes; 0 = no limit
	AuthorizationMaxAge time.Duration // lowest authorization_max_lifetime; 0 = no limit
}

// ErrAllDeclined says that the person declined and nothing is left to issue a token for: openid
// was not requested and no scope of an API is granted. Answer access_denied.
var ErrAllDeclined = errors.New("scope: everything declined")

// Evaluate answers a request for scopes, as [Parse] returns them. It is asked twice when there is a
// consent page: before it, and with the answer.
//
// It fails only with ErrAllDeclined; refusals are in the plan. The plan that comes with the
// error grants nothing and tells what was declined.
func Evaluate(requested []string, r Request) (Plan, error) {
	p := Plan{Requested: requested, TokenType: SelfContained, LoginOnly: true}
	if r.AllowNoPID {
		p.Pseudonymous = slices.Contains(requested, NoPID) || slices.Contains(r.Client.Scopes, NoPID)
	}
	for _, name := range requested {
		// no_pid is a wish about the others: by itself it asks for nothing.
		if name == NoPID && r.AllowNoPID && len(requested) > 1 {
			continue
		}
		s, reason := admit(name, r.Client, r.Scopes)
		if reason != "" {
			p.Refused = append(p.Refused, Refusal{name, reason})
			continue
		}
		p.NeedsFreshLogin = p.NeedsFreshLogin || s.RequiresUserAuthentication
		p.Pseudonymous = p.Pseudonymous || s.RequiresPseudonymousTokens
		switch r.consent(s) {
		case given:
			p.grant(s, len(requested))
		case missing:
			p.NeedsConsent = append(p.NeedsConsent, s)
		case declined:
			p.Declined = append(p.Declined, s.Name)
		}
	}
	if len(p.Refused) > 0 { // one bad scope spoils the request; nobody uses the rest by mistake
		return Plan{
			Requested: requested, Refused: p.Refused, TokenType: SelfContained,
			NeedsFreshLogin: p.NeedsFreshLogin, Pseudonymous: p.Pseudonymous,
		}, nil
	}
	if len(p.Declined) > 0 && len(p.NeedsConsent) == 0 && !p.OpenID && !slices.ContainsFunc(p.Granted, ofAPI) {
		return Plan{Requested: requested, Declined: p.Declined, TokenType: SelfContained, Pseudonymous: p.Pseudonymous}, ErrAllDeclined
	}
	return p, nil
}

func ofAPI(name string) bool { return !Reserved(name) }

// answer is where the person stands on one scope.
type answer int

const (
	given answer = iota
	missing
	declined
)

// consent finds the answer for one scope (idporten section 12.5).
func (r *Request) consent(s *Scope) answer {
	if !s.RequiresUserConsent {
		return given // logging in is the consent
	}
	if r.Answered && slices.Contains(r.Shown, s.Name) {
		return r.answered(s.Name)
	}
	if !r.AskConsent && r.remembers(s.Name) {
		return given
	}
	if r.Answered && r.Shown == nil {
		return r.answered(s.Name)
	}
	return missing
}

func (r *Request) answered(name string) answer {
	if slices.Contains(r.Approved, name) {
		return given
	}
	return declined
}

func (r *Request) remembers(name string) bool {
	for _, c := range r.Consents {
		if c.Scope == name && r.Now.Before(c.ExpiresAt) {
			return true
		}
	}
	return false
}

// grant adds a scope and what it demands of tokens.
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
