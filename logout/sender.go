package logout

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Why a Sender of this package failed.
var (
	// ErrRefused: the client answered with another status than 2xx.
	ErrRefused = errors.New("logout: the client refused the logout token")
	// ErrAddress: the address is not one to call: not https, or inside the provider's own network.
	ErrAddress = errors.New("logout: address not allowed")
)

// SenderConfig configures NewSender. The zero value is for the open internet.
type SenderConfig struct {
	// AllowHTTP calls plain http addresses too. For tests and local development.
	AllowHTTP bool
	// AllowPrivate calls loopback, private and other special-use addresses too. Registered addresses
	// then reach the provider's own network (security row F1).
	AllowPrivate bool
	// Ports are the ports that may be called. nil: 443, and with AllowPrivate any.
	Ports []uint16
	// TLS is used for https. nil: the system's roots, TLS 1.2 or newer.
	TLS *tls.Config
}

// ID-porten's limits (idporten section 15.5).
const (
	connectTimeout = 2 * time.Second
	readTimeout    = 5 * time.Second
)

// NewSender returns a Sender that posts logout tokens over HTTP: one attempt, two seconds to connect
// and five to answer, any 2xx accepts. It follows no redirect, uses no proxy and keeps no cookie, and
// checks the address it connects to and not the name it was given (security row F1). It keeps
// no connection and is safe for concurrent use.
func NewSender(cfg SenderConfig) Sender {
	s := &httpSender{cfg: cfg}
	s.cfg.Ports = slices.Clone(cfg.Ports)
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.TLS != nil {
		tlsConfig = cfg.TLS.Clone()
	}
	dialer := &net.Dialer{Timeout: connectTimeout, Control: s.control}
	s.client = &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: tlsConfig, TLSHandshakeTimeout: connectTimeout,
			ResponseHeaderTimeout: readTimeout, MaxResponseHeaderBytes: 16 << 10,
			// One attempt: only requests on kept connections are sent again. Nor does anything outlive a call.
			DisableKeepAlives: true, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return s
}

type httpSender struct {
	cfg    SenderConfig
	client *http.Client
}

// Send implements Sender. Errors never hold the token.
func (s *httpSender) Send(ctx context.Context, uri, logoutToken string) error {
	if err := s.checkURI(uri); err != nil {
		return err
	}
	body := url.Values{"logout_token": {logoutToken}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, uri, strings.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAddress, err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("logout: calling the client: %w", err)
	}
	_ = resp.Body.Close() // what the body says does not matter
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("%w: status %d", ErrRefused, resp.StatusCode)
	}
	return nil
}

func (s *httpSender) checkURI(uri string) error {
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Host == "" || u.User != nil:
		return fmt.Errorf("%w: not an absolute URL", ErrAddress)
	case u.Scheme == "https", u.Scheme == "http" && s.cfg.AllowHTTP:
		return nil
	}
	return fmt.Errorf("%w: not https", ErrAddress)
}

// control is called with the address a connection is about to be made to, after every resolution.
func (s *httpSender) control(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAddress, err)
	}
	if !s.cfg.AllowPrivate && !public(ap.Addr()) {
		return fmt.Errorf("%w: special-use address", ErrAddress)
	}
	switch {
	case len(s.cfg.Ports) == 0 && (s.cfg.AllowPrivate || ap.Port() == 443), slices.Contains(s.cfg.Ports, ap.Port()):
		return nil
	}
	return fmt.Errorf("%w: port", ErrAddress)
}

// specialUse are the ranges of the IANA special-purpose registries that lead anywhere but to the public
// internet, and those that carry another address inside them (NAT64, 6to4, Teredo).
var specialUse = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
	"192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
)

// globalUnicast is all that IANA has given out of IPv6 (2000::/3), less these.
var (
	globalUnicast = netip.MustParsePrefix("2000::/3")
	notGlobal     = prefixes("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)

func prefixes(all ...string) []netip.Prefix {
	p := make([]netip.Prefix, len(all))
	for i, s := range all {
		p[i] = netip.MustParsePrefix(s)
	}
	return p
}

// public refuses IPv4 addresses inside IPv6 ones as well: ::ffff:127.0.0.1 lies outside globalUnicast.
func public(a netip.Addr) bool {
	if a.Zone() != "" {
		return false
	}
	in := func(p netip.Prefix) bool { return p.Contains(a) }
	if a.Is4() {
		return !slices.ContainsFunc(specialUse, in)
	}
	return globalUnicast.Contains(a) && !slices.ContainsFunc(notGlobal, in)
}
