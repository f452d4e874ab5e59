package standin

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner/provider"
)

// TLS holds the flags of https.
type TLS struct {
	Cert, Key string // PEM files; both or neither
	// InsecureTrustSelfSigned makes outgoing requests accept any certificate.
	InsecureTrustSelfSigned bool
}

// Define adds the flags.
func (t *TLS) Define(fs *flag.FlagSet) {
	fs.StringVar(&t.Cert, "tls-cert", "", "certificate `file` (PEM)")
	fs.StringVar(&t.Key, "tls-key", "", "key `file` (PEM)")
	BoolVar(fs, &t.InsecureTrustSelfSigned, "insecure-trust-self-signed", "outgoing requests accept any certificate")
}

// Check returns an error if only one of the two files is given.
func (t TLS) Check() error {
	if (t.Cert == "") != (t.Key == "") {
		return errors.New("-tls-cert and -tls-key are required together")
	}
	return nil
}

// Args returns the flags as arguments of another server.
func (t TLS) Args() (args []string) {
	if t.Cert != "" {
		args = []string{"-tls-cert", t.Cert, "-tls-key", t.Key}
	}
	if t.InsecureTrustSelfSigned {
		args = append(args, "-insecure-trust-self-signed")
	}
	return args
}

// Scheme returns the scheme of the server's URLs.
func (t TLS) Scheme() string {
	if t.Cert != "" {
		return "https"
	}
	return "http"
}

// Server returns the configuration of the server. It returns nil without a certificate.
func (t TLS) Server() (*tls.Config, error) {
	if t.Cert == "" {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return nil, fmt.Errorf("-tls-cert, -tls-key: %w", err)
	}
	cfg := provider.TLSConfig()
	cfg.Certificates = []tls.Certificate{cert}
	return cfg, nil
}

// WarnCertificate logs a warning if the certificate of the provider's listener is not for the host of an issuer. It is no error, because the
// certificate that clients see may be that of a proxy.
func (s Sites) WarnCertificate(issuer string, log *slog.Logger) {
	u, err := url.Parse(issuer)
	if err != nil || s[0].tls == nil {
		return
	}
	leaf, err := x509.ParseCertificate(s[0].tls.Certificates[0].Certificate[0])
	if err != nil || leaf.VerifyHostname(u.Hostname()) == nil {
		return // tls.LoadX509KeyPair has parsed it
	}
	names := slices.Clone(leaf.DNSNames)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	log.Warn("the certificate of -tls-cert is not for the host of the issuer: clients reject it, unless they reach a proxy with another one",
		"host", u.Hostname(), "names", cmp.Or(strings.Join(names, " "), "none"))
}

// Client returns the configuration of outgoing requests. They accept the certificates of the system's roots.
func (t TLS) Client() *tls.Config {
	cfg := provider.TLSConfig()
	cfg.InsecureSkipVerify = t.InsecureTrustSelfSigned
	return cfg
}

// Outgoing returns a client for requests to other servers: of the demo services to the provider, and of the provider to
// services that it logs users out of. It follows no redirect.
func (t TLS) Outgoing() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	transport.TLSClientConfig = t.Client()
	return &http.Client{
		Transport: transport, Timeout: 10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
