package exchange

import (
	"fmt"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/audit"
)

// reject returns a protocol error. The reason is for the log.
func reject(code portner.ErrorCode, description, reason string) *portner.Error {
	return &portner.Error{Code: code, Description: description, Err: &audit.Cause{Event: portner.EventRefused, Reason: reason}}
}

// badToken rejects a presented token. RFC 8693 §2.2.2: invalid_request if it is invalid or not acceptable for any reason.
func (r role) badToken(reason string) *portner.Error {
	return reject(portner.InvalidRequest, "The "+string(r)+" is not valid or not acceptable.", string(r)+"_"+reason)
}

// role is the name of the parameter with a presented token.
type role string

const (
	subjectRole role = "subject_token"
	actorRole   role = "actor_token"
)

func malformed(description, reason string) *portner.Error {
	return reject(portner.InvalidRequest, description, reason)
}

func badTarget(reason string) *portner.Error {
	return reject(portner.InvalidTarget, "The client may not have a token for this target.", reason)
}

func badScope(description, reason string) *portner.Error {
	return reject(portner.InvalidScope, description, reason)
}

// unavailable returns a fault of a dependency. The response is 503.
func unavailable(doing string, err error) error {
	return fmt.Errorf("exchange: %s: %w: %w", doing, portner.ErrUnavailable, err)
}
