package keyset

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/jose"
)

// How long keys are published before and after their use.
const (
	// DefaultPublishLead leaves time for clients that cache the JWKS for a day.
	DefaultPublishLead = 48 * time.Hour
	// MinPublishLead is the max-age of the JWKS, an hour, and five minutes.
	MinPublishLead = time.Hour + 5*time.Minute
	// DefaultKeep covers every default lifetime of a token in this module.
	DefaultKeep = 24 * time.Hour
)

// Rotation is how long keys are published before and after their use.
type Rotation struct {
	// PublishLead is how long a key is in the JWKS before it signs. The default is DefaultPublishLead, the minimum is
	// MinPublishLead. Clients that cache the JWKS for longer reject the first tokens of a new key.
	PublishLead time.Duration
	// Keep is how long a key stays in the JWKS after its last signature. It must be at least the longest lifetime of a token
	// plus the difference between two clocks; otherwise valid tokens are rejected. The default is DefaultKeep.
	Keep time.Duration
}

func (r Rotation) withDefaults() Rotation {
	return Rotation{PublishLead: cmp.Or(r.PublishLead, DefaultPublishLead), Keep: cmp.Or(r.Keep, DefaultKeep)}
}

func (r Rotation) check() error {
	var c fields.Checker
	c.Want(r.PublishLead >= MinPublishLead, "PublishLead", fmt.Sprintf("must be at least %v", MinPublishLead))
	c.Want(r.Keep >= 0, "Keep", "must not be negative")
	return c.Err()
}

// Plan returns the states of keys and of one more key, next. The new key is published from next.PublishFrom, by default now, and
// signs from next.ActiveFrom, by default PublishLead later. The key that signed before it retires at that instant and is removed
// Keep later. Plan has no effect: store the result, load it on every node, and call Set.Replace there.
//
// The argument keys must include the states of removed keys, because a kid cannot be used again.
func (r Rotation) Plan(keys []KeyState, next KeyState, now time.Time) ([]KeyState, error) {
	r = r.withDefaults()
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("keyset: %w", err)
	}
	if next.PublishFrom.IsZero() {
		next.PublishFrom = now
	}
	if next.ActiveFrom.IsZero() {
		next.ActiveFrom = next.PublishFrom.Add(r.PublishLead)
	}
	if next.PublishFrom.Before(now) || next.ActiveFrom.Sub(next.PublishFrom) < r.PublishLead {
		return nil, fmt.Errorf("keyset: a new key must be published for %v before it signs", r.PublishLead)
	}
	plan := make([]KeyState, 0, len(keys)+1)
	for _, k := range keys {
		if k.KID == next.KID {
			return nil, fmt.Errorf("keyset: key %s was in use before", k.KID)
		}
		if k.Alg == next.Alg {
			if !k.ActiveFrom.Before(next.ActiveFrom) {
				return nil, fmt.Errorf("keyset: key %s is planned to sign from %v, not before the new one", k.KID, k.ActiveFrom)
			}
			k.Life = r.endAt(k.Life, next.ActiveFrom)
		}
		plan = append(plan, k)
	}
	return append(plan, next), nil
}

// endAt returns the life of a key whose successor begins to sign at an instant.
func (r Rotation) endAt(l Life, successor time.Time) Life {
	if l.RetireAt.IsZero() || l.RetireAt.After(successor) {
		l.RetireAt = successor
		l.RemoveAt = time.Time{}
	}
	if l.RemoveAt.IsZero() {
		l.RemoveAt = l.RetireAt.Add(r.Keep)
	}
	return l
}

// Add publishes a further key from now. The key signs from key.ActiveFrom, or after the publish lead if that is zero. The active
// key of its algorithm retires then, and is removed removeOldAfter later. If removeOldAfter is zero, it is Rotation.Keep; a
// smaller value is an error. A provider with several nodes uses Rotation.Plan instead. Add returns an error for the set of a
// Directory or Shared.
func (s *Set) Add(key Key, removeOldAfter time.Duration, now time.Time) error {
	if err := s.fixed(); err != nil {
		return err
	}
	key, err := withKID(key)
	if err != nil {
		return fmt.Errorf("keyset: adding a key: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rotation
	r.Keep = cmp.Or(removeOldAfter, r.Keep)
	planned, err := r.Plan(states(s.keys), key.State(), now)
	if err != nil {
		return err
	}
	keys := append(slices.Clone(s.keys), key)
	for i, state := range planned {
		keys[i].Life = state.Life
	}
	if err := s.replace(keys, s.prepared, time.Time{}); err != nil {
		return fmt.Errorf("keyset: adding a key: %w", err)
	}
	return nil
}

// plan validates keys, sorts them by algorithm and start, and derives the instants that are not set: a key without RetireAt
// retires when the next key of its algorithm begins. Keys that are not known are prepared. It reports every problem at once.
func (s *Set) plan(keys []Key, known map[string]prepared) ([]Key, map[string]prepared, error) {
	var c fields.Checker
	c.Require(len(keys) > 0, "Keys")
	planned := make([]Key, 0, len(keys))
	all := make(map[string]prepared, len(keys))
	index := make(map[string]int, len(keys))
	for i, k := range keys {
		k, p, err := s.check(k, known)
		if _, seen := index[k.KID]; err == nil && seen {
			err = errors.New("the same key is listed twice")
		}
		if err != nil {
			c.Add(fmt.Sprintf("Keys[%d]", i), err)
			continue
		}
		index[k.KID], all[k.KID] = i, p
		planned = append(planned, k)
	}
	slices.SortFunc(planned, func(a, b Key) int {
		return cmp.Or(cmp.Compare(a.Alg, b.Alg), a.ActiveFrom.Compare(b.ActiveFrom), cmp.Compare(a.KID, b.KID))
	})
	for i := range planned {
		var successor *Key
		if i+1 < len(planned) && planned[i+1].Alg == planned[i].Alg {
			successor = &planned[i+1]
		}
		c.Add(fmt.Sprintf("Keys[%d]", index[planned[i].KID]), s.checkLife(&planned[i], successor))
	}
	if len(keys) > 0 {
		c.Want(slices.ContainsFunc(keys, func(k Key) bool { return k.Alg == s.defaultAlg }),
			"DefaultAlg", fmt.Sprintf("there is no key for %q", s.defaultAlg))
	}
	return planned, all, c.Err()
}

// check validates one key and prepares it, unless it is known.
func (s *Set) check(k Key, known map[string]prepared) (Key, prepared, error) {
	if !slices.Contains(supported, k.Alg) {
		return k, prepared{}, fmt.Errorf("unknown alg %q", k.Alg)
	}
	k, err := withKID(k)
	if err == nil {
		err = jose.Fits(k.Alg, k.Signer.Public())
	}
	if err != nil {
		return k, prepared{}, err
	}
	if p, ok := known[k.KID]; ok {
		return k, p, nil
	}
	p, err := s.prepare(k)
	return k, p, err
}

// checkLife validates the instants of a key together with those of its successor, which may be nil. The rules ensure that at each
// instant at most one key of an algorithm signs, without a gap between two keys, and that the last key of the default algorithm
// never retires.
func (s *Set) checkLife(k, successor *Key) error {
	if successor != nil {
		if !k.ActiveFrom.Before(successor.ActiveFrom) {
			return fmt.Errorf("key %s begins to sign %s at the same instant", successor.KID, k.Alg)
		}
		if k.RetireAt.IsZero() || k.RetireAt.After(successor.ActiveFrom) {
			k.RetireAt = successor.ActiveFrom
		}
		if k.RetireAt.Before(successor.ActiveFrom) {
			return fmt.Errorf("retires at %v, before its successor %s begins at %v", k.RetireAt, successor.KID, successor.ActiveFrom)
		}
	}
	switch {
	case successor == nil && k.Alg == s.defaultAlg && !k.RetireAt.IsZero():
		return errors.New("the last key of the default algorithm must not retire")
	case !k.RetireAt.IsZero() && !k.ActiveFrom.Before(k.RetireAt):
		return errors.New("retires before it signs")
	case !k.RemoveAt.IsZero() && (k.RetireAt.IsZero() || k.RemoveAt.Before(k.RetireAt.Add(s.rotation.Keep))):
		return fmt.Errorf("RemoveAt must be at least %v after RetireAt; leave out a key to take it out of use now", s.rotation.Keep)
	case !k.PublishFrom.IsZero() && k.ActiveFrom.Sub(k.PublishFrom) < s.rotation.PublishLead:
		return fmt.Errorf("must be published for %v before it signs", s.rotation.PublishLead)
	}
	return nil
}
