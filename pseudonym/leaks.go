package pseudonym

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	// MinIdentifier is the shortest identifier Leaks looks for, in bytes. Anything shorter is found
	// in random text all the time, and a false alarm is a failed login.
	MinIdentifier = 5
	// standsAlone is how many digits a number needs to be recognised within a longer run of digits.
	// Shorter ones would be found in timestamps.
	standsAlone = 9
	// maxRounds of undoing escapes. Nobody nests deeper for a good reason.
	maxRounds = 8
)

// Leaks reports whether the final bytes of a token or response, before they are signed and
// base64url-encoded, hold one of the identifiers (security H1). If they do, send nothing and answer
// server_error. Pass the pid, the eIDAS identifier, the e-mail address and the phone number; not
// names, which are ordinary words.
//
// Found is what a reader would read: plain; with JSON escapes (\u0030) or percent-encoding, also in JSON
// inside JSON; digits with spaces, hyphens or dots between them, or without a leading zero, as
// JSON numbers have none; letters of ASCII in either case. Not found is what has been transformed
// otherwise, such as base64 or a hash.
//
// Identifiers shorter than [MinIdentifier] are ignored, and numbers of fewer than nine digits
// count only where they are not part of a longer number. Without escapes it does not allocate.
func Leaks(payload []byte, identifiers ...string) bool {
	for _, id := range identifiers {
		if holds(payload, id) {
			return true
		}
	}
	for range maxRounds {
		if bytes.IndexByte(payload, '\\') < 0 && bytes.IndexByte(payload, '%') < 0 {
			return false
		}
		// One after the other, and a look after each: a percent sign before an identifier would take
		// its first digits for an encoding.
		before := len(payload)
		for _, undo := range [...]func([]byte) []byte{unescapeJSON, unescapePercent} {
			payload = undo(payload)
			for _, id := range identifiers {
				if holds(payload, id) {
					return true
				}
			}
		}
		if len(payload) == before { // nothing was undone
			return false
		}
	}
	return true // escapes within escapes without end: refuse what cannot be read
}

// holds looks for one identifier in plain bytes.
func holds(payload []byte, id string) bool {
	if len(id) < MinIdentifier {
		return false
	}
	if !isDigits(id) {
		return holdsText(payload, id)
	}
	alone := len(id) < standsAlone
	if !alone && id[0] == '0' {
		id = id[1:] // finds the number with and without it
	}
	return holdsNumber(payload, id, alone)
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

// holdsNumber looks for digits, whatever separates them.
func holdsNumber(payload []byte, id string, alone bool) bool {
	for i := 0; i < len(payload); i++ {
		next := bytes.IndexByte(payload[i:], id[0])
		if next < 0 {
			return false
		}
		i += next
		if alone && i > 0 && isDigit(payload[i-1]) {
			continue
		}
		if end := matchNumber(payload, i, id); end > 0 && !(alone && end < len(payload) && isDigit(payload[end])) {
			return true
		}
	}
	return false
}

// matchNumber returns where the number that starts at i ends, 0 if it is another one.
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

// holdsText looks for text, in either case.
func holdsText(payload []byte, id string) bool {
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

// unescapeJSON undoes one layer of JSON escapes (RFC 8259 section 7). What is none stays.
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

// unescapePercent undoes one layer of percent-encoding. What is none stays.
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

// appendEscaped appends what the escape at the start of in stands for, and returns its length.
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
			return utf8.AppendRune(out, rune(r)), 6 // half a pair becomes U+FFFD
		}
	case '"', '\\', '/':
		return append(out, in[1]), 2
	case 'b', 'f', 'n', 'r', 't':
		return append(out, ' '), 2
	}
	return append(out, in[0]), 1
}

// hex reads n hexadecimal digits at i.
func hex(in []byte, i, n int) (uint64, bool) {
	if i+n > len(in) {
		return 0, false
	}
	v, err := strconv.ParseUint(string(in[i:i+n]), 16, 32)
	return v, err == nil
}
