package authorize

import (
	"github.com/portner-go/portner"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// facts are the values that decide what a valid request needs next. Endpoint.load fills them in this order, up to the first that
// needs an interaction.
type facts struct {
	silent    bool             // prompt=none: no page may be shown
	circle    *storage.Circle  // the login of the session that may answer the request; nil if there is none
	reason    session.Reason   // why there is none
	unmet     bool             // the user has just logged in at a level that is higher than, but not one of, the essential values
	identity  session.Identity // of that login
	disabled  bool             // the host disabled or removed the user of the login
	otherUser bool             // id_token_hint names another user than the session's
	fresh     bool             // the user logged in for this request

	selection   *rar.Selection // choice of representation without an answer; nil if there is none
	represented []rar.Shown    // the details that the selection is for
	approvable  []rar.Shown    // the details to approve on the consent page

	plan     scope.Plan // the scopes with the answer and the remembered consents of the user
	declined bool       // the user declined every scope
}

// action is what follows from a decision. The zero value refuses.
type action int

const (
	refuse   action = iota // the request ends with an error for the client
	interact               // a page has to be shown
	proceed                // the login may answer the request: the other facts decide
	issue                  // the client gets a code
)

// next is a decision.
type next struct {
	action      action
	step        Step           // with interact
	reason      session.Reason // for the page and the log
	code        portner.ErrorCode
	description string // with refuse
}

// Reasons of interactions beside those of package session.
const (
	reasonOtherUser      session.Reason = "other_user"      // id_token_hint names another user than the session's
	reasonUserDisabled   session.Reason = "user_disabled"   // the host disabled or removed the user of the session
	reasonSessionChanged session.Reason = "session_changed" // the user logged out, or another user logged in, meanwhile
	reasonRepresentation session.Reason = "representation"
	reasonConsent        session.Reason = "consent"
	reasonContentChanged session.Reason = "content_changed" // the texts of a page changed while it was shown
)

// decide returns what the request needs next.
func (f *facts) decide() next {
	if n := f.decideLogin(); n.action != proceed {
		return n
	}
	switch {
	case f.selection != nil && f.silent:
		return next{refuse, "", "representation_required", portner.InteractionRequired, "The user must choose whom to represent."}
	case f.selection != nil:
		return next{action: interact, step: RepresentationStep, reason: reasonRepresentation}
	case f.declined:
		return next{refuse, "", "consent_declined", portner.AccessDenied, "The user declined."}
	case f.needsConsent() && f.silent:
		return next{refuse, "", "consent_required", portner.ConsentRequired, "The user must consent."}
	case f.needsConsent():
		return next{action: interact, step: ConsentStep, reason: reasonConsent}
	case len(f.plan.Granted) == 0:
		return next{refuse, "", "no_scope_granted", portner.AccessDenied, "No scope is left to grant."}
	}
	return next{action: issue}
}

// needsConsent reports whether the consent page has something to show: scopes, or details to approve.
func (f *facts) needsConsent() bool { return len(f.plan.NeedsConsent) > 0 || len(f.approvable) > 0 }

// decideLogin returns whether the session may answer the request (OIDC Core §3.1.2.3): proceed if it may.
func (f *facts) decideLogin() next {
	const login = "The user must log in."
	switch {
	case f.circle != nil && f.disabled && f.fresh && !f.silent:
		// Another login page would lead to the same user again.
		return next{refuse, "", reasonUserDisabled, portner.AccessDenied, "The user is disabled."}
	case f.circle != nil && f.disabled && f.silent:
		return next{refuse, "", reasonUserDisabled, portner.LoginRequired, login}
	case f.circle != nil && f.disabled:
		return next{action: interact, step: LoginStep, reason: reasonUserDisabled}
	case f.circle != nil && !f.otherUser:
		return next{action: proceed}
	case f.circle != nil && (f.silent || f.fresh):
		// The hint names one user. Another login page would lead to the same login again.
		return next{refuse, "", reasonOtherUser, portner.LoginRequired, login}
	case f.circle != nil:
		return next{action: interact, step: LoginStep, reason: reasonOtherUser}
	case f.unmet:
		// Another login would lead to the same level.
		return next{refuse, "", "acr_unmet", portner.UnmetAuthenticationRequirements, "The login does not have a requested value of the claim acr."}
	case f.silent && f.reason == session.StepUp:
		return next{refuse, "", f.reason, portner.InteractionRequired, "The user must log in at a higher level."}
	case f.silent:
		return next{refuse, "", f.reason, portner.LoginRequired, login}
	case f.reason == session.StepUp:
		return next{action: interact, step: StepUpStep, reason: f.reason}
	}
	return next{action: interact, step: LoginStep, reason: f.reason}
}
