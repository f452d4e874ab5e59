package keyset

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/storage"
)

// DefaultEvery is how long a key of a Directory or Shared signs.
const DefaultEvery = 90 * 24 * time.Hour

const (
	// rotateInterval is how often Run calls Rotate, and retryInterval how soon after an error.
	rotateInterval = time.Hour
	retryInterval  = 5 * time.Minute
	// rotateTimeout bounds one call of Rotate, for a store without a deadline of its own.
	rotateTimeout = time.Minute
	// minStoredLead leaves every node an interval to load a new key, and every client the max-age of the JWKS. The five minutes in
	// MinPublishLead are for nodes whose clocks differ.
	minStoredLead = MinPublishLead + rotateInterval
	// deleteAfter is how long a removed key stays stored. A node whose clock is a day ahead deletes no key that others publish.
	deleteAfter = 24 * time.Hour
)

// schedule plans the lives of stored keys.
type schedule struct {
	alg               string
	every, lead, keep time.Duration
}

func (p schedule) withDefaults() schedule {
	p.every, p.lead, p.keep = cmp.Or(p.every, DefaultEvery), cmp.Or(p.lead, DefaultPublishLead), cmp.Or(p.keep, DefaultKeep)
	return p
}

func (p schedule) check() error {
	var c fields.Checker
	c.Require(p.alg != "", "Alg")
	c.Want(p.alg == "" || slices.Contains(supported, p.alg), "Alg", "must be one of "+strings.Join(supported, ", "))
	c.Want(p.lead >= minStoredLead, "PublishLead", fmt.Sprintf("must be at least %v", minStoredLead))
	c.Want(p.every >= p.lead, "Every", "must not be less than PublishLead")
	c.Want(p.keep >= 0, "Keep", "must not be negative")
	return c.Err()
}

// storedKey is a key as it is stored. Retirement and removal derive from its successor, so that what is stored never changes.
type storedKey struct {
	number     int64
	key        Key // Signer is nil if the key was deleted
	created    time.Time
	activeFrom time.Time // zero for a key that signs from the start
}

func (k storedKey) deleted() bool { return k.key.Signer == nil }

// publishFrom returns when the key is published; zero for a key that signs from the start.
func (k storedKey) publishFrom() time.Time {
	if k.activeFrom.IsZero() {
		return time.Time{}
	}
	return k.created
}

// signsFrom returns when the key began to sign, or when it was created if it signed from the start.
func (k storedKey) signsFrom() time.Time {
	if k.activeFrom.IsZero() {
		return k.created
	}
	return k.activeFrom
}

// checkOrder validates the instants of the last of some keys against those of the keys before it.
func checkOrder(keys []storedKey) error {
	last := len(keys) - 1
	k := keys[last]
	if !k.activeFrom.IsZero() && k.activeFrom.Sub(k.created) < MinPublishLead {
		return fmt.Errorf("must be published for %v before it signs", MinPublishLead)
	}
	if last == 0 {
		return nil
	}
	if previous := keys[last-1]; k.activeFrom.IsZero() || !previous.signsFrom().Before(k.activeFrom) {
		return fmt.Errorf("must begin to sign after key %d", previous.number)
	}
	for _, other := range keys[:last] {
		if other.key.KID == k.key.KID {
			return fmt.Errorf("is the same key as key %d", other.number)
		}
	}
	return nil
}

func checkAlg(alg, want string) error {
	if alg != want {
		return fmt.Errorf("has a key for %s, not for %s", alg, want)
	}
	return nil
}

// lifeOf derives the life of a key from what is stored of it and of its successor.
func (p schedule) lifeOf(keys []storedKey, i int, now time.Time) Life {
	life := Life{PublishFrom: keys[i].publishFrom(), ActiveFrom: keys[i].activeFrom}
	if i == 0 && life.ActiveFrom.After(now) { // the predecessor was deleted: one key must sign
		life.PublishFrom, life.ActiveFrom = time.Time{}, time.Time{}
	}
	if i+1 < len(keys) {
		life.RetireAt = keys[i+1].signsFrom()
		life.RemoveAt = life.RetireAt.Add(p.keep)
	}
	return life
}

// isDue reports whether the newest key needs a successor now.
func (p schedule) isDue(newest storedKey, now time.Time) bool {
	return !now.Before(newest.signsFrom().Add(p.every - p.lead))
}

// next makes the key with the next number. It signs after the lead, or at once if there are no other keys.
func (p schedule) next(number int64, keys []storedKey, now time.Time) (storedKey, error) {
	key, err := Generate(p.alg)
	k := storedKey{number: number, key: key, created: now}
	if len(keys) > 0 {
		k.activeFrom = now.Add(p.lead) // not before the newest key has signed for its period: see isDue
	}
	return k, err
}

// validUntil returns until when keys that were loaded at an instant decide what signs. A node makes a successor of the newest key after
// that instant at the earliest, and it signs a lead later at the earliest, and not before the newest key has signed for its period.
func (p schedule) validUntil(newest storedKey, loaded time.Time) time.Time {
	until := loaded.Add(p.lead)
	if planned := newest.signsFrom().Add(p.every); planned.After(until) {
		until = planned
	}
	return until
}

// keyStore is where a source keeps its keys. The fields of its errors are those of a Directory or Shared.
type keyStore interface {
	// load returns the keys by number. They may include keys that were deleted.
	load(ctx context.Context) ([]storedKey, error)
	// insert stores a key, or returns storage.ErrConflict if its number is taken.
	insert(ctx context.Context, k storedKey) error
	// remove deletes the keys and what else is no longer needed.
	remove(ctx context.Context, expired []storedKey, now time.Time) error
	// empty returns the error for a store without keys.
	empty() error
}

// source is the state behind a Set of a Directory or Shared.
type source struct {
	schedule
	keys   keyStore
	clock  func() time.Time // nil for time.Now
	logger *slog.Logger     // nil discards
	strict bool             // the set does not sign beyond validUntil

	rotating sync.Mutex // held while keys are loaded and made
}

func (o *source) now() time.Time {
	if o.clock == nil {
		return time.Now()
	}
	return o.clock()
}

func (o *source) log(ctx context.Context, err error) {
	if o.logger != nil {
		o.logger.LogAttrs(ctx, slog.LevelError, "key rotation failed", slog.Any("error", err))
	}
}

// open returns the set of a source, unless its configuration has problems.
func open(ctx context.Context, o *source, c *fields.Checker) (*Set, error) {
	s := &Set{
		defaultAlg: o.alg, source: o,
		// The lead of a stored key was decided when it was stored. A longer lead now must not make it invalid.
		rotation: Rotation{PublishLead: MinPublishLead, Keep: o.keep},
	}
	if c.Err() == nil {
		_, err := s.load(ctx, o.now(), o.first)
		c.Join("", err)
	}
	if err := c.Err(); err != nil {
		return nil, fmt.Errorf("keyset: %w", err)
	}
	return s, nil
}

// Rotate loads the keys that other nodes added, creates a successor if the newest key is due, and deletes keys that were removed a day
// ago. It returns an error for a set that does not come from a Directory or Shared. If there is no key, or a key is invalid or
// cannot be read or written, it returns an error and the keys of the set are unchanged. An expired key that cannot be deleted is an error
// too.
func (s *Set) Rotate(ctx context.Context, now time.Time) error {
	if s.parts != nil {
		return s.eachPart(func(p *Set) error { return p.Rotate(ctx, now) })
	}
	if s.source == nil {
		return errors.New("keyset: the set does not come from a Directory or Shared")
	}
	err := ctx.Err()
	var live []storedKey
	if err == nil {
		live, err = s.load(ctx, now, s.source.successor)
	}
	if err == nil {
		err = s.source.keys.remove(ctx, s.source.expired(live, now), now)
	}
	if err != nil {
		return fmt.Errorf("keyset: rotating: %w", err)
	}
	return nil
}

// Run calls Rotate at once and then every hour until ctx is done. It logs an error to the Logger of the Directory or Shared, and calls
// Rotate again after five minutes. It returns at once if the set comes from neither.
func (s *Set) Run(ctx context.Context) {
	if s.parts != nil {
		_ = s.eachPart(func(p *Set) error { p.Run(ctx); return nil })
		return
	}
	if s.source == nil {
		return
	}
	for ctx.Err() == nil {
		wait := rotateInterval
		if err := s.rotateOnce(ctx); err != nil && ctx.Err() == nil {
			s.source.log(ctx, err)
			wait = retryInterval
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

func (s *Set) rotateOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, rotateTimeout)
	defer cancel()
	return s.Rotate(ctx, s.source.now())
}

// load makes the stored keys those of the set, after a function has decided whether one more is made.
func (s *Set) load(ctx context.Context, now time.Time, more func(all, live []storedKey, now time.Time) (bool, error)) ([]storedKey, error) {
	o := s.source
	o.rotating.Lock()
	defer o.rotating.Unlock()
	all, err := o.keys.load(ctx)
	if err != nil {
		return nil, err
	}
	live := liveKeys(all)
	create, err := more(all, live, now)
	if err == nil && create {
		live, err = o.create(ctx, all, now)
	}
	if err == nil {
		err = s.use(live, now)
	}
	return live, err
}

// first decides whether Open makes a key: if there is no other.
func (o *source) first(_, live []storedKey, _ time.Time) (bool, error) { return len(live) == 0, nil }

// successor decides whether Rotate makes a key. It makes none in an empty store, which may be a volume that is no longer mounted or
// another database. If all keys were deleted, they were stolen: one more is needed now.
func (o *source) successor(all, live []storedKey, now time.Time) (bool, error) {
	switch {
	case len(all) == 0:
		return false, o.keys.empty()
	case len(live) == 0:
		return true, nil
	}
	return o.isDue(live[len(live)-1], now), nil
}

func liveKeys(all []storedKey) (live []storedKey) {
	for _, k := range all {
		if !k.deleted() {
			live = append(live, k)
		}
	}
	return live
}

// create stores the next key and loads the keys again. If several nodes do it at the same time, one key is stored and every node
// uses it.
func (o *source) create(ctx context.Context, all []storedKey, now time.Time) (live []storedKey, err error) {
	number := int64(1)
	if len(all) > 0 {
		number = all[len(all)-1].number + 1
	}
	k, err := o.next(number, liveKeys(all), now)
	if err != nil {
		return nil, err
	}
	if err := o.keys.insert(ctx, k); err != nil && !errors.Is(err, storage.ErrConflict) {
		return nil, err
	}
	all, err = o.keys.load(ctx)
	return liveKeys(all), err
}

// use makes stored keys those of the set.
func (s *Set) use(stored []storedKey, now time.Time) error {
	o := s.source
	if len(stored) == 0 {
		return o.keys.empty()
	}
	keys := make([]Key, len(stored))
	for i, k := range stored {
		keys[i] = k.key
		keys[i].Created = k.created
		keys[i].Life = o.lifeOf(stored, i, now)
	}
	var until time.Time
	if o.strict {
		until = o.validUntil(stored[len(stored)-1], now)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.replace(keys, s.prepared, until)
}

// expired returns the keys that were removed long enough ago.
func (o *source) expired(keys []storedKey, now time.Time) (expired []storedKey) {
	for i, k := range keys {
		if o.lifeOf(keys, i, now).Phase(now.Add(-deleteAfter)) == Removed {
			expired = append(expired, k)
		}
	}
	return expired
}
