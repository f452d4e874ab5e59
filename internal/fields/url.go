package fields

import (
	"errors"
	"net"
	"net/url"
	"strings"
	"sync"

	"github.com/portner-go/portner"
)

// IsLoopback reports whether host, without port, is localhost or a loopback address.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// plainHTTP holds the hosts of InsecureAllowPlainHTTP.
var plainHTTP sync.Map

// InsecureAllowPlainHTTP makes PlainHTTP true for a host, without port, until the process ends. It is for stand-ins in a network of containers,
// which call it for the hosts that a configuration with -allow-http names: another configuration of the same process may not have plain http at
// other hosts. Hosts of the library cannot call it.
func InsecureAllowPlainHTTP(host string) { plainHTTP.Store(host, true) }

// PlainHTTP reports whether http URLs of a host are accepted where https is the rule: those of this machine are.
func PlainHTTP(host string) bool {
	_, allowed := plainHTTP.Load(host)
	return allowed || IsLoopback(host)
}

// ErrPlainHTTP is the problem of an http URL at a host for which PlainHTTP is false.
var ErrPlainHTTP = errors.New("must be https (http for loopback hosts only)")

// URL records a base URL that is missing, or is not an absolute http or https URL without credentials, query and fragment.
// Issuers are such URLs (OIDC Discovery §3).
func (c *Checker) URL(field, raw string) {
	if raw == "" {
		c.Add(field, portner.ErrRequired)
		return
	}
	u, err := url.Parse(raw)
	ok := err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" && u.User == nil && !strings.ContainsAny(raw, "?#")
	c.Want(ok, field, "must be an absolute http or https URL without credentials, query and fragment")
}

// SecureURL records a base URL that URL records, and plain http to another than a loopback host.
func (c *Checker) SecureURL(field, raw string) {
	before := len(c.problems)
	c.URL(field, raw)
	if u, err := url.Parse(raw); err == nil && len(c.problems) == before {
		if u.Scheme != "https" && !PlainHTTP(u.Hostname()) {
			c.Add(field, ErrPlainHTTP)
		}
	}
}

// BrowserURL records a URL for browsers that SecureURL records, and plain http beside an issuer that is not: cookies are not Secure there.
func (c *Checker) BrowserURL(field, raw, issuer string) {
	before := len(c.problems)
	c.SecureURL(field, raw)
	if len(c.problems) == before {
		c.Want(isPlain(issuer) || !isPlain(raw), field, "must be https, because the issuer is")
	}
}

func isPlain(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Scheme == "http"
}
