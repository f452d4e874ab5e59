package pkce

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
)

// S256 is the only code_challenge_method there is here; "plain" is never accepted.
const S256 = "S256"

// RFC 7636 sections 4.1 and 4.2: 43 characters are 32 bytes in base64url without padding.
const (
	challengeLength   = 43
	minVerifierLength = 43
	maxVerifierLength = 128
)

// Why a challenge or a verifier is refused. Map the first three to invalid_request at the
// authorization endpoint, the others to invalid_grant at the token endpoint. ErrMethod and
// ErrChallenge from [Verify] mean that the stored challenge is none CheckRequest would have passed:
// answer invalid_grant there too.
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
	// Optional lets a confidential client leave PKCE out (code_challenge_method "none"). Never set it
	// for a public client: its codes can then be redeemed by whoever sees them. A challenge that is
	// sent is checked and binding all the same.
	Optional bool
}

// CheckRequest checks the code_challenge and code_challenge_method of an authorization request, ""
// for a parameter that is absent. After nil, store the challenge ("" included) with the code.
func (p Policy) CheckRequest(challenge, method string) error {
	if challenge == "" {
		// A method alone shows that the client wanted PKCE and the challenge got lost on the way.
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

// Verify checks a code_verifier against the stored challenge, in constant time and without
// allocating (RFC 7636 section 4.6). The method is that of the stored challenge; it does not matter
// where none is stored, and then a verifier is refused: the client did send a challenge, somebody
// removed it (RFC 9700 section 4.8).
func Verify(method, challenge, verifier string) error {
	if challenge == "" {
		if verifier != "" {
			return ErrVerifierUnexpected
		}
		return nil
	}
	if method != S256 {
		return ErrMethod
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
	// Both sides are 32 bytes: ConstantTimeCompare returns early where lengths differ.
	if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
		return ErrMismatch
	}
	return nil
}

// NewVerifier returns a fresh verifier of 43 characters (256 bits), as RFC 7636 section 4.1
// recommends. It is for clients: demo relying parties and tests.
func NewVerifier() string {
	var b [sha256.Size]byte
	_, _ = rand.Read(b[:]) // never fails: it crashes the program instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Challenge returns the S256 challenge of a verifier: BASE64URL-ENCODE(SHA256(ASCII(verifier))).
func Challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Strict refuses a last character whose unused bits are not zero, so that each hash has exactly one
// challenge.
var strictEncoding = base64.RawURLEncoding.Strict()

// decodeChallenge returns the hash a challenge stands for, false unless it is exactly 43 characters of
// canonical base64url without padding.
func decodeChallenge(challenge string) (hash [sha256.Size]byte, ok bool) {
	if len(challenge) != challengeLength {
		return hash, false
	}
	var encoded [challengeLength]byte
	copy(encoded[:], challenge)
	// encoding/base64 skips line breaks: then fewer than 32 bytes come out of 43 characters.
	n, err := strictEncoding.Decode(hash[:], encoded[:])
	return hash, err == nil && n == sha256.Size
}

// hashVerifier returns SHA-256 of a verifier, false unless it is 43 to 128 unreserved characters
// (RFC 7636 section 4.1).
func hashVerifier(verifier string) (hash [sha256.Size]byte, ok bool) {
	if len(verifier) < minVerifierLength || len(verifier) > maxVerifierLength {
		return hash, false
	}
	var ascii [maxVerifierLength]byte // on the stack, where a conversion of the string might not be
	for i := range len(verifier) {
		if !unreserved(verifier[i]) {
			return hash, false
		}
		ascii[i] = verifier[i]
	}
	return sha256.Sum256(ascii[:len(verifier)]), true
}

// unreserved is ALPHA / DIGIT / "-" / "." / "_" / "~" (RFC 3986 section 2.3).
func unreserved(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return c == '-' || c == '.' || c == '_' || c == '~'
}
