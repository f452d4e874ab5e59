package portner

import (
	"fmt"
	"log/slog"
)

const redacted = "REDACTED"

// Secret is key material or another value that must never be printed. Every
// formatting verb, slog and encoding/json show REDACTED in its place.
type Secret []byte

// String returns "REDACTED".
func (Secret) String() string { return redacted }

// Format writes "REDACTED" for every verb, %x and %s included.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue returns "REDACTED".
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "REDACTED".
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
