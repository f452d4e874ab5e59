package pkce

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
)

// S256 is the supported code_challenge_method.
const S256 = "S256"

// RFC 7636 §4.1 and §4.2: 43 characters are 32 bytes in base64url without padding.
const (
	challengeLength   = 43
	minVerifierLength = 43
	maxVerifierLength = 128
)

// Errors of [Policy]. [Policy.CheckRequest] returns the first three, which become invalid_request at the authorization endpoint.
// [Policy.Verify] returns all but ErrMethod, and each of them becomes invalid_grant at the token endpoint.
var (
	ErrChallengeRequired  = errors.New("pkce: code_challenge required")
	ErrMethod             = errors.New("pkce: code_challenge_method must be S256")
	ErrChallenge          = errors.New("pkce: malformed code_challenge") // not the 43 characters of a SHA-256 hash in base64url
	ErrVerifierRequired   = errors.New("pkce: code_verifier required")
	ErrVerifier           = errors.New("pkce: malformed code_verifier") // not 43 to 128 unreserved characters (RFC 7636 §4.1)
	ErrVerifierUnexpected = errors.New("pkce: code_verifier without code_challenge")
	ErrMismatch           = errors.New("pkce: code_verifier does not match")
)

// Policy is the PKCE rule for one client. The zero value requires PKCE.
type Policy struct {
	// Optional allows a confidential client to omit the challenge. A challenge that is sent is binding. Do not set Optional
	// for a public client: a stolen code could then be redeemed without any proof.
	Optional bool
}

// CheckRequest validates the parameters code_challenge and code_challenge_method of an authorization request; "" is an absent
// parameter. A challenge without a method is [ErrMethod], because its method would be plain. A method without a challenge is
// [ErrChallengeRequired], also if p.Optional. If CheckRequest returns nil, store the challenge, "" included, with the
// authorization code.
func (p Policy) CheckRequest(challenge, method string) error {
	if challenge == "" {
		// A method without a challenge indicates that the challenge was removed from the request.
		if p.Optional && method == "" {
			return nil
		}
		return ErrChallengeRequired
	}
	if method != S256 {
		return ErrMethod
	}
	if _, ok := decodeChallenge(challenge); !ok {
		return ErrChallenge
	}
	return nil
}

// Verify checks that verifier, the parameter code_verifier of a token request or "", matches the stored challenge (RFC 7636
// §4.6). It returns [ErrMismatch] if it does not, [ErrVerifierRequired] if verifier is empty, and [ErrVerifier] if it is malformed.
//
// If challenge is empty, Verify returns [ErrChallengeRequired] unless p.Optional, and [ErrVerifierUnexpected] if p.Optional and the
// client sent a verifier: the client used PKCE and the challenge did not reach the provider.
//
// Verify compares in constant time and does not allocate.
func (p Policy) Verify(challenge, verifier string) error {
	switch {
	case challenge == "" && !p.Optional:
		return ErrChallengeRequired
	case challenge == "" && verifier != "":
		return ErrVerifierUnexpected
	case challenge == "":
		return nil
	}
	want, ok := decodeChallenge(challenge)
	if !ok {
		return ErrChallenge
	}
	if verifier == "" {
		return ErrVerifierRequired
	}
	got, ok := hashVerifier(verifier)
	if !ok {
		return ErrVerifier
	}
	// Both sides have 32 bytes: ConstantTimeCompare returns early if the lengths differ.
	if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
		return ErrMismatch
	}
	return nil
}

// NewVerifier returns a random verifier of 43 characters (256 bits), as RFC 7636 §4.1 recommends. It is for clients and tests.
func NewVerifier() string {
	var b [sha256.Size]byte
	_, _ = rand.Read(b[:]) // it never returns an error
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Challenge returns the S256 challenge of verifier: BASE64URL-ENCODE(SHA256(ASCII(verifier))) (RFC 7636 §4.2). It does not
// validate verifier. It is for clients and tests.
func Challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// strictEncoding rejects a last character whose unused bits are not zero, so that each hash has exactly one challenge.
var strictEncoding = base64.RawURLEncoding.Strict()

// decodeChallenge returns the hash that challenge encodes. It reports false unless challenge is 43 characters of canonical
// base64url without padding.
func decodeChallenge(challenge string) (hash [sha256.Size]byte, ok bool) {
	if len(challenge) != challengeLength {
		return hash, false
	}
	var encoded [challengeLength]byte
	copy(encoded[:], challenge)
	// encoding/base64 skips line breaks: 43 characters that contain one decode to fewer than 32 bytes.
	n, err := strictEncoding.Decode(hash[:], encoded[:])
	return hash, err == nil && n == sha256.Size
}

// hashVerifier returns the SHA-256 hash of verifier. It reports false unless verifier is 43 to 128 unreserved characters
// (RFC 7636 §4.1).
func hashVerifier(verifier string) (hash [sha256.Size]byte, ok bool) {
	if len(verifier) < minVerifierLength || len(verifier) > maxVerifierLength {
		return hash, false
	}
	var ascii [maxVerifierLength]byte // on the stack; converting the string to a slice could allocate
	for i := range len(verifier) {
		if !unreserved(verifier[i]) {
			return hash, false
		}
		ascii[i] = verifier[i]
	}
	return sha256.Sum256(ascii[:len(verifier)]), true
}

// unreserved reports whether c is ALPHA / DIGIT / "-" / "." / "_" / "~" (RFC 3986 §2.3).
func unreserved(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return c == '-' || c == '.' || c == '_' || c == '~'
}
