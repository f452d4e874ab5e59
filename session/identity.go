package session

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/portner-go/portner/norway"
)

// Identity is the person behind a session or a grant, as the host's login told. It is sealed by a
// [Vault] before it meets a store.
type Identity struct {
	Subject string     // the host's stable identifier of the person; never sent to a client
	PID     norway.PID // zero for e-mail and unmatched eIDAS users

	// Further claims of id_tokens, as the login gave them (eIDAS and e-mail users).
	Email                 string
	EIDASPersonIdentifier string
	GivenName             string
	FamilyName            string
	BirthDate             string // YYYY-MM-DD

	// Name is the person's full name. ID-porten's tokens do not tell it; Ansattporten's do.
	Name string
}

// Authentication is one login event.
type Authentication struct {
	Identity
	ACR  string    // the level achieved
	AMR  []string  // the methods used
	Time time.Time // when; zero or later than now = now
}

// identityVersion is the first byte of an encoded Identity. A new layout gets a new number, so that
// what an older node sealed is still read, and what a newer one sealed is refused and not misread.
const (
	identityVersion = 1 // of an identity without a name
	identityNamed   = 2 // the same fields, and the name
)

// identityFields is the number of length-prefixed fields of version 1, and namedFields of version 2.
const (
	identityFields = 7
	namedFields    = 8
)

var errIdentity = errors.New("session: malformed identity")

func (i *Identity) fields() [namedFields]string {
	return [...]string{
		i.Subject, i.PID.Reveal(), i.Email, i.EIDASPersonIdentifier,
		i.GivenName, i.FamilyName, i.BirthDate, i.Name,
	}
}

// layout is the number of fields of a version, 0 for an unknown one.
func layout(version byte) int {
	switch version {
	case identityVersion:
		return identityFields
	case identityNamed:
		return namedFields
	}
	return 0
}

// MarshalBinary encodes the identity for sealing: a version byte, then each field behind its length
// as a varint. The result holds the national identity number in clear.
func (i Identity) MarshalBinary() ([]byte, error) { return i.encode(), nil }

func (i *Identity) encode() []byte {
	version := byte(identityVersion)
	if i.Name != "" {
		version = identityNamed
	}
	fields, n := i.fields(), layout(version)
	size := 1
	for _, f := range fields[:n] {
		size += binary.MaxVarintLen32 + len(f)
	}
	out := append(make([]byte, 0, size), version)
	for _, f := range fields[:n] {
		out = binary.AppendUvarint(out, uint64(len(f)))
		out = append(out, f...)
	}
	return out
}

// UnmarshalBinary reverses MarshalBinary. It accepts nothing MarshalBinary would not write.
func (i *Identity) UnmarshalBinary(data []byte) error {
	if len(data) == 0 || layout(data[0]) == 0 {
		return errIdentity
	}
	text := string(data[1:]) // one copy; the fields are parts of it
	var fields [namedFields]string
	for n := range layout(data[0]) {
		var ok bool
		if fields[n], text, ok = cutField(text); !ok {
			return errIdentity
		}
	}
	if text != "" || (data[0] == identityNamed) != (fields[identityFields] != "") {
		return errIdentity
	}
	var pid norway.PID
	if fields[1] != "" {
		var err error
		// The parser's error is left out: it may describe the number.
		if pid, err = norway.ParsePID(fields[1]); err != nil || pid.Reveal() != fields[1] {
			return errIdentity
		}
	}
	*i = Identity{fields[0], pid, fields[2], fields[3], fields[4], fields[5], fields[6], fields[7]}
	return nil
}

// cutField takes one length-prefixed field off the front. Lengths in more bytes than needed are refused.
func cutField(text string) (field, rest string, ok bool) {
	var length uint64
	for n := 0; n < len(text) && n < binary.MaxVarintLen32; n++ {
		b := text[n]
		length |= uint64(b&0x7f) << (7 * n)
		if b >= 0x80 {
			continue
		}
		rest = text[n+1:]
		if (b == 0 && n > 0) || length > uint64(len(rest)) {
			return "", "", false
		}
		return rest[:length], rest[length:], true
	}
	return "", "", false
}

// redacted is what is shown of an identity: it is a person's number and name, not only one field of it.
const redacted = "REDACTED"

// Format writes "REDACTED" for every verb.
func (Identity) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue returns "REDACTED".
func (Identity) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "REDACTED"; encoding/json shows that. MarshalBinary is the encoding.
func (Identity) MarshalText() ([]byte, error) { return []byte(redacted), nil }
