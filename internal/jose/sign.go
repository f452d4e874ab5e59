package jose

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
)

// Signer signs compact JWS with one key. What does not depend on the payload is computed once, by NewSigner. It is safe for
// concurrent use if the key is.
type Signer struct {
	header  joseHeader
	encoded map[string]string // typ to encoded header and dot
	alg     algorithm
	key     crypto.Signer
}

// joseHeader has the members in the order of the encoding.
type joseHeader struct {
	Alg string   `json:"alg"`
	KID string   `json:"kid,omitempty"`
	Typ string   `json:"typ,omitempty"`
	X5C [][]byte `json:"x5c,omitempty"` // encoding/json writes base64; RFC 7515 §4.1.6
}

// NewSigner returns a Signer. The headers for typs, and the header without typ, are encoded in advance. If x5c is not empty, every
// header has it.
//
// NewSigner signs once and verifies the signature with key.Public(): the key of an HSM may be configured with the public key of
// another one.
func NewSigner(alg, kid string, key crypto.Signer, x5c [][]byte, typs ...string) (*Signer, error) {
	if key == nil {
		return nil, fmt.Errorf("%w: there is none", ErrKey)
	}
	if err := Fits(alg, key.Public()); err != nil {
		return nil, err
	}
	if kid != "" && !isKID(kid) {
		return nil, fmt.Errorf("%w: kid", ErrKey)
	}
	s := &Signer{header: joseHeader{Alg: alg, KID: kid, X5C: x5c}, encoded: make(map[string]string), alg: algorithms[alg]}
	for _, typ := range append([]string{""}, typs...) {
		var err error
		if s.encoded[typ], err = s.encodeHeader(typ); err != nil {
			return nil, err
		}
	}
	var err error
	if s.key, err = prepare(key); err != nil {
		return nil, err
	}
	if err := s.checkPublic(key.Public()); err != nil {
		return nil, err
	}
	return s, nil
}

// checkPublic returns an error if the private key does not belong to the public key.
func (s *Signer) checkPublic(public crypto.PublicKey) error {
	message := []byte("portner key check")
	signature, err := s.sign(message)
	if err != nil {
		return fmt.Errorf("jose: signing with the key: %w", err)
	}
	if !s.alg.verify(message, signature, public) {
		return fmt.Errorf("%w: its signature does not verify with its public key", ErrKey)
	}
	return nil
}

func (s *Signer) encodeHeader(typ string) (string, error) {
	h := s.header
	h.Typ = typ
	raw, err := json.Marshal(h)
	if err != nil {
		return "", fmt.Errorf("jose: encoding a header: %w", err)
	}
	return base64url.EncodeToString(raw) + ".", nil
}

// Sign returns the compact JWS of payload with the given typ in the header.
func (s *Signer) Sign(typ string, payload []byte) (string, error) {
	head, ok := s.encoded[typ]
	if !ok {
		var err error
		if head, err = s.encodeHeader(typ); err != nil {
			return "", err
		}
	}
	room := texts.Get().(*[]byte)
	text := append((*room)[:0], head...)
	text = base64.RawURLEncoding.AppendEncode(text, payload)
	signature, err := s.sign(text)
	if err != nil {
		return "", &signingError{err}
	}
	text = append(text, '.')
	text = base64.RawURLEncoding.AppendEncode(text, signature)
	token := string(text)
	if cap(text) <= maxPooled {
		clear(text)
		*room = text
		texts.Put(room)
	}
	return token, nil
}

// texts holds space for the text of a token. It is overwritten before it is used again.
var texts = sync.Pool{New: func() any { return new([]byte) }}

// maxPooled is the largest space that returns to the pool, in bytes.
const maxPooled = 16 << 10

// signingError is an error of the key, which can be one of the host. errors.As finds no error of the host in it.
type signingError struct{ err error }

// Error returns the text of the error of the key.
func (e *signingError) Error() string { return "jose: signing: " + e.err.Error() }

// Is reports whether the error of the key is target.
func (e *signingError) Is(target error) bool { return errors.Is(e.err, target) }

// prepare validates and precomputes a key in memory. It returns keys of an HSM or KMS unchanged.
func prepare(key crypto.Signer) (crypto.Signer, error) {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		// The key may be in use elsewhere, so a copy is precomputed. Without it, signing is 13 to 65 % slower.
		own := *key
		own.Precompute()
		if err := own.Validate(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrKey, err)
		}
		return &own, nil
	case ed25519.PrivateKey:
		if len(key) != ed25519.PrivateKeySize {
			return nil, fmt.Errorf("%w: length of the private key", ErrKey)
		}
	}
	return key, nil
}

// sign signs through crypto.Signer. The ECDSA signer of jwx copies the key for each signature and loses what the standard library
// precomputed: 21 allocations instead of 10. Tests compare with jws.Sign and jws.Verify.
func (s *Signer) sign(message []byte) ([]byte, error) {
	if s.alg.edwards { // RFC 8032: Ed25519 hashes the message itself
		if _, own := s.key.(ed25519.PrivateKey); !own {
			message = bytes.Clone(message) // a key of the host may read it after a timeout, and the caller uses its space again
		}
		return s.key.Sign(rand.Reader, message, crypto.Hash(0))
	}
	digest := s.alg.digest(make([]byte, 0, maxDigest), message)
	if s.alg.pss {
		return s.key.Sign(rand.Reader, digest, &rsa.PSSOptions{Hash: s.alg.hash, SaltLength: rsa.PSSSaltLengthEqualsHash})
	}
	signature, err := s.key.Sign(rand.Reader, digest, s.alg.hash)
	if err != nil || s.alg.curve == nil {
		return signature, err
	}
	return rawECDSA(signature, (s.alg.curve.Params().BitSize+7)/8)
}

// rawECDSA converts the ASN.1 signature of crypto.Signer to r||s of fixed length (RFC 7518 §3.4). It reverses derECDSA.
func rawECDSA(der []byte, size int) ([]byte, error) {
	both, after, ok := element(der, tagSequence)
	r, both, okR := element(both, tagInteger)
	s, both, okS := element(both, tagInteger)
	if !ok || !okR || !okS || len(both)+len(after) > 0 {
		return nil, errors.New("signature is not an ASN.1 ECDSA signature")
	}
	out := make([]byte, 2*size)
	if !putPositive(out[:size], r) || !putPositive(out[size:], s) {
		return nil, errors.New("ECDSA signature out of range")
	}
	return out, nil
}

// element returns the content of the ASN.1 element that der begins with, and what follows it. The element must have the tag, and at most
// 255 octets in DER.
func element(der []byte, tag byte) (content, after []byte, ok bool) {
	if len(der) < 2 || der[0] != tag {
		return nil, nil, false
	}
	n, der := int(der[1]), der[2:]
	switch {
	case n < 0x80:
	case n == 0x81 && len(der) > 0 && der[0] >= 0x80: // one octet with the length
		n, der = int(der[0]), der[1:]
	default:
		return nil, nil, false
	}
	if n > len(der) {
		return nil, nil, false
	}
	return der[:n], der[n:], true
}

// putPositive writes the content of a positive INTEGER to a field of fixed length. It returns false if it does not fit.
func putPositive(field, integer []byte) bool {
	if len(integer) == 0 || integer[0] >= 0x80 { // negative
		return false
	}
	digits := bytes.TrimLeft(integer, "\x00")
	if len(digits) == 0 || len(digits) > len(field) {
		return false
	}
	copy(field[len(field)-len(digits):], digits)
	return true
}
