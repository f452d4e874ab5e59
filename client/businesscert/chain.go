package businesscert

import (
	"bytes"
	"crypto/x509"
	"slices"
	"time"
)

// parse reads the certificates. Number and length are checked before anything is decoded.
func parse(chain [][]byte) ([]*x509.Certificate, error) {
	if len(chain) == 0 || len(chain) > MaxCertificates {
		return nil, refuse(ErrMalformed, "%d certificates", len(chain))
	}
	total := 0
	for _, der := range chain {
		total += len(der)
	}
	if total > MaxBytes {
		return nil, refuse(ErrMalformed, "%d bytes", total)
	}
	certs := make([]*x509.Certificate, len(chain))
	for i, der := range chain {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, refuse(ErrMalformed, "certificate %d is not DER", i)
		}
		certs[i] = c
	}
	return certs, nil
}

// checkValidity: the last second of a certificate is its own (RFC 5280 section 4.1.2.5), unlike an exp.
func checkValidity(certs []*x509.Certificate, now time.Time) error {
	for i, c := range certs {
		if now.Before(c.NotBefore) {
			return refuse(ErrNotYetValid, "certificate %d", i)
		}
		if now.After(c.NotAfter) {
			return refuse(ErrExpired, "certificate %d", i)
		}
	}
	return nil
}

// path finds the way from the leaf to an anchor that goes through exactly the certificates presented, in
// their order. x509 would also find one through a heap of unrelated or shuffled certificates; RFC 7515
// section 4.1.6 wants each to certify the one before.
//
// It goes from the top down: the first signature is verified with the key of an anchor, the next with a key
// that this one vouches for. So a stranger costs us a signature of our own authorities, not five of
// whatever he chose (security row E12).
func (v *Verifier) path(presented []*x509.Certificate, now time.Time) ([]*x509.Certificate, error) {
	if err := checkOrder(presented); err != nil {
		return nil, err
	}
	presented, err := v.anchored(presented, now)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	for i := len(presented) - 1; i > 0; i-- {
		if presented[i-1].CheckSignatureFrom(presented[i]) != nil {
			return nil, refuse(ErrChain, "certificate %d did not certify the one before", i)
		}
		pool.AddCert(presented[i])
	}
	found, err := presented[0].Verify(v.options(pool, now)) // constraints, names, path lengths
	if err != nil {
		return nil, refuse(ErrChain, "no path to a root")
	}
	err = refuse(ErrChain, "no path through these certificates")
	for _, path := range found {
		if !follows(path, presented) {
			continue
		}
		if err = checkAbove(path); err == nil {
			return path, nil
		}
	}
	return nil, err
}

func (v *Verifier) options(intermediates *x509.CertPool, now time.Time) x509.VerifyOptions {
	return x509.VerifyOptions{
		Roots: v.cfg.Roots, Intermediates: intermediates, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}, // checkPurpose knows the ones x509 does not
	}
}

// checkOrder compares names, before any signature. No two may be the same: x509 would try a heap of
// authorities of one name and key in every order, at a signature for each step (security row E12).
func checkOrder(presented []*x509.Certificate) error {
	names := map[string]bool{}
	for i, c := range presented {
		if i > 0 && !bytes.Equal(presented[i-1].RawIssuer, c.RawSubject) {
			return refuse(ErrChain, "certificate %d is not by the issuer of the one before", i)
		}
		if names[string(c.RawSubject)] {
			return refuse(ErrChain, "certificate %d has the name of another", i)
		}
		names[string(c.RawSubject)] = true
	}
	return nil
}

// anchored cuts off what was sent beyond the anchor: the certificates above an issuing authority that is
// trusted itself, or the anchor in another wrapping, such as a cross-certificate (same name, same key).
func (v *Verifier) anchored(presented []*x509.Certificate, now time.Time) ([]*x509.Certificate, error) {
	for i, c := range presented {
		found, err := c.Verify(v.options(x509.NewCertPool(), now))
		if err != nil {
			continue
		}
		rest := presented[i+1:]
		wrapped := len(rest) == 1 && bytes.Equal(rest[0].RawSubjectPublicKeyInfo, found[0][len(found[0])-1].RawSubjectPublicKeyInfo)
		if len(found[0]) == 1 || len(rest) == 0 || wrapped {
			return presented[:i+1], nil
		}
	}
	return nil, refuse(ErrChain, "no certificate is by a root")
}

// follows reports whether the path goes through what was presented. A path of one is a leaf that is its
// own anchor: nobody vouches for it but itself.
func follows(path, presented []*x509.Certificate) bool {
	return len(path) > 1 && len(path) >= len(presented) &&
		slices.EqualFunc(path[:len(presented)], presented, (*x509.Certificate).Equal)
}

// checkAbove checks the anchor, which may not have been presented, and what the authorities say the
// certificates below them are for.
func checkAbove(path []*x509.Certificate) error {
	anchor := path[len(path)-1]
	if err := checkKey(anchor.PublicKey); err != nil {
		return err
	}
	return checkPurpose(path[:len(path)-1])
}
