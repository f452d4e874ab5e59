package compat

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"

	"github.com/portner-go/portner/keyset"
)

// privateJWK holds the members of a private key (RFC 7518 §6.2.2 and §6.3.2).
type privateJWK struct {
	Kty string `json:"kty"`
	Crv string `json:"crv"`
	N   string `json:"n"`
	E   string `json:"e"`
	D   string `json:"d"`
	P   string `json:"p"`
	Q   string `json:"q"`
	X   string `json:"x"`
	Y   string `json:"y"`
}

var errJWK = errors.New("must be the text of one private JWK, for the algorithm of the member beside it")

// parseJWK returns the signing key of a JWK. Its kid is not kept: that of a key here is its thumbprint.
func parseJWK(text []byte, alg string) (keyset.Key, error) {
	var j privateJWK
	if err := json.Unmarshal(text, &j); err != nil {
		return keyset.Key{}, errJWK
	}
	var signer crypto.Signer
	var err error
	switch {
	case j.Kty == "RSA" && alg != keyset.ES256:
		signer, err = j.rsa()
	case j.Kty == "EC" && alg == keyset.ES256 && j.Crv == "P-256":
		signer, err = j.ec()
	default:
		err = errJWK
	}
	if err != nil {
		return keyset.Key{}, errJWK
	}
	key := keyset.Key{Alg: alg, Signer: signer}
	if _, err := keyset.New(keyset.Config{Keys: []keyset.Key{key}}); err != nil {
		return keyset.Key{}, errJWK
	}
	return key, nil
}

func (j *privateJWK) rsa() (*rsa.PrivateKey, error) {
	var n, e, d, p, q big.Int
	if !decode(&n, j.N) || !decode(&e, j.E) || !decode(&d, j.D) || !decode(&p, j.P) || !decode(&q, j.Q) || !e.IsInt64() {
		return nil, errJWK
	}
	key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: &n, E: int(e.Int64())}, D: &d, Primes: []*big.Int{&p, &q}}
	if err := key.Validate(); err != nil {
		return nil, errJWK
	}
	key.Precompute()
	return key, nil
}

func (j *privateJWK) ec() (*ecdsa.PrivateKey, error) {
	d, err := base64.RawURLEncoding.DecodeString(j.D)
	if err != nil {
		return nil, errJWK
	}
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d)
	if err != nil {
		return nil, errJWK
	}
	public, err := key.PublicKey.Bytes() // 4, X, Y
	if err != nil || base64.RawURLEncoding.EncodeToString(public[1:33]) != j.X || base64.RawURLEncoding.EncodeToString(public[33:]) != j.Y {
		return nil, errJWK
	}
	return key, nil
}

// decode reads a positive integer in base64url.
func decode(into *big.Int, text string) bool {
	data, err := base64.RawURLEncoding.DecodeString(text)
	into.SetBytes(data)
	return err == nil && into.Sign() > 0
}
