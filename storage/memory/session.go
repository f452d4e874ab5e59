package memory

import (
	"context"
	"hash/maphash"
	"sync"
	"time"

	"github.com/portner-go/portner/storage"
)

// person is a stripe of people and the owner of their sessions.
type person struct {
	mu       sync.Mutex
	sessions map[uint64]*session // by seeded hash of the UserKey; the first of a chain
	peak     int
	_        [40]byte
}

// session is one session, then its mark when it was ended, until it would have expired.
type session struct {
	place  slot
	text   sessionText
	next   *session // of the same chain in person.sessions, newer first
	grants []*grant // given in this session
	stripe uint8    // index of its person
	ended  bool     // by EndSession or the cap: CreateCode refuses its ID
	gone   bool     // collected
}

func (x *session) slot() *slot { return &x.place }

func (x *session) live(hash string, now time.Time) bool {
	return !x.ended && !x.gone && nanos(now) < x.text.end() && x.text.hash() == hash
}

// Session implements session.Store.
func (s *Store) Session(ctx context.Context, hash storage.Hash, now time.Time) (storage.Session, error) {
	if err := ctx.Err(); err != nil {
		return storage.Session{}, err
	}
	x := s.sessionsByHash.get(string(hash[:]))
	if x == nil {
		return storage.Session{}, storage.ErrNotFound
	}
	p := &s.people[x.stripe]
	p.mu.Lock()
	text, live := x.text, x.live(string(hash[:]), now)
	p.mu.Unlock()
	if !live {
		return storage.Session{}, storage.ErrNotFound
	}
	return text.decode(), nil
}

// CreateSession implements session.Store.
func (s *Store) CreateSession(ctx context.Context, in storage.Session, limit int, now time.Time) ([]storage.Session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := s.reserve(&s.sessionCount, 1, now, sessionKind); err != nil {
		return nil, err
	}
	x := &session{text: encodeSession(&in)}
	chain := maphash.String(s.seed, x.text.userKey())
	x.stripe = uint8(chain % shardCount)
	x.place.shard = uint8(s.shardOf(x.text.hash()))

	ended, err := s.insertSession(x, chain, limit, now)
	if err != nil {
		s.sessionCount.give(1)
		return nil, err
	}
	s.tidy(now)
	return ended, nil
}

func (s *Store) insertSession(x *session, chain uint64, limit int, now time.Time) ([]storage.Session, error) {
	p := &s.people[x.stripe]
	p.mu.Lock()
	defer p.mu.Unlock()
	if !s.sessionsByHash.add(x.text.hash(), x) {
		return nil, storage.ErrConflict
	}
	if !s.sessionsByID.add(x.text.id(), x) {
		s.sessionsByHash.drop(x.text.hash())
		return nil, storage.ErrConflict
	}
	if p.sessions == nil {
		p.sessions = make(map[uint64]*session)
	}
	x.next = p.sessions[chain]
	p.sessions[chain] = x
	p.peak = max(p.peak, len(p.sessions))
	s.due.sessions.schedule(x, x.text.end())
	if limit < 1 {
		return nil, nil
	}
	var ended []storage.Session
	for _, old := range p.beyond(x, chain, limit, nanos(now)) {
		ended = append(ended, old.text.decode())
		s.endSession(p, old)
	}
	return ended, nil
}

// beyond returns the live sessions of x's person that are too many beside x, oldest first.
func (p *person) beyond(x *session, chain uint64, limit int, now int64) []*session {
	var live []*session // the others, oldest first
	for y := p.sessions[chain]; y != nil; y = y.next {
		if y == x || y.text.userKey() != x.text.userKey() || now >= y.text.end() {
			continue
		}
		live = append(live, y)
		for i := len(live) - 1; i > 0 && live[i].text.start() <= live[i-1].text.start(); i-- {
			live[i], live[i-1] = live[i-1], live[i]
		}
	}
	return live[:max(0, len(live)+1-limit)]
}

// ReplaceSession implements session.Store.
func (s *Store) ReplaceSession(ctx context.Context, old storage.Hash, next storage.Session, now time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	x := s.sessionsByHash.get(string(old[:]))
	if x == nil {
		return storage.ErrNotFound
	}
	version := next.Version
	next.Version++
	text := encodeSession(&next)
	if err := s.replace(x, string(old[:]), text, version, now); err != nil {
		return err
	}
	s.tidy(now)
	return nil
}

func (s *Store) replace(x *session, old string, text sessionText, version int64, now time.Time) error {
	p := &s.people[x.stripe]
	p.mu.Lock()
	defer p.mu.Unlock()
	if !x.live(old, now) {
		return storage.ErrNotFound
	}
	if x.text.version() != version || x.text.id() != text.id() || x.text.userKey() != text.userKey() {
		return storage.ErrConflict
	}
	if text.hash() != old {
		if !s.sessionsByHash.add(text.hash(), x) {
			return storage.ErrConflict
		}
		s.sessionsByHash.drop(old)
	}
	x.text = text
	s.due.sessions.schedule(x, text.end())
	return nil
}

// EndSession implements session.Store.
func (s *Store) EndSession(ctx context.Context, hash storage.Hash, now time.Time) (storage.Session, error) {
	if err := ctx.Err(); err != nil {
		return storage.Session{}, err
	}
	x := s.sessionsByHash.get(string(hash[:]))
	if x == nil {
		return storage.Session{}, storage.ErrNotFound
	}
	p := &s.people[x.stripe]
	p.mu.Lock()
	if !x.live(string(hash[:]), now) {
		p.mu.Unlock()
		return storage.Session{}, storage.ErrNotFound
	}
	text := x.text
	s.endSession(p, x)
	p.mu.Unlock()
	s.tidy(now)
	return text.decode(), nil
}

// endSession ends a live session and what was given in it. The caller holds p. The session's ID
// stays as a mark until the session would have expired, so that a code that was on its way
// cannot be given in it any more.
func (s *Store) endSession(p *person, x *session) {
	x.ended = true
	s.sessionsByHash.drop(x.text.hash())
	s.unlink(p, x)
	whole := x.text.decode()
	x.text = encodeSession(&storage.Session{ID: whole.ID, UserKey: whole.UserKey, ExpiresAt: whole.ExpiresAt})
	for _, g := range x.grants {
		s.logOut(g)
	}
	x.grants = nil
}

// unlink takes x out of its person's chain. The caller holds p.
func (s *Store) unlink(p *person, x *session) {
	chain := maphash.String(s.seed, x.text.userKey())
	head := p.sessions[chain]
	if head == x {
		if x.next == nil {
			delete(p.sessions, chain)
			p.sessions, p.peak = shrunk(p.sessions, p.peak)
		} else {
			p.sessions[chain] = x.next
		}
		x.next = nil
		return
	}
	for y := head; y != nil; y = y.next {
		if y.next == x {
			y.next, x.next = x.next, nil
			return
		}
	}
}

// collect implements expiring.
func (x *session) collect(s *Store, now int64) int {
	p := &s.people[x.stripe]
	p.mu.Lock()
	defer p.mu.Unlock()
	if x.gone {
		return 0
	}
	if now < x.text.end() { // replaced since it was popped
		s.due.sessions.schedule(x, x.text.end())
		return 0
	}
	if !x.ended {
		s.sessionsByHash.drop(x.text.hash())
		s.unlink(p, x)
	}
	s.due.sessions.cancel(x)
	s.sessionsByID.drop(x.text.id())
	x.gone, x.grants, x.text = true, nil, ""
	s.sessionCount.give(1)
	return 1
}

// giveIn notes that g is given in the session with this ID and runs insert in the same step.
// A session the store does not know (any more) is no obstacle: its end cannot be asked for.
func (s *Store) giveIn(sessionID string, g *grant, now time.Time, insert func() error) error {
	var x *session
	if sessionID != "" {
		x = s.sessionsByID.get(sessionID)
	}
	if x == nil {
		return insert()
	}
	p := &s.people[x.stripe]
	p.mu.Lock()
	defer p.mu.Unlock()
	if x.gone || x.text.id() != sessionID {
		return insert()
	}
	if x.ended && nanos(now) < x.text.end() {
		return storage.ErrRevoked
	}
	if err := insert(); err != nil || x.ended {
		return err
	}
	if len(x.grants) == cap(x.grants) { // about to grow: let go of the dead first
		x.grants = livingGrants(x.grants)
	}
	x.grants = append(x.grants, g)
	return nil
}

func livingGrants(grants []*grant) []*grant {
	living := grants[:0]
	for _, g := range grants {
		if !g.gone.Load() {
			living = append(living, g)
		}
	}
	clear(grants[len(living):])
	return living
}
