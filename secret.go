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
// placeholder: text with a word such as "change" or "replace", or a phrase of three or more words. It rejects the result of
// [NewSecret], and its hexadecimal or base64 form, with a probability below 1e-6. It cannot tell whether a value is random.
func (s Secret) Validate() error {
	switch {
	case len(s) < minSecret:
		return ErrShortSecret
	case s.printable() && (s.placeholder() || s.phrase()):
		return ErrPlaceholderSecret
	case s.repeats():
		return ErrWeakSecret
	}
	return nil
}

// placeholders are parts of texts that documentation shows in place of a secret.
var placeholders = []string{
	"change", "endre-meg", "endremeg", "example", "eksempel", "placeholder", "random bytes", "other bytes", "your secret", "secret store",
	"my secret", "mysecret", "password", "passord", "bytes of", "0123456789", "abcdefgh", "replace", "erstatt", "hemmelig", "insert-", "bytt-ut",
	"do-not-use", "ikke-bruk",
}

func (s Secret) printable() bool {
	for _, b := range s {
		if b < 0x20 || b > 0x7e {
			return false
		}
	}
	return true
}

// placeholder reports whether the text contains one of the placeholders.
func (s Secret) placeholder() bool {
	text := strings.ToLower(string(s))
	for _, p := range placeholders {
		if strings.Contains(text, p) {
			return true
		}
	}
	return false
}

// phrase reports whether the text consists of words and short numbers with spaces, hyphens, underscores or dots between them, and has
// at least three words. Random text mixes letters of both cases and digits.
func (s Secret) phrase() bool {
	words := 0
	for part := range strings.FieldsFuncSeq(string(s), func(r rune) bool { return strings.ContainsRune(" -_.,!?'\"", r) }) {
		switch {
		case isWord(part):
			words++
		case len(part) > 4 || strings.Trim(part, "0123456789") != "":
			return false
		}
	}
	return words >= 3
}

// isWord reports whether text has letters only, and no capital after the first letter unless all are capitals.
func isWord(text string) bool {
	if strings.ContainsFunc(text, func(r rune) bool { return (r|0x20) < 'a' || (r|0x20) > 'z' }) {
		return false
	}
	rest := text[1:]
	return rest == strings.ToLower(rest) || text == strings.ToUpper(text)
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
