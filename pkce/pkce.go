// Package pkce is Proof Key for Code Exchange (RFC 7636): policy, challenge, verification.
package pkce

import "errors"

// S256 is the only code_challenge_method there is here; "plain" is never accepted.
const S256 = "S256"

// Why a challenge or a verifier is refused. Map the first three to invalid_request at the
// authorization endpoint, the others to invalid_grant at the token endpoint.
var (
	ErrChallengeRequired  = errors.New("pkce: code_challenge required")
	ErrMethod             = errors.New("pkce: code_challenge_method must be S256")
	ErrChallenge          = errors.New("pkce: malformed code_challenge")
	ErrVerifierRequired   = errors.New("pkce: code_verifier required")
	ErrVerifier           = errors.New("pkce: malformed code_verifier")
	ErrVerifierUnexpected = errors.New("pkce: code_verifier without code_challenge")
	ErrMismatch           = errors.New("pkce: code_verifier does not match")
)

// Policy says whether a client must use PKCE. The zero value requires it.
type Policy struct {
	// Optional lets a confidential client leave PKCE out (code_challenge_method "none").
	Optional bool
}

// CheckRequest checks the code_challenge and code_challenge_method of an authorization request.
func (p Policy) CheckRequest(challenge, method string) error { panic("stub") }

// Verify checks a code_verifier against the stored challenge, in constant time and without
// allocating. With no challenge stored, a verifier is refused (PKCE downgrade).
func Verify(method, challenge, verifier string) error { panic("stub") }

// NewVerifier returns a fresh verifier of 43 characters (256 bits).
func NewVerifier() string { panic("stub") }

// Challenge returns the S256 challenge of a verifier.
func Challenge(verifier string) string { panic("stub") }
