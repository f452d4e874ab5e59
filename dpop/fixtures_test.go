package dpop_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/storage/memory"
)

const (
	tokenURL = "https://as.example/token"
	apiURL   = "https://api.example/v1/x"
)

var epoch = time.Unix(1_767_225_600, 0) // 1 January 2026

// The keys of these tests.
var keys = sync.OnceValue(func() (k struct {
	p256, other *ecdsa.PrivateKey
	p384, p521  *ecdsa.PrivateKey
	ed          ed25519.PrivateKey
	rsa         *rsa.PrivateKey
},
) {
	k.p256, k.other = generate(elliptic.P256()), generate(elliptic.P256())
	k.p384, k.p521 = generate(elliptic.P384()), generate(elliptic.P521())
	_, k.ed, _ = ed25519.GenerateKey(rand.Reader)
	k.rsa, _ = rsa.GenerateKey(rand.Reader, 2048)
	return k
})

func generate(c elliptic.Curve) *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
}

type object = map[string]any

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// jwkOf returns the JWK of a public key, written without package jose.
func jwkOf(key crypto.PublicKey) object {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		point, err := k.Bytes()
		if err != nil {
			panic(err)
		}
		half := (len(point) - 1) / 2
		return object{"kty": "EC", "crv": k.Params().Name, "x": b64(point[1 : 1+half]), "y": b64(point[1+half:])}
	case ed25519.PublicKey:
		return object{"kty": "OKP", "crv": "Ed25519", "x": b64(k)}
	case *rsa.PublicKey:
		return object{"kty": "RSA", "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes())}
	}
	panic("no such key")
}

// thumbprintOf returns the thumbprint of a JWK (RFC 7638), written without package jose: encoding/json sorts the names of a map.
func thumbprintOf(jwk object) string {
	required := object{}
	for _, name := range []string{"crv", "e", "kty", "n", "x", "y"} {
		if v, ok := jwk[name]; ok {
			required[name] = v
		}
	}
	sum := sha256.Sum256(encoded(required))
	return b64(sum[:])
}

func encoded(v any) []byte {
	if text, ok := v.(string); ok {
		return []byte(text)
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// sign signs any two texts with the algorithm of the key.
func sign(key crypto.Signer, input string) []byte {
	switch k := key.(type) {
	case ed25519.PrivateKey:
		return ed25519.Sign(k, []byte(input))
	case *rsa.PrivateKey:
		sum := sha256.Sum256([]byte(input))
		sig, err := rsa.SignPSS(rand.Reader, k, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		if err != nil {
			panic(err)
		}
		return sig
	case *ecdsa.PrivateKey:
		h := map[int]crypto.Hash{256: crypto.SHA256, 384: crypto.SHA384, 521: crypto.SHA512}[k.Params().BitSize].New()
		h.Write([]byte(input))
		r, s, err := ecdsa.Sign(rand.Reader, k, h.Sum(nil))
		if err != nil {
			panic(err)
		}
		size := (k.Params().BitSize + 7) / 8
		return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	}
	panic("no such key")
}

// raw returns a proof of any header and payload, objects or JSON texts, with a valid signature.
func raw(key crypto.Signer, header, payload any) string {
	input := b64(encoded(header)) + "." + b64(encoded(payload))
	return input + "." + b64(sign(key, input))
}

func algOf(key crypto.Signer) string {
	switch k := key.(type) {
	case ed25519.PrivateKey:
		return "EdDSA"
	case *rsa.PrivateKey:
		return "PS256"
	case *ecdsa.PrivateKey:
		return map[int]string{256: "ES256", 384: "ES384", 521: "ES512"}[k.Params().BitSize]
	}
	panic("no such key")
}

// header returns the header of a proof by the key. Members of changes replace those of the header; nil removes one.
func header(key crypto.Signer, changes object) object {
	return changed(object{"typ": "dpop+jwt", "alg": algOf(key), "jwk": jwkOf(key.Public())}, changes)
}

// payload returns the claims of a proof for tokenURL.
func payload(changes object) object {
	return changed(object{"jti": rand.Text(), "htm": "POST", "htu": tokenURL, "iat": epoch.Unix()}, changes)
}

func changed(o, changes object) object {
	maps.Copy(o, changes)
	maps.DeleteFunc(o, func(_ string, v any) bool { return v == nil })
	return o
}

// proof returns a valid proof of the key with changed claims.
func proof(key crypto.Signer, claims object) string {
	return raw(key, header(key, nil), payload(claims))
}

// atToken returns the request of a token endpoint.
func atToken(proofs ...string) dpop.Request {
	return dpop.Request{Proofs: proofs, Method: "POST", URL: tokenURL}
}

// policy returns a policy with a store of its own.
func policy() *dpop.Policy { return &dpop.Policy{Replay: memory.New()} }

// requireRefused verifies that the error is a refusal of this kind, with this reason and a sentence that can be sent.
func requireRefused(t testing.TB, err, kind error, reason, name string) {
	t.Helper()
	var e *dpop.Error
	require.ErrorAs(t, err, &e, name)
	require.Equal(t, reason, e.Reason, "%s: %v", name, errors.Unwrap(e))
	for _, k := range []error{dpop.ErrProof, dpop.ErrNonce, dpop.ErrKey} {
		require.Equal(t, k == kind, errors.Is(err, k), "%s: %v", name, err)
	}
	require.Regexp(t, `^The [ !#-\[\]-~]+\.$`, e.Description, name)
}
