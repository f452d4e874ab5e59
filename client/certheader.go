package client

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/portner-go/portner/client/businesscert"
)

// The fields of RFC 9440 §2, in the form of net/http.
const (
	certField  = "Client-Cert"
	chainField = "Client-Cert-Chain"
)

// maxCertFields is the length limit of the values of both fields in bytes: MaxBytes of a chain in base64.
const maxCertFields = businesscert.MaxBytes*4/3 + 1<<10

// CertificateFromHeader returns a CertificateFunc for proxies that end TLS and write the certificate of their client into the fields
// Client-Cert and Client-Cert-Chain (RFC 9440). proxies are the networks of these proxies: at least one, none of which is every address.
//
// A request has certificates only if its peer is one of the proxies. A request of another peer that has one of the fields is rejected. The
// certificate of the connection itself, which is that of the proxy, is never used.
//
// This is safe only under these conditions:
//
//   - The proxies remove both fields from the requests of their clients, also if the client sent no certificate (RFC 9440 §4).
//   - They verify in the TLS handshake that the client has the key of the certificate. They need not verify its chain.
//   - No other program can send requests from their addresses, on their machines or through another proxy.
//   - RemoteAddr of the request is the address of the connection. A host that replaces it by the address of the caller calls the function
//     before that, and passes the result on in the context of the request.
func CertificateFromHeader(proxies ...netip.Prefix) (CertificateFunc, error) {
	if len(proxies) == 0 {
		return nil, errors.New("client: certificates from the header: no proxy is trusted")
	}
	for i, p := range proxies {
		if !p.IsValid() || p.Bits() == 0 || p.Addr().Is4In6() {
			return nil, fmt.Errorf("client: certificates from the header: proxy %d must be a network other than all addresses, in the form of its family", i)
		}
	}
	trusted := slices.Clone(proxies)
	return func(r *http.Request) ([]*x509.Certificate, error) {
		leaf, above := r.Header[certField], r.Header[chainField]
		if len(leaf) == 0 && len(above) == 0 {
			return nil, nil
		}
		if peer := peerOf(r.RemoteAddr); !slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(peer) }) {
			return nil, errors.New("client: the peer is no trusted proxy, and sent a field for certificates")
		}
		return certificatesOf(leaf, above)
	}, nil
}

// peerOf returns the address of a peer, the zero Addr if there is none. No network contains the latter.
func peerOf(remoteAddr string) netip.Addr {
	ap, err := netip.ParseAddrPort(remoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

// certificatesOf reads the values of the fields.
func certificatesOf(leaf, above []string) ([]*x509.Certificate, error) {
	if len(leaf) != 1 {
		return nil, fmt.Errorf("client: %d values of %s", len(leaf), certField) // RFC 9440 §2.3: no chain without a certificate
	}
	joined := strings.Join(above, ",") // RFC 9110 §5.3: the lines of a list are one list
	if len(leaf[0])+len(joined) > maxCertFields {
		return nil, errors.New("client: the fields for certificates are too long")
	}
	items := leaf
	if len(above) > 0 {
		items = append(slices.Clone(leaf), strings.Split(joined, ",")...)
	}
	if len(items) > businesscert.MaxCertificates {
		return nil, fmt.Errorf("client: %d certificates", len(items))
	}
	chain := make([]*x509.Certificate, len(items))
	for i, item := range items {
		c, err := parseItem(item)
		if err != nil {
			return nil, err
		}
		chain[i] = c
	}
	return chain, nil
}

// parseItem parses a byte sequence of RFC 8941 §3.3.5 with one certificate: base64 between colons, without parameters.
func parseItem(item string) (*x509.Certificate, error) {
	encoded := strings.Trim(item, " \t")
	if len(encoded) < 2 || encoded[0] != ':' || encoded[len(encoded)-1] != ':' || strings.ContainsAny(encoded, "\r\n") {
		return nil, errors.New("client: a certificate is no byte sequence")
	}
	der, err := strictBase64.DecodeString(encoded[1 : len(encoded)-1])
	if err != nil {
		return nil, errors.New("client: a certificate is not base64")
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, errors.New("client: a certificate is malformed")
	}
	return c, nil
}
