package session

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/storage"
)

// cookieName is the first part of the name of the session cookie.
const cookieName = "portner-session"

// DefaultCookieName is the name of the session cookie if Config.URL is an https URL without port and path.
const DefaultCookieName = "__Host-" + cookieName

// cookieAttributes returns the attributes of the session cookie after Path and Max-Age.
func cookieAttributes(secure, sameSiteNone bool) string {
	c := http.Cookie{Name: "x", Secure: secure, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if sameSiteNone {
		c.SameSite = http.SameSiteNoneMode
	}
	return strings.TrimPrefix(c.String(), "x=")
}

// cookie returns the line that sets the session cookie, or deletes it if value is "". The cookie ends with the browser if remember is 0, and
// after remember otherwise. The record on the server expires by Limits.
func (k *Keeper) cookie(value string, remember time.Duration) string {
	maxAge := ""
	switch {
	case value == "":
		maxAge = "; Max-Age=0"
	case remember >= time.Second:
		maxAge = "; Max-Age=" + strconv.Itoa(int(remember/time.Second))
	}
	return k.name + "=" + value + "; Path=/" + maxAge + k.attributes
}

// setCookie sets the cookie in a response header. It replaces a session cookie that the header already sets.
func (k *Keeper) setCookie(response http.Header, value string, remember time.Duration) {
	kept := response["Set-Cookie"][:0:0]
	for _, line := range response["Set-Cookie"] {
		if len(line) <= len(k.name) || line[:len(k.name)] != k.name || line[len(k.name)] != '=' {
			kept = append(kept, line)
		}
	}
	response["Set-Cookie"] = append(kept, k.cookie(value, remember))
}

// readCookie returns the value of the cookie in a request header if there is exactly one and it has the form of a session
// cookie. If there are two, an attacker may have set one of them, and neither is used.
func (k *Keeper) readCookie(request http.Header) (value string, duplicate bool) {
	value, count := httpx.Cookie(request, k.name)
	if !seal.TokenShaped(value) {
		value = ""
	}
	return value, count > 1
}

// HasCookie reports whether a request has a cookie with the form of a session cookie. The session behind it may have ended.
func (k *Keeper) HasCookie(request http.Header) bool {
	value, _ := k.readCookie(request)
	return value != ""
}

// CookieHash returns the hash of the session cookie of a request, zero if HasCookie is false.
func (k *Keeper) CookieHash(request http.Header) (hash storage.Hash) {
	if value, _ := k.readCookie(request); value != "" {
		hash = storage.HashOf(value)
	}
	return hash
}
