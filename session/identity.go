package session

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/portner-go/portner/pseudonym"
)

// Types of the identifiers that this module uses. Other types need no registration. Pairwise subjects derive from the type,
// so the type of a kind of identifier must never change.
const (
	TypePID   = "pid"   // national identity number
	TypeEIDAS = "eidas" // eIDAS person identifier
	TypeEmail = "email" // e-mail address
)

// typeSubject is the type of the identifier that is made of Identity.Subject.
const typeSubject = "subject"

// Identity is the user behind a session or grant. It shows REDACTED when it is printed or logged, cannot be marshalled, and a [Vault]
// encrypts it before it is stored.
type Identity struct {
	// Subject is the host's stable identifier of the user. Clients with subject type public receive it, if it can be the sub of a user:
	// see token.Endpoint.Subject.
	Subject string
	// Identifiers are the sensitive identifiers: a national identity number, an eIDAS identifier, an e-mail address.
	// Pairwise subjects derive from the first one, or from Subject if there is none. The leak check covers all of them.
	Identifiers []pseudonym.Identifier
	// Attributes are further attributes of the login, such as name and birthdate, for claims functions. The names are
	// those of OIDC Core §5.1 where it has one.
	Attributes map[string]string
}

// Authentication is one login event.
type Authentication struct {
	Identity Identity  // user who logged in
	ACR      string    // level achieved
	AMR      []string  // methods used
	Time     time.Time // zero, or later than now, is now
	// Remember keeps the session cookie when the browser is closed, as long as Limits.Max allows ("remember me"). Set it only if the
	// user chose it on a page that says so, and never on shared devices. It does not extend Limits: set them to what the page
	// promises. If false, the cookie ends with the browser. Each login of the session replaces the choice of the previous one.
	Remember bool
	// Key identifies the login. LogIn with a Key that was used before returns the same session if everything else is the same, so
	// that a form that is posted twice makes one session. If "", each call makes a new cookie. Package authorize sets it.
	Key string
}

// Identifier returns the first identifier of the given type.
func (i *Identity) Identifier(typ string) (pseudonym.Identifier, bool) {
	return pseudonym.Find(i.Identifiers, typ)
}

// PairwiseIdentifier returns the identifier from which pairwise subjects derive: the first of Identifiers, or Subject under
// the type "subject" if there is none. It returns the zero Identifier for the zero Identity.
func (i *Identity) PairwiseIdentifier() pseudonym.Identifier {
	for _, id := range i.Identifiers {
		if !id.IsZero() {
			return id
		}
	}
	id, _ := pseudonym.NewIdentifier(typeSubject, i.Subject) // an empty Subject gives the zero Identifier
	return id
}

// IsZero reports whether i is empty, as the identity of a grant without a user is.
func (i *Identity) IsZero() bool {
	return i.Subject == "" && len(i.Identifiers) == 0 && len(i.Attributes) == 0
}

// identityVersion is the first byte of an encoded identity. Other versions are rejected.
const identityVersion = 3

// encodedNames are the types and attribute names that are encoded as one number. Positions never change; new names are
// appended.
var encodedNames = [...]string{TypePID, TypeEIDAS, TypeEmail, "name", "given_name", "family_name", "birthdate"}

var errIdentity = errors.New("session: malformed identity")

// appendTo appends the identity in the form that is sealed: a version byte, the subject, the identifiers in order, and the
// attributes by name. Counts and lengths are varints. Zero identifiers are left out. The result is not encrypted.
func (i *Identity) appendTo(out []byte) []byte {
	var names []string
	if len(i.Attributes) > 0 {
		names = slices.Sorted(maps.Keys(i.Attributes))
	}
	count := 0
	for _, id := range i.Identifiers {
		if !id.IsZero() {
			count++
		}
	}
	out = appendText(append(out, identityVersion), i.Subject)
	out = binary.AppendUvarint(out, uint64(count))
	for _, id := range i.Identifiers {
		if !id.IsZero() {
			out = appendText(appendName(out, id.Type()), id.Reveal())
		}
	}
	out = binary.AppendUvarint(out, uint64(len(names)))
	for _, name := range names {
		out = appendText(appendName(out, name), i.Attributes[name])
	}
	return out
}

func appendText(out []byte, text string) []byte {
	return append(binary.AppendUvarint(out, uint64(len(text))), text...)
}

// appendName appends a type or an attribute name: the position of an encoded name, or the number of them plus the length of
// the text that follows.
func appendName(out []byte, name string) []byte {
	if k := slices.Index(encodedNames[:], name); k >= 0 {
		return binary.AppendUvarint(out, uint64(k))
	}
	return append(binary.AppendUvarint(out, uint64(len(encodedNames)+len(name))), name...)
}

// decodeIdentity reverses appendTo. It accepts no text that appendTo does not write.
func decodeIdentity(data []byte) (Identity, error) {
	if len(data) == 0 || data[0] != identityVersion {
		return Identity{}, errIdentity
	}
	d := decoder{rest: string(data[1:])} // one copy; every value is a part of it
	i := Identity{Subject: d.text(), Identifiers: d.identifiers(), Attributes: d.attributes()}
	if d.failed || d.rest != "" {
		return Identity{}, errIdentity
	}
	return i, nil
}

// decoder reads an encoded identity. After the first error it returns zero values.
type decoder struct {
	rest   string
	failed bool
}

// fail records an error.
func (d *decoder) fail() { d.failed, d.rest = true, "" }

// number reads a varint. It rejects more bytes than needed.
func (d *decoder) number() int {
	var value uint64
	for n := 0; n < len(d.rest) && n < binary.MaxVarintLen32; n++ {
		b := d.rest[n]
		value |= uint64(b&0x7f) << (7 * n)
		if b >= 0x80 {
			continue
		}
		if b == 0 && n > 0 || value > math.MaxInt32 {
			break
		}
		d.rest = d.rest[n+1:]
		return int(value)
	}
	d.fail()
	return 0
}

// count reads a number of elements. Each of them takes at least two bytes.
func (d *decoder) count() int {
	n := d.number()
	if n > len(d.rest)/2 {
		d.fail()
		return 0
	}
	return n
}

func (d *decoder) take(length int) string {
	if length > len(d.rest) {
		d.fail()
		return ""
	}
	text := d.rest[:length]
	d.rest = d.rest[length:]
	return text
}

func (d *decoder) text() string { return d.take(d.number()) }

func (d *decoder) name() string {
	k := d.number()
	if k < len(encodedNames) {
		return encodedNames[k]
	}
	name := d.take(k - len(encodedNames))
	if slices.Contains(encodedNames[:], name) {
		d.fail()
	}
	return name
}

func (d *decoder) identifiers() []pseudonym.Identifier {
	n := d.count()
	if n == 0 {
		return nil
	}
	list := make([]pseudonym.Identifier, n)
	for k := range list {
		var err error
		if list[k], err = pseudonym.NewIdentifier(d.name(), d.text()); err != nil {
			d.fail()
			return nil
		}
	}
	return list
}

func (d *decoder) attributes() map[string]string {
	n := d.count()
	if n == 0 {
		return nil
	}
	all := make(map[string]string, n)
	last := ""
	for k := range n {
		name, value := d.name(), d.text()
		if k > 0 && name <= last {
			d.fail()
			return nil
		}
		all[name], last = value, name
	}
	return all
}

const redacted = "REDACTED"

// Format writes "REDACTED" for every verb.
func (Identity) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue returns "REDACTED".
func (Identity) LogValue() slog.Value { return slog.StringValue(redacted) }

var errMarshal = errors.New("session: an Identity is not marshalled: use a Vault")

// MarshalText returns an error: a [Vault] encodes identities.
func (Identity) MarshalText() ([]byte, error) { return nil, errMarshal }

// MarshalJSON returns an error: a [Vault] encodes identities.
func (Identity) MarshalJSON() ([]byte, error) { return nil, errMarshal }
