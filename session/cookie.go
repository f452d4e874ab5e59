package session

import (
	"net/http"

	"github.com/portner-go/portner/internal/seal"
)

// DefaultCookieName is the cookie of the session.
const DefaultCookieName = hostPrefix + "portner-session"

// hostPrefix makes browsers refuse the cookie from another host, a sibling subdomain or plain http
// (RFC 6265bis section 4.1.3.2).
const hostPrefix = "__Host-"

// cookie is the only constructor of the session's cookie (security row G8). It has no Max-Age: it
// ends with the browser, and before that when the record behind it does. Secure stays on for
// development over plain http too: browsers treat http://localhost and http://127.0.0.1 as
// trustworthy and take the cookie.
func (k *Keeper) cookie(value string) *http.Cookie {
	c := &http.Cookie{
		Name: k.name, Value: value, Path: "/",
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	if k.sameSiteNone {
		c.SameSite = http.SameSiteNoneMode
	}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}

// setCookie sets the cookie in h, the header of a response, and replaces one that h sets already.
func (k *Keeper) setCookie(h http.Header, value string) {
	kept := h["Set-Cookie"][:0:0]
	for _, line := range h["Set-Cookie"] {
		if len(line) <= len(k.name) || line[:len(k.name)] != k.name || line[len(k.name)] != '=' {
			kept = append(kept, line)
		}
	}
	h["Set-Cookie"] = append(kept, k.cookie(value).String())
}

// readCookie returns the cookie's value if there is exactly one and it has the form of our tokens.
// Of two, one was planted: neither is believed (security row G8).
func (k *Keeper) readCookie(h http.Header) (value string, duplicate bool) {
	r := http.Request{Header: h}
	cookies := r.CookiesNamed(k.name)
	switch {
	case len(cookies) > 1:
		return "", true
	case len(cookies) == 0 || cookies[0].Quoted || !seal.TokenShaped(cookies[0].Value):
		return "", false
	}
	return cookies[0].Value, false
}

// HasCookie reports whether h, the header of a request, holds a well-formed session cookie. Its session may be live or ended.
func (k *Keeper) HasCookie(h http.Header) bool {
	value, _ := k.readCookie(h)
	return value != ""
}
