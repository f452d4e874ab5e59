package client

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/seal"
)

const (
	// maxSecretAge is the longest lifetime of a client secret (docs/spec/idporten.md §2.2).
	maxSecretAge = 360 * 24 * time.Hour
	// maxSecrets is 2 so that a client can change its secret without an outage.
	maxSecrets = 2

	maxSecretLength = 512
)

// Secret is the SHA-256 hash of a client secret. A fast hash is enough for a random secret only, so NewSecret rejects secrets of
// low entropy. A slow hash would let any peer exhaust the CPU of the provider.
//
// It prints as REDACTED, and cannot be marshalled by itself.
type Secret struct {
	Hash [32]byte // SHA-256 of the secret
	// ExpiresAt is at most 360 days after issue. If zero, the secret does not expire.
	ExpiresAt time.Time
	// Guessable marks a secret of low entropy. After too many wrong secrets the client has to wait although it sends the right one:
	// otherwise the secret could be found by repeated attempts.
	Guessable bool
}

// NewSecret hashes a secret for a registration. It rejects secrets that [portner.Secret.Validate] rejects, such as short ones and
// placeholders, with more than 512 characters, and with characters other than printable ASCII (RFC 6749 appendix A.2).
func NewSecret(secret string, expiresAt time.Time) (Secret, error) {
	if err := portner.Secret(secret).Validate(); err != nil {
		return Secret{}, fmt.Errorf("client: client_secret %w", err)
	}
	return InsecureSecret(secret, expiresAt)
}

// InsecureSecret is NewSecret for any secret of 1 to 512 characters, for demonstrations and tests. A secret that NewSecret rejects can be
// found from its hash; it is Guessable.
func InsecureSecret(secret string, expiresAt time.Time) (Secret, error) {
	if secret == "" || len(secret) > maxSecretLength || !isPrintable(secret) {
		return Secret{}, errors.New("client: client_secret must be 1 to 512 printable ASCII characters")
	}
	guessable := portner.Secret(secret).Validate() != nil
	return Secret{Hash: sha256.Sum256([]byte(secret)), ExpiresAt: expiresAt, Guessable: guessable}, nil
}

// GenerateSecret returns a new secret of 256 random bits. Show it to the owner of the client once, and store the result of NewSecret.
func GenerateSecret() string { return seal.NewToken() }

// live reports whether the secret has not expired. A secret that expires in more than 360 days is rejected.
func (s Secret) live(now time.Time) bool {
	return s.ExpiresAt.IsZero() || now.Before(s.ExpiresAt) && s.ExpiresAt.Sub(now) <= maxSecretAge
}

// String returns "REDACTED".
func (Secret) String() string { return "REDACTED" }

// Format writes "REDACTED" for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("REDACTED")) }

// LogValue returns "REDACTED".
func (Secret) LogValue() slog.Value { return slog.StringValue("REDACTED") }

var errMarshalSecret = errors.New("client: a Secret is not marshalled: marshal its Client, or its fields")

// MarshalText returns an error: the JSON of a Client holds the hash.
func (Secret) MarshalText() ([]byte, error) { return nil, errMarshalSecret }

// MarshalJSON returns an error: the JSON of a Client holds the hash.
func (Secret) MarshalJSON() ([]byte, error) { return nil, errMarshalSecret }

// checkSecret compares a secret with the registered ones. It takes the same time for any number of registered secrets, so that
// an unknown client takes as long as a registered one.
func checkSecret(registered []Secret, presented string, now time.Time) *rejection {
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
		return rejectedSecretExpired
	}
	return rejectedSecret
}

// isPrintable reports whether s consists of printable ASCII (VSCHAR of RFC 6749 appendix A).
func isPrintable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}
