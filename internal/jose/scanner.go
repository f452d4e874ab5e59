package jose

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner validates JSON text (RFC 8259).
type scanner struct {
	s     string
	i     int
	depth int
	names []string         // of the open objects, innermost last
	room  [fewNames]string // of names at first: most objects have no more
}

// scan returns a scanner of s.
func (sc *scanner) scan(s string) {
	sc.s, sc.names = s, sc.room[:0]
}

func (sc *scanner) bad(what string) error {
	return fmt.Errorf("%w: JSON: %s at byte %d", ErrMalformed, what, sc.i)
}

// peek returns the next byte, or 0 at the end. A byte 0 in the text is invalid everywhere.
func (sc *scanner) peek() byte {
	if sc.i < len(sc.s) {
		return sc.s[sc.i]
	}
	return 0
}

func (sc *scanner) space() {
	for sc.i < len(sc.s) {
		switch sc.s[sc.i] {
		case ' ', '\t', '\n', '\r':
			sc.i++
		default:
			return
		}
	}
}

func (sc *scanner) enter() error {
	if sc.depth++; sc.depth > MaxDepth {
		return sc.bad("too deep")
	}
	sc.i++
	sc.space()
	return nil
}

func (sc *scanner) leave() {
	sc.depth--
	sc.i++
}

// object scans an object. If into is not nil, it appends the members.
func (sc *scanner) object(into *Object) error {
	if sc.peek() != '{' {
		return sc.bad("not an object")
	}
	if err := sc.enter(); err != nil {
		return err
	}
	seen := nameSet{first: len(sc.names)}
	for sc.peek() != '}' {
		if seen.n > 0 {
			if err := sc.comma(); err != nil {
				return err
			}
		}
		name, err := sc.name()
		if err != nil {
			return err
		}
		if !seen.add(sc, name) {
			return sc.bad("name is repeated")
		}
		start := sc.i
		if err := sc.value(); err != nil {
			return err
		}
		if into != nil {
			into.members = append(into.members, member{name, sc.s[start:sc.i]})
		}
		sc.space()
	}
	sc.names = sc.names[:seen.first]
	sc.leave()
	return nil
}

func (sc *scanner) comma() error {
	if sc.peek() != ',' {
		return sc.bad("comma or end expected")
	}
	sc.i++
	sc.space()
	return nil
}

// name reads the name of a member and the colon.
func (sc *scanner) name() (string, error) {
	if sc.peek() != '"' {
		return "", sc.bad("name expected")
	}
	name, err := sc.text()
	if err != nil {
		return "", err
	}
	if sc.space(); sc.peek() != ':' {
		return "", sc.bad("colon expected")
	}
	sc.i++
	sc.space()
	return name, nil
}

func (sc *scanner) array() error {
	if err := sc.enter(); err != nil {
		return err
	}
	for n := 0; sc.peek() != ']'; n++ {
		if n > 0 {
			if err := sc.comma(); err != nil {
				return err
			}
		}
		if err := sc.value(); err != nil {
			return err
		}
		sc.space()
	}
	sc.leave()
	return nil
}

func (sc *scanner) value() error {
	switch c := sc.peek(); c {
	case '{':
		return sc.object(nil)
	case '[':
		return sc.array()
	case '"':
		_, err := sc.text()
		return err
	case 't':
		return sc.literal("true")
	case 'f':
		return sc.literal("false")
	case 'n':
		return sc.literal("null")
	}
	return sc.number()
}

func (sc *scanner) literal(word string) error {
	if !strings.HasPrefix(sc.s[sc.i:], word) {
		return sc.bad("value expected")
	}
	sc.i += len(word)
	return nil
}

// number scans a number (RFC 8259 §6).
func (sc *scanner) number() error {
	if sc.peek() == '-' {
		sc.i++
	}
	if sc.peek() == '0' {
		sc.i++
	} else if !sc.digits() {
		return sc.bad("value expected")
	}
	if sc.peek() == '.' {
		if sc.i++; !sc.digits() {
			return sc.bad("digit expected")
		}
	}
	if c := sc.peek(); c == 'e' || c == 'E' {
		sc.i++
		if c := sc.peek(); c == '+' || c == '-' {
			sc.i++
		}
		if !sc.digits() {
			return sc.bad("digit expected")
		}
	}
	return nil
}

func (sc *scanner) digits() bool {
	start := sc.i
	for c := sc.peek(); '0' <= c && c <= '9'; c = sc.peek() {
		sc.i++
	}
	return sc.i > start
}

// text reads a string and returns its value. Without escapes, the value is a part of the input.
func (sc *scanner) text() (string, error) {
	sc.i++ // the opening quote
	start := sc.i
	for sc.i < len(sc.s) {
		switch c := sc.s[sc.i]; {
		case c == '"':
			sc.i++
			return sc.s[start : sc.i-1], nil
		case c == '\\':
			return sc.escaped(start)
		case c < ' ':
			return "", sc.bad("control character")
		}
		sc.i++
	}
	return "", sc.bad("unterminated string")
}

// escaped continues text from the first backslash.
func (sc *scanner) escaped(start int) (string, error) {
	out := append(make([]byte, 0, 2*(sc.i-start)+16), sc.s[start:sc.i]...)
	for sc.i < len(sc.s) {
		c := sc.s[sc.i]
		sc.i++
		switch {
		case c == '"':
			return string(out), nil
		case c < ' ':
			return "", sc.bad("control character")
		case c != '\\':
			out = append(out, c)
			continue
		}
		r, err := sc.escape()
		if err != nil {
			return "", err
		}
		out = utf8.AppendRune(out, r)
	}
	return "", sc.bad("unterminated string")
}

// escape reads what follows a backslash.
func (sc *scanner) escape() (rune, error) {
	c := sc.peek()
	sc.i++
	switch c {
	case '"', '\\', '/':
		return rune(c), nil
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'u':
		return sc.codePoint()
	}
	return 0, sc.bad("unknown escape")
}

// codePoint reads the digits after \u. It rejects lone surrogates, which parsers read differently.
func (sc *scanner) codePoint() (rune, error) {
	r, ok := sc.hex4()
	if !ok {
		return 0, sc.bad("four hexadecimal digits expected")
	}
	if !utf16.IsSurrogate(r) {
		return r, nil
	}
	if strings.HasPrefix(sc.s[min(sc.i, len(sc.s)):], `\u`) {
		sc.i += 2
		if low, ok := sc.hex4(); ok {
			if r = utf16.DecodeRune(r, low); r != unicode.ReplacementChar {
				return r, nil
			}
		}
	}
	return 0, sc.bad("lone surrogate")
}

func (sc *scanner) hex4() (rune, bool) {
	if sc.i+4 > len(sc.s) {
		return 0, false
	}
	var r rune
	for range 4 {
		c := sc.s[sc.i]
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
		sc.i++
	}
	return r, true
}

// nameSet holds the names of one open object. They are in scanner.names from first. If there are many, they are hashed, so that
// the cost of an object is linear.
type nameSet struct {
	first, n int
	hashed   map[string]struct{}
}

const fewNames = 16

// add adds a name and reports whether it is new, whatever the case of its letters.
func (ns *nameSet) add(sc *scanner, name string) bool {
	if ns.n++; ns.n <= fewNames {
		for _, other := range sc.names[ns.first:] {
			if strings.EqualFold(other, name) {
				return false
			}
		}
		sc.names = append(sc.names, name)
		return true
	}
	if ns.hashed == nil {
		ns.hashed = make(map[string]struct{}, 4*fewNames)
		for _, other := range sc.names[ns.first:] {
			ns.hashed[folded(other)] = struct{}{}
		}
	}
	key := folded(name)
	_, known := ns.hashed[key]
	ns.hashed[key] = struct{}{}
	return !known
}

// folded returns the same text for names that are equal under strings.EqualFold.
func folded(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return least
	}, name)
}
