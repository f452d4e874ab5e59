package session

import (
	"strings"
	"time"

	"github.com/portner-go/portner/storage"
)

// Rules are the policy of SSO sessions. The zero Rules are ID-porten's.
type Rules struct {
	// Limits are the timers, common to all circles.
	Limits Limits
	// Circle names the circle of trust a client belongs to; isolated is the client's sso_disabled.
	// nil is ID-porten's rule, CircleOf. Groups of clients are one more such function.
	Circle func(clientID string, isolated bool) string
	// AllowEIDASSSO lets an eIDAS login answer later requests. ID-porten gives it no SSO "for the
	// time being" (idporten section 14.3).
	AllowEIDASSSO bool
}

// CircleOf is ID-porten's rule: clients share the common circle "", an isolated client has SSO with
// itself only (idporten section 14.4).
func CircleOf(clientID string, isolated bool) string {
	if isolated {
		return clientID
	}
	return ""
}

// CircleOf names the client's circle of trust under these rules.
func (r Rules) CircleOf(clientID string, isolated bool) string {
	if r.Circle != nil {
		return r.Circle(clientID, isolated)
	}
	return CircleOf(clientID, isolated)
}

// Request is what an authorization request demands of a session.
type Request struct {
	// Circle is the client's circle of trust.
	Circle string
	// Sufficient reports whether a level answers the request's acr_values. nil: every level does.
	Sufficient func(acr string) bool
	// PromptLogin is prompt=login.
	PromptLogin bool
	// FreshScope says that a requested scope has requires_user_authentication.
	FreshScope bool
	// MaxAge is max_age, if HasMaxAge. Zero demands a login for this request.
	MaxAge    time.Duration
	HasMaxAge bool
	// At is when the request first arrived, before any login page: an authentication since then was
	// made for it and satisfies PromptLogin, FreshScope and MaxAge however long the person took.
	At time.Time
}

// Verdict says what an authorization request must do about the person.
type Verdict int

// The verdicts. All but Use ask for a login, and say why.
const (
	NoSession   Verdict = iota // nobody is logged in in this browser
	MaxReached                 // the session is older than Limits.Max
	IdleReached                // the session was not used for Limits.Idle
	OtherCircle                // logged in, but not for this circle of trust
	NoSSO                      // the login was of a kind that gives no SSO
	ForcedLogin                // prompt=login
	FreshScope                 // a scope requires authentication for this request
	TooOld                     // max_age has passed
	StepUp                     // logged in, but not at the level asked for
	Use                        // answer from the session
)

var verdicts = [...]string{
	"no_session", "max_reached", "idle_reached", "other_circle", "no_sso",
	"prompt_login", "fresh_scope", "max_age", "step_up", "use",
}

// String returns a fixed word for logs.
func (v Verdict) String() string {
	if v < 0 || int(v) >= len(verdicts) {
		return "unknown"
	}
	return verdicts[v]
}

// Decide tells whether the session answers the request at now, and by which authentication. s may be
// nil. The authentication belongs to s and is returned with Use and StepUp only: with Use its ACR,
// AMR and AuthTime are the tokens' own. It allocates nothing.
func (r Rules) Decide(s *storage.Session, req Request, now time.Time) (*storage.Circle, Verdict) {
	if s == nil {
		return nil, NoSession
	}
	switch r.Limits.State(s, now) {
	case Expired:
		return nil, MaxReached
	case Idle:
		return nil, IdleReached
	}
	auth := inCircle(s, req.Circle)
	if auth == nil {
		return nil, OtherCircle
	}
	if v := r.freshness(auth, req, now); v != Use {
		return nil, v
	}
	if req.Sufficient != nil && !req.Sufficient(auth.ACR) {
		return auth, StepUp
	}
	return auth, Use
}

// freshness decides what depends on when and how the person authenticated.
func (r Rules) freshness(auth *storage.Circle, req Request, now time.Time) Verdict {
	// Databases keep microseconds: an authentication at the very instant of the request must not come
	// back as an earlier one.
	forThisRequest := !req.At.IsZero() && !auth.AuthTime.Before(req.At.Truncate(time.Microsecond))
	switch {
	case forThisRequest:
		return Use
	case !r.AllowEIDASSSO && byEIDAS(auth):
		return NoSSO
	case req.PromptLogin:
		return ForcedLogin
	case req.FreshScope:
		return FreshScope
	// OpenID Connect Core section 3.1.2.1: if the elapsed time is greater than max_age, the person
	// must be actively re-authenticated; max_age=0 is prompt=login.
	case req.HasMaxAge && (req.MaxAge <= 0 || now.Sub(auth.AuthTime) > req.MaxAge):
		return TooOld
	}
	return Use
}

// byEIDAS recognises a login through another country's eID (idporten section 18.3).
func byEIDAS(auth *storage.Circle) bool {
	if strings.HasPrefix(auth.ACR, "eidas-") {
		return true
	}
	for _, method := range auth.AMR {
		if method == "eIDAS" {
			return true
		}
	}
	return false
}

func inCircle(s *storage.Session, name string) *storage.Circle {
	for i := range s.Circles {
		if s.Circles[i].Name == name {
			return &s.Circles[i]
		}
	}
	return nil
}
