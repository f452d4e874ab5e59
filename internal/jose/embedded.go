package jose

import (
	"crypto"
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
	texts, sig, err := decodeAll(head, body, signature)
	if err != nil {
		return Embedded{}, err
	}
	header, err := parseObject(texts[0])
	if err != nil {
		return Embedded{}, err
	}
	claims, err := parseObject(texts[1])
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
	alg, key, thumbprint, err := embeddedKey(header, algs)
	if err != nil {
		return Embedded{}, err
	}
	if !algorithms[alg].verify([]byte(token[:len(head)+1+len(body)]), sig, key) {
		return Embedded{}, ErrSignature
	}
	return Embedded{Thumbprint: thumbprint, Claims: claims}, nil
}

// decodeAll decodes the segments of a token, with one allocation for the octets and one for the texts.
func decodeAll(head, body, signature string) (texts [2]string, sig []byte, err error) {
	buf := make([]byte, 0, base64url.DecodedLen(len(head)+len(body)+len(signature))+3)
	if buf, err = appendDecoded(buf, head); err != nil {
		return texts, nil, err
	}
	first := len(buf)
	if buf, err = appendDecoded(buf, body); err != nil {
		return texts, nil, err
	}
	both := string(buf)
	if buf, err = appendDecoded(buf, signature); err != nil {
		return texts, nil, err
	}
	return [2]string{both[:first], both[first:]}, buf[len(both):], nil
}

// embeddedKey returns the algorithm and the key of a header, which fit, and the thumbprint of the key.
func embeddedKey(header Object, algs []string) (alg string, key crypto.PublicKey, thumbprint string, err error) {
	if alg, err = header.String("alg"); err != nil {
		return "", nil, "", fmt.Errorf("%w: %w", ErrAlgorithm, err)
	}
	if alg = canonical(alg); !slices.ContainsFunc(algs, func(a string) bool { return canonical(a) == alg }) {
		return "", nil, "", fmt.Errorf("%w: not accepted", ErrAlgorithm)
	}
	o, err := header.Object("jwk")
	if err == nil {
		key, err = publicKey(o)
	}
	if err != nil {
		return "", nil, "", fmt.Errorf("%w: %w", ErrKey, err)
	}
	if k, ok := key.(*rsa.PublicKey); ok && k.N.BitLen() > MaxEmbeddedRSABits {
		return "", nil, "", fmt.Errorf("%w: RSA modulus of more than %d bits", ErrKey, MaxEmbeddedRSABits)
	}
	if err := Fits(alg, key); err != nil {
		return "", nil, "", err
	}
	k, err := requiredMembers(o)
	if err != nil {
		return "", nil, "", fmt.Errorf("%w: %w", ErrKey, err)
	}
	return alg, key, k.thumbprint(), nil
}

// requiredMembers returns the members of a key that are part of its thumbprint (RFC 7638 §3.2). publicKey has accepted the key, so each
// member has the one text that jwkOf returns too: base64url is decoded strictly, and a number has one length.
func requiredMembers(o Object) (k jwk, err error) {
	if k.Kty, err = o.String("kty"); err != nil {
		return k, err
	}
	switch k.Kty {
	case "RSA":
		if k.E, err = o.String("e"); err == nil {
			k.N, err = o.String("n")
		}
	case "EC":
		if k.Crv, err = o.String("crv"); err == nil {
			k.X, err = o.String("x")
		}
		if err == nil {
			k.Y, err = o.String("y")
		}
	case "OKP":
		if k.Crv, err = o.String("crv"); err == nil {
			k.X, err = o.String("x")
		}
	}
	return k, err
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
