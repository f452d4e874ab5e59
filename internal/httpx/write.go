package httpx

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"maps"
	"net/http"
	"strconv"

	"github.com/portner-go/portner"
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
	noStore    = []string{"no-store"}
	noCache    = []string{"no-cache"}
	nosniff    = []string{"nosniff"}
	noReferrer = []string{"no-referrer"}
	applJSON   = []string{"application/json"}
	apiPolicy  = []string{"default-src 'none'; frame-ancestors 'none'"}
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

// WriteError answers with a protocol error: its status, header fields and body.
func WriteError(w http.ResponseWriter, e *portner.Error) {
	h := w.Header()
	maps.Copy(h, e.Header)
	if seconds := e.RetryAfter(); seconds > 0 {
		h["Retry-After"] = []string{strconv.Itoa(seconds)}
	}
	WriteJSON(w, e.HTTPStatus(), e.Body())
}

// FormRefusal turns an error of ReadPost, ReadBody or ParseQuery into a protocol error.
func FormRefusal(err error) *portner.Error {
	if errors.Is(err, ErrTooLarge) {
		return &portner.Error{Code: portner.InvalidRequest, Status: http.StatusRequestEntityTooLarge, Description: "The request is too large.", Err: err}
	}
	return &portner.Error{Code: portner.InvalidRequest, Description: "The request is malformed.", Err: err}
}

// MethodNotAllowed answers 405.
func MethodNotAllowed(w http.ResponseWriter, allow string) {
	WriteError(w, &portner.Error{
		Code: portner.InvalidRequest, Status: http.StatusMethodNotAllowed, Header: map[string][]string{"Allow": {allow}},
		Description: "The method is not allowed here.",
	})
}
