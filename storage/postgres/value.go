package postgres

import (
	"encoding/hex"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/portner-go/portner/internal/record"
	"github.com/portner-go/portner/storage"
)

// text returns s as it is stored in a column. PostgreSQL stores no zero byte and only UTF-8: other texts, and those that begin with the
// mark, become the mark and their bytes in hexadecimal, so that two texts are never stored as one.
func text(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 && !strings.HasPrefix(s, mark) {
		return s
	}
	return mark + hex.EncodeToString([]byte(s))
}

const mark = "\x01"

// fromText returns the text that is stored as s. A column that the package did not write can have any text after the mark, which stays
// as it is.
func fromText(s string) string {
	if digits, marked := strings.CutPrefix(s, mark); marked {
		if b, err := hex.DecodeString(digits); err == nil {
			return string(b)
		}
	}
	return s
}

// optional returns nil for "", which is stored as NULL.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	s = text(s)
	return &s
}

func fromOptional(s *string) string {
	if s == nil {
		return ""
	}
	return fromText(*s)
}

func texts(list []string) []string {
	out := make([]string, len(list)) // an empty array, not NULL
	for i, s := range list {
		out[i] = text(s)
	}
	return out
}

func nanos(t time.Time) int64 { return record.Nanos(t) }

// instant returns the time of a column that may be NULL.
func instant(n *int64) time.Time {
	if n == nil {
		return time.Time{}
	}
	return record.Time(*n)
}

// hashArg returns h as an argument, or nil for the zero hash.
func hashArg(h *storage.Hash) []byte {
	if *h == (storage.Hash{}) {
		return nil
	}
	return h[:]
}

var errHash = errors.New("postgres: a hash in the database has another length")

// toHash copies a column to a hash.
func toHash(to *storage.Hash, b []byte) error {
	if len(b) != len(to) {
		return errHash
	}
	copy(to[:], b)
	return nil
}
