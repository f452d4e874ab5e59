package keyset

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/portner-go/portner/internal/jose"
)

// How long keys are published before and after their use.
const (
	// DefaultPublishLead: clients are told to keep metadata for about a day (security row F4).
	DefaultPublishLead = 48 * time.Hour
	// MinPublishLead is the max-age of the JWKS, an hour, and five minutes.
	MinPublishLead = time.Hour + 5*time.Minute
	// DefaultKeep covers every lifetime a scope or client may ask for in the defaults of this module.
	DefaultKeep = 24 * time.Hour
)

// Rotation is how long keys are published before and after their use.
type Rotation struct {
	// PublishLead is how long a key is in the JWKS before it signs. 0 is DefaultPublishLead; not less than
	// MinPublishLead. Clients that cache the JWKS longer refuse the first tokens of a new key.
	PublishLead time.Duration
	// Keep is how long a key stays in the JWKS after its last signature: the longest life of any token it
	// signs, and the clocks' skew. 0 is DefaultKeep. If it is too short, live tokens turn invalid.
	Keep time.Duration
}

func (r Rotation) withDefaults() Rotation {
	return Rotation{PublishLead: cmp.Or(r.PublishLead, DefaultPublishLead), Keep: cmp.Or(r.Keep, DefaultKeep)}
}

func (r Rotation) check() error {
	var errs []error
	if r.PublishLead < MinPublishLead {
		errs = append(errs, fmt.Errorf("keyset: PublishLead %v is less than %v", r.PublishLead, MinPublishLead))
	}
	if r.Keep < 0 {
		errs = append(errs, fmt.Errorf("keyset: Keep %v is negative", r.Keep))
	}
	return errors.Join(errs...)
}

// Plan adds next to keys: published from now, signing PublishLead later (or at next.ActiveFrom if that
// is later still), while its predecessor retires at that instant and is removed Keep later. It only
// computes: store the result beside the keys, and have every node Replace its keys with what it reads.
//
// Keep the states of removed keys in the list: a kid is never used again.
func (r Rotation) Plan(keys []KeyState, next KeyState, now time.Time) ([]KeyState, error) {
	r = r.withDefaults()
	if err := r.check(); err != nil {
		return nil, err
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
			k.Life = r.endedBy(k.Life, next.ActiveFrom)
		}
		plan = append(plan, k)
	}
	return append(plan, next), nil
}

// endedBy is the life of a key whose successor begins to sign at the instant.
func (r Rotation) endedBy(l Life, successor time.Time) Life {
	if l.RetireAt.IsZero() || l.RetireAt.After(successor) {
		l.RetireAt = successor
		l.RemoveAt = time.Time{}
	}
	if l.RemoveAt.IsZero() {
		l.RemoveAt = l.RetireAt.Add(r.Keep)
	}
	return l
}

// Add publishes a further key from now on: it signs from key.ActiveFrom (zero: after the publish
// lead), and the active key of its algorithm retires then and is removed removeOldAfter later (0: the
// rotation's Keep, which is also the least). A provider of several nodes plans with Rotation.Plan instead.
func (s *Set) Add(key Key, removeOldAfter time.Duration, now time.Time) error {
	key, err := named(key)
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
	return s.replace(keys, s.ready)
}

// plan checks keys, sorts them by algorithm and start, and fills in what follows from the order: a key
// without RetireAt retires when the next of its algorithm begins. It reports all problems at once.
func (s *Set) plan(keys []Key) ([]Key, error) {
	if len(keys) == 0 {
		return nil, errors.New("keyset: no keys")
	}
	var errs []error
	planned := make([]Key, 0, len(keys))
	seen := make(map[string]bool, len(keys))
	for i, k := range keys {
		k, err := checked(k)
		if err == nil && seen[k.KID] {
			err = errors.New("the same key is there twice")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("keyset: Keys[%d]: %w", i, err))
			continue
		}
		seen[k.KID] = true
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
		if err := s.succession(&planned[i], successor); err != nil {
			errs = append(errs, fmt.Errorf("keyset: key %s: %w", planned[i].KID, err))
		}
	}
	if len(errs) == 0 && !slices.ContainsFunc(planned, func(k Key) bool { return k.Alg == s.defaultAlg }) {
		errs = append(errs, fmt.Errorf("keyset: no key for DefaultAlg %q", s.defaultAlg))
	}
	return planned, errors.Join(errs...)
}

func checked(k Key) (Key, error) {
	if !slices.Contains(supported, k.Alg) {
		return k, fmt.Errorf("unknown alg %q", k.Alg)
	}
	k, err := named(k)
	if err != nil {
		return k, err
	}
	return k, jose.Fits(k.Alg, k.Signer.Public())
}

// succession checks one key's instants against its successor's. There must be no instant at which two
// keys of one algorithm would sign, or none, or the default algorithm has come to its end.
func (s *Set) succession(k, successor *Key) error {
	if successor != nil {
		if !k.ActiveFrom.Before(successor.ActiveFrom) {
			return fmt.Errorf("it and %s begin to sign %s at the same instant", successor.KID, k.Alg)
		}
		if k.RetireAt.IsZero() || k.RetireAt.After(successor.ActiveFrom) {
			k.RetireAt = successor.ActiveFrom
		}
		if k.RetireAt.Before(successor.ActiveFrom) {
			return fmt.Errorf("it retires at %v, but %s only begins at %v", k.RetireAt, successor.KID, successor.ActiveFrom)
		}
	}
	switch {
	case successor == nil && k.Alg == s.defaultAlg && !k.RetireAt.IsZero():
		return errors.New("it is the last of the default algorithm and must not retire")
	case !k.RetireAt.IsZero() && !k.ActiveFrom.Before(k.RetireAt):
		return errors.New("it retires before it signs")
	case !k.RemoveAt.IsZero() && (k.RetireAt.IsZero() || k.RemoveAt.Before(k.RetireAt.Add(s.rotation.Keep))):
		return fmt.Errorf("RemoveAt must lie %v after its retirement; to take it out of use now, leave it out", s.rotation.Keep)
	case !k.PublishFrom.IsZero() && k.ActiveFrom.Sub(k.PublishFrom) < s.rotation.PublishLead:
		return fmt.Errorf("it must be published for %v before it signs", s.rotation.PublishLead)
	}
	return nil
}
