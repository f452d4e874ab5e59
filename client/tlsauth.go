package client

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client/businesscert"
	"github.com/portner-go/portner/internal/jose"
)

// Reasons for rejecting the certificate of a TLS client.
var (
	rejectedTLSMissing      = failed("tls_certificate_missing")
	rejectedTLSLimit        = failed("tls_certificate_limit")
	rejectedTLSWeak         = failed("tls_certificate_weak")
	rejectedTLSNotYetValid  = failed("tls_certificate_not_yet_valid")
	rejectedTLSExpired      = failed("tls_certificate_expired")
	rejectedTLSUsage        = failed("tls_certificate_usage")
	rejectedTLSUntrusted    = failed("tls_certificate_untrusted")
	rejectedTLSMismatch     = failed("tls_certificate_mismatch")
	rejectedTLSUnregistered = failed("tls_certificate_unregistered")
	rejectedTLSRegistration = &rejection{event: portner.EventBadRegistration, reason: "tls_client_auth_invalid"}
)

// byCertificate reports whether a method authenticates with the certificate of the TLS client.
func byCertificate(method string) bool {
	return method == TLSClientAuth || method == SelfSignedTLSClientAuth
}

// verifyCertificate verifies the certificate of the TLS client (RFC 8705 §2). The TLS handshake has proven that the client has its key.
func (x *exchange) verifyCertificate(c *Client) (amr string, r *rejection) {
	if x.r.Certificate == nil {
		return "", rejectedTLSMissing
	}
	if c.AuthMethod() == SelfSignedTLSClientAuth {
		return SelfSignedTLSClientAuth, x.verifySelfSigned(c)
	}
	return TLSClientAuth, x.verifyChain(c)
}

// verifySelfSigned verifies that the whole certificate is registered. Its issuer does not matter (RFC 8705 §2.2).
func (x *exchange) verifySelfSigned(c *Client) *rejection {
	keys, r := x.assertionKeys(c, x.now)
	if r != nil {
		return r
	}
	registered := slices.ContainsFunc(keys, func(k jose.PublicKey) bool { return authenticates(k) && bytes.Equal(k.X5C[0], x.r.Certificate.Raw) })
	if !registered {
		return rejectedTLSUnregistered
	}
	return checkValidity(x.r.Certificate, x.now)
}

// authenticates reports whether a registered key has a certificate for self_signed_tls_client_auth.
func authenticates(k jose.PublicKey) bool { return len(k.X5C) > 0 && k.Use != "enc" }

// verifyChain verifies the certificate and its issuers, and that it has the registered name (RFC 8705 §2.1).
func (x *exchange) verifyChain(c *Client) *rejection {
	registered := c.certificateNames()
	if len(registered) != 1 || registered[0].broken() != nil {
		return rejectedTLSRegistration
	}
	leaf := x.r.Certificate
	if r := checkPresented(leaf, x.r.Intermediates); r != nil {
		return r
	}
	if r := checkValidity(leaf, x.now); r != nil {
		return r
	}
	intermediates := x509.NewCertPool()
	for _, c := range x.r.Intermediates {
		intermediates.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: x.cfg.TLSClientCAs, Intermediates: intermediates, CurrentTime: x.now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.IncompatibleUsage {
		return rejectedTLSUsage
	}
	if err != nil {
		return rejectedTLSUntrusted
	}
	if !registered[0].matches(leaf) {
		return rejectedTLSMismatch.about("", "the value of "+registered[0].member)
	}
	return nil
}

// checkPresented checks the number, the length and the keys of certificates before a signature is verified, because the peer chose them.
func checkPresented(leaf *x509.Certificate, intermediates []*x509.Certificate) *rejection {
	if len(intermediates) >= businesscert.MaxCertificates {
		return rejectedTLSLimit
	}
	size := 0
	for _, c := range append([]*x509.Certificate{leaf}, intermediates...) {
		if size += len(c.Raw); size > businesscert.MaxBytes {
			return rejectedTLSLimit
		}
		if jose.AlgFor(c.PublicKey) == "" {
			return rejectedTLSWeak
		}
	}
	return nil
}

// checkValidity checks the validity period. RFC 5280 §4.1.2.5: the period includes both ends.
func checkValidity(c *x509.Certificate, now time.Time) *rejection {
	switch {
	case now.Before(c.NotBefore):
		return rejectedTLSNotYetValid
	case now.After(c.NotAfter):
		return rejectedTLSExpired
	}
	return nil
}

// certificateName is a registered name of the certificate of a client with tls_client_auth.
type certificateName struct {
	member, value string
	kind          nameKind
}

type nameKind int

// The kinds of names. Those of alternative names are the tags of GeneralName (RFC 5280 §4.2.1.6).
const (
	nameSubject nameKind = -1
	nameEmail   nameKind = 1
	nameDNS     nameKind = 2
	nameURI     nameKind = 6
	nameIP      nameKind = 7
)

// certificateNames returns the members for tls_client_auth that the registration has. It is valid with exactly one.
func (c *Client) certificateNames() (names []certificateName) {
	for _, n := range [...]certificateName{
		{"tls_client_auth_subject_dn", c.TLSClientAuthSubjectDN, nameSubject},
		{"tls_client_auth_san_dns", c.TLSClientAuthSANDNS, nameDNS},
		{"tls_client_auth_san_uri", c.TLSClientAuthSANURI, nameURI},
		{"tls_client_auth_san_ip", c.TLSClientAuthSANIP, nameIP},
		{"tls_client_auth_san_email", c.TLSClientAuthSANEmail, nameEmail},
	} {
		if n.value != "" {
			names = append(names, n)
		}
	}
	return names
}

// broken returns the rule that a registered name breaks, or nil.
func (n certificateName) broken() error {
	short := isPrintable(n.value) && len(n.value) <= maxURILength && !strings.Contains(n.value, " ")
	switch n.kind {
	case nameSubject:
		_, err := parseDN(n.value)
		return err
	case nameDNS:
		if !short || hostRule(n.value, false) != "" || isAddress(n.value) {
			return errors.New("must be a host name without wildcards")
		}
	case nameURI:
		if u, err := url.Parse(n.value); err != nil || !u.IsAbs() || !short {
			return errors.New("must be an absolute URI")
		}
	case nameIP:
		if a, err := netip.ParseAddr(n.value); err != nil || a.Zone() != "" || a.Is4In6() {
			return errors.New("must be an IPv4 or IPv6 address")
		}
	case nameEmail:
		local, host, ok := cutEmail(n.value)
		if !ok || local == "" || hostRule(host, false) != "" || !short {
			return errors.New("must be an email address")
		}
	}
	return nil
}

func isAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// cutEmail splits an address at its last @.
func cutEmail(s string) (local, host string, ok bool) {
	i := strings.LastIndexByte(s, '@')
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

// matches reports whether a certificate has the registered name: as its subject, or among the alternative names of the same kind.
func (n certificateName) matches(c *x509.Certificate) bool {
	if n.kind == nameSubject {
		want, err := parseDN(n.value)
		got, ok := subjectOf(c.RawSubject)
		return err == nil && ok && want.equal(got)
	}
	return slices.ContainsFunc(alternativeNames(c), func(name asn1.RawValue) bool {
		return name.Class == asn1.ClassContextSpecific && name.Tag == int(n.kind) && n.is(name.Bytes)
	})
}

// is reports whether an alternative name of the same kind is the registered one. Upper and lower case differ, except in host names.
func (n certificateName) is(octets []byte) bool {
	switch n.kind {
	case nameURI:
		return n.value == string(octets)
	case nameDNS:
		return equalHost(n.value, string(octets))
	case nameIP:
		want, err := netip.ParseAddr(n.value)
		got, ok := netip.AddrFromSlice(octets)
		return err == nil && ok && want == got
	case nameEmail: // RFC 5280 §7.5
		wantLocal, wantHost, _ := cutEmail(n.value)
		local, host, ok := cutEmail(string(octets))
		return ok && wantLocal == local && equalHost(wantHost, host)
	}
	return false
}

// equalHost compares host names without case. It does not fold characters beyond ASCII, which no registered name has.
func equalHost(a, b string) bool { return isPrintable(b) && strings.EqualFold(a, b) }

// subjectAltName is the extension of alternative names.
var subjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}

// alternativeNames returns the alternative names of a certificate as they are written in it; the fields of x509.Certificate have parsed
// URIs.
func alternativeNames(c *x509.Certificate) (names []asn1.RawValue) {
	for _, e := range c.Extensions {
		if e.Id.Equal(subjectAltName) && !unmarshalAll(e.Value, &names) {
			return nil
		}
	}
	return names
}
