package session_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// store is a minimal session.Store with a hook before each verb.
type store struct {
	mu     sync.Mutex
	live   map[storage.Hash]storage.Session
	before func(verb string) error // may be nil; called outside the lock
}

func newStore() *store { return &store{live: map[storage.Hash]storage.Session{}} }

func (s *store) enter(verb string) error {
	if s.before != nil {
		return s.before(verb)
	}
	return nil
}

func clone(s storage.Session) storage.Session {
	s.Circles, s.Clients = slices.Clone(s.Circles), slices.Clone(s.Clients)
	for i := range s.Circles {
		s.Circles[i].Identity = slices.Clone(s.Circles[i].Identity)
	}
	return s
}

func (s *store) get(h storage.Hash, now time.Time) (storage.Session, error) {
	r, ok := s.live[h]
	if !ok || !now.Before(r.ExpiresAt) {
		return storage.Session{}, storage.ErrNotFound
	}
	return clone(r), nil
}

func (s *store) Session(_ context.Context, h storage.Hash, now time.Time) (storage.Session, error) {
	if err := s.enter("Session"); err != nil {
		return storage.Session{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.get(h, now)
}

func (s *store) ReplaceSession(_ context.Context, old storage.Hash, next storage.Session, limit int, now time.Time) (ended []storage.Session, err error) {
	if err := s.enter("ReplaceSession"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	same, taken := s.live[next.Hash]
	if taken && next.Hash != old && same.ID == next.ID {
		return nil, nil
	}
	if old != (storage.Hash{}) {
		r, err := s.get(old, now)
		switch {
		case err != nil:
			return nil, err
		case r.ID != next.ID:
			ended = append(ended, r)
		case r.Version != next.Version:
			return nil, storage.ErrConflict
		default:
			next.Version++
		}
	}
	if taken && next.Hash != old {
		return nil, storage.ErrConflict
	}
	delete(s.live, old)
	s.live[next.Hash] = clone(next)
	for limit > 0 {
		var oldest *storage.Session
		count := 0
		for _, r := range s.live {
			if r.UserKey == next.UserKey && now.Before(r.ExpiresAt) {
				count++
				if r.Hash != next.Hash && (oldest == nil || r.StartedAt.Before(oldest.StartedAt)) {
					oldest = &r
				}
			}
		}
		if count <= limit {
			break
		}
		delete(s.live, oldest.Hash)
		ended = append(ended, *oldest)
	}
	return ended, nil
}

func (s *store) EndSession(_ context.Context, h storage.Hash, now time.Time) (storage.Session, error) {
	if err := s.enter("EndSession"); err != nil {
		return storage.Session{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.get(h, now)
	delete(s.live, h)
	return r, err
}

func (s *store) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.live)
}

// events records events.
type events struct {
	mu  sync.Mutex
	all []portner.Event
}

func (e *events) add(_ context.Context, ev portner.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, ev)
}

// words returns "name/reason" of every event since the last call.
func (e *events) words() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var w []string
	for _, ev := range e.all {
		w = append(w, string(ev.Name)+"/"+ev.Reason)
	}
	e.all = nil
	return w
}

func testVault(t testing.TB) *session.Vault {
	t.Helper()
	v, err := session.NewVault(testIssuer, portner.Secret("q8H2vTz5yWm0RkN7uXc4LbP9sJdF1gAe"))
	require.NoError(t, err)
	return v
}

func testKeeper(t testing.TB, s session.Store, change ...func(*session.Config)) (*session.Keeper, *events) {
	t.Helper()
	ev := &events{}
	cfg := session.Config{Store: s, Vault: testVault(t), OnEvent: ev.add}
	for _, c := range change {
		c(&cfg)
	}
	k, err := session.New(cfg)
	require.NoError(t, err)
	return k, ev
}
