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

// MinKey is the shortest key Pairwise takes, in bytes.
const MinKey = 32

// The length of a subject: 32 bytes in base64url.
const subjectLength = 43

// version stands first in what is hashed. A change of the algorithm changes it, and with it
// every subject.
const version = "v1"

var errSector = errors.New("pseudonym: a subject needs a sector")

// Pairwise makes subject identifiers that differ from client to client (OpenID Connect Core 1.0
// section 8.1, idporten section 6.4). It is safe for concurrent use.
//
// Subjects are how clients know their users. They depend on the key, the sector, the kind of
// identifier and the identifier, and on nothing else: not on time, node or version of this
// module. Losing the key makes every user of every client a stranger, and there is no rotation for
// the same reason; leaking it makes subjects reversible, as there are few enough people to try
// them all (security H5). Keep it apart from the database, with the signing keys.
//
//	sub = base64url(HMAC-SHA-256(key, "v1" ‖ len(sector) ‖ sector ‖ len(idType) ‖ idType ‖ len(identifier) ‖ identifier))
//
// Lengths are in bytes, as eight bytes big-endian. They keep ("a", "bc") and ("ab", "c") apart.
type Pairwise struct {
	macs sync.Pool // *mac, keyed
}

type mac struct {
	hash.Hash
	in  []byte
	out [sha256.Size]byte
	sub [subjectLength]byte
}

// NewPairwise takes a secret key of 32 bytes or more that must stay the same for years.
func NewPairwise(key []byte) (*Pairwise, error) {
	if len(key) < MinKey {
		return nil, fmt.Errorf("pseudonym: pairwise key has %d bytes, needs %d", len(key), MinKey)
	}
	key = slices.Clone(key)
	p := &Pairwise{}
	p.macs.New = func() any { return &mac{Hash: hmac.New(sha256.New, key)} }
	return p, nil
}

// Subject returns the subject of id in sector: 43 characters, base64url without padding. A sector is a group of clients
// that get the same subject for a user; in ID-porten it is one client_id. Subject returns an error if sector is empty or
// id is the zero value.
func (p *Pairwise) Subject(sector string, id Identifier) (string, error) {
	if sector == "" {
		return "", errSector
	}
	if id.IsZero() {
		return "", ErrIdentifier
	}
	m := p.macs.Get().(*mac)
	m.in = append(m.in[:0], version...)
	for _, field := range [...]string{sector, id.Type(), id.Reveal()} {
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

// Format keeps the key out of every formatting verb, and so out of logs.
func (p *Pairwise) Format(w fmt.State, _ rune) { io.WriteString(w, "REDACTED") }
