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

// Errors of the Sender that NewSender returns.
var (
	// ErrRejected reports that the client answered with a status other than 2xx.
	ErrRejected = errors.New("logout: the client rejected the logout token")
	// ErrAddress reports that the address must not be called: it is not https, or not a public address.
	ErrAddress = errors.New("logout: address not allowed")
)

// SenderConfig configures NewSender. The zero value allows https to public addresses only.
type SenderConfig struct {
	// AllowHTTP allows http, for tests and local development.
	AllowHTTP bool
	// AllowPrivate allows loopback, private and other special-use addresses. A registration can then reach the network of the
	// provider.
	AllowPrivate bool
	// Ports are the allowed ports. If nil, they are 443, or every port with AllowPrivate.
	Ports []uint16
	// TLS configures https. If nil, the roots of the system and TLS 1.2 or newer are used.
	TLS *tls.Config
}

// Limits of one call.
const (
	connectTimeout = 2 * time.Second
	readTimeout    = 5 * time.Second
)

// NewSender returns a Sender that posts logout tokens over HTTP. It makes one attempt, with two seconds to connect and five for the
// response; every 2xx status accepts. It follows no redirects, uses no proxy, and keeps no cookies or connections. It validates the
// address that it connects to, after name resolution. It is safe for concurrent use.
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
			// net/http repeats requests on kept connections only.
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

// Send implements Sender. Its errors do not contain the token.
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
	_ = resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("%w: status %d", ErrRejected, resp.StatusCode)
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

// control validates the address of a connection before it is made.
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

// specialUse holds the IPv4 ranges of the IANA special-purpose registry.
var specialUse = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
	"192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
)

// Public IPv6 addresses are those of globalUnicast that are not in notGlobal, which includes the ranges that embed an IPv4 address
// (6to4, Teredo).
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

// public reports whether a is an address of the public internet. IPv4 addresses mapped to IPv6 are not: they are outside
// globalUnicast.
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
