package token

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"
)

// buffer holds JSON text. Buffers are pooled: every request encodes at least one document.
type buffer struct {
	buf  bytes.Buffer
	enc  *json.Encoder
	text string // a string is encoded through this field, which saves an allocation
}

var buffers = sync.Pool{New: func() any {
	b := &buffer{}
	b.enc = json.NewEncoder(&b.buf)
	b.enc.SetEscapeHTML(false) // the text is never part of an HTML page
	return b
}}

// maxPooled is the largest buffer that returns to the pool, in bytes.
const maxPooled = 16 << 10

// encode returns v as JSON. The caller calls free when it has used the bytes.
func encode(v any) (*buffer, error) {
	b := buffers.Get().(*buffer)
	if err := b.add(v); err != nil {
		b.free()
		return nil, err
	}
	return b, nil
}

// add appends v as JSON.
func (b *buffer) add(v any) error {
	if err := b.enc.Encode(v); err != nil {
		return fmt.Errorf("token: encoding: %w", err)
	}
	b.buf.Truncate(b.buf.Len() - 1) // the newline of the encoder
	return nil
}

// addText appends a JSON string. Most strings are the same in JSON, with quotes.
func (b *buffer) addText(s string) error {
	if isPlain(s) {
		b.buf.WriteByte('"')
		b.buf.WriteString(s)
		b.buf.WriteByte('"')
		return nil
	}
	b.text = s
	err := b.add(&b.text)
	b.text = ""
	return err
}

// isPlain reports whether s is printable ASCII that JSON does not escape.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// openMember begins a further member of the object that the buffer ends with. The value and closeObject follow.
func (b *buffer) openMember(name string) error {
	b.buf.Truncate(b.buf.Len() - 1) // the closing brace; the object is never empty
	b.buf.WriteByte(',')
	if err := b.addText(name); err != nil {
		return err
	}
	b.buf.WriteByte(':')
	return nil
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
	buffers.Put(b)
}
