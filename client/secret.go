package client

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/portner-go/portner/internal/seal"
)

const (
	// maxSecretAge is the longest life of a client secret (idporten section 2.2).
	maxSecretAge = 360 * 24 * time.Hour
	// maxSecrets lets a client change its secret without an outage.
	maxSecrets = 2

	minSecretLength = 32
	minSecretVaried = 8 // different characters; 32 random hexadecimal digits have fewer once in 10^9
	maxSecretLength = 512
)

// Secret is one client secret at rest: its SHA-256. That is enough for a random secret and far too
// little for a chosen one, so NewSecret refuses what looks chosen rather than hash it slowly, which
// would hand every caller a way to exhaust the provider (security row E1).
//
// It prints as REDACTED.
type Secret struct {
	Hash [32]byte // SHA-256 of the secret
	// ExpiresAt is at most 360 days after issue. Zero is for tests and for secrets that are replaced
	// by other means.
	ExpiresAt time.Time
}

// NewSecret hashes a secret for a registration. It refuses secrets of less than 32 characters, of
// less than 8 different ones, and with characters other than printable ASCII (RFC 6749 appendix A.2).
func NewSecret(secret string, expiresAt time.Time) (Secret, error) {
	if len(secret) < minSecretLength {
		return Secret{}, errors.New("client: client_secret must have at least 32 characters")
	}
	varied := map[byte]bool{}
	for i := range len(secret) {
		varied[secret[i]] = true
	}
	if len(varied) < minSecretVaried {
		return Secret{}, errors.New("client: client_secret must be random")
	}
	return InsecureSecret(secret, expiresAt)
}

// InsecureSecret is NewSecret without the demand for entropy: for demonstrations and tests, whose
// secrets are in a document anyway. A guessable secret falls to whoever reads the store once, and to
// patient guessing.
func InsecureSecret(secret string, expiresAt time.Time) (Secret, error) {
	if secret == "" || len(secret) > maxSecretLength || !isPrintable(secret) {
		return Secret{}, errors.New("client: client_secret must be 1 to 512 printable ASCII characters")
	}
	return Secret{Hash: sha256.Sum256([]byte(secret)), ExpiresAt: expiresAt}, nil
}

// GenerateSecret returns a new secret of 256 random bits. Show it once, and keep what NewSecret returns.
func GenerateSecret() string { return seal.NewToken() }

// live reports whether the secret may still be used. One that would live on for more than 360 days
// was never issued by the rules.
func (s Secret) live(now time.Time) bool {
	return s.ExpiresAt.IsZero() || now.Before(s.ExpiresAt) && s.ExpiresAt.Sub(now) <= maxSecretAge
}

// String returns "REDACTED".
func (Secret) String() string { return "REDACTED" }

// Format writes "REDACTED" for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("REDACTED")) }

// LogValue returns "REDACTED".
func (Secret) LogValue() slog.Value { return slog.StringValue("REDACTED") }

// MarshalText returns "REDACTED": a store writes the fields, not the type.
func (Secret) MarshalText() ([]byte, error) { return []byte("REDACTED"), nil }

// checkSecret compares a presented secret with the registered ones. It does the same work for any
// number of secrets, none included, so that an unknown client takes as long as a known one.
func checkSecret(registered []Secret, presented string, now time.Time) *refusal {
	hash := sha256.Sum256([]byte(presented))
	matched, live := 0, 0
	for i := range maxSecrets {
		var s Secret
		real := 0
		if i < len(registered) {
			s, real = registered[i], 1
		}
		hit := subtle.ConstantTimeCompare(hash[:], s.Hash[:]) & real
		matched |= hit
		if s.live(now) {
			live |= hit
		}
	}
	switch {
	case live == 1:
		return nil
	case matched == 1:
		return refusedSecretExpired
	}
	return refusedSecret
}

// isPrintable reports whether s holds visible ASCII and spaces only (RFC 6749 appendix A).
func isPrintable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}
