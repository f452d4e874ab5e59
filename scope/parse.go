package scope

import (
	"errors"
	"slices"
)

// Limits of a scope parameter. A longer parameter is an error.
const (
	MaxBytes  = 4096
	MaxValues = 100
)

// ErrSyntax reports that a scope parameter does not match the grammar of RFC 6749 §3.3 or exceeds the limits. It becomes
// invalid_scope.
var ErrSyntax = errors.New("scope: malformed scope parameter")

// Parse splits a scope parameter by the grammar of RFC 6749 §3.3: values are separated by one space, there is no space at either
// end, and an empty parameter is malformed. It keeps the order and removes duplicates. It returns [ErrSyntax] for a malformed parameter
// and for one beyond [MaxBytes] or [MaxValues].
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
		if i == start { // a space at either end, or two in a row
			return nil, ErrSyntax
		}
		if v := s[start:i]; !slices.Contains(values, v) {
			values = append(values, v)
		}
		start = i + 1
	}
	return values, nil
}

// tokenChar reports whether c may be part of a scope-token: %x21 / %x23-5B / %x5D-7E.
func tokenChar(c byte) bool { return c > ' ' && c < 0x7f && c != '"' && c != '\\' }
