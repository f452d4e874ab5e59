package token

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
)

// buffer holds JSON text. Buffers are pooled: every request encodes at least one document.
type buffer struct {
	buf    bytes.Buffer
	enc    *json.Encoder
	quoted string // a string is encoded through this field, which saves an allocation
	err    error  // the first one of a member
}

// members is an object that writes its members itself: encoding/json would take a tenth of the time of a code exchange that is not
// spent on signatures.
type members interface{ write(b *buffer) }

var buffers = sync.Pool{New: func() any {
	b := &buffer{}
	b.enc = json.NewEncoder(&b.buf)
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
	b.buf.WriteByte('{')
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

// name begins a member.
func (b *buffer) name(name string) {
	if text := b.bytes(); text[len(text)-1] != '{' {
		b.buf.WriteByte(',')
	}
	b.string(name)
	b.buf.WriteByte(':')
}

// string writes a JSON string. Most strings are the same in JSON, with quotes.
func (b *buffer) string(s string) {
	if isPlain(s) {
		b.buf.WriteByte('"')
		b.buf.WriteString(s)
		b.buf.WriteByte('"')
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
	b.buf.Write(strconv.AppendInt(b.buf.AvailableBuffer(), n, 10))
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
		b.buf.WriteByte("[,"[min(i, 1)])
		b.string(s)
	}
	if len(list) == 0 {
		b.buf.WriteByte('[')
	}
	b.buf.WriteByte(']')
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
	b.buf.Truncate(b.buf.Len() - 1) // the newline of the encoder
	return nil
}

// isPlain reports whether s is printable ASCII that JSON does not escape. Responses hold tokens, which are long, so it reads four bytes
// between two branches.
func isPlain(s string) bool {
	for ; len(s) >= 4; s = s[4:] {
		if plain[s[0]]&plain[s[1]]&plain[s[2]]&plain[s[3]] == 0 {
			return false
		}
	}
	for i := range len(s) {
		if plain[s[i]] == 0 {
			return false
		}
	}
	return true
}

// plain is 1 for the bytes that isPlain accepts.
var plain = func() (table [256]byte) {
	for c := range table {
		if c >= 0x20 && c <= 0x7e && c != '"' && c != '\\' {
			table[c] = 1
		}
	}
	return table
}()

// openMember begins a further member of the object that the buffer ends with. The value and closeObject follow.
func (b *buffer) openMember(name string) {
	b.buf.Truncate(b.buf.Len() - 1) // the closing brace
	b.name(name)
}

func (b *buffer) closeObject() { b.buf.WriteByte('}') }

func (b *buffer) bytes() []byte { return b.buf.Bytes() }

// free overwrites the text, which holds tokens and identifiers, and returns the buffer to the pool.
func (b *buffer) free() {
	if b.buf.Cap() > maxPooled {
		return
	}
	clear(b.buf.Bytes())
	b.buf.Reset()
	b.err = nil
	buffers.Put(b)
}
