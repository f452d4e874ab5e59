package resource

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/httpx"
)

// Error reports a rejected request: the token is missing, invalid, or does not allow the request. Every other error of this
// package is a fault. A fault that wraps [portner.ErrUnavailable] concerns the issuer's keys or its introspection endpoint:
// the token may be valid.
type Error struct {
	// Code is the error code of the challenge (RFC 6750 §3.1, RFC 9449 §7.1, RFC 9470 §3). It is "" if the request has no token.
	Code portner.ErrorCode
	// Description is one fixed sentence without values of the request.
	Description string
	// Reason is a fixed word for logs and metrics. The package comment lists them.
	Reason string

	scheme    httpx.Scheme  // the scheme of the request, "" for none or for several
	boundOnly bool          // bearer tokens are not accepted: no challenge offers them
	nonce     string        // the new nonce of use_dpop_nonce
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
// WWW-Authenticate (RFC 6750 §3, RFC 9449 §7.1) and, if the proof needs a nonce, DPoP-Nonce; for a fault the response of
// [portner.ErrorReply]. It logs nothing. An API with browser clients of other origins must expose both header fields (CORS).
func (v *Verifier) Reply(err error) portner.Reply {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return portner.ErrorReply(err)
	}
	reply := portner.ErrorReply(&portner.Error{
		Code: e.Code, Description: e.Description, Status: e.status(),
		Header: map[string][]string{"Www-Authenticate": {e.challengeIn(v.challenge)}},
	})
	if e.nonce != "" {
		reply.Header["Dpop-Nonce"] = []string{e.nonce}
	}
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

// challengeIn returns the value of WWW-Authenticate (RFC 6750 §3, RFC 9449 §7.1, RFC 9470 §3).
func (e *Error) challengeIn(schemes httpx.Challenge) string {
	if e.boundOnly && e.scheme == "" {
		schemes.Bearer = nil
	}
	if e.Code == "" {
		return schemes.For(e.scheme)
	}
	maxAge := ""
	if e.maxAge > 0 {
		maxAge = strconv.FormatInt(int64(e.maxAge/time.Second), 10)
	}
	return schemes.For(e.scheme,
		httpx.Param{Name: "error", Value: string(e.Code)}, httpx.Param{Name: "error_description", Value: e.Description},
		httpx.Param{Name: "scope", Value: strings.Join(e.scopes, " ")}, httpx.Param{Name: "acr_values", Value: strings.Join(e.acrValues, " ")},
		httpx.Param{Name: "max_age", Value: maxAge})
}

// tried returns err for a request that used a scheme. The error may be one of several requests with a token, so it is copied.
func tried(scheme httpx.Scheme, err error) error {
	e, ok := err.(*Error)
	if !ok {
		return err
	}
	own := *e
	own.scheme = scheme
	return &own
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
