package authorize

import (
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/storage"
)

// browserCookie is the cookie that identifies a browser before the user has logged in, with 256 random bits for all tabs. Pending
// requests and CSRF tokens are bound to it.
type browserCookie struct{ name, attributes string }

// newBrowserCookie returns the cookie of a provider whose pages are below a path of an origin. It ends with the browser. It is Lax, so that a GET
// from the site of an identity provider carries it.
func newBrowserCookie(origin, path string) browserCookie {
	name, secure := httpx.CookieName(origin+path, "portner-browser")
	if secure {
		return browserCookie{name, "; Path=/; HttpOnly; Secure; SameSite=Lax"}
	}
	return browserCookie{name, "; Path=/; HttpOnly; SameSite=Lax"}
}

// value returns the value of the cookie if the browser sent exactly one, well-formed.
func (c browserCookie) value(h http.Header) string {
	value, duplicate := c.values(h)
	if duplicate || !seal.TokenShaped(value) {
		return ""
	}
	return value
}

// values returns the value of the first cookie, and whether there are more. One of two is planted by another host of the same site,
// so neither is trusted.
func (c browserCookie) values(h http.Header) (value string, duplicate bool) {
	found := false
	for _, line := range h["Cookie"] {
		for part := range strings.SplitSeq(line, ";") {
			name, v, _ := strings.Cut(strings.Trim(part, " \t"), "=")
			if name != c.name {
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

// clear removes the cookie, so that the next request gets a new one.
func (c browserCookie) clear(response http.Header) {
	response.Add("Set-Cookie", c.name+"="+c.attributes+"; Max-Age=0")
}

// ensure returns the value of the cookie. It sets a new one if there is none.
func (c browserCookie) ensure(request, response http.Header) string {
	if value := c.value(request); value != "" {
		return value
	}
	value := seal.NewToken()
	response["Set-Cookie"] = append(response["Set-Cookie"], c.name+"="+value+c.attributes)
	return value
}

// matches reports whether the cookie matches the hash that a request was sealed with.
func (c browserCookie) matches(sealed storage.Hash, request http.Header) bool {
	value := c.value(request)
	if value == "" {
		return false
	}
	hash := storage.HashOf(value)
	return subtle.ConstantTimeCompare(hash[:], sealed[:]) == 1
}

// form is a posted form of a page, after checkForm.
type form struct {
	secret  int    // index of the secret that the token was made with
	locale  string // language of the page
	content string // what the page showed, as a token
}

// csrfToken returns the token of one page in three parts: the language of the page; what derives from this browser, this request, this
// step and the language; and what derives from these and from what the page shows. With two of them, the form of a page whose texts
// have changed is told from the form of another page.
func (e *Endpoint) csrfToken(secret int, p progress, locale, content string) string {
	return locale + "." + e.pageToken(secret, p, locale, "page", "") + "." + e.pageToken(secret, p, locale, "content", content)
}

func (e *Endpoint) pageToken(secret int, p progress, locale, part, content string) string {
	fixed := string(p.browser[:]) + string(p.id[:])
	return e.csrf.Derive(secret, fixed+strings.Join([]string{part, string(p.step), p.sessionID, locale, content}, "\x00"))
}

// checkForm validates the POST of a page: it comes from the origin of the pages and carries the token of the page, made with any of
// the secrets. It returns "", or the reason for the log. Whether the page would still show the same is for formShows.
func (e *Endpoint) checkForm(x *exchange) (reason string) {
	if !httpx.SameOrigin(x.r.Header, e.origin) {
		return "form_origin"
	}
	sent := x.r.Form.Get(CSRFField)
	if sent == "" || repeated(httpx.Form(x.r.Form), CSRFField) {
		return "csrf_token_missing"
	}
	rest, content, _ := cutLast(sent, ".")
	locale, page, ok := cutLast(rest, ".")
	for i := range e.csrf.Len() {
		if ok && subtle.ConstantTimeCompare([]byte(page), []byte(e.pageToken(i, x.progress, locale, "page", ""))) == 1 {
			x.form = form{i, locale, content}
			return ""
		}
	}
	return "csrf_token_mismatch"
}

// formShows reports whether the page of the posted form showed this content.
func (e *Endpoint) formShows(x *exchange, content string) bool {
	want := e.pageToken(x.form.secret, x.progress, x.form.locale, "content", content)
	return subtle.ConstantTimeCompare([]byte(x.form.content), []byte(want)) == 1
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
