package client

import (
	"crypto/x509"
	"fmt"
	"net/http"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/internal/jose"
)

// CertificateFunc returns the certificates that the TLS client of a request sent, its own first; none if it sent none. The client must
// have proven in the TLS handshake that it has the key of the first one. The chain need not be verified.
//
// A host whose TLS ends at a proxy sets one. It must take certificates from a header field only if the request comes from the proxy
// itself, and the proxy must remove the field from requests of its clients: otherwise any peer can send the certificate of another
// client, which is not secret. An error rejects the request; it is logged and not shown to the client.
type CertificateFunc func(*http.Request) ([]*x509.Certificate, error)

// of returns the certificates of a request. If f is nil, they are those of r.TLS.
func (f CertificateFunc) of(r *http.Request) ([]*x509.Certificate, error) {
	if f == nil {
		if r.TLS == nil {
			return nil, nil
		}
		return r.TLS.PeerCertificates, nil
	}
	chain, err := f(r)
	if err != nil {
		return nil, &portner.Error{
			Code: portner.InvalidRequest, Description: "The certificate of the TLS client cannot be read.",
			Err: fmt.Errorf("%w: %w", &audit.Cause{Event: portner.EventRefused, Reason: "tls_certificate_unreadable"}, err),
		}
	}
	return chain, nil
}

// CertificateThumbprint returns the SHA-256 hash of a certificate in base64url, the value of x5t#S256 (RFC 8705 §3.1). It returns "" for nil.
func CertificateThumbprint(cert *x509.Certificate) string {
	if cert == nil {
		return ""
	}
	return jose.CertificateThumbprint(cert.Raw)
}
