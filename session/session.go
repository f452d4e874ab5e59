package session

import (
	"time"

	"github.com/portner-go/portner/storage"
)

// The limits of ID-porten.
const (
	DefaultMax  = 120 * time.Minute // from the first authentication
	DefaultIdle = 30 * time.Minute  // between two authorization requests
)

// Limits are the two timers of a session. A zero field means ID-porten's value.
type Limits struct {
	// Max is the longest life of a session, from its first authentication. Nothing extends it.
	Max time.Duration
	// Idle is the longest time between two successful authorization requests.
	Idle time.Duration
}

// State is what the timers say.
type State int

// The states of a session.
const (
	Active  State = iota
	Idle          // too long since the last authorization request
	Expired       // too long since the first authentication
)

// String returns a fixed word for logs.
func (s State) String() string {
	switch s {
	case Active:
		return "active"
	case Idle:
		return "idle"
	case Expired:
		return "expired"
	}
	return "unknown"
}

// State tells whether the session is usable at now: both ends are exclusive. It allocates nothing.
func (l Limits) State(s *storage.Session, now time.Time) State {
	if !now.Before(s.StartedAt.Add(l.max())) {
		return Expired
	}
	if !now.Before(s.LastRequestAt.Add(l.idle())) {
		return Idle
	}
	return Active
}

// ExpiresAt returns the earlier end of a session started at start and last used at last.
func (l Limits) ExpiresAt(start, last time.Time) time.Time {
	end, idle := start.Add(l.max()), last.Add(l.idle())
	if idle.Before(end) {
		return idle
	}
	return end
}

func (l Limits) max() time.Duration {
	if l.Max > 0 {
		return l.Max
	}
	return DefaultMax
}

func (l Limits) idle() time.Duration {
	if l.Idle > 0 {
		return l.Idle
	}
	return DefaultIdle
}
