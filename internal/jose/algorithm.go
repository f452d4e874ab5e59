package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// The signature algorithms (RFC 7518 section 3.1, RFC 8037 section 3.1). There is no symmetric one and
// no "none": what is not in the table does not exist here.
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

// algorithm is what one alg needs. jwx's verifiers are stateless, so one serves all keys; they take
// raw keys, never a jwk.Key, which would be unpacked for each token.
type algorithm struct {
	hash     crypto.Hash
	pss      bool
	curve    elliptic.Curve // ECDSA only: RFC 7518 section 3.4 ties the curve to the hash
	edwards  bool
	verifier jws.Verifier
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

// implemented adds jwx's verifier. It cannot fail: jwx registers all of the table.
func implemented(name string, a algorithm) algorithm {
	var err error
	if a.verifier, err = jws.NewVerifier(jwa.SignatureAlgorithm(name)); err != nil {
		panic("jose: " + err.Error())
	}
	return a
}

// Known reports whether alg is an algorithm of this package.
func Known(alg string) bool {
	_, ok := algorithms[alg]
	return ok
}

// Fits reports whether a key of this type, size and curve may be used with alg. Ask it before the
// signature: a token never chooses the family of the key (RFC 8725 section 3.1).
func Fits(alg string, key crypto.PublicKey) error {
	a, ok := algorithms[alg]
	if !ok {
		return fmt.Errorf("%w: not an algorithm of ours", ErrAlgorithm)
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

// AlgFor returns the algorithm a key is used with unless someone says otherwise: RS256, EdDSA, or the
// only one its curve has. "" means that none fits.
func AlgFor(key crypto.PublicKey) string {
	for _, alg := range []string{RS256, ES256, ES384, ES512, EdDSA} {
		if Fits(alg, key) == nil {
			return alg
		}
	}
	return ""
}
