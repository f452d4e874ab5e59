package authorize

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/storage"
)

// browserCookie names the browser that brought a request, before anybody has logged in: 256 random
// bits, one for all tabs. Waiting requests and CSRF tokens are bound to it, and it says nothing else.
const browserCookie = "__Host-portner-browser"

// browserOf returns the browser's value if it sent exactly one of the right form.
func browserOf(r *http.Request) string {
	value, duplicate := browserCookies(r)
	if duplicate || !seal.TokenShaped(value) {
		return ""
	}
	return value
}

// browserCookies returns the first cookie of our name, and whether there are more. Of two, one was
// planted: neither is believed (security row G8).
func browserCookies(r *http.Request) (value string, duplicate bool) {
	found := false
	for _, line := range r.Header["Cookie"] {
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

// forgetBrowser takes back the cookie, so that the next request begins anew.
func forgetBrowser(w http.ResponseWriter) {
	w.Header().Add("Set-Cookie", browserCookie+"="+browserAttributes+"; Max-Age=0")
}

// knowBrowser returns the browser's value, and gives it one if it has none. The cookie ends with the
// browser. Lax: the person may come back to a login page from another site's eID by a GET.
func knowBrowser(w http.ResponseWriter, r *http.Request) string {
	if value := browserOf(r); value != "" {
		return value
	}
	value := seal.NewToken()
	h := w.Header()
	h["Set-Cookie"] = append(h["Set-Cookie"], browserCookie+"="+value+browserAttributes)
	return value
}

// sameBrowser compares the browser a request came back with to the one it was sealed for.
func sameBrowser(t travel, r *http.Request) bool {
	value := browserOf(r)
	if value == "" {
		return false
	}
	hash := storage.HashOf(value)
	return subtle.ConstantTimeCompare(hash[:], t.browser[:]) == 1
}

// csrf is the token of one page: for this browser, this request, this step, and at the consent step
// for exactly what was shown (security rows G1, G14).
func csrf(key []byte, t travel, shown string) string {
	m := hmac.New(sha256.New, key)
	m.Write(t.browser[:])
	m.Write(t.id[:])
	m.Write([]byte(t.step))
	m.Write([]byte{0})
	m.Write([]byte(t.sessionID))
	m.Write([]byte{0})
	m.Write([]byte(shown))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// notFromOurPage checks a POST of a page: it comes from our own origin and carries the page's token, made
// with any of the secrets, so that pages outlive a rotation. It returns "", or the reason for the log: a
// host whose pages hide their origin, or stand at another than the issuer's, finds it there.
func (f *flow) notFromOurPage(shown string) (reason string) {
	if !httpx.SameOrigin(f.r.Header, f.origin) {
		return "origin"
	}
	sent := f.r.PostForm[CSRFField]
	if len(sent) != 1 {
		return "csrf"
	}
	for _, key := range f.csrfKeys {
		if subtle.ConstantTimeCompare([]byte(sent[0]), []byte(csrf(key, f.travel, shown))) == 1 {
			return ""
		}
	}
	return "csrf"
}
