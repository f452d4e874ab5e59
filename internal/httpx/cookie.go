package httpx

import (
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"
)

// Cookies yields the names and values of the cookies in the header of a request, as the browser sent them: net/http leaves out quotes, and
// cookies with other characters than those of RFC 6265 §4.1.1.
func Cookies(h http.Header) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for _, line := range h["Cookie"] {
			for part := range strings.SplitSeq(line, ";") {
				if name, value, _ := strings.Cut(strings.Trim(part, " \t"), "="); !yield(name, value) {
					return
				}
			}
		}
	}
}

// Cookie returns the value of a cookie in the header of a request. The value is "" if count, the number of cookies with the name, is not 1:
// one of two may have been set by another host of the site.
func Cookie(h http.Header, name string) (value string, count int) {
	for n, v := range Cookies(h) {
		if n == name {
			value = v
			count++
		}
	}
	if count != 1 {
		value = ""
	}
	return value, count
}

// hostPrefix makes browsers reject the cookie from another host, from a sibling subdomain and over plain http (RFC 6265bis
// §4.1.3.2).
const hostPrefix = "__Host-"

// CookieName returns the name of a cookie of the provider whose browser endpoints are below base. Browsers send a cookie to every port
// of a host, and a cookie with the prefix __Host- to every path, so the port and the path of base are part of the name: two providers
// on one host do not share cookies. If base is an https URL, secure is true and the name begins with __Host-. With an http URL, which
// is valid for loopback hosts only, clients that are not browsers would not store such a cookie.
func CookieName(base, name string) (full string, secure bool) {
	u, err := url.Parse(base)
	if err != nil {
		return hostPrefix + name, true
	}
	if secure = u.Scheme != "http"; secure {
		name = hostPrefix + name
	}
	if port := u.Port(); port != "" && !(port == "443" && secure) && !(port == "80" && !secure) {
		name += "-" + port
	}
	return name + pathInName(u.Path), secure
}

// pathInName returns a path in the characters of a cookie name (RFC 9110 §5.6.2): a dot stands for each slash, and other characters
// than letters, digits, "-" and "_" are escaped, so that different paths have different names.
func pathInName(path string) string {
	var b strings.Builder
	for i := range len(path) {
		switch c := path[i]; {
		case c == '/':
			b.WriteByte('.')
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "~%02X", c)
		}
	}
	return b.String()
}
