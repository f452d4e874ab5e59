package token

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/pseudonym"
)

// document is encoded JSON in a buffer that is used again: encoding is on the path of every request.
type document struct {
	buf bytes.Buffer
	enc *json.Encoder
}

var documents = sync.Pool{New: func() any {
	d := &document{}
	d.enc = json.NewEncoder(&d.buf)
	d.enc.SetEscapeHTML(false) // what is written here is never HTML
	return d
}}

// maxKept bounds the buffers that are kept for later.
const maxKept = 16 << 10

// encode returns v as JSON. Call free when its bytes are no longer needed.
func encode(v any) (*document, error) {
	d := newDocument()
	if err := d.add(v); err != nil {
		d.free()
		return nil, err
	}
	return d, nil
}

func newDocument() *document { return documents.Get().(*document) }

// add appends v as JSON.
func (d *document) add(v any) error {
	if err := d.enc.Encode(v); err != nil {
		return fmt.Errorf("token: encoding: %w", err)
	}
	d.buf.Truncate(d.buf.Len() - 1) // the encoder's newline
	return nil
}

func (d *document) bytes() []byte { return d.buf.Bytes() }

// free wipes the buffer, which held a person's number or a token, and gives it back.
func (d *document) free() {
	if d.buf.Cap() > maxKept {
		return
	}
	clear(d.buf.Bytes())
	d.buf.Reset()
	documents.Put(d)
}

// errLeak: final bytes named a person who is pseudonymous (security row H1).
var errLeak = fmt.Errorf("token: a pseudonymous person would have been named: %w", portner.ServerError)

// checkLeak looks at the final bytes of a token or answer. It fails closed, whatever put the person there.
func (p *person) checkLeak(final []byte) error {
	if !p.pseudonymous {
		return nil
	}
	for _, id := range p.id.Identifiers {
		if pseudonym.Leaks(final, id.Reveal()) {
			return errLeak
		}
	}
	return nil
}

// addMember puts a further member into the object the document ends with. The name is one of ours.
func (d *document) addMember(name string, value any) error {
	d.buf.Truncate(d.buf.Len() - 1) // the closing brace; the object is never empty
	d.buf.WriteString(`,"`)
	d.buf.WriteString(name)
	d.buf.WriteString(`":`)
	if err := d.add(value); err != nil {
		return err
	}
	d.buf.WriteByte('}')
	return nil
}
