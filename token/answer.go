package token

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/httpx"
)

// correlationHeader tells the peer how to name a failed request to the operator.
const correlationHeader = "X-Correlation-Id"

// fail answers with a protocol error, or with 500 or 503 for anything else, and logs it once.
func (x *exchange) fail(err error) {
	e, ok := errors.AsType[*portner.Error](err)
	if !ok {
		e = portner.AsError(err)
		x.fault(err)
	} else if !x.reported {
		x.refused(e)
	}
	x.write(e)
}

// refused logs a refusal under the reason its cause names.
func (x *exchange) refused(e *portner.Error) {
	if c, ok := errors.AsType[*cause](e.Err); ok {
		x.event(c.Event, c.Reason, c.GrantID)
		return
	}
	x.event(portner.EventRefused, string(e.Code), "")
}

// fault logs what failed, with its text, and counts what deserves an alarm of its own.
func (x *exchange) fault(err error) {
	switch {
	case errors.Is(err, errLeak):
		x.event(portner.EventPIDLeakBlocked, "final_bytes", "")
	case errors.Is(err, errCollision):
		x.event(portner.EventIDCollision, "random_identifier", "")
	}
	x.guarded(func() { x.log.Fault(x.r.Context(), err, x.correlate(), x.now) })
}

// failForm answers a form that was rejected. RFC 6749 §3.2: parameters must not be included more than once. Only known
// names of parameters are logged.
func (x *exchange) failForm(err error) {
	event, reason := portner.EventRefused, "malformed"
	if f, ok := errors.AsType[*httpx.FormError](err); ok && f.Parameter != "" {
		event, reason = portner.EventDuplicateParam, "unknown"
		if known[f.Parameter] {
			reason = f.Parameter
		}
	}
	x.event(event, reason, "")
	x.write(portner.AsError(err))
}

// known are the parameters of these endpoints.
var known = map[string]bool{
	"grant_type": true, "code": true, "redirect_uri": true, "code_verifier": true, "refresh_token": true, "scope": true, "authorization_details": true,
	"client_id": true, "client_secret": true, "client_assertion": true, "client_assertion_type": true,
	"token": true, "token_type_hint": true, "access_token": true, "assertion": true,
}

func (x *exchange) write(e *portner.Error) {
	status := e.HTTPStatus()
	h := x.w.Header()
	h[correlationHeader] = []string{x.correlate()}
	if x.bearer && (status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusBadRequest) {
		h["Www-Authenticate"] = []string{x.bearerChallenge(e)}
	}
	httpx.WriteError(x.w, e)
}

// correlate returns the request's correlation identifier, made when it is first needed.
func (x *exchange) correlate() string {
	if x.correlation == "" {
		x.correlation = httpx.NewCorrelationID()
	}
	return x.correlation
}

func (x *exchange) event(name portner.EventName, reason, grantID string) {
	if !x.log.Active() {
		return
	}
	x.guarded(func() {
		x.log.Emit(x.r.Context(), portner.Event{
			Name: name, Time: x.now, CorrelationID: x.correlate(), ClientID: x.clientID, GrantID: grantID, Reason: reason,
		})
	})
}

// guarded keeps a panic of the host's logger or event hook from changing an answer: what was decided has
// been decided, and tokens that were committed must reach their client.
func (x *exchange) guarded(report func()) {
	defer func() { _ = recover() }()
	report()
}

// rescue answers a panic of a hook with 500 (security row J13): nothing was issued, and the value, which
// may hold anything, is not logged.
func (x *exchange) rescue() {
	v := recover()
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler {
		panic(v)
	}
	x.fail(fmt.Errorf("token: panic of type %T: %s", v, debug.Stack()))
}
