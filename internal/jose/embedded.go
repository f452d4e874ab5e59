package jose

import (
	"crypto/rsa"
	"fmt"
	"slices"
)

// Ed25519 is the other name of EdDSA with that curve (RFC 9864 §2.2), which is the only curve of EdDSA here.
const Ed25519 = "Ed25519"

// MaxEmbeddedRSABits bounds the RSA modulus of a key that comes with the token: everyone can send one, and its size decides the cost of
// the verification.
const MaxEmbeddedRSABits = 4096

// Embedded is a verified JWS with the public key of its sender in its header.
type Embedded struct {
	Thumbprint string // of the key (RFC 7638), in base64url
	Claims     Object
}

// VerifyEmbedded verifies a compact JWT of at most MaxToken bytes with the public key of its own header (jwk, RFC 7515 §4.1.3). This
// proves that the sender has the private key, and not who the sender is: compare the thumbprint.
//
// Members of the key beside those that make it, such as alg, use, kid and x5u, are not used: the signature is the proof.
func VerifyEmbedded(token string, algs []string, purpose *Purpose) (Embedded, error) {
	head, body, signature, err := split(token, MaxToken)
	if err != nil {
		return Embedded{}, err
	}
	raw, err := decode(head)
	if err != nil {
		return Embedded{}, err
	}
	header, err := ParseObject(raw)
	if err != nil {
		return Embedded{}, err
	}
	sig, err := decode(signature)
	if err != nil {
		return Embedded{}, err
	}
	payload, err := decode(body)
	if err != nil {
		return Embedded{}, err
	}
	claims, err := ParseObject(payload)
	if err != nil {
		return Embedded{}, err
	}
	if header.Has("crit") || header.Has("b64") {
		return Embedded{}, fmt.Errorf("%w: crit or b64", ErrHeader)
	}
	typ, err := header.OptionalString("typ")
	if err != nil {
		return Embedded{}, &PurposeError{"typ"}
	}
	if err := purpose.Check(Header{Typ: typ}, claims); err != nil {
		return Embedded{}, err
	}
	alg, key, err := embeddedKey(header, algs)
	if err != nil {
		return Embedded{}, err
	}
	if algorithms[alg].verifier.Verify([]byte(token[:len(head)+1+len(body)]), sig, key) != nil {
		return Embedded{}, ErrSignature
	}
	thumbprint, err := Thumbprint(key)
	return Embedded{Thumbprint: thumbprint, Claims: claims}, err
}

// embeddedKey returns the algorithm and the key of a header, which fit.
func embeddedKey(header Object, algs []string) (alg string, key any, err error) {
	if alg, err = header.String("alg"); err != nil {
		return "", nil, fmt.Errorf("%w: %w", ErrAlgorithm, err)
	}
	if alg = canonical(alg); !slices.ContainsFunc(algs, func(a string) bool { return canonical(a) == alg }) {
		return "", nil, fmt.Errorf("%w: not accepted", ErrAlgorithm)
	}
	jwk, err := header.Object("jwk")
	if err == nil {
		key, err = publicKey(jwk)
	}
	if err != nil {
		return "", nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	if k, ok := key.(*rsa.PublicKey); ok && k.N.BitLen() > MaxEmbeddedRSABits {
		return "", nil, fmt.Errorf("%w: RSA modulus of more than %d bits", ErrKey, MaxEmbeddedRSABits)
	}
	return alg, key, Fits(alg, key)
}

// canonical returns the name under which this package has an algorithm.
func canonical(alg string) string {
	if alg == Ed25519 {
		return EdDSA
	}
	return alg
}

// Accepts reports whether alg is an algorithm that VerifyEmbedded accepts in algs.
func Accepts(alg string) bool { return Known(canonical(alg)) }
