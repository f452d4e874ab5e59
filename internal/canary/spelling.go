package canary

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// spelling is one form of a value in a text.
type spelling struct{ name, text string }

// spellings returns a value in every form that is searched for. The value may be in the middle of what was encoded.
func spellings(value string) []spelling {
	raw := []byte(value)
	digits := hex.EncodeToString(raw)
	capitals := strings.ToUpper(digits)
	all := append(make([]spelling, 0, 16), []spelling{
		{"plain", value},
		{"reversed", reversed(value)},
		{"hex", digits},
		{"HEX", capitals},
		{"bytes in decimal", decimal(raw)},
		{"every byte url-encoded", percent(digits)},
		{"every byte URL-encoded", percent(capitals)},
		{"URL-encoded", url.QueryEscape(value)},
		{"URL-encoded in a path", url.PathEscape(value)},
	}...)
	for offset, name := range []string{"base64", "base64 after one byte", "base64 after two bytes"} {
		text := append(make([]byte, offset, offset+len(raw)), raw...)
		all = append(all,
			spelling{name, inside(base64.RawStdEncoding.EncodeToString(text), offset, len(raw))},
			spelling{name + " (URL)", inside(base64.RawURLEncoding.EncodeToString(text), offset, len(raw))})
	}
	kept := all[:0]
	for _, s := range all {
		if !slices.ContainsFunc(kept, func(k spelling) bool { return k.text == s.text }) {
			kept = append(kept, s)
		}
	}
	return kept
}

// percent returns hexadecimal digits as URL-encoded bytes.
func percent(digits string) string {
	b := make([]byte, 0, len(digits)*3/2)
	for i := 0; i < len(digits); i += 2 {
		b = append(b, '%', digits[i], digits[i+1])
	}
	return string(b)
}

// decimal returns bytes as package fmt prints them.
func decimal(raw []byte) string {
	b := make([]byte, 0, 4*len(raw))
	for i, c := range raw {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendUint(b, uint64(c), 10)
	}
	return string(b)
}

func reversed(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}

// inside cuts the characters of base64 that depend on what is before and after the value.
func inside(text string, offset, length int) string {
	return text[(offset*8+5)/6 : (offset+length)*8/6]
}

// pattern is a spelling of a value.
type pattern struct {
	spelling

	value *value
}

// index finds patterns in texts. Its cost does not depend on their number.
type index struct {
	first [1 << 16]bool // hashes of the first four bytes of patterns
	at    map[uint32][]pattern
}

// newIndex returns the index of values.
func newIndex(values []*value) *index {
	x := &index{at: map[uint32][]pattern{}}
	for _, v := range values {
		for _, part := range v.parts() {
			for _, s := range spellings(part) {
				k := four(s.text)
				x.first[fold(k)] = true
				x.at[k] = append(x.at[k], pattern{s, v})
			}
		}
	}
	return x
}

func four(s string) uint32 {
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

func fold(k uint32) uint16 { return uint16((k * 2654435761) >> 16) }

// find calls found for each pattern in text.
func (x *index) find(text string, found func(p pattern, at int)) {
	for i := 0; i+4 <= len(text); i++ {
		k := four(text[i:])
		if !x.first[fold(k)] {
			continue
		}
		for _, p := range x.at[k] {
			if strings.HasPrefix(text[i:], p.text) {
				found(p, i)
			}
		}
	}
}
