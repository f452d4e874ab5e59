package authorize

import (
	"crypto/subtle"
	"encoding/base64"
	"iter"
	"net/http"
	"strings"

	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/storage"
)

// browserCookie is the cookie that identifies a browser before the user has logged in, with 256 random bits. Pending requests and CSRF
// tokens are bound to it. Its name ends with a part of the hash of its value: tabs that a browser opens at once, before it has a cookie,
// get one each, and no response replaces the cookie of another tab. Every later request is bound to a cookie that the browser has.
type browserCookie struct{ prefix, attributes string }

const (
	// browserTag is the number of bytes of the hash in the name of the cookie, and tagSize the length of their text.
	browserTag = 6
	tagSize    = browserTag * 4 / 3
	// maxBrowserCookies bounds the cookies that a browser keeps. There is one for each request that it sent without one.
	maxBrowserCookies = 32
)

// newBrowserCookie returns the cookie of a provider whose pages are below a path of an origin. It ends with the browser. It is Lax, so that a GET
// from the site of an identity provider carries it.
func newBrowserCookie(origin, path string) browserCookie {
	name, secure := httpx.CookieName(origin+path, "portner-browser")
	if secure {
		return browserCookie{name + "+", "; Path=/; HttpOnly; Secure; SameSite=Lax"}
	}
	return browserCookie{name + "+", "; Path=/; HttpOnly; SameSite=Lax"}
}

// tag returns the end of the name of the cookie whose value has a hash.
func tag(hash *storage.Hash) (text [tagSize]byte) {
	base64.RawURLEncoding.Encode(text[:], hash[:browserTag])
	return text
}

// isNamed reports whether name is that of the cookie whose value has a hash. The name is one that all yields.
func (c browserCookie) isNamed(name string, hash *storage.Hash) bool {
	want := tag(hash)
	return name[len(c.prefix):] == string(want[:])
}

// all yields name and value of the cookies of this provider that the browser sent.
func (c browserCookie) all(h http.Header) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for name, value := range httpx.Cookies(h) {
			if strings.HasPrefix(name, c.prefix) && !yield(name, value) {
				return
			}
		}
	}
}

// find returns the value of the first well-formed cookie of the browser and its hash, "" if there is none.
func (c browserCookie) find(h http.Header) (value string, hash storage.Hash) {
	for name, value := range c.all(h) {
		if !seal.TokenShaped(value) {
			continue
		}
		if hash := storage.HashOf(value); c.isNamed(name, &hash) {
			return value, hash
		}
	}
	return "", storage.Hash{}
}

// isSent reports whether the browser sent a well-formed cookie.
func (c browserCookie) isSent(h http.Header) bool {
	value, _ := c.find(h)
	return value != ""
}

// clear removes the cookie whose value has a hash.
func (c browserCookie) clear(response http.Header, hash storage.Hash) {
	end := tag(&hash)
	c.remove(response, c.prefix+string(end[:]))
}

func (c browserCookie) remove(response http.Header, name string) {
	response.Add("Set-Cookie", name+"="+c.attributes+"; Max-Age=0")
}

// ensure returns the hash of a cookie of the browser. It sets a new one if there is none, and removes those beyond maxBrowserCookies.
func (c browserCookie) ensure(request, response http.Header) storage.Hash {
	value, hash := c.find(request)
	if value == "" {
		value = seal.NewToken()
		hash = storage.HashOf(value)
		end := tag(&hash)
		response["Set-Cookie"] = append(response["Set-Cookie"], c.prefix+string(end[:])+"="+value+c.attributes)
	}
	n := 0
	for name, other := range c.all(request) {
		if n++; n > maxBrowserCookies && other != value {
			c.remove(response, name)
		}
	}
	return hash
}

// matches reports whether the browser has the cookie that a request was sealed with. If it sent two cookies with this name, one is
// planted by another host of the same site, and neither is trusted.
func (c browserCookie) matches(sealed storage.Hash, request http.Header) (matches, duplicate bool) {
	found := 0
	for name, value := range c.all(request) {
		if !c.isNamed(name, &sealed) {
			continue
		}
		found++
		hash := storage.HashOf(value)
		matches = subtle.ConstantTimeCompare(hash[:], sealed[:]) == 1
	}
	return matches && found == 1, found > 1
}

// form is a posted form of a page, after checkForm.
type form struct {
	secret  int    // index of the secret that the token was made with
	locale  string // language of the page
	content string // what the page showed, as a token
}

// csrfToken returns the token of one page in three parts: the language of the page; what derives from this browser, this request, this
// step and the language; and what derives from these and from what the page shows. With two of them, the form of a page whose texts
// have changed is distinguished from the form of another page.
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
