// Package session decides how long an SSO session lives and whom it is good for.
package session

import (
	"time"

	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/storage"
)

// The limits of ID-porten.
const (
	DefaultMax  = 120 * time.Minute // from the first authentication
	DefaultIdle = 30 * time.Minute  // between two authorization requests
)

// Limits are the two timers of a session.
type Limits struct{ Max, Idle time.Duration }

// State is what the timers say.
type State int

// The states of a session.
const (
	Active  State = iota
	Idle          // too long since the last authorization request
	Expired       // too long since the first authentication
)

// State tells whether the session is usable at now. It allocates nothing.
func (l Limits) State(s *storage.Session, now time.Time) State { panic("stub") }

// ExpiresAt returns the earlier end of a session started at start and last used at last.
func (l Limits) ExpiresAt(start, last time.Time) time.Time { panic("stub") }

// Identity is the person behind a session or a grant, as the host's login told. It is sealed
// before it meets a store.
type Identity struct {
	Subject string     // the host's stable identifier of the person; never sent to a client
	PID     norway.PID // zero for e-mail and unmatched eIDAS users

	// Further claims of id_tokens, as the login gave them (eIDAS and e-mail users).
	Email                 string
	EIDASPersonIdentifier string
	GivenName             string
	FamilyName            string
	BirthDate             string // YYYY-MM-DD
}

// MarshalBinary encodes the identity for sealing.
func (i Identity) MarshalBinary() ([]byte, error) { panic("stub") }

// UnmarshalBinary reverses MarshalBinary.
func (i *Identity) UnmarshalBinary(data []byte) error { panic("stub") }

// Authentication is one login event.
type Authentication struct {
	Identity
	ACR  string    // the level achieved
	AMR  []string  // the methods used
	Time time.Time // when; zero = now
}
