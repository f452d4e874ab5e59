package pseudonym

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	// minIdentifier is the length of the shortest identifier that [Leaks] searches for, in bytes. Shorter ones occur in random
	// text.
	minIdentifier = 5
	// minEmbedded is the number of digits that a number needs to be found inside a longer number. Shorter ones occur in
	// timestamps.
	minEmbedded = 9
	// maxRounds is the number of layers of escapes that Leaks removes.
	maxRounds = 8
)

// Leaks reports whether payload contains one of the identifiers. Call it with the bytes of a token or response before they are
// signed and base64url-encoded. If it returns true, do not send them and fail with server_error. Pass the national identity
// number, the eIDAS identifier, the e-mail address and the phone number, but not names, which are ordinary words.
//
// It finds identifiers in plain text, with JSON escapes (\u0030) or percent-encoding, also in JSON inside JSON; numbers also
// with spaces, hyphens or dots between the digits, and without a leading zero, as in JSON numbers; ASCII letters in either
// case. It does not find identifiers in other encodings, such as base64 or a hash.
//
// It ignores identifiers of fewer than five bytes, and finds numbers of fewer than nine digits only if they are not part of a
// longer number. If payload has more than eight layers of escapes, it returns true. It does not allocate for a payload without
// escapes.
func Leaks(payload []byte, identifiers ...Identifier) bool {
	if containsAny(payload, identifiers) {
		return true
	}
	for range maxRounds {
		if bytes.IndexByte(payload, '\\') < 0 && bytes.IndexByte(payload, '%') < 0 {
			return false
		}
		// Search after each kind of escape: unescapePercent would decode the first digits of an identifier after a percent sign.
		before := len(payload)
		for _, unescape := range [...]func([]byte) []byte{unescapeJSON, unescapePercent} {
			payload = unescape(payload)
			if containsAny(payload, identifiers) {
				return true
			}
		}
		if len(payload) == before {
			return false
		}
	}
	return true
}

func containsAny(payload []byte, identifiers []Identifier) bool {
	for _, id := range identifiers {
		if contains(payload, id.Reveal()) {
			return true
		}
	}
	return false
}

// contains reports whether payload contains an identifier, without removing escapes.
func contains(payload []byte, id string) bool {
	if len(id) < minIdentifier {
		return false
	}
	if !isDigits(id) {
		return containsText(payload, id)
	}
	embedded := len(id) >= minEmbedded
	if embedded && id[0] == '0' {
		id = id[1:] // matches the number with and without its leading zero
	}
	return containsNumber(payload, id, embedded)
}

func isDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// containsNumber reports whether payload contains the digits of id, with or without separators. If embedded, they may be part of
// a longer number.
func containsNumber(payload []byte, id string, embedded bool) bool {
	for i := 0; i < len(payload); i++ {
		next := bytes.IndexByte(payload[i:], id[0])
		if next < 0 {
			return false
		}
		i += next
		if !embedded && i > 0 && isDigit(payload[i-1]) {
			continue
		}
		if end := matchNumber(payload, i, id); end > 0 && (embedded || end == len(payload) || !isDigit(payload[end])) {
			return true
		}
	}
	return false
}

// matchNumber returns the end of the number that starts at i, 0 if it is not id.
func matchNumber(payload []byte, i int, id string) int {
	n := 0
	for ; i < len(payload); i++ {
		switch c := payload[i]; {
		case c == id[n]:
			if n++; n == len(id) {
				return i + 1
			}
		case c == ' ' || c == '-' || c == '.':
		default:
			return 0
		}
	}
	return 0
}

// containsText reports whether payload contains id; ASCII letters match in either case.
func containsText(payload []byte, id string) bool {
	first := lower(id[0])
	for i := 0; i+len(id) <= len(payload); i++ {
		if lower(payload[i]) == first && equalFold(payload[i:i+len(id)], id) {
			return true
		}
	}
	return false
}

func equalFold(a []byte, b string) bool {
	for i := range a {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// unescapeJSON removes one layer of JSON escapes (RFC 8259 §7). Other text is copied.
func unescapeJSON(in []byte) []byte {
	out := make([]byte, 0, len(in))
	for i := 0; i < len(in); {
		if in[i] != '\\' {
			out = append(out, in[i])
			i++
			continue
		}
		var n int
		out, n = appendEscaped(out, in[i:])
		i += n
	}
	return out
}

// unescapePercent removes one layer of percent-encoding (RFC 3986 §2.1). Other text is copied.
func unescapePercent(in []byte) []byte {
	out := make([]byte, 0, len(in))
	for i := 0; i < len(in); i++ {
		if in[i] == '%' {
			if c, ok := hex(in, i+1, 2); ok {
				out = append(out, byte(c))
				i += 2
				continue
			}
		}
		out = append(out, in[i])
	}
	return out
}

// appendEscaped appends the character that the escape at the start of in denotes. It returns the length of the escape.
func appendEscaped(out, in []byte) ([]byte, int) {
	if len(in) < 2 {
		return append(out, in...), len(in)
	}
	switch in[1] {
	case 'u':
		if r, ok := hex(in, 2, 4); ok {
			if utf16.IsSurrogate(rune(r)) && len(in) >= 12 && in[6] == '\\' && in[7] == 'u' {
				low, _ := hex(in, 8, 4)
				if whole := utf16.DecodeRune(rune(r), rune(low)); whole != utf8.RuneError {
					return utf8.AppendRune(out, whole), 12
				}
			}
			return utf8.AppendRune(out, rune(r)), 6 // half of a surrogate pair becomes U+FFFD
		}
	case '"', '\\', '/':
		return append(out, in[1]), 2
	case 'b', 'f', 'n', 'r', 't':
		return append(out, ' '), 2
	}
	return append(out, in[0]), 1
}

// hex parses n hexadecimal digits at i.
func hex(in []byte, i, n int) (uint64, bool) {
	if i+n > len(in) {
		return 0, false
	}
	v, err := strconv.ParseUint(string(in[i:i+n]), 16, 32)
	return v, err == nil
}
