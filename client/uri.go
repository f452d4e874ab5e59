package client

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/portner-go/portner/internal/httpx"
)

// ErrInvalidRedirectURI reports that a redirect URI or a logout URI is not allowed for the client.
var ErrInvalidRedirectURI = errors.New("client: URI not allowed")

const (
	maxURIs      = 50
	maxURILength = 2048
)

// CheckURI checks a redirect or post-logout URI against the rules for the application type of the client. The
// provider also calls it whenever it uses a registered URI, because a stored registration may be older than a rule. The error
// wraps ErrInvalidRedirectURI.
func (c *Client) CheckURI(uri string, env Environment) error {
	if rule := c.brokenRule(uri, env); rule != "" {
		return fmt.Errorf("%w: %s", ErrInvalidRedirectURI, rule)
	}
	return nil
}

// brokenRule returns the first rule that the URI breaks, or "". Rules do not quote the URI.
func (c *Client) brokenRule(raw string, env Environment) string {
	var own url.URL
	u, plain := &own, cutPlain(raw, &own)
	if !plain {
		if rule := textRule(raw); rule != "" {
			return rule
		}
		var err error
		if u, err = url.Parse(raw); err != nil {
			return "must be a URI"
		}
	}
	if rule := schemeRule(u.Scheme, c.ApplicationKind()); rule != "" {
		return rule
	}
	host := u.Hostname()
	switch {
	case u.User != nil || strings.Contains(u.Host, "@"):
		return "must not have userinfo"
	case u.Opaque != "" || u.Host == "" && !strings.HasPrefix(u.Path, "/"):
		return "must have // and a host, or a path that begins with /"
	case isHTTP(u.Scheme) && host == "":
		return "must have a host"
	case !plain && u.String() != raw:
		return "must be in canonical form"
	}
	path := u.Path
	if !plain {
		path = u.EscapedPath()
	}
	if rule := pathRule(path); rule != "" {
		return rule
	}
	if rule := queryRule(u.RawQuery, reservedParams); rule != "" {
		return rule
	}
	if !isHTTP(u.Scheme) {
		return ""
	}
	if rule := hostRule(host, strings.HasPrefix(u.Host, "[")); rule != "" {
		return rule
	}
	if rule := portRule(raw, u, c.ApplicationKind()); rule != "" {
		return rule
	}
	return c.environmentRule(u.Scheme, host, env)
}

// cutPlain splits a URI as most are: http or https, a host, and a path, of unreserved characters only. It returns false for every other URI.
// Such a URI breaks no rule of its text, url.Parse reads the same parts from it, and url.URL.String writes the same text (FuzzPlainURI). The three
// cost more than all other rules.
func cutPlain(raw string, u *url.URL) bool {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || !isHTTP(scheme) || len(raw) > maxURILength {
		return false
	}
	host := 0
	for host < len(rest) && unreserved(rest[host]) {
		host++
	}
	for i := host; i < len(rest); i++ {
		if rest[i] != '/' && !unreserved(rest[i]) {
			return false
		}
	}
	u.Scheme, u.Host, u.Path = scheme, rest[:host], rest[host:]
	return host > 0
}

func isHTTP(scheme string) bool { return scheme == "http" || scheme == "https" }

// textRule checks the characters of a URI. It rejects '#', because net/url reports no fragment if a URI ends with '#'.
func textRule(raw string) string {
	if raw == "" {
		return "must not be empty"
	}
	if len(raw) > maxURILength {
		return "must not be longer than 2048 bytes"
	}
	for i := range len(raw) {
		switch b := raw[i]; {
		case unreserved(b): // most bytes
		case b == '#':
			return "must not have a fragment"
		case b == '*':
			return "must not have wildcards"
		case b <= ' ' || b >= 0x7f:
			return "must be printable ASCII without spaces (A-labels for host names)"
		case strings.IndexByte("\\\"<>^`{|}", b) >= 0:
			return "must not have characters outside RFC 3986 §2"
		case b == '%':
			v, ok := httpx.HexByte(raw[i+1:])
			if !ok {
				return "must not have malformed percent-encoding"
			}
			if v < 0x20 || v == 0x7f {
				return "must not encode control characters"
			}
		}
	}
	return ""
}

// schemeRule returns the rule that a scheme breaks, or "". RFC 8252 §7.1: native clients may also have private-use schemes in the
// form of a reversed domain name.
func schemeRule(scheme, kind string) string {
	switch {
	case scheme == "":
		return "must have a scheme"
	case scheme == "javascript", scheme == "data", scheme == "vbscript":
		return "must not have a scheme that runs code"
	case isHTTP(scheme):
		return ""
	case kind != Native:
		return "scheme must be http or https"
	}
	labels := strings.Split(scheme, ".")
	if len(labels) < 2 {
		return "a private-use scheme must be a reversed domain name, such as no.example.app"
	}
	for _, l := range labels {
		if l == "" {
			return "a private-use scheme must be a reversed domain name, such as no.example.app"
		}
	}
	return ""
}

// pathRule returns the rule that a path breaks, or "". Some servers and browsers read such a path as another one.
func pathRule(path string) string {
	for i := range len(path) {
		if path[i] != '%' {
			continue
		}
		switch v, _ := httpx.HexByte(path[i+1:]); {
		case v == '/' || v == '\\':
			return "must not encode slashes in the path"
		case v == '%':
			return "must not be encoded twice"
		case unreserved(v):
			return "must not encode letters, digits, '-', '.', '_' or '~' in the path (RFC 3986 §6.2.2.2)"
		}
	}
	for segment := range strings.SplitSeq(path, "/") {
		segment, _, _ = strings.Cut(segment, ";") // some servers read "..;" as ".."
		if segment == "." || segment == ".." {
			return "must not have dot segments"
		}
	}
	return ""
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// Parameters that responses append to a URI. A registered URI must not have them.
var (
	reservedParams     = []string{"code", "state", "iss", "error", "error_description", "error_uri", "id_token"}
	frontchannelParams = []string{"iss", "sid"} // OIDC Front-Channel Logout §2
)

func queryRule(query string, reserved []string) string {
	if query == "" {
		return ""
	}
	for pair := range strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == ';' }) {
		name, _, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return "must not have malformed percent-encoding"
		}
		for _, r := range reserved {
			if strings.EqualFold(name, r) {
				return "must not have the query parameter " + r
			}
		}
	}
	return ""
}

// hostRule returns the rule that a host breaks, or "". Addresses must be canonical: browsers read 127.1, 0x7f.1 and 2130706433 as
// addresses, net/url reads them as names.
func hostRule(host string, bracketed bool) string {
	if bracketed {
		a, err := netip.ParseAddr(host)
		if err != nil || a.Zone() != "" || a.Is4In6() || a.String() != host {
			return "must have a canonical IPv6 address"
		}
		return ""
	}
	for l := range strings.SplitSeq(host, ".") {
		if !isLabel(l) {
			return "must have a valid host name"
		}
	}
	last := strings.ToLower(host[strings.LastIndexByte(host, '.')+1:])
	if strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") {
		if a, err := netip.ParseAddr(host); err != nil || a.String() != host {
			return "must have a canonical IPv4 address"
		}
	}
	return ""
}

// isLabel reports whether a label of a host name has letters, digits, '-' and '_' only, and at least one of them.
func isLabel(label string) bool {
	for i := range len(label) {
		if c := label[i]; !unreserved(c) || c == '~' {
			return false
		}
	}
	return label != ""
}

// portRule returns the rule that a port breaks, or "". Port 0 is allowed in a loopback address of a native client.
func portRule(raw string, u *url.URL, kind string) string {
	if strings.HasSuffix(u.Host, ":") {
		return "must not have an empty port"
	}
	if p := u.Port(); p == "" || validPort(p) {
		return ""
	}
	if l, ok := cutLoopback(raw); ok && l.port == "0" && kind == Native {
		return ""
	}
	return "port must be 1 to 65535 without leading zeros"
}

// environmentRule returns the rule of the environment that a URI breaks, or "" (docs/spec/idporten.md §2.5). Native clients may
// use plain http on loopback addresses in production, because the browser runs on the same machine.
func (c *Client) environmentRule(scheme, host string, env Environment) string {
	local := isLocal(host)
	if c.IntegrationType != "" && scheme == "https" && strings.EqualFold(host, "localhost") {
		return "localhost must be http, not https"
	}
	if env.Test {
		return ""
	}
	if c.ApplicationKind() == Native {
		if scheme == "http" && !local {
			return "plain http is for loopback addresses only"
		}
		return ""
	}
	if scheme == "http" {
		return "plain http is for test environments only"
	}
	if local {
		return "localhost is for test environments only"
	}
	return ""
}

// isLocal reports whether a host is the local machine.
func isLocal(host string) bool {
	host = strings.ToLower(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	if !strings.Contains(host, ":") && strings.Trim(host, "0123456789.") != "" {
		return false // a name: ParseAddr would allocate its error
	}
	a, err := netip.ParseAddr(host)
	return err == nil && (a.IsLoopback() || a.IsUnspecified())
}

// originOf returns the origin of an http or https URI in the form of the Origin field.
func originOf(raw string) (string, bool) {
	origin := httpx.Origin(raw)
	scheme, host, ok := strings.Cut(origin, "://")
	return origin, ok && isHTTP(scheme) && host != "" && host[0] != ':'
}
