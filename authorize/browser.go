package authorize

import (
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/storage"
)

// browserCookie identifies a browser before the user has logged in, with 256 random bits for all tabs. Pending requests and CSRF
// tokens are bound to it.
const browserCookie = "__Host-portner-browser"

// browserOf returns the value of the cookie if the browser sent exactly one, well-formed.
func browserOf(h http.Header) string {
	value, duplicate := browserCookies(h)
	if duplicate || !seal.TokenShaped(value) {
		return ""
	}
	return value
}

// browserCookies returns the value of the first cookie, and whether there are more. One of two is planted by another host of the
// same site, so neither is trusted.
func browserCookies(h http.Header) (value string, duplicate bool) {
	found := false
	for _, line := range h["Cookie"] {
		for part := range strings.SplitSeq(line, ";") {
			name, v, _ := strings.Cut(strings.Trim(part, " \t"), "=")
			if name != browserCookie {
				continue
			}
			if found {
				return "", true
			}
			value, found = v, true
		}
	}
	return value, false
}

const browserAttributes = "; Path=/; HttpOnly; Secure; SameSite=Lax"

// clearBrowser removes the cookie, so that the next request gets a new one.
func clearBrowser(response http.Header) {
	response.Add("Set-Cookie", browserCookie+"="+browserAttributes+"; Max-Age=0")
}

// ensureBrowser returns the value of the cookie. It sets a new one if there is none. The cookie ends with the browser. It is
// Lax, so that a GET from the site of an identity provider carries it.
func ensureBrowser(request, response http.Header) string {
	if value := browserOf(request); value != "" {
		return value
	}
	value := seal.NewToken()
	response["Set-Cookie"] = append(response["Set-Cookie"], browserCookie+"="+value+browserAttributes)
	return value
}

// sameBrowser reports whether the cookie matches the hash that a request was sealed with.
func sameBrowser(sealed storage.Hash, request http.Header) bool {
	value := browserOf(request)
	if value == "" {
		return false
	}
	hash := storage.HashOf(value)
	return subtle.ConstantTimeCompare(hash[:], sealed[:]) == 1
}

// csrfValue returns what the token of one page is derived from: this browser, this request, this step, and what the page shows.
func csrfValue(p progress, shown string) string {
	return string(p.browser[:]) + string(p.id[:]) + string(p.step) + "\x00" + p.sessionID + "\x00" + shown
}

// checkForm validates the POST of a page: it comes from the origin of the pages and carries the token of the page, made with any of
// the secrets. It returns "", or the reason for the log.
func (e *Endpoint) checkForm(x *exchange, shown string) (reason string) {
	if !httpx.SameOrigin(x.r.Header, e.origin) {
		return "form_origin"
	}
	sent := []byte(x.r.Form.Get(CSRFField))
	if len(sent) == 0 || repeated(httpx.Form(x.r.Form), CSRFField) {
		return "csrf_token_missing"
	}
	for i := range e.csrf.Len() {
		if subtle.ConstantTimeCompare(sent, []byte(e.csrf.Derive(i, csrfValue(x.progress, shown)))) == 1 {
			return ""
		}
	}
	return "csrf_token_mismatch"
}
