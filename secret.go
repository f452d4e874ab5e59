package portner

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

const redacted = "REDACTED"

// Secret is key material. It shows REDACTED when it is printed, logged or marshalled.
//
// The New functions of this module that take a Secret call Validate. provider.New also rejects a Secret that is given for two
// purposes.
type Secret []byte

// NewSecret returns 32 random bytes.
func NewSecret() Secret {
	s := make(Secret, minSecret)
	rand.Read(s)
	return s
}

// minSecret is the smallest length of a Secret in bytes: the length of an HMAC-SHA-256 or AES-256 key.
const minSecret = 32

// Reasons why a Secret is rejected. None of them quotes the value.
var (
	ErrShortSecret       = fmt.Errorf("must be at least %d random bytes", minSecret)
	ErrWeakSecret        = errors.New("must be random: the value repeats a pattern or has few different bytes")
	ErrPlaceholderSecret = errors.New("must be random: the value is a placeholder from documentation")
)

// Validate returns an error if s is shorter than 32 bytes, repeats a pattern, holds fewer than 8 different bytes, or is a
// placeholder such as "change me". It cannot tell whether a value is random.
func (s Secret) Validate() error {
	switch {
	case len(s) < minSecret:
		return ErrShortSecret
	case s.placeholder():
		return ErrPlaceholderSecret
	case s.repeats():
		return ErrWeakSecret
	}
	return nil
}

// placeholders are parts of texts that documentation shows in place of a secret.
var placeholders = []string{
	"change", "endre-meg", "endremeg", "example", "eksempel", "placeholder", "random bytes", "other bytes", "your secret", "secret store",
	"my secret", "mysecret", "password", "passord", "bytes of", "0123456789", "abcdefgh",
}

// placeholder reports whether s is text that contains one of the placeholders.
func (s Secret) placeholder() bool {
	for _, b := range s {
		if b < 0x20 || b > 0x7e {
			return false
		}
	}
	text := strings.ToLower(string(s))
	for _, p := range placeholders {
		if strings.Contains(text, p) {
			return true
		}
	}
	return false
}

// repeats reports whether s is a pattern written at least twice, or has fewer than 8 different bytes.
func (s Secret) repeats() bool {
	seen := [256]bool{}
	different := 0
	for _, b := range s {
		if !seen[b] {
			seen[b] = true
			different++
		}
	}
	if different < 8 {
		return true
	}
	for period := 1; period <= len(s)/2; period++ {
		if bytes.Equal(s[period:], s[:len(s)-period]) {
			return true
		}
	}
	return false
}

// String returns "REDACTED".
func (Secret) String() string { return redacted }

// Format writes "REDACTED" for every verb, %x and %s included.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue returns "REDACTED".
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "REDACTED".
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
