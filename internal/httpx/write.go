package httpx

import (
	"crypto/rand"
	"encoding/hex"
	"maps"
	"net/http"
	"strconv"

	"github.com/portner-go/portner"
)

// NewCorrelationID returns 32 random hexadecimal digits, the form of a trace identifier. A response and the log lines of
// its request carry the same one.
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

// Secure sets the header fields that every response has. Content-Security-Policy is not one of them.
func Secure(h http.Header) {
	h["X-Content-Type-Options"] = nosniff
	h["Referrer-Policy"] = noReferrer
	h["Cache-Control"] = noStore
	h["Pragma"] = noCache
}

// JSON sets the header fields of a JSON response with a body of size bytes. A response without a body has no media type.
func JSON(h http.Header, size int) {
	Secure(h)
	h["Content-Length"] = []string{strconv.Itoa(size)}
	if size > 0 {
		h["Content-Security-Policy"] = apiPolicy
		h["Content-Type"] = applJSON
	}
}

// WriteJSON writes a response with an encoded document. RFC 6749 §5.1: it must not be cached.
func WriteJSON(w http.ResponseWriter, status int, doc []byte) {
	JSON(w.Header(), len(doc))
	w.WriteHeader(status)
	_, _ = w.Write(doc)
}

// JSONReply returns the response that WriteJSON writes.
func JSONReply(status int, doc []byte) portner.Reply {
	h := http.Header{}
	JSON(h, len(doc))
	return portner.Reply{Status: status, Header: h, Body: doc}
}

// WriteReply writes a response. Its header fields replace those of w.
func WriteReply(w http.ResponseWriter, r portner.Reply) {
	maps.Copy(w.Header(), r.Header)
	WriteBody(w, r)
}

// WriteBody is WriteReply for a response whose header is that of w.
func WriteBody(w http.ResponseWriter, r portner.Reply) {
	w.WriteHeader(r.Status)
	if len(r.Body) > 0 {
		_, _ = w.Write(r.Body)
	}
}

// WriteError writes a protocol error: its status, header fields and body.
func WriteError(w http.ResponseWriter, e *portner.Error) {
	h := w.Header()
	maps.Copy(h, e.Header)
	if seconds := e.RetryAfter(); seconds > 0 {
		h["Retry-After"] = []string{strconv.Itoa(seconds)}
	}
	WriteJSON(w, e.HTTPStatus(), e.Body())
}

// MethodError returns the error for a request whose method is not one of allow, a list such as "GET, POST".
func MethodError(allow string) *portner.Error {
	return &portner.Error{
		Code: portner.InvalidRequest, Status: http.StatusMethodNotAllowed, Header: map[string][]string{"Allow": {allow}},
		Description: "The method is not allowed here.",
	}
}

// MethodNotAllowed writes MethodError.
func MethodNotAllowed(w http.ResponseWriter, allow string) { WriteError(w, MethodError(allow)) }
