package scope

import (
	"errors"
	"slices"
)

// Limits of a scope parameter. More is refused, never cut.
const (
	MaxBytes  = 4096
	MaxValues = 100
)

// ErrSyntax says that a scope parameter breaks the grammar of RFC 6749 section 3.3, or the
// limits. Answer invalid_scope.
var ErrSyntax = errors.New("scope: malformed")

// Parse splits a scope parameter. Order is kept, duplicates are folded. The grammar is taken by
// the letter: one space between two values, none around, and an empty parameter is malformed.
func Parse(s string) ([]string, error) {
	if s == "" || len(s) > MaxBytes {
		return nil, ErrSyntax
	}
	n := 1
	for i := range len(s) {
		switch c := s[i]; {
		case c == ' ':
			n++
		case !tokenChar(c):
			return nil, ErrSyntax
		}
	}
	if n > MaxValues {
		return nil, ErrSyntax
	}

	values := make([]string, 0, n)
	for start, i := 0, 0; i <= len(s); i++ {
		if i < len(s) && s[i] != ' ' {
			continue
		}
		if i == start { // a space at an end, or two in a row
			return nil, ErrSyntax
		}
		if v := s[start:i]; !slices.Contains(values, v) {
			values = append(values, v)
		}
		start = i + 1
	}
	return values, nil
}

// tokenChar is one character of scope-token: %x21 / %x23-5B / %x5D-7E.
func tokenChar(c byte) bool { return c > ' ' && c < 0x7f && c != '"' && c != '\\' }
