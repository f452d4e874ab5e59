package businesscert

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"slices"
)

// Limits of an RSA modulus in bits. Signatures of larger keys are expensive to verify.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// signatures are the allowed signature algorithms of certificates. SHA-1 and MD5 are rejected also if GODEBUG enables them.
var signatures = []x509.SignatureAlgorithm{
	x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
	x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
	x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512,
}

// checkStrength checks algorithms and keys. It runs before signatures are verified, because the peer chose the keys.
func checkStrength(certs []*x509.Certificate) error {
	for i, c := range certs {
		if !slices.Contains(signatures, c.SignatureAlgorithm) {
			return reject(ErrWeak, "certificate %d: signature algorithm %s", i, c.SignatureAlgorithm)
		}
		if err := checkKey(c.PublicKey); err != nil {
			return err
		}
	}
	return nil
}

func checkKey(key crypto.PublicKey) error {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return reject(ErrWeak, "RSA modulus of %d bits", bits)
		}
		if key.N.Bit(0) == 0 || key.E < 3 || key.E%2 == 0 {
			return reject(ErrWeak, "RSA modulus or exponent")
		}
		return nil
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return nil
		}
	}
	return reject(ErrWeak, "key type")
}
