package admin

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// Session is a session of a browser, without what identifies the user.
type Session struct {
	ID        string    `json:"id"`
	StartedAt time.Time `json:"started_at"`
	ExpiresAt time.Time `json:"expires_at"`
	ACR       []string  `json:"acr"`
	Clients   []string  `json:"clients"`
}

// maxSessions bounds the sessions that are kept.
const maxSessions = 1000

// Sessions are the sessions that a process has seen: a store finds a session by the hash of its cookie only, and has no list. It is a
// session.Store in front of another one.
type Sessions struct {
	session.Store
	// Ended is called with a session that End ended, to log the clients out. It may be nil.
	Ended func(ctx context.Context, s storage.Session, now time.Time)

	mu   sync.Mutex
	seen map[string]storage.Session // by ID
}

// Session returns a session, and keeps it.
func (s *Sessions) Session(ctx context.Context, hash storage.Hash, now time.Time) (storage.Session, error) {
	found, err := s.Store.Session(ctx, hash, now)
	if err == nil {
		s.keep(found, now)
	}
	return found, err
}

// ReplaceSession changes a session, and keeps it.
func (s *Sessions) ReplaceSession(ctx context.Context, old storage.Hash, next storage.Session, limit int, now time.Time) ([]storage.Session, error) {
	ended, err := s.Store.ReplaceSession(ctx, old, next, limit, now)
	if err == nil {
		s.keep(next, now)
		for _, e := range ended {
			s.forget(e.ID)
		}
	}
	return ended, err
}

// EndSession ends a session, and forgets it.
func (s *Sessions) EndSession(ctx context.Context, hash storage.Hash, now time.Time) (storage.Session, error) {
	ended, err := s.Store.EndSession(ctx, hash, now)
	if err == nil {
		s.forget(ended.ID)
	}
	return ended, err
}

// Visited records that a login of a client changed a session.
func (s *Sessions) Visited(id string, v storage.Visit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one, ok := s.seen[id]; ok {
		v.Apply(&one)
		s.seen[id] = one
	}
}

// keep keeps a session. If there are too many, expired ones end, and then the oldest.
func (s *Sessions) keep(next storage.Session, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = map[string]storage.Session{}
	}
	s.seen[next.ID] = next
	if len(s.seen) <= maxSessions {
		return
	}
	oldest := next.ID
	for id, one := range s.seen {
		if !now.Before(one.ExpiresAt) {
			delete(s.seen, id)
		} else if one.StartedAt.Before(s.seen[oldest].StartedAt) {
			oldest = id
		}
	}
	if len(s.seen) > maxSessions {
		delete(s.seen, oldest)
	}
}

func (s *Sessions) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.seen, id)
}

// List returns the live sessions, the newest first.
func (s *Sessions) List(now time.Time) []Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []Session{}
	for _, one := range s.seen {
		if !now.Before(one.ExpiresAt) {
			continue
		}
		shown := Session{ID: one.ID, StartedAt: one.StartedAt, ExpiresAt: one.ExpiresAt, Clients: []string{}}
		for _, c := range one.Circles {
			shown.ACR = append(shown.ACR, c.ACR)
		}
		for _, c := range one.Clients {
			shown.Clients = append(shown.Clients, c.ClientID)
		}
		list = append(list, shown)
	}
	slices.SortFunc(list, func(a, b Session) int { return b.StartedAt.Compare(a.StartedAt) })
	return list
}

// End ends a session. It returns storage.ErrNotFound for one that the process has not seen.
func (s *Sessions) End(ctx context.Context, id string, now time.Time) error {
	s.mu.Lock()
	one, ok := s.seen[id]
	s.mu.Unlock()
	if !ok {
		return storage.ErrNotFound
	}
	ended, err := s.EndSession(ctx, one.Hash, now)
	if err == nil && s.Ended != nil {
		s.Ended(ctx, ended, now)
	}
	return err
}
