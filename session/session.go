package session

import (
	"cmp"
	"time"
)

// Default lifetimes of a session.
const (
	DefaultMax  = 120 * time.Minute // from the first authentication
	DefaultIdle = 30 * time.Minute  // from the last authorization request
)

// MaxSkew bounds how far the clocks of two nodes may differ. A stored instant that is further after now shows that a clock was set
// back: an elapsed time that is computed from it would be negative, and within every limit. Such a record is treated as expired.
const MaxSkew = time.Minute

// Limits holds the maximum and idle lifetime of a session. A zero field is DefaultMax or DefaultIdle. With a negative field every session
// is Expired; New rejects such a field.
type Limits struct {
	// Max is the longest lifetime of a session, from its first authentication. It is never extended.
	Max time.Duration
	// Idle is the longest time between two valid authorization requests, whatever they lead to.
	Idle time.Duration
}

// Times holds the instants of a session that limits apply to.
type Times struct {
	StartedAt     time.Time // first authentication
	LastRequestAt time.Time // last valid authorization request
}

// State is the state of a session. The zero value is Expired.
type State int

// The states of a session.
const (
	Expired State = iota // older than Limits.Max, without times, with a time more than a minute after now, or with negative Limits
	Idle                 // unused for Limits.Idle
	Active               // usable
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

// State returns the state of a session at now. A session is Active before the end of both limits, not at it. It is Expired if one
// of its times is more than a minute after now; a smaller difference is that of the clocks of two nodes.
func (l Limits) State(t Times, now time.Time) State {
	latest := now.Add(MaxSkew)
	switch {
	case l.Max < 0, l.Idle < 0:
		return Expired
	case t.StartedAt.IsZero(), t.LastRequestAt.IsZero(), t.StartedAt.After(latest), t.LastRequestAt.After(latest):
		return Expired
	case !now.Before(t.StartedAt.Add(l.max())):
		return Expired
	case !now.Before(t.LastRequestAt.Add(l.idle())):
		return Idle
	}
	return Active
}

func (l Limits) max() time.Duration { return cmp.Or(l.Max, DefaultMax) }

func (l Limits) idle() time.Duration { return cmp.Or(l.Idle, DefaultIdle) }
