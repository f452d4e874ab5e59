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

// JWKS returns the handler of a JSON Web Key Set. It calls keys once for each request; keyset.Set.JWKS is such a function. It
// returns the document of an instant and a strong entity tag in quotes. If now is nil, it is time.Now.
//
// Responses may be cached for an hour, so a new key must be published for longer than that before it signs.
func JWKS(keys func(now time.Time) (doc []byte, etag string), now func() time.Time) http.Handler {
	if now == nil {
		now = time.Now
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		newBody(keys(now())).serve(w, r)
	})
}

// body is a public document with its header values. All responses share them, because http.Header.Set allocates.
type body struct {
	doc          []byte
	etag, length []string
}

func newBody(doc []byte, etag string) *body {
	return &body{doc: doc, etag: []string{etag}, length: []string{strconv.Itoa(len(doc))}}
}

var (
	contentType  = []string{"application/json"}
	policy       = []string{"default-src 'none'; frame-ancestors 'none'"}
	cacheControl = []string{"public, max-age=3600"}
	anyOrigin    = []string{"*"} // public documents, without credentials
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
	h["Content-Type"] = contentType
	h["Content-Length"] = b.length
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodGet {
		_, _ = w.Write(b.doc) // an error means that the client disconnected
	}
}

// matches reports whether If-None-Match contains the entity tag. RFC 9110 §13.1.2: the comparison is weak, because a proxy that
// compresses the response makes the tag weak.
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

// entityTag returns a strong entity tag: equal tags mean equal bytes.
func entityTag(doc []byte) string {
	sum := sha256.Sum256(doc)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}
