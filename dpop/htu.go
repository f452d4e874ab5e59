package dpop

import (
	"net/netip"
	"strings"
)

// normalise returns the normal form of an absolute http or https URL without query and fragment (RFC 3986 §6.2.2 and §6.2.3): letters of
// scheme and host in lower case, no default port, only those characters of the path escaped that must be, no dot segments, "/" for an
// empty path. It returns false for a URL that no endpoint has: with user information, with an invalid host, port or escape, or with http
// outside of the own machine.
//
// Two URLs with one normal form are one URL by that RFC. Beyond that nothing is equal: neither paths that differ in case, in a slash at the
// end or in an escaped slash, nor names of one host.
func normalise(raw string) (string, bool) {
	if i := strings.IndexAny(raw, "?#"); i >= 0 {
		raw = raw[:i]
	}
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return "", false
	}
	port := ":443"
	switch scheme = lower(scheme); scheme {
	case "https":
	case "http":
		port = ":80"
	default:
		return "", false
	}
	authority, path := rest, ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	host, ok := normalHost(lower(authority), port)
	if !ok || scheme == "http" && !loopback(host) {
		return "", false
	}
	if isNormalPath(path) {
		if len(scheme)+len("://")+len(host)+len(path) == len(raw) && strings.HasPrefix(raw, scheme) && strings.HasPrefix(rest, host) {
			return raw, true // the common case, without a copy
		}
	} else if path, ok = normalPath(path); !ok {
		return "", false
	}
	return scheme + "://" + host + path, true
}

// lower maps the letters of ASCII. strings.ToLower maps others too, and some of them to letters of ASCII.
func lower(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if 'A' <= b[i] && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

// normalHost returns host and port of an authority in lower case, without the default port.
func normalHost(authority, defaultPort string) (string, bool) {
	host, port := splitPort(authority)
	if len(port) > len(":65535") || strings.Trim(port, ":0123456789") != "" {
		return "", false
	}
	if port == ":" || port == defaultPort {
		port = ""
	}
	if address, ok := strings.CutPrefix(host, "["); ok {
		address, ok = strings.CutSuffix(address, "]")
		ip, err := netip.ParseAddr(address)
		if !ok || err != nil || !ip.Is6() || ip.Zone() != "" {
			return "", false
		}
		host = "[" + ip.String() + "]"
	} else if !isName(host) {
		return "", false
	}
	if len(host)+len(port) == len(authority) && strings.HasPrefix(authority, host) {
		return authority, true
	}
	return host + port, true
}

// splitPort splits an authority before the colon of its port, if it has one.
func splitPort(authority string) (host, port string) {
	if i := strings.LastIndexByte(authority, ':'); i > strings.LastIndexByte(authority, ']') {
		return authority[:i], authority[i:]
	}
	return authority, ""
}

// isName reports whether host is a name or an IPv4 address: letters, digits, hyphens, underscores and dots. Names of other characters
// are written with these in URLs (RFC 5890 §2.3.2).
func isName(host string) bool {
	for i := range len(host) {
		c := host[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_') {
			return false
		}
	}
	return host != ""
}

// loopback reports whether the host is the own machine (RFC 8252 §7.3 and §8.3).
func loopback(hostPort string) bool {
	host, _ := splitPort(hostPort)
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.IsLoopback()
}

// plain reports whether a character of a path is never escaped in its normal form: the unreserved ones, and those that a path may have.
func plain(c byte) bool {
	return unreserved(c) || strings.IndexByte("!$&'()*+,;=:@/", c) >= 0
}

// unreserved reports whether a character has one meaning, escaped or not (RFC 3986 §2.3).
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// isNormalPath reports whether a path certainly is in its normal form.
func isNormalPath(path string) bool {
	for i := range len(path) {
		if !plain(path[i]) || path[i] == '.' && path[i-1] == '/' { // it begins with a slash
			return false
		}
	}
	return path != ""
}

const hexDigits = "0123456789ABCDEF"

// normalPath returns the normal form of a path: escapes of unreserved characters decoded and others in capitals, characters escaped that
// a path cannot have, then dot segments removed (RFC 3986 §5.2.4). It returns false for control characters and invalid escapes.
func normalPath(path string) (string, bool) {
	out := make([]byte, 0, len(path)+len("/"))
	for i := 0; i < len(path); i++ {
		c, escaped := path[i], false
		if c == '%' {
			high, low := -1, -1
			if i+2 < len(path) {
				high, low = unhex(path[i+1]), unhex(path[i+2])
			}
			if high < 0 || low < 0 {
				return "", false
			}
			c, escaped = byte(high<<4|low), true
			i += 2
		} else if c < ' ' || c == 0x7f {
			return "", false
		}
		if unreserved(c) || plain(c) && !escaped {
			out = append(out, c)
		} else {
			out = append(out, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return withoutDots(string(out)), true
}

// unhex returns the value of a hexadecimal digit, or -1.
func unhex(c byte) int {
	if 'a' <= c && c <= 'f' {
		c -= 'a' - 'A'
	}
	return strings.IndexByte(hexDigits, c)
}

// withoutDots removes the segments "." and "..".
func withoutDots(path string) string {
	if path == "" {
		return "/"
	}
	segments := strings.Split(path[1:], "/") // it begins with a slash
	kept := segments[:0]
	for i, s := range segments {
		last := i == len(segments)-1
		switch s {
		case ".", "..":
			if s == ".." && len(kept) > 0 {
				kept = kept[:len(kept)-1]
			}
			if last { // "/a/." is "/a/"
				kept = append(kept, "")
			}
		default:
			kept = append(kept, s)
		}
	}
	return "/" + strings.Join(kept, "/")
}
