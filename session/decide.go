package session

import (
	"time"

	"github.com/portner-go/portner/storage"
)

// Rules are the policy of SSO sessions. The zero value has the default lifetimes, the circles of the function CircleOf, and no
// single-use logins.
type Rules struct {
	// Limits are the lifetimes of sessions. They apply to all circles of a session.
	Limits Limits
	// Circle returns the name of the circle of a client. The argument isolated is sso_disabled of its registration. If nil,
	// it is the function CircleOf.
	Circle func(clientID string, isolated bool) string
	// SingleUse reports whether a login answers only the request that it was made for, such as a login through another
	// country's eID. If nil, no login is single-use.
	SingleUse func(acr string, amr []string) bool
}

// CircleOf returns "", the common circle, or clientID for an isolated client, which shares logins with itself only.
func CircleOf(clientID string, isolated bool) string {
	if isolated {
		return clientID
	}
	return ""
}

// CircleOf returns the name of the circle of a client under these rules.
func (r Rules) CircleOf(clientID string, isolated bool) string {
	if r.Circle != nil {
		return r.Circle(clientID, isolated)
	}
	return CircleOf(clientID, isolated)
}

// Request is what an authorization request requires of a session.
type Request struct {
	// Circle is the circle of the client.
	Circle string
	// Sufficient reports whether a level satisfies the request's acr_values. If nil, every level does.
	Sufficient func(acr string) bool
	// PromptLogin is true for prompt=login.
	PromptLogin bool
	// FreshScope is true if a requested scope requires a login for this request.
	FreshScope bool
	// MaxAge is max_age, if HasMaxAge is set. Zero requires a login for this request.
	MaxAge    time.Duration
	HasMaxAge bool
	// At is the instant at which the request was received, before any login page was shown. A login since then was made
	// for this request and satisfies PromptLogin, FreshScope and MaxAge. If zero, no login was made for this request.
	At time.Time
	// LoginAt is the AuthTime of the login that the user made in this request, and zero if the user made none. A single-use login
	// answers only the request that it was made in.
	LoginAt time.Time
}

// Reason is why a login page is shown. It is a fixed word for logs and pages.
type Reason string

// The reasons of Decide.
const (
	NoSession   Reason = "no_session"   // the browser has no session
	MaxReached  Reason = "max_reached"  // the session is older than Limits.Max
	IdleReached Reason = "idle_reached" // the session was not used for Limits.Idle
	OtherCircle Reason = "other_circle" // the user did not log in for this circle
	SingleUse   Reason = "single_use"   // Rules.SingleUse: the login answers only the request that it was made for
	PromptLogin Reason = "prompt_login" // prompt=login
	FreshScope  Reason = "fresh_scope"  // a scope requires a login for this request
	TooOld      Reason = "max_age"      // the login is older than max_age
	StepUp      Reason = "step_up"      // the level of the login is too low
	FutureLogin Reason = "future_login" // the login is more than a minute after now: a clock was set back
)

// Decide returns the login of s that answers the request: the ACR, AMR and AuthTime of the tokens. If there is none, Decide
// returns nil and the reason to show a login page. If s is nil, the reason is NoSession. The result points into s. Decide does
// not allocate.
func (r Rules) Decide(s *storage.Session, req Request, now time.Time) (*storage.Circle, Reason) {
	if s == nil {
		return nil, NoSession
	}
	switch r.Limits.State(timesOf(s), now) {
	case Expired:
		return nil, MaxReached
	case Idle:
		return nil, IdleReached
	}
	auth := findCircle(s, req.Circle)
	if auth == nil {
		return nil, OtherCircle
	}
	// A login in the future would be younger than every max_age and made for every request. A smaller difference is that of the
	// clocks of two nodes.
	if auth.AuthTime.After(now.Add(MaxSkew)) {
		return nil, FutureLogin
	}
	if reason := r.checkFreshness(auth, req, now); reason != "" {
		return nil, reason
	}
	if req.Sufficient != nil && !req.Sufficient(auth.ACR) {
		return nil, StepUp
	}
	return auth, ""
}

// checkFreshness decides what depends on the time and kind of the login. It returns "" if the login may be used.
func (r Rules) checkFreshness(auth *storage.Circle, req Request, now time.Time) Reason {
	// Databases keep microseconds: a login at the very instant of the request must not be loaded as an earlier one.
	forThisRequest := !req.At.IsZero() && !auth.AuthTime.Before(req.At.Truncate(time.Microsecond))
	inThisRequest := !req.LoginAt.IsZero() && auth.AuthTime.Truncate(time.Microsecond).Equal(req.LoginAt.Truncate(time.Microsecond))
	switch {
	case !inThisRequest && r.SingleUse != nil && r.SingleUse(auth.ACR, auth.AMR):
		return SingleUse
	case forThisRequest:
		return ""
	case req.PromptLogin:
		return PromptLogin
	case req.FreshScope:
		return FreshScope
	// OIDC Core §3.1.2.1: a login is required if the elapsed time is greater than max_age; max_age=0 is prompt=login.
	case req.HasMaxAge && (req.MaxAge <= 0 || now.Sub(auth.AuthTime) > req.MaxAge):
		return TooOld
	}
	return ""
}

func findCircle(s *storage.Session, name string) *storage.Circle {
	for i := range s.Circles {
		if s.Circles[i].Name == name {
			return &s.Circles[i]
		}
	}
	return nil
}

func timesOf(s *storage.Session) Times {
	return Times{StartedAt: s.StartedAt, LastRequestAt: s.LastRequestAt}
}
