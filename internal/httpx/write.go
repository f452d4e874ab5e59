package httpx

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/storage"
)

// NewCorrelationID returns the identifier that ties an answer to its log line: 32 hexadecimal digits, the form
// of a trace identifier.
func NewCorrelationID() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// The header values are shared slices: http.Header.Set would allocate one for each response.
var (
	noStore     = []string{"no-store"}
	noCache     = []string{"no-cache"}
	nosniff     = []string{"nosniff"}
	noReferrer  = []string{"no-referrer"}
	applJSON    = []string{"application/json"}
	apiPolicy   = []string{"default-src 'none'; frame-ancestors 'none'"}
	retryAfter2 = []string{"2"}
)

// Secure sets what every answer carries (security row I1) but a page's own Content-Security-Policy.
func Secure(h http.Header) {
	h["X-Content-Type-Options"] = nosniff
	h["Referrer-Policy"] = noReferrer
	h["Cache-Control"] = noStore
	h["Pragma"] = noCache
}

// WriteJSON answers with an encoded document. RFC 6749 section 5.1: no-store, no-cache.
func WriteJSON(w http.ResponseWriter, status int, doc []byte) {
	h := w.Header()
	Secure(h)
	h["Content-Security-Policy"] = apiPolicy
	h["Content-Type"] = applJSON
	h["Content-Length"] = []string{strconv.Itoa(len(doc))}
	w.WriteHeader(status)
	_, _ = w.Write(doc)
}

type errorBody struct {
	Error       portner.ErrorCode `json:"error"`
	Description string            `json:"error_description,omitempty"`
	URI         string            `json:"error_uri,omitempty"`
}

// WriteError answers with a protocol error; the status follows from its code.
func WriteError(w http.ResponseWriter, e *portner.Error) { WriteErrorStatus(w, Status(e), e) }

// WriteErrorStatus is WriteError where the status is not the code's own (405, 413, 429).
func WriteErrorStatus(w http.ResponseWriter, status int, e *portner.Error) {
	doc, err := json.Marshal(errorBody{e.Code, e.Description, e.URI})
	if err != nil {
		doc = []byte(`{"error":"server_error"}`)
	}
	if wait, ok := throttled(e); ok {
		w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
	} else if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		w.Header()["Retry-After"] = retryAfter2
	}
	WriteJSON(w, status, doc)
}

// Status is the HTTP status of a code at the token-side endpoints (idporten section 19.3).
func Status(e *portner.Error) int {
	if _, ok := throttled(e); ok {
		return http.StatusTooManyRequests
	}
	switch e.Code {
	case portner.InvalidClient, portner.InvalidToken:
		return http.StatusUnauthorized
	case portner.InsufficientScope, "forbidden": // the latter is Maskinporten's of old (maskinporten-altinn section 7, Q5)
		return http.StatusForbidden
	case portner.ServerError:
		return http.StatusInternalServerError
	case portner.TemporarilyUnavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}

// throttled reports whether the cause of a refusal is that the caller tried too often, and how long it
// has to wait (security row E13: 429 with Retry-After).
func throttled(e *portner.Error) (time.Duration, bool) {
	t, ok := errors.AsType[interface {
		error
		Throttled() time.Duration
	}](e.Err)
	if !ok {
		return 0, false
	}
	return t.Throttled(), true
}

// FormRefusal turns an error of ReadPost, ReadBody or ParseQuery into status and protocol error.
func FormRefusal(err error) (int, *portner.Error) {
	if errors.Is(err, ErrTooLarge) {
		return http.StatusRequestEntityTooLarge, &portner.Error{Code: portner.InvalidRequest, Description: "The request is too large.", Err: err}
	}
	return http.StatusBadRequest, &portner.Error{Code: portner.InvalidRequest, Description: "The request is malformed.", Err: err}
}

// Fault turns an internal error into what the peer may see: temporarily_unavailable for a store that
// is full or failing, server_error for the rest (security rows I6, J6).
func Fault(err error) *portner.Error {
	if errors.Is(err, storage.ErrFull) || errors.Is(err, ErrUnavailable) {
		return &portner.Error{Code: portner.TemporarilyUnavailable, Description: "Try again in a moment.", Err: err}
	}
	return &portner.Error{Code: portner.ServerError, Description: "Something failed here. The request was not carried out.", Err: err}
}

// ErrUnavailable marks a fault of a store or signer: the request may succeed later.
var ErrUnavailable = errors.New("httpx: a dependency is unavailable")

// MethodNotAllowed answers 405.
func MethodNotAllowed(w http.ResponseWriter, allow string) {
	w.Header().Set("Allow", allow)
	WriteErrorStatus(w, http.StatusMethodNotAllowed, &portner.Error{Code: portner.InvalidRequest, Description: "The method is not allowed here."})
}
