package httpx

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
)

// Document is a public JSON document with its header values. All responses share them, because http.Header.Set allocates.
type Document struct {
	doc          []byte
	etag, length []string
}

// NewDocument returns a document with a strong entity tag in quotes. Responses may be cached for an hour, and every origin may read them.
func NewDocument(doc []byte, etag string) *Document {
	return &Document{doc: doc, etag: []string{etag}, length: []string{strconv.Itoa(len(doc))}}
}

var (
	cacheControl = []string{"public, max-age=3600"}
	anyOrigin    = []string{"*"} // public documents, without credentials
)

// ServeHTTP answers GET and HEAD.
func (d *Document) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		MethodNotAllowed(w, "GET, HEAD")
		return
	}
	h := w.Header()
	Secure(h)
	delete(h, "Pragma")
	h["Content-Security-Policy"] = apiPolicy
	h["Cache-Control"] = cacheControl
	h["Access-Control-Allow-Origin"] = anyOrigin
	h["Etag"] = d.etag
	if matches(r.Header["If-None-Match"], d.etag[0]) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h["Content-Type"] = applJSON
	h["Content-Length"] = d.length
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodGet {
		_, _ = w.Write(d.doc) // an error means that the client disconnected
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

// EntityTag returns a strong entity tag: equal tags mean equal bytes.
func EntityTag(doc []byte) string {
	sum := sha256.Sum256(doc)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}
