package exchange

import (
	"fmt"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/audit"
)

// refuse is a refusal; reason is for the log.
func refuse(code portner.ErrorCode, description, reason string) *portner.Error {
	return &portner.Error{Code: code, Description: description, Err: &audit.Cause{Event: portner.EventRefused, Reason: reason}}
}

// badToken is one answer for everything that can be wrong with a token: RFC 8693 section 2.2.2 wants
// invalid_request for tokens that are not valid or not acceptable.
func (r role) badToken(reason string) *portner.Error {
	return refuse(portner.InvalidRequest, "The "+string(r)+" is not valid or not acceptable.", string(r)+"_"+reason)
}

// role is which of the two tokens of a request is meant, by the name of its parameter.
type role string

const (
	subjectRole role = "subject_token"
	actorRole   role = "actor_token"
)

func malformed(description, reason string) *portner.Error {
	return refuse(portner.InvalidRequest, description, reason)
}

func badTarget(reason string) *portner.Error {
	return refuse(portner.InvalidTarget, "The client may not have a token for this target.", reason)
}

func badScope(description, reason string) *portner.Error {
	return refuse(portner.InvalidScope, description, reason)
}

// unavailable marks a fault of something the exchange depends on: the answer is 503 (security row I6).
func unavailable(doing string, err error) error {
	return fmt.Errorf("exchange: %s: %w: %w", doing, portner.ErrUnavailable, err)
}
