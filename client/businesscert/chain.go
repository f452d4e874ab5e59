package businesscert

import (
	"bytes"
	"crypto/x509"
	"slices"
	"time"
)

// parse decodes the certificates. It checks their number and length first.
func parse(chain [][]byte) ([]*x509.Certificate, error) {
	if len(chain) == 0 || len(chain) > MaxCertificates {
		return nil, reject(ErrMalformed, "%d certificates", len(chain))
	}
	total := 0
	for _, der := range chain {
		total += len(der)
	}
	if total > MaxBytes {
		return nil, reject(ErrMalformed, "%d bytes", total)
	}
	certs := make([]*x509.Certificate, len(chain))
	for i, der := range chain {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, reject(ErrMalformed, "certificate %d is not DER", i)
		}
		certs[i] = c
	}
	return certs, nil
}

// checkValidity checks the validity periods. RFC 5280 §4.1.2.5: the period includes notAfter, unlike exp of a JWT.
func checkValidity(certs []*x509.Certificate, now time.Time) error {
	for i, c := range certs {
		if now.Before(c.NotBefore) {
			return reject(ErrNotYetValid, "certificate %d", i)
		}
		if now.After(c.NotAfter) {
			return reject(ErrExpired, "certificate %d", i)
		}
	}
	return nil
}

// path finds the path from the leaf to an anchor through exactly the presented certificates in their order, and above them through
// Config.Intermediates. RFC 7515 §4.1.6: each certificate certifies the previous one. x509 would also find a path through unrelated or
// reordered certificates.
//
// Signatures are verified from the anchor down, so that every signature is verified with a trusted key. A peer without a
// certificate of a trusted authority cannot choose keys that are expensive to verify.
func (v *Verifier) path(presented []*x509.Certificate, now time.Time) ([]*x509.Certificate, error) {
	if err := checkOrder(presented); err != nil {
		return nil, err
	}
	presented, err := v.anchored(presented, now)
	if err != nil {
		return nil, err
	}
	pool := v.cfg.Intermediates.Clone()
	for i := len(presented) - 1; i > 0; i-- {
		if presented[i-1].CheckSignatureFrom(presented[i]) != nil {
			return nil, reject(ErrChain, "certificate %d did not sign the previous one", i)
		}
		pool.AddCert(presented[i])
	}
	found, err := presented[0].Verify(v.options(pool, now)) // name constraints, path lengths
	if err != nil {
		return nil, reject(ErrChain, "no path to a root")
	}
	err = reject(ErrChain, "no path through these certificates")
	for _, path := range found {
		if !follows(path, presented) {
			continue
		}
		if err = checkAbove(path, len(presented)); err == nil {
			return path, nil
		}
	}
	return nil, err
}

func (v *Verifier) options(intermediates *x509.CertPool, now time.Time) x509.VerifyOptions {
	return x509.VerifyOptions{
		Roots: v.cfg.Roots, Intermediates: intermediates, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}, // checkPurpose checks them
	}
}

// checkOrder compares the names of the certificates. Two equal names are rejected: x509 would try authorities with the same name
// and key in every order and verify a signature for each.
func checkOrder(presented []*x509.Certificate) error {
	names := map[string]bool{}
	for i, c := range presented {
		if i > 0 && !bytes.Equal(presented[i-1].RawIssuer, c.RawSubject) {
			return reject(ErrChain, "certificate %d is not the issuer of the previous one", i)
		}
		if names[string(c.RawSubject)] {
			return reject(ErrChain, "certificate %d has the subject of another one", i)
		}
		names[string(c.RawSubject)] = true
	}
	return nil
}

// anchored removes the certificates above the anchor: those above an intermediate authority that is an anchor itself, and
// another certificate for the name and key of the anchor (a cross-certificate).
func (v *Verifier) anchored(presented []*x509.Certificate, now time.Time) ([]*x509.Certificate, error) {
	for i, c := range presented {
		found, err := c.Verify(v.options(v.cfg.Intermediates, now))
		if err != nil {
			continue
		}
		rest := presented[i+1:]
		crossCertified := len(rest) == 1 && len(found[0]) == 2 && bytes.Equal(rest[0].RawSubjectPublicKeyInfo, found[0][len(found[0])-1].RawSubjectPublicKeyInfo)
		if len(found[0]) == 1 || len(rest) == 0 || crossCertified {
			return presented[:i+1], nil
		}
	}
	if last := presented[len(presented)-1]; bytes.Equal(last.RawIssuer, last.RawSubject) {
		return nil, reject(ErrChain, "the root of the chain is not trusted")
	}
	return nil, reject(ErrIncomplete, "%w: the issuer of the last of %d certificates is not known", ErrChain, len(presented))
}

// follows reports whether the path begins with the presented certificates. A path of one certificate is a leaf that is an
// anchor itself, which is rejected.
func follows(path, presented []*x509.Certificate) bool {
	return len(path) > 1 && len(path) >= len(presented) &&
		slices.EqualFunc(path[:len(presented)], presented, (*x509.Certificate).Equal)
}

// checkAbove checks the certificates above the presented ones, and the purposes that the authorities allow. The signature of an anchor
// is not examined, because nothing depends on it.
func checkAbove(path []*x509.Certificate, presented int) error {
	anchor := len(path) - 1
	if err := checkStrength(path[min(presented, anchor):anchor]); err != nil {
		return err
	}
	if err := checkKey(path[anchor].PublicKey); err != nil {
		return err
	}
	return checkPurpose(path[:len(path)-1])
}
