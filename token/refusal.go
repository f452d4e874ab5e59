package token

import (
	"errors"
	"fmt"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/storage"
)

// invalidGrantText is the same for every way a code or refresh token can be wrong: what is wrong is for
// the log (security section 0.4).
const invalidGrantText = "The code or refresh token is not valid."

// cause says in the log why a request was refused.
type cause = audit.Cause

func invalidGrant(event portner.EventName, reason, grantID string) *portner.Error {
	return &portner.Error{Code: portner.InvalidGrant, Description: invalidGrantText, Err: &cause{Event: event, Reason: reason, GrantID: grantID}}
}

func refuse(code portner.ErrorCode, description, reason string) *portner.Error {
	return &portner.Error{Code: code, Description: description, Err: &cause{Event: portner.EventRefused, Reason: reason}}
}

// unavailable marks a fault of something the endpoint depends on: the answer is 503, and never one that
// makes a client drop good tokens (security row I6).
func unavailable(doing string, err error) error {
	return fmt.Errorf("token: %s: %w: %w", doing, portner.ErrUnavailable, err)
}

// gone reports whether a store said that the record is unknown, expired or revoked.
func gone(err error) bool {
	return errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrRevoked)
}
