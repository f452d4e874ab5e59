package client

import (
	"slices"
	"strings"
)

// MatchRedirectURI reports whether the request's redirect_uri is registered: byte for byte, but for
// the port of a native client's loopback address (RFC 8252 section 7.3). The value is compared as it
// stands after one form decoding; nothing is unescaped, lower-cased or parsed (security rows A1-A4).
func (c *Client) MatchRedirectURI(uri string) bool { return c.match(c.RedirectURIs, uri) }

// MatchPostLogoutRedirectURI is MatchRedirectURI for post_logout_redirect_uris.
func (c *Client) MatchPostLogoutRedirectURI(uri string) bool {
	return c.match(c.PostLogoutRedirectURIs, uri)
}

func (c *Client) match(registered []string, uri string) bool {
	if uri == "" {
		return false
	}
	if c.ApplicationKind() == Native {
		if l, ok := cutLoopback(uri); ok {
			return l.matchesAny(registered)
		}
	}
	return slices.Contains(registered, uri)
}

// loopback is a native app's loopback URI with the port cut out of the raw text.
type loopback struct {
	origin  string // scheme and address
	port    string
	hasPort bool
	rest    string // path and query
}

// The two spellings of a loopback address that RFC 8252 section 7.3 knows. "localhost" is a name that
// somebody may point elsewhere (section 8.3); 127.1, 2130706433 and [::ffff:127.0.0.1] are not written
// by anybody with good intent.
var loopbackOrigins = [...]string{"http://127.0.0.1", "http://[::1]"}

// cutLoopback reports whether raw is a loopback URI. It never parses: what net/url takes for the host
// is not always what follows the scheme.
func cutLoopback(raw string) (loopback, bool) {
	for _, origin := range loopbackOrigins {
		rest, ok := strings.CutPrefix(raw, origin)
		if !ok {
			continue
		}
		l := loopback{origin: origin, rest: rest}
		if strings.HasPrefix(rest, ":") {
			end := 1
			for end < len(rest) && '0' <= rest[end] && rest[end] <= '9' {
				end++
			}
			l.port, l.hasPort, l.rest = rest[1:end], true, rest[end:]
		}
		return l, l.rest == "" || l.rest[0] == '/' || l.rest[0] == '?'
	}
	return loopback{}, false
}

// matchesAny lets the port differ and nothing else. A request has a real port or none (80); in a
// registration port 0 says "any" too.
func (l loopback) matchesAny(registered []string) bool {
	if l.hasPort && !validPort(l.port) {
		return false
	}
	return slices.ContainsFunc(registered, func(uri string) bool {
		r, ok := cutLoopback(uri)
		return ok && r.origin == l.origin && r.rest == l.rest &&
			(!r.hasPort || r.port == "0" || validPort(r.port))
	})
}

// validPort reports whether s is a port from 1 to 65535 without leading zeros.
func validPort(s string) bool {
	if len(s) == 0 || len(s) > 5 || s[0] == '0' {
		return false
	}
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n <= 65535
}

// CORSOrigins returns the origins a browser client may call from: those of its redirect URIs, as
// browsers write them (lower-case host, no default port). Other application types have none.
func (c *Client) CORSOrigins() []string {
	if c.ApplicationKind() != Browser {
		return nil
	}
	var origins []string
	for _, uri := range c.RedirectURIs {
		if o, ok := originOf(uri); ok && !slices.Contains(origins, o) {
			origins = append(origins, o)
		}
	}
	return origins
}
