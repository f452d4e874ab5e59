package token

import (
	"context"
	"errors"
	"fmt"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/storage"
)

// cause is the reason of a rejected request, for the log.
type cause = audit.Cause

// invalidGrant is the error for every code and refresh token that is not valid. The description does not tell the reasons
// apart; the log does.
func invalidGrant(event portner.EventName, reason, grantID string) *portner.Error {
	return &portner.Error{
		Code: portner.InvalidGrant, Description: "The code or refresh token is not valid.",
		Err: &cause{Event: event, Reason: reason, GrantID: grantID},
	}
}

func refuse(code portner.ErrorCode, description, reason string) *portner.Error {
	return &portner.Error{Code: code, Description: description, Err: &cause{Event: portner.EventRefused, Reason: reason}}
}

// unavailable marks a fault of a dependency. The response is 503: a client must not drop valid tokens because of it.
func unavailable(doing string, err error) error {
	return fmt.Errorf("token: %s: %w: %w", doing, portner.ErrUnavailable, err)
}

// gone reports whether the verdict of a store is that the record is unknown, expired or revoked.
func gone(err error) bool {
	return errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrRevoked)
}

// refused logs a protocol error.
func (x *exchange) refused(ctx context.Context, e *portner.Error) {
	if f, ok := errors.AsType[*httpx.FormError](e.Err); ok {
		x.malformed(ctx, f)
		return
	}
	if c, ok := errors.AsType[*cause](e.Err); ok {
		x.caused(ctx, c)
		return
	}
	x.event(ctx, portner.EventRefused, string(e.Code), "")
}

// caused logs the cause of a protocol error.
func (x *exchange) caused(ctx context.Context, c *cause) {
	if c.Expected == "" {
		x.event(ctx, c.Event, c.Reason, c.GrantID)
		return
	}
	about := x.explain(c.Reason)
	about.Expected = c.Expected
	x.report(ctx, portner.Event{Name: c.Event, GrantID: c.GrantID, Reason: c.Reason, Explanation: about})
}

// malformed logs a form that is rejected.
func (x *exchange) malformed(ctx context.Context, f *httpx.FormError) {
	event := portner.EventRefused
	if f.Repeated() {
		event = portner.EventDuplicateParam
	}
	x.report(ctx, portner.Event{Name: event, Reason: f.Reason, Explanation: portner.Explanation{Parameter: f.Parameter}})
}

// fault logs an internal error with its text. Two faults have an event of their own.
func (x *exchange) fault(ctx context.Context, err error) {
	switch {
	case errors.Is(err, errLeak):
		x.event(ctx, portner.EventPIDLeakBlocked, "identifier_in_document", "")
	case errors.Is(err, errCollision):
		x.event(ctx, portner.EventIDCollision, "random_identifier", "")
	}
	guard(func() { x.log.Fault(ctx, err, x.correlate(), x.now) })
}

// event reports an event of the request.
func (x *exchange) event(ctx context.Context, name portner.EventName, reason, grantID string) {
	if x.log.Active() {
		x.report(ctx, portner.Event{Name: name, GrantID: grantID, Reason: reason, Explanation: x.explain(reason)})
	}
}

// report adds to e what every event of the request has, and emits it.
func (x *exchange) report(ctx context.Context, e portner.Event) {
	if !x.log.Active() {
		return
	}
	e.Time, e.CorrelationID = x.now, x.correlate()
	if x.client != nil {
		e.ClientID = x.client.ClientID
	}
	guard(func() { x.log.Emit(ctx, e) })
}

// maxExplained bounds the assertions that are read for an Explanation, in bytes.
const maxExplained = 64 << 10

// explain returns what the request had for the rule of a reason, and what is registered.
func (x *exchange) explain(reason string) portner.Explanation {
	parameter := audit.Parameter(reason)
	if parameter == "" {
		return portner.Explanation{}
	}
	value := x.request.Form.Get(parameter)
	if assertion := x.request.Form.Get("assertion"); value == "" && assertion != "" { // a claim or header parameter, not verified
		value = jose.Peek(assertion, maxExplained, parameter)
	}
	about := portner.Explanation{Received: audit.Received(parameter, value)}
	switch {
	case x.client == nil:
	case reason == "grant_type_not_registered":
		about.Expected = audit.OneOf(x.client.GrantTypes)
	case reason == "scope_not_allowed" || reason == "scope_withdrawn":
		about.Expected = audit.OneOf(x.client.Scopes)
	}
	return about
}

// guard keeps a panic of the host's logger from changing a response: committed tokens must reach their client.
func guard(report func()) {
	defer func() { _ = recover() }()
	report()
}
