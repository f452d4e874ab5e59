// Package jose signs and verifies JSON Web Signatures, and parses and encodes JWKs. Headers are encoded once per key; parsing
// of tokens, JSON and keys is strict. It is the only package that imports jwx, and its API has no types of jwx.
//
// The input comes from a peer, so errors never quote it.
package jose

import "errors"

// Limits of the input (docs/threat-model.md E12). Lengths are in bytes. They are checked before anything is decoded.
const (
	// MaxToken bounds a compact JWS.
	MaxToken = 8 << 10
	// MaxTokenX5C bounds a compact JWS whose header may have a certificate chain.
	MaxTokenX5C = 32 << 10
	// MaxDepth bounds the nesting of objects and arrays. The outermost counts as one.
	MaxDepth = 8
	// MinRSABits and MaxRSABits bound an RSA modulus. A smaller one is weak, a larger one costs too much time to verify.
	MinRSABits = 2048
	MaxRSABits = 8192
)

// Reasons to reject a token or a key. Use errors.Is; logs distinguish these kinds.
var (
	// ErrMalformed reports a token that is too long, or not three segments of strict base64url and strict JSON.
	ErrMalformed = errors.New("jose: malformed")
	// ErrAlgorithm reports an alg that the caller does not accept, or that does not match the key.
	ErrAlgorithm = errors.New("jose: algorithm rejected")
	// ErrHeader reports a header parameter that changes the meaning of the JWS: crit or b64.
	ErrHeader = errors.New("jose: header rejected")
	// ErrX5C reports an x5c that is not an array of base64 texts. The token is also ErrMalformed.
	ErrX5C = errors.New("jose: x5c rejected")
	// ErrNoKey reports that no key has the kid, or that there is no kid and not exactly one key.
	ErrNoKey = errors.New("jose: no such key")
	// ErrSignature reports a signature that does not verify.
	ErrSignature = errors.New("jose: invalid signature")
	// ErrKey reports a key or key set that must not be used.
	ErrKey = errors.New("jose: key rejected")
	// ErrAbsent reports that the object has no such member.
	ErrAbsent = errors.New("jose: member absent")
	// ErrType reports a member of another JSON type or range.
	ErrType = errors.New("jose: member has the wrong type")
)
