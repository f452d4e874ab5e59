package resource

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/portner-go/portner"
)

// Error reports a rejected request: the token is missing, invalid, or does not allow the request. Every other error of this
// package is a fault. A fault that wraps [portner.ErrUnavailable] concerns the issuer's keys or its introspection endpoint:
// the token may be valid.
type Error struct {
	// Code is the error code of the challenge (RFC 6750 §3.1, RFC 9470 §3). It is "" if the request has no token.
	Code portner.ErrorCode
	// Description is one fixed sentence without values of the request.
	Description string
	// Reason is a fixed word for logs and metrics. The package comment lists them.
	Reason string

	scopes    []string      // the scopes the resource requires
	acrValues []string      // the level of assurance it requires
	maxAge    time.Duration // the greatest age of the login it accepts
	cause     error         // for the log; it never holds the token
}

// Error describes the rejection without its cause.
func (e *Error) Error() string {
	if e.Code == "" {
		return "resource: " + e.Description
	}
	return string(e.Code) + ": " + e.Description
}

// Unwrap returns the code and the cause.
func (e *Error) Unwrap() []error {
	var all []error
	if e.Code != "" {
		all = append(all, e.Code)
	}
	if e.cause != nil {
		all = append(all, e.cause)
	}
	return all
}

// Reply returns the response for an error of [Verifier.Verify] or [Rules.Check]: for an *[Error] 400, 401 or 403 with
// WWW-Authenticate (RFC 6750 §3), for a fault the response of [portner.ErrorReply]. It logs nothing.
func (v *Verifier) Reply(err error) portner.Reply {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return portner.ErrorReply(err)
	}
	reply := portner.ErrorReply(&portner.Error{
		Code: e.Code, Description: e.Description, Status: e.status(),
		Header: map[string][]string{"Www-Authenticate": {e.challenge(v.realm)}},
	})
	if e.Code == "" { // RFC 6750 §3.1: no error information if the request has no authentication information
		reply.Body = nil
		reply.Header["Content-Length"] = []string{"0"}
		delete(reply.Header, "Content-Type")
	}
	return reply
}

func (e *Error) status() int {
	switch e.Code {
	case portner.InvalidRequest:
		return http.StatusBadRequest
	case portner.InsufficientScope:
		return http.StatusForbidden
	}
	return http.StatusUnauthorized
}

// challenge returns the value of WWW-Authenticate (RFC 6750 §3, RFC 9470 §3).
func (e *Error) challenge(realm string) string {
	var b strings.Builder
	b.WriteString(`Bearer realm=`)
	b.WriteString(quoted(realm))
	add := func(name, value string) {
		if value != "" {
			b.WriteString(", " + name + "=" + quoted(value))
		}
	}
	add("error", string(e.Code))
	if e.Code != "" {
		add("error_description", e.Description)
	}
	add("scope", strings.Join(e.scopes, " "))
	add("acr_values", strings.Join(e.acrValues, " "))
	if e.maxAge > 0 {
		add("max_age", strconv.FormatInt(int64(e.maxAge/time.Second), 10))
	}
	return b.String()
}

// quoted returns s as a quoted-string (RFC 9110 §5.6.4). It leaves out quotes, backslashes and everything but printable
// ASCII: a line break in a realm must not start another header field.
func quoted(s string) string {
	return `"` + strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, s) + `"`
}

// invalid rejects a token (401).
func invalid(reason, description string, cause error) *Error {
	return &Error{Code: portner.InvalidToken, Description: description, Reason: reason, cause: cause}
}

// forbidden rejects a request that a valid token does not allow (403). RFC 6750 §3.1 has one code for it, insufficient_scope.
// The challenge has no scope attribute: another scope would not help.
func forbidden(reason, description string) *Error {
	return &Error{Code: portner.InsufficientScope, Description: description, Reason: reason}
}
