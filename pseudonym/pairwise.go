package pseudonym

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"sync"
)

// minKey is the smallest length of a key of [Pairwise], in bytes.
const minKey = 32

// subjectLength is the length of a subject: 32 bytes in base64url.
const subjectLength = 43

// version is the first field of the hashed text. Another algorithm needs another version, and changes every subject.
const version = "v2"

// Kinds of subjects, the second field of the hashed text.
const (
	openKind         = "open"
	pseudonymousKind = "pseudonymous"
)

var errSector = errors.New("pseudonym: a subject needs a sector")

// Pairwise derives subject identifiers that differ between sectors (OIDC Core §8.1). It is safe for concurrent use.
//
// Clients store subjects to recognise their users. A subject depends on the key, the sector, whether the grant is open, and the
// type and value of the identifier only. If the key is lost or changed, every client sees new users; therefore a key is never
// rotated. If the key leaks, subjects can be reversed by trying all national identity numbers. Store it with the signing keys and
// not in the database.
//
//	sub = base64url(HMAC-SHA-256(key, "v2" ‖ len(kind) ‖ kind ‖ len(sector) ‖ sector ‖ len(type) ‖ type ‖ len(value) ‖ value))
//
// The kind is "open" for open grants and "pseudonymous" for all others. A user thus has two subjects in a sector that only the
// holder of the key can relate: otherwise a client that had an open login of the user, with a national identity number, would
// find that number by the subject of a pseudonymous token, whether it received the token from a login of its own or in exchange
// for the token of another client. All pseudonymous grants of a sector have one subject, so that the client recognises a user whom
// it does not know, and a narrowed token has the subject of the token it was narrowed from.
//
// Lengths are in bytes, as eight bytes big-endian; they make the fields unambiguous.
type Pairwise struct {
	keyed bool      // by NewPairwise
	macs  sync.Pool // *mac, keyed
}

type mac struct {
	hash.Hash
	in  []byte
	out [sha256.Size]byte
	sub [subjectLength]byte
}

// NewPairwise returns a Pairwise for a secret key, which must stay the same for years. It returns an error for a key of fewer than 32
// bytes. It copies key.
func NewPairwise(key []byte) (*Pairwise, error) {
	if len(key) < minKey {
		return nil, fmt.Errorf("pseudonym: the key has %d bytes, at least %d are required", len(key), minKey)
	}
	key = slices.Clone(key)
	p := &Pairwise{keyed: true}
	p.macs.New = func() any { return &mac{Hash: hmac.New(sha256.New, key)} }
	return p, nil
}

// Subject returns the subject of id in sector, for a document with the protection: 43 characters, base64url without padding. Every
// protection but [Open] has the pseudonymous subject. A sector is a group of clients that get the same subject for a user; in
// ID-porten it is one client_id. Subject returns an error if sector is empty or id is the zero value.
func (p *Pairwise) Subject(protection Protection, sector string, id Identifier) (string, error) {
	if sector == "" {
		return "", errSector
	}
	if id.IsZero() {
		return "", ErrIdentifier
	}
	kind := pseudonymousKind
	if protection == Open {
		kind = openKind
	}
	m := p.macs.Get().(*mac)
	m.in = append(m.in[:0], version...)
	for _, field := range [...]string{kind, sector, id.Type(), id.Reveal()} {
		m.in = binary.BigEndian.AppendUint64(m.in, uint64(len(field)))
		m.in = append(m.in, field...)
	}
	m.Reset()
	m.Write(m.in)
	base64.RawURLEncoding.Encode(m.sub[:], m.Sum(m.out[:0]))
	subject := string(m.sub[:])
	clear(m.in) // do not keep the identifier in the pool
	p.macs.Put(m)
	return subject, nil
}

// Format writes "REDACTED" for every verb.
func (p *Pairwise) Format(w fmt.State, _ rune) { io.WriteString(w, redacted) }

// IsSubject reports whether s has the form of the subjects of [Pairwise]: 32 bytes in base64url without padding. A provider that also
// has subjects of other kinds must not issue one that has it.
func IsSubject(s string) bool {
	if len(s) != subjectLength {
		return false
	}
	_, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil
}
