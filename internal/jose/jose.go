// Package jose signs and reads JSON Web Signatures: headers encoded once per key, strict verification,
// strict JSON, JWK reading and writing. It is the only importer of jwx, and no jwx type leaves it.
//
// Everything here reads what a peer sent, so errors never quote the input.
package jose

import "errors"

// Limits on what is read (security row E12, section 0.6). Lengths are in bytes and are checked first.
const (
	// MaxToken bounds a compact JWS.
	MaxToken = 8 << 10
	// MaxTokenX5C bounds a compact JWS whose header may carry a certificate chain.
	MaxTokenX5C = 32 << 10
	// MaxDepth bounds how deep objects and arrays nest; the outermost counts as one.
	MaxDepth = 8
	// MinRSABits and MaxRSABits bound an RSA modulus. Less is weak, more is a way to burn our time.
	MinRSABits = 2048
	MaxRSABits = 8192
)

// Why a token or a key was refused. Branch with errors.Is; the kinds are what the log tells apart.
var (
	// ErrMalformed: too long, not three segments, not strict base64url, not strict JSON.
	ErrMalformed = errors.New("jose: malformed")
	// ErrAlgorithm: alg is not on the caller's list, or does not fit the key (security row E4).
	ErrAlgorithm = errors.New("jose: algorithm refused")
	// ErrHeader: a header parameter that changes how a JWS is read: crit, b64 (security row E5).
	ErrHeader = errors.New("jose: header refused")
	// ErrX5C: x5c is not an array of certificates in base64. Such a token is ErrMalformed, too.
	ErrX5C = errors.New("jose: x5c refused")
	// ErrNoKey: no key of the caller's set has this kid, or there is no kid and not exactly one key.
	ErrNoKey = errors.New("jose: no such key")
	// ErrSignature: the signature is not the key's.
	ErrSignature = errors.New("jose: bad signature")
	// ErrKey: a key or key set that must not be used.
	ErrKey = errors.New("jose: key refused")
	// ErrAbsent: the object has no such member.
	ErrAbsent = errors.New("jose: member absent")
	// ErrType: the member has another JSON type or range than asked for.
	ErrType = errors.New("jose: member has the wrong type")
)
