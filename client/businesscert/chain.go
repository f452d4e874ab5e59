package businesscert

import (
	"bytes"
	"crypto/x509"
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
func (v *Verifier) path(presented []*x509.Certificate, now time.Time) ([]*x509.Certificate, error) {
	pool := x509.NewCertPool()
	for _, c := range presented[1:] {
		pool.AddCert(c)
	}
	found, err := presented[0].Verify(x509.VerifyOptions{
		Roots:         v.cfg.Roots,
		Intermediates: pool,
		CurrentTime:   now,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny}, // checkPurpose knows the ones x509 does not
	})
	if err != nil {
		return nil, refuse(ErrChain, "no path to a root")
	}
	err = refuse(ErrChain, "out of order, or certificates that are not part of it")
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

// follows reports whether the path goes through what was presented. A path of one is a leaf that is its
// own anchor: nobody vouches for it but itself. The anchor may have been presented in another wrapping,
// such as a cross-certificate: same name, same key.
func follows(path, presented []*x509.Certificate) bool {
	if len(path) < 2 || len(presented) > len(path) {
		return false
	}
	for i, c := range presented {
		same := bytes.Equal(c.Raw, path[i].Raw) || i == len(path)-1 &&
			bytes.Equal(c.RawSubject, path[i].RawSubject) &&
			bytes.Equal(c.RawSubjectPublicKeyInfo, path[i].RawSubjectPublicKeyInfo)
		if !same {
			return false
		}
	}
	return true
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
