package authorize

import (
	"github.com/portner-go/portner"
	"github.com/portner-go/portner/session"
)

// question is all that decides whether a request needs a login.
type question struct {
	reason      session.Reason // why a login is needed; "" if the session answers the request
	silent      bool           // prompt=none: no page may be shown
	otherPerson bool           // the client named another person than the one logged in
	fresh       bool           // the person logged in for this request
}

// action is what to do about the login.
type action int

const (
	goOn action = iota
	askLogin
	refuseIt
)

// decision is the answer, with a fixed word for why.
type decision struct {
	do     action
	code   portner.ErrorCode
	reason string
}

// Why a person is asked to log in though somebody is.
const (
	reasonOtherPerson    = "other_person"
	reasonSessionChanged = "session_changed"
)

// decide tells whether the session answers the request (OpenID Connect Core section 3.1.2.3).
func (q question) decide() decision {
	switch {
	case q.reason == "" && !q.otherPerson:
		return decision{do: goOn}
	case q.reason == "" && (q.silent || q.fresh):
		// The hint is about one person; asking again would only bring the same one back.
		return decision{refuseIt, portner.LoginRequired, reasonOtherPerson}
	case q.reason == "":
		return decision{do: askLogin, reason: reasonOtherPerson}
	case q.silent && q.reason == session.StepUp:
		return decision{refuseIt, portner.InteractionRequired, string(q.reason)}
	case q.silent:
		return decision{refuseIt, portner.LoginRequired, string(q.reason)}
	}
	return decision{do: askLogin, reason: string(q.reason)}
}

// description is the sentence the client gets.
func (d decision) description() string {
	if d.code == portner.InteractionRequired {
		return "The person has to log in at a higher level."
	}
	return "The person has to log in."
}
