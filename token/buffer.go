package token

import (
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
)

// buffer holds JSON text. Buffers are pooled: every request encodes at least one document.
type buffer struct {
	buf    []byte
	enc    *json.Encoder
	quoted string // a string is encoded through this field, which saves an allocation
	err    error  // the first one of a member
}

// members is an object that writes its members itself: encoding/json would take a tenth of the time of a code exchange that is not
// spent on signatures.
type members interface{ write(b *buffer) }

var buffers = sync.Pool{New: func() any {
	b := &buffer{}
	b.enc = json.NewEncoder(b)
	b.enc.SetEscapeHTML(false) // the text is never part of an HTML page
	return b
}}

// maxPooled is the largest buffer that returns to the pool, in bytes.
const maxPooled = 16 << 10

// encode returns an object as JSON. The caller calls free when it has used the bytes.
func encode(of members) (*buffer, error) {
	b := newObject()
	of.write(b)
	if err := b.finish(); err != nil {
		return nil, err
	}
	return b, nil
}

// newObject begins an object. Its members and finish follow.
func newObject() *buffer {
	b := buffers.Get().(*buffer)
	b.buf = append(b.buf, '{')
	return b
}

// finish ends the object that newObject began. It frees the buffer if a member could not be written.
func (b *buffer) finish() error {
	b.closeObject()
	err := b.err
	if err != nil {
		b.free()
	}
	return err
}

// name begins a member of the protocol, whose name JSON does not escape.
func (b *buffer) name(name string) {
	b.separate()
	b.buf = append(b.quote(name), ':')
}

// separate writes a comma, unless the next member is the first one of its object.
func (b *buffer) separate() {
	if b.buf[len(b.buf)-1] != '{' {
		b.buf = append(b.buf, ',')
	}
}

// quote returns the text followed by s in quotes.
func (b *buffer) quote(s string) []byte {
	return append(append(append(b.buf, '"'), s...), '"')
}

// string writes a JSON string. Most strings are the same in JSON, with quotes.
func (b *buffer) string(s string) {
	if isPlain(s) {
		b.buf = b.quote(s)
		return
	}
	b.quoted = s
	b.value(&b.quoted)
	b.quoted = ""
}

// value writes a value by encoding/json.
func (b *buffer) value(v any) {
	if err := b.add(v); err != nil && b.err == nil {
		b.err = err
	}
}

// text writes a member with a string.
func (b *buffer) text(name, s string) {
	b.name(name)
	b.string(s)
}

// optionalText is text, but leaves out an empty string.
func (b *buffer) optionalText(name, s string) {
	if s != "" {
		b.text(name, s)
	}
}

// number writes a member with a number.
func (b *buffer) number(name string, n int64) {
	b.name(name)
	b.buf = strconv.AppendInt(b.buf, n, 10)
}

// optionalNumber is number, but leaves out a zero.
func (b *buffer) optionalNumber(name string, n int64) {
	if n != 0 {
		b.number(name, n)
	}
}

// texts writes a member with an array of strings.
func (b *buffer) texts(name string, list []string) {
	b.name(name)
	for i, s := range list {
		b.buf = append(b.buf, "[,"[min(i, 1)])
		b.string(s)
	}
	if len(list) == 0 {
		b.buf = append(b.buf, '[')
	}
	b.buf = append(b.buf, ']')
}

// optionalTexts is texts, but leaves out an empty array.
func (b *buffer) optionalTexts(name string, list []string) {
	if len(list) > 0 {
		b.texts(name, list)
	}
}

// optionalJSON writes a member with a value that is JSON, and leaves out an empty one.
func (b *buffer) optionalJSON(name string, value json.RawMessage) {
	if len(value) == 0 {
		return
	}
	b.name(name)
	b.value(value)
}

// add appends v as JSON.
func (b *buffer) add(v any) error {
	if err := b.enc.Encode(v); err != nil {
		return fmt.Errorf("token: encoding: %w", err)
	}
	b.trim() // the newline of the encoder
	return nil
}

// Write appends to the text, for the encoder.
func (b *buffer) Write(p []byte) (int, error) {
	b.buf = append(b.buf, p...)
	return len(p), nil
}

// trim removes the last byte.
func (b *buffer) trim() { b.buf = b.buf[:len(b.buf)-1] }

// isPlain reports whether s is printable ASCII that JSON does not escape. Responses hold tokens, which are long, so it reads eight bytes
// at a time.
func isPlain(s string) bool {
	if len(s) < 8 {
		for i := range len(s) {
			if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
				return false
			}
		}
		return true
	}
	found := special(word(s[len(s)-8:])) // the last eight bytes, some of which may be read twice
	for ; len(s) >= 8; s = s[8:] {
		found |= special(word(s))
	}
	return found&high == 0
}

// Constants for eight bytes in a word: a one in each byte, and the highest bit of each.
const (
	ones uint64 = 0x01010101_01010101
	high        = 0x80 * ones
)

// special returns a word with the highest bit of a byte set if w has a byte that is not ASCII, a control character, a quote or a
// backslash. No other byte makes a sum above 0x7f or a negative difference.
func special(w uint64) uint64 {
	return w | (w + ones) | (w - ' '*ones) | ((w ^ '"'*ones) - ones) | ((w ^ '\\'*ones) - ones)
}

// word returns the first eight bytes of s.
func word(s string) uint64 {
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// openMember begins a further member of the object that the buffer ends with. The value and closeObject follow.
func (b *buffer) openMember(name string) {
	b.trim() // the closing brace
	b.separate()
	b.string(name)
	b.buf = append(b.buf, ':')
}

func (b *buffer) closeObject() { b.buf = append(b.buf, '}') }

func (b *buffer) bytes() []byte { return b.buf }

// free overwrites the text, which holds tokens and identifiers, and returns the buffer to the pool.
func (b *buffer) free() {
	if cap(b.buf) > maxPooled {
		return
	}
	clear(b.buf)
	b.buf = b.buf[:0]
	b.err = nil
	buffers.Put(b)
}
