package businesscert

import (
	"crypto/x509"
	"encoding/asn1"
	"slices"
)

// checkLeaf checks key usage and policies of the leaf. A business certificate is issued together with one for signing documents
// (non-repudiation), which has another key usage and is rejected.
func (v *Verifier) checkLeaf(leaf *x509.Certificate) error {
	if leaf.IsCA || leaf.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) != 0 {
		return reject(ErrUsage, "the leaf is an authority")
	}
	if leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return reject(ErrUsage, "key usage has no digitalSignature")
	}
	if len(v.cfg.Policies) == 0 {
		return nil
	}
	for _, p := range v.cfg.Policies {
		if slices.ContainsFunc(leaf.Policies, p.Equal) {
			return nil
		}
	}
	return reject(ErrUsage, "certificate policies")
}

// Purposes that crypto/x509 does not define: document signing of RFC 9336 and of Microsoft.
var (
	oidDocumentSigning   = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 36}
	oidDocumentSigningMS = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 10, 3, 12}
)

// checkPurpose requires one purpose of signing organisations that every certificate of the path allows. A certificate without
// the extension allows every purpose. Certificates of web servers and timestamp authorities are rejected, although their
// subjects can contain an organisation number.
func checkPurpose(path []*x509.Certificate) error {
	for _, known := range []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageEmailProtection} {
		if allAllow(path, func(c *x509.Certificate) bool { return slices.Contains(c.ExtKeyUsage, known) }) {
			return nil
		}
	}
	for _, oid := range []asn1.ObjectIdentifier{oidDocumentSigning, oidDocumentSigningMS} {
		if allAllow(path, func(c *x509.Certificate) bool { return slices.ContainsFunc(c.UnknownExtKeyUsage, oid.Equal) }) {
			return nil
		}
	}
	return reject(ErrUsage, "extended key usage")
}

func allAllow(path []*x509.Certificate, has func(*x509.Certificate) bool) bool {
	for _, c := range path {
		unrestricted := len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0 || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny)
		if !unrestricted && !has(c) {
			return false
		}
	}
	return true
}
