package discovery

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/portner-go/portner/internal/httpx"
)

// JWKS serves a JSON Web Key Set. The keys function returns the set for an instant with its strong
// entity tag in quotes, as keyset.Set.JWKS does; it is called once a request and decides alone which
// keys are published. A nil clock is time.Now.
//
// Answers may be kept for an hour: a new key must be published for longer than that before it signs
// (security row F4).
func JWKS(keys func(now time.Time) (doc []byte, etag string), now func() time.Time) http.Handler {
	if now == nil {
		now = time.Now
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		newBody(keys(now())).serve(w, r)
	})
}

// body is a public document with its header values. They are shared by all answers:
// http.Header.Set would allocate each of them again.
type body struct {
	doc          []byte
	etag, length []string
}

func newBody(doc []byte, etag string) *body {
	return &body{doc: doc, etag: []string{etag}, length: []string{strconv.Itoa(len(doc))}}
}

var (
	applJSON = []string{"application/json"}
	policy   = []string{"default-src 'none'; frame-ancestors 'none'"}
	// An hour at most: security row F3.
	cacheControl = []string{"public, max-age=3600"}
	// Public documents may be read from every origin, without credentials (security row I3).
	anyOrigin = []string{"*"}
)

func (b *body) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		httpx.MethodNotAllowed(w, "GET, HEAD")
		return
	}
	h := w.Header()
	httpx.Secure(h)
	delete(h, "Pragma")
	h["Content-Security-Policy"] = policy
	h["Cache-Control"] = cacheControl
	h["Access-Control-Allow-Origin"] = anyOrigin
	h["Etag"] = b.etag
	if matches(r.Header["If-None-Match"], b.etag[0]) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h["Content-Type"] = applJSON
	h["Content-Length"] = b.length
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodGet {
		_, _ = w.Write(b.doc) // the client went away
	}
}

// matches tells whether If-None-Match names the entity tag, by the weak comparison of RFC 9110
// section 13.1.2: a proxy that compressed the answer has made the tag weak.
func matches(fields []string, etag string) bool {
	for _, field := range fields {
		for tag := range strings.SplitSeq(field, ",") {
			tag = strings.Trim(tag, " \t")
			if tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
				return true
			}
		}
	}
	return false
}

// entityTag is a strong one: equal tags are equal bytes.
func entityTag(doc []byte) string {
	sum := sha256.Sum256(doc)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}
