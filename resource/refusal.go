package resource

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/portner-go/portner"
)

// ErrUnavailable marks a fault on our side: the issuer's keys or its introspection endpoint cannot be
// reached. It says nothing about the token: answer 503, so that the client keeps it.
var ErrUnavailable = errors.New("resource: the token cannot be checked now")

// RefusalError says that a request is refused because of its token. Every other error of this package is a
// fault, and none of the client's business.
type RefusalError struct {
	// Code is the error of the challenge (RFC 6750 section 3.1, RFC 9470 section 3); "" if the request
	// brought no token at all.
	Code portner.ErrorCode
	// Description is one fixed sentence, safe to show.
	Description string
	// Reason is a fixed word for logs and metrics, such as "expired" or "consumer_denied".
	Reason string
	// Scopes are needed for the resource (insufficient_scope).
	Scopes []string
	// ACRValues are levels that would do (insufficient_user_authentication).
	ACRValues []string
	// MaxAge is how old the login may be (insufficient_user_authentication); 0 if its age is not why.
	MaxAge time.Duration
	// Err is the cause, for the log; it never quotes the token.
	Err error
}

// Error describes the refusal without its cause.
func (e *RefusalError) Error() string {
	if e.Code == "" {
		return "resource: " + e.Description
	}
	return string(e.Code) + ": " + e.Description
}

// Unwrap makes both the code and the cause visible to errors.Is and errors.As.
func (e *RefusalError) Unwrap() []error {
	var all []error
	if e.Code != "" {
		all = append(all, e.Code)
	}
	if e.Err != nil {
		all = append(all, e.Err)
	}
	return all
}

// Status is the HTTP status of the refusal.
func (e *RefusalError) Status() int {
	switch e.Code {
	case portner.InvalidRequest:
		return http.StatusBadRequest
	case portner.InsufficientScope:
		return http.StatusForbidden
	}
	return http.StatusUnauthorized
}

// Challenge is the value of WWW-Authenticate (RFC 6750 section 3, RFC 9470 section 3).
func (e *RefusalError) Challenge(realm string) string {
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
	add("scope", strings.Join(e.Scopes, " "))
	add("acr_values", strings.Join(e.ACRValues, " "))
	if e.MaxAge > 0 {
		add("max_age", strconv.FormatInt(int64(e.MaxAge/time.Second), 10))
	}
	return b.String()
}

// quoted is a quoted-string (RFC 9110 section 5.6.4) of printable ASCII. What is neither is left out: a
// realm or scope with line breaks must not become a header of its own.
func quoted(s string) string {
	return `"` + strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, s) + `"`
}

// invalid refuses a token (401).
func invalid(reason, description string, cause error) *RefusalError {
	return &RefusalError{Code: portner.InvalidToken, Description: description, Reason: reason, Err: cause}
}

// forbidden refuses what a good token does not allow (403). insufficient_scope is the one code RFC 6750 has
// for it ("higher privileges than provided by the access token"); without a scope attribute no other scope
// would help.
func forbidden(reason, description string) *RefusalError {
	return &RefusalError{Code: portner.InsufficientScope, Description: description, Reason: reason}
}
