package pseudonym

import (
	"errors"
	"fmt"
	"log/slog"
	"unsafe"
)

const redacted = "REDACTED"

var (
	// ErrIdentifier reports an identifier without a type or without a value.
	ErrIdentifier = errors.New("pseudonym: an identifier needs a type and a value")
	errMarshal    = errors.New("pseudonym: an Identifier is not marshalled: use Reveal")
)

// Identifier is a typed identifier of a user, such as a national identity number of type "pid" or an e-mail address of type
// "email". It shows REDACTED when it is printed or logged. The zero value is no identifier.
type Identifier struct {
	_   [0]func() // not comparable: compare types and values
	typ string
	// The fmt package prints unexported fields without calling their methods. A pointer and a length keep the value out
	// of the output without an allocation.
	data *byte
	size int
}

// NewIdentifier returns an identifier. Both arguments are required. Always use the same typ for the same kind of identifier:
// [Pairwise] derives another subject from another typ. The value is not changed; normalise e-mail addresses first.
func NewIdentifier(typ, value string) (Identifier, error) {
	if typ == "" || value == "" {
		return Identifier{}, ErrIdentifier
	}
	return Identifier{typ: typ, data: unsafe.StringData(value), size: len(value)}, nil
}

// Find returns the first identifier of the given type.
func Find(list []Identifier, typ string) (Identifier, bool) {
	for _, id := range list {
		if id.Type() == typ && !id.IsZero() {
			return id, true
		}
	}
	return Identifier{}, false
}

// Type returns the type, "" for the zero value.
func (i Identifier) Type() string { return i.typ }

// Reveal returns the value, "" for the zero value.
func (i Identifier) Reveal() string { return unsafe.String(i.data, i.size) }

// IsZero reports whether i is the zero value.
func (i Identifier) IsZero() bool { return i.data == nil }

// Format writes "REDACTED" for every verb, %x included.
func (Identifier) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// String returns "REDACTED".
func (Identifier) String() string { return redacted }

// LogValue returns "REDACTED".
func (Identifier) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns an error: write the value with Reveal.
func (Identifier) MarshalText() ([]byte, error) { return nil, errMarshal }

// MarshalJSON returns an error: write the value with Reveal.
func (Identifier) MarshalJSON() ([]byte, error) { return nil, errMarshal }
