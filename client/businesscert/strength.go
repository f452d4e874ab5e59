package businesscert

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"slices"
)

// Bounds of an RSA modulus in bits: less is weak, more is a way to burn our time (security row E6).
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// signatures are the algorithms a certificate may be signed with. SHA-1 and MD5 are not among them,
// whatever GODEBUG says.
var signatures = []x509.SignatureAlgorithm{
	x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
	x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
	x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512,
}

// checkStrength runs before any signature is verified: the sender chose these keys.
func checkStrength(certs []*x509.Certificate) error {
	for i, c := range certs {
		if !slices.Contains(signatures, c.SignatureAlgorithm) {
			return refuse(ErrWeak, "certificate %d: signature algorithm %s", i, c.SignatureAlgorithm)
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
			return refuse(ErrWeak, "RSA modulus of %d bits", bits)
		}
		if key.N.Bit(0) == 0 || key.E < 3 || key.E%2 == 0 {
			return refuse(ErrWeak, "RSA modulus or exponent")
		}
		return nil
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return nil
		}
	}
	return refuse(ErrWeak, "another kind of key")
}
