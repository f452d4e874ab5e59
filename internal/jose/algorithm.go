package jose

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// The signature algorithms (RFC 7518 §3.1, RFC 8037 §3.1). Symmetric algorithms and "none" are not supported.
const (
	RS256 = "RS256"
	RS384 = "RS384"
	RS512 = "RS512"
	PS256 = "PS256"
	PS384 = "PS384"
	PS512 = "PS512"
	ES256 = "ES256"
	ES384 = "ES384"
	ES512 = "ES512"
	EdDSA = "EdDSA"
)

// algorithm holds the parameters of an alg. The verifiers of jwx have no state, so one is used for all keys. They receive keys
// of the standard library, because a jwk.Key would be converted for each token.
type algorithm struct {
	hash     crypto.Hash
	pss      bool
	curve    elliptic.Curve // ECDSA only; RFC 7518 §3.4: each alg has one curve and one hash
	edwards  bool
	verifier jws.Verifier // not for ECDSA
}

var algorithms = map[string]algorithm{
	RS256: implemented(RS256, algorithm{hash: crypto.SHA256}),
	RS384: implemented(RS384, algorithm{hash: crypto.SHA384}),
	RS512: implemented(RS512, algorithm{hash: crypto.SHA512}),
	PS256: implemented(PS256, algorithm{hash: crypto.SHA256, pss: true}),
	PS384: implemented(PS384, algorithm{hash: crypto.SHA384, pss: true}),
	PS512: implemented(PS512, algorithm{hash: crypto.SHA512, pss: true}),
	ES256: implemented(ES256, algorithm{hash: crypto.SHA256, curve: elliptic.P256()}),
	ES384: implemented(ES384, algorithm{hash: crypto.SHA384, curve: elliptic.P384()}),
	ES512: implemented(ES512, algorithm{hash: crypto.SHA512, curve: elliptic.P521()}),
	EdDSA: implemented(EdDSA, algorithm{edwards: true}),
}

// implemented adds the verifier of jwx, which supports every alg of the table.
func implemented(name string, a algorithm) algorithm {
	if a.curve != nil {
		return a
	}
	var err error
	if a.verifier, err = jws.NewVerifier(jwa.SignatureAlgorithm(name)); err != nil {
		panic("jose: " + err.Error())
	}
	return a
}

// verify reports whether a signature is that of the key, which fits the alg. ECDSA is verified by the standard library alone: the verifier
// of jwx converts the point of the key and both numbers for each signature, 13 allocations more. Tests compare with jws.Verify.
func (a algorithm) verify(signed, signature []byte, key crypto.PublicKey) bool {
	if a.curve == nil {
		return a.verifier.Verify(signed, signature, key) == nil
	}
	k, ok := key.(*ecdsa.PublicKey)
	if !ok || len(signature) != 2*((a.curve.Params().BitSize+7)/8) {
		return false
	}
	var room [maxDER]byte
	var hashed [maxDigest]byte
	return ecdsa.VerifyASN1(k, a.digest(hashed[:0], signed), derECDSA(room[:0], signature))
}

// maxDigest is the length of the longest digest, that of SHA-512.
const maxDigest = sha512.Size

// digest appends the hash of a message to b. Unlike hash.Hash, it does not allocate.
func (a algorithm) digest(b, message []byte) []byte {
	switch a.hash {
	case crypto.SHA384:
		sum := sha512.Sum384(message)
		return append(b, sum[:]...)
	case crypto.SHA512:
		sum := sha512.Sum512(message)
		return append(b, sum[:]...)
	default: // SHA-256: the table of algorithms has no other one
		sum := sha256.Sum256(message)
		return append(b, sum[:]...)
	}
}

// maxDER is the length of the longest ASN.1 signature, for 66 octets of each number (P-521) whose first bits are set.
const maxDER = 3 + 2*(2+1+66)

// The tags of ASN.1 elements.
const (
	tagInteger  = 0x02
	tagSequence = 0x30
)

// derECDSA appends the ASN.1 signature of r||s: it reverses rawECDSA.
func derECDSA(der, raw []byte) []byte {
	r, s := bytes.TrimLeft(raw[:len(raw)/2], "\x00"), bytes.TrimLeft(raw[len(raw)/2:], "\x00")
	der = append(der, tagSequence)
	if n := integerLength(r) + integerLength(s); n < 0x80 {
		der = append(der, byte(n))
	} else {
		der = append(der, 0x81, byte(n))
	}
	return appendInteger(appendInteger(der, r), s)
}

// integerLength returns the length of an INTEGER with these digits: a number whose first bit is set has a zero octet before it, and zero
// has one octet.
func integerLength(digits []byte) int {
	if len(digits) == 0 || digits[0] >= 0x80 {
		return 2 + 1 + len(digits)
	}
	return 2 + len(digits)
}

func appendInteger(der, digits []byte) []byte {
	n := integerLength(digits) - 2
	der = append(der, tagInteger, byte(n))
	if n > len(digits) {
		der = append(der, 0)
	}
	return append(der, digits...)
}

// Known reports whether alg is an algorithm of this package.
func Known(alg string) bool {
	_, ok := algorithms[alg]
	return ok
}

// Fits returns an error if a key of this type, size and curve may not be used with alg. RFC 8725 §3.1: call it before the
// signature is verified, so that a token cannot choose the type of the key.
func Fits(alg string, key crypto.PublicKey) error {
	a, ok := algorithms[alg]
	if !ok {
		return fmt.Errorf("%w: not supported", ErrAlgorithm)
	}
	fits := false
	switch key := key.(type) {
	case *rsa.PublicKey:
		bits := key.N.BitLen()
		if bits < MinRSABits || bits > MaxRSABits {
			return fmt.Errorf("%w: RSA modulus of %d bits", ErrKey, bits)
		}
		fits = a.curve == nil && !a.edwards
	case *ecdsa.PublicKey:
		fits = a.curve != nil && a.curve == key.Curve
	case ed25519.PublicKey:
		fits = a.edwards && len(key) == ed25519.PublicKeySize
	}
	if !fits {
		return fmt.Errorf("%w: it does not fit the key", ErrAlgorithm)
	}
	return nil
}

// AlgFor returns the default algorithm of a key: RS256, EdDSA, or that of the curve. It returns "" if no algorithm fits.
func AlgFor(key crypto.PublicKey) string {
	for _, alg := range []string{RS256, ES256, ES384, ES512, EdDSA} {
		if Fits(alg, key) == nil {
			return alg
		}
	}
	return ""
}
