package portner

import (
	"encoding/json"
	"errors"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
)

// Reply is an HTTP response as a value. A host that does not use net/http writes it with its own server.
type Reply struct {
	Status int // HTTP status code
	// Header holds the header fields under their canonical names. The map may be assigned to an http.Header.
	Header map[string][]string
	Body   []byte
}

// ErrUnavailable marks a fault of something the provider depends on: the request may succeed later. It is answered with 503
// and Retry-After. Other faults are answered with 500.
var ErrUnavailable = errors.New("portner: a dependency is unavailable")

// ErrorReply returns the response to a failed request of a client. The response to an *[Error] is that of RFC 6749 §5.2. The
// status is 503, with Retry-After, for an error that wraps [ErrUnavailable], and 500 for every other error. The response never
// contains the cause of err.
func ErrorReply(err error) Reply {
	e := AsError(err)
	status := e.HTTPStatus()
	header := map[string][]string{
		"Cache-Control": {"no-store"}, "Pragma": {"no-cache"},
		"X-Content-Type-Options": {"nosniff"}, "Referrer-Policy": {"no-referrer"},
	}
	if seconds := e.RetryAfter(); seconds > 0 {
		header["Retry-After"] = []string{strconv.Itoa(seconds)}
	}
	maps.Copy(header, e.Header)
	body := e.Body()
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	if len(body) > 0 {
		header["Content-Type"] = []string{"application/json"}
		header["Content-Security-Policy"] = []string{"default-src 'none'; frame-ancestors 'none'"}
	}
	return Reply{Status: status, Header: header, Body: body}
}

// AsError returns the protocol error in err. For a fault it returns the protocol error that is sent in its place:
// temporarily_unavailable if err wraps [ErrUnavailable], server_error otherwise. err is its cause.
func AsError(err error) *Error {
	if e := protocolError(err); e != nil {
		return e
	}
	if errors.Is(err, ErrUnavailable) {
		return &Error{Code: TemporarilyUnavailable, Description: "The service is temporarily unavailable. Try again later.", Err: err}
	}
	return &Error{Code: ServerError, Description: "An internal error occurred. The request was not carried out.", Err: err}
}

// IsFault reports whether err is not nil and not an [*Error], so that it is logged and answered with server_error or
// temporarily_unavailable. An error that a store or another part of the host returned is a fault, even if it wraps an *Error: the
// packages of this module mark it with [ErrUnavailable].
func IsFault(err error) bool { return err != nil && protocolError(err) == nil }

// protocolError returns the protocol error in err, nil if there is none. What is joined with ErrUnavailable is the cause of a fault.
func protocolError(err error) *Error {
	for err != nil {
		if e, ok := err.(*Error); ok {
			return e
		}
		switch wrapper := err.(type) {
		case interface{ Unwrap() error }:
			err = wrapper.Unwrap()
		case interface{ Unwrap() []error }:
			causes := wrapper.Unwrap()
			if slices.Contains(causes, ErrUnavailable) {
				return nil
			}
			for _, cause := range causes {
				if e := protocolError(cause); e != nil {
					return e
				}
			}
			return nil
		default:
			return nil
		}
	}
	return nil
}

// HTTPStatus returns the status of the response to a request of a client: Status if it is set, 429 if Err or an error that it
// wraps has a method Throttled() time.Duration, as client.TooManyAttemptsError has, otherwise the status of Code.
func (e *Error) HTTPStatus() int {
	if e.Status != 0 {
		return e.Status
	}
	if _, limited := rateLimit(e.Err); limited {
		return 429
	}
	switch e.Code {
	case InvalidClient, InvalidToken, InsufficientUserAuthentication:
		return 401
	case InsufficientScope, Forbidden:
		return 403
	case ServerError:
		return 500
	case TemporarilyUnavailable:
		return 503
	}
	return 400
}

// defaultRetryAfter is the value of Retry-After, in seconds, where the cause does not name a delay.
const defaultRetryAfter = 2

// RetryAfter returns the value of the Retry-After header field in seconds, 0 for none: the result of Throttled, at least 1, or 2
// for any other error with status 429 or 503.
func (e *Error) RetryAfter() int {
	if wait, limited := rateLimit(e.Err); limited {
		return max(1, int(math.Ceil(wait.Seconds())))
	}
	if status := e.HTTPStatus(); status == 429 || status == 503 {
		return defaultRetryAfter
	}
	return 0
}

// rateLimit reports whether err has a method Throttled, and returns its result: the delay before the next request.
func rateLimit(err error) (time.Duration, bool) {
	t, ok := errors.AsType[interface {
		error
		Throttled() time.Duration
	}](err)
	if !ok {
		return 0, false
	}
	return t.Throttled(), true
}

// Body returns the error response of RFC 6749 §5.2 as JSON. It is empty without a code, as in the challenge to a request
// without a token (RFC 6750 §3.1).
func (e *Error) Body() []byte {
	if e.Code == "" {
		return nil
	}
	doc, err := json.Marshal(struct {
		Error       ErrorCode `json:"error"`
		Description string    `json:"error_description,omitempty"`
		URI         string    `json:"error_uri,omitempty"`
	}{e.Code, e.Description, e.URI})
	if err != nil {
		return []byte(`{"error":"server_error"}`)
	}
	return doc
}
