package httpx

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/portner-go/portner"
)

// Page sets the header fields of an HTML page. Its Content-Security-Policy allows styles, images, fonts and forms of the same origin;
// policy adds directives.
//
// The form of a page that leads to a client has no form-action: Chromium applies it to every redirect that follows the form, and the
// client may redirect to origins that are not registered. Such a page has no value in it that is not escaped, its base is fixed, and
// only scripts with its nonce run, so that no one else can add a form to it. It has the Referrer-Policy same-origin, because with
// no-referrer browsers send "Origin: null" with the form.
func Page(h http.Header, leadsToClient bool, policy ...string) {
	Secure(h)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("X-Frame-Options", "DENY")
	base := "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
	if leadsToClient {
		h.Set("Referrer-Policy", "same-origin")
	} else {
		base += "; form-action 'self'"
	}
	for _, p := range policy {
		base += "; " + p
	}
	h.Set("Content-Security-Policy", base)
}

// SeeOther returns a 303 response with the header h. The status 303 is the only one this module redirects with: after 307 and
// 308 the browser posts the form again, with a password in it (RFC 9700 §4.12).
func SeeOther(h http.Header, location string) portner.Reply {
	Secure(h)
	h["Location"] = []string{location}
	return portner.Reply{Status: http.StatusSeeOther, Header: h}
}

// AppendQuery adds parameters to a registered URI and keeps its query (RFC 6749 §3.1.2).
func AppendQuery(uri string, params ...string) string {
	size := len(uri) + 128 // for separators and escapes
	for _, p := range params {
		size += len(p)
	}
	var b strings.Builder
	b.Grow(size)
	b.WriteString(uri)
	sep := byte('?')
	if i := strings.IndexByte(uri, '?'); i >= 0 {
		sep = '&'
		if i == len(uri)-1 {
			sep = 0
		}
	}
	for i := 0; i+1 < len(params); i += 2 {
		if sep != 0 {
			b.WriteByte(sep)
		}
		sep = '&'
		b.WriteString(params[i])
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(params[i+1]))
	}
	return b.String()
}

// SameOrigin reports whether a form was posted from a page of the provider. It reads Sec-Fetch-Site, and Origin from browsers that
// do not send that. A request with neither, or with the origin null, is rejected.
func SameOrigin(h http.Header, origin string) bool {
	if o := h.Values("Origin"); len(o) > 0 && (len(o) > 1 || o[0] != origin) {
		return false
	}
	site := h.Values("Sec-Fetch-Site")
	if len(site) == 0 {
		return h.Get("Origin") == origin
	}
	return len(site) == 1 && site[0] == "same-origin"
}

// Origin returns the origin of a URL in the form of the Origin field: scheme://host[:port] in lower case without a default port. For
// a URL with another scheme than http and https it returns "scheme:".
func Origin(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "" {
		return ""
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return u.Scheme + ":"
	}
	host := strings.ToLower(u.Host)
	if port := u.Port(); port == "443" && u.Scheme == "https" || port == "80" && u.Scheme == "http" {
		host = strings.TrimSuffix(host, ":"+port)
	}
	return u.Scheme + "://" + host
}

// MaxState bounds the parameter state, in bytes.
const MaxState = 2048

// ValidState reports whether state is printable ASCII of at most MaxState bytes.
func ValidState(state string) bool {
	if len(state) > MaxState {
		return false
	}
	for i := range len(state) {
		if state[i] < 0x20 || state[i] > 0x7e {
			return false
		}
	}
	return true
}
