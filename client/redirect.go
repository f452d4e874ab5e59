package client

import (
	"slices"
	"strings"
)

// MatchRedirectURI reports whether the redirect_uri of a request is registered. The comparison is by bytes (RFC 9700 §4.1.3);
// only the port of a loopback address of a native client may differ (RFC 8252 §7.3). The URI is not decoded or normalized.
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

// loopback is a loopback URI of a native client, split at the port.
type loopback struct {
	origin  string // scheme and address
	port    string
	hasPort bool
	rest    string // path and query
}

// loopbackOrigins are the loopback addresses of RFC 8252 §7.3. RFC 8252 §8.3: localhost may resolve to another address. Other
// forms such as 127.1 and [::ffff:127.0.0.1] are rejected.
var loopbackOrigins = [...]string{"http://127.0.0.1", "http://[::1]"}

// cutLoopback reports whether raw is a loopback URI. It compares the text, because the host in net/url is not always the text
// after the scheme.
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

// matchesAny reports whether a registered URI is equal except for the port. The port of a request is 1 to 65535 or missing; a
// registration may have port 0.
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

// CORSOrigins returns the origins of the redirect URIs of a browser client in the form of the Origin field: host in lower case,
// no default port. It returns nil for other application types.
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
