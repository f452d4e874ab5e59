package memory

import (
	"context"
	"time"

	"github.com/portner-go/portner/storage"
)

// session is a session. After its end the record remains until it would have expired, so that no other session gets its hash and its
// ID. The stripe of its user guards it.
type session struct {
	place  slot
	text   sessionText
	next   *session // of the same user in userStripe.sessions, newer first
	stripe uint8    // index of the stripe of its user; never changes
	ended  bool
	gone   bool // collected
}

func (x *session) slot() *slot { return &x.place }

func (x *session) live(hash string, now int64) bool {
	return !x.ended && !x.gone && now < x.text.end() && x.text.hash() == hash
}

// Session implements provider.Store.
func (s *Store) Session(ctx context.Context, hash storage.Hash, now time.Time) (storage.Session, error) {
	if err := ctx.Err(); err != nil {
		return storage.Session{}, err
	}
	x := s.sessionsByHash.get(string(hash[:]))
	if x == nil {
		return storage.Session{}, storage.ErrNotFound
	}
	st := &s.users[x.stripe]
	st.mu.Lock()
	text, live := x.text, x.live(string(hash[:]), nanos(now))
	st.mu.Unlock()
	if !live {
		return storage.Session{}, storage.ErrNotFound
	}
	return text.decode(), nil
}

// ReplaceSession implements provider.Store.
func (s *Store) ReplaceSession(ctx context.Context, old storage.Hash, next storage.Session, limit int, now time.Time) (ended []storage.Session, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := replacement{Store: s, old: string(old[:]), inserts: old == storage.Hash{}, next: &next, limit: limit, now: nanos(now)}
	r.user = s.hashOf(string(next.UserKey[:]))
	err = s.withRoom(now, func() error {
		ended, err = r.run()
		return err
	}, sessionKind)
	if err != nil {
		return nil, err
	}
	s.tidy(now)
	return ended, nil
}

// replacement is one call of ReplaceSession.
type replacement struct {
	*Store
	old     string // hash of the old session
	inserts bool   // there is no old session
	next    *storage.Session
	user    uint64 // hash of the user of next
	limit   int
	now     int64
}

func (r *replacement) run() ([]storage.Session, error) {
	var from *session
	own := stripeOf(r.user)
	other := own
	if !r.inserts {
		if from = r.sessionsByHash.get(r.old); from != nil {
			other = from.stripe
		}
	}
	r.lockUsers(own, other)
	defer r.unlockUsers(own, other)
	switch {
	case string(r.next.Hash[:]) != r.old && r.isRetry(own):
		return nil, nil
	case r.inserts:
		return r.insert(nil)
	case from == nil || !from.live(r.old, r.now):
		return nil, storage.ErrNotFound
	case from.text.id() != r.next.ID:
		return r.insert(from)
	}
	return r.rotate(from)
}

// isRetry reports whether a live session of the user has the hash and the ID of next.
func (r *replacement) isRetry(stripe uint8) bool {
	hash := string(r.next.Hash[:])
	x := r.sessionsByHash.get(hash)
	return x != nil && x.stripe == stripe && x.live(hash, r.now) &&
		x.text.id() == r.next.ID && x.text.userKey() == string(r.next.UserKey[:])
}

// insert adds next and ends from, which may be nil. The caller holds both stripes.
func (r *replacement) insert(from *session) ([]storage.Session, error) {
	if !r.sessionCount.take(1) {
		return nil, storage.ErrFull
	}
	x := &session{text: encodeSession(r.next), stripe: stripeOf(r.user)}
	x.place.shard = uint8(r.shardOf(x.text.hash()))
	if !r.sessionsByHash.add(x.text.hash(), x) {
		r.sessionCount.give(1)
		return nil, storage.ErrConflict
	}
	if !r.sessionsByID.add(x.text.id(), x) {
		r.sessionsByHash.drop(x.text.hash())
		r.sessionCount.give(1)
		return nil, storage.ErrConflict
	}
	var ended []storage.Session
	if from != nil {
		ended = append(ended, r.endSession(from))
	}
	st := &r.users[x.stripe]
	x.next = st.sessions.m[r.user]
	st.sessions.set(r.user, x)
	r.due.sessions.schedule(x, x.text.end())
	return r.endBeyondLimit(x, ended), nil
}

// rotate puts next in the place of x, which has the same ID. The caller holds the stripes of both users.
func (r *replacement) rotate(x *session) ([]storage.Session, error) {
	if x.text.version() != r.next.Version || x.text.userKey() != string(r.next.UserKey[:]) {
		return nil, storage.ErrConflict
	}
	r.next.Version++
	text := encodeSession(r.next)
	if text.hash() != r.old {
		if !r.sessionsByHash.add(text.hash(), x) {
			r.next.Version--
			return nil, storage.ErrConflict
		}
		r.sessionsByHash.drop(r.old)
	}
	x.text = text
	r.due.sessions.schedule(x, text.end())
	return r.endBeyondLimit(x, nil), nil
}

// endBeyondLimit ends the oldest live sessions of the user of x, but not x, and appends them to ended.
func (r *replacement) endBeyondLimit(x *session, ended []storage.Session) []storage.Session {
	if r.limit < 1 {
		return ended
	}
	var others []*session // live, oldest first
	for y := r.users[x.stripe].sessions.m[r.user]; y != nil; y = y.next {
		if y == x || y.text.userKey() != x.text.userKey() || r.now >= y.text.end() {
			continue
		}
		others = append(others, y)
		for i := len(others) - 1; i > 0 && others[i].text.start() <= others[i-1].text.start(); i-- {
			others[i], others[i-1] = others[i-1], others[i]
		}
	}
	for _, y := range others[:max(0, len(others)+1-r.limit)] {
		ended = append(ended, r.endSession(y))
	}
	return ended
}

// EndSession implements provider.Store.
func (s *Store) EndSession(ctx context.Context, hash storage.Hash, now time.Time) (storage.Session, error) {
	if err := ctx.Err(); err != nil {
		return storage.Session{}, err
	}
	x := s.sessionsByHash.get(string(hash[:]))
	if x == nil {
		return storage.Session{}, storage.ErrNotFound
	}
	st := &s.users[x.stripe]
	st.mu.Lock()
	if !x.live(string(hash[:]), nanos(now)) {
		st.mu.Unlock()
		return storage.Session{}, storage.ErrNotFound
	}
	ended := s.endSession(x)
	st.mu.Unlock()
	s.tidy(now)
	return ended, nil
}

// endSession ends a live session with its codes and login-only grants, and returns it. The caller holds its stripe.
// The hash and the ID remain, so that no other session gets them.
func (s *Store) endSession(x *session) storage.Session {
	x.ended = true
	s.unlinkSession(x)
	user := s.hashOf(x.text.userKey())
	whole := x.text.decode()
	x.text = encodeSession(&storage.Session{Hash: whole.Hash, ID: whole.ID, UserKey: whole.UserKey, ExpiresAt: whole.ExpiresAt})
	inSession := encodeSessionID(whole.ID)
	for g := s.users[x.stripe].grants.m[user]; g != nil; g = g.next {
		g.logOut(inSession)
	}
	return whole
}

// unlinkSession takes x out of the chain of its user. The caller holds its stripe.
func (s *Store) unlinkSession(x *session) {
	user, st := s.hashOf(x.text.userKey()), &s.users[x.stripe]
	if st.sessions.m[user] == x {
		if x.next == nil {
			st.sessions.drop(user)
		} else {
			st.sessions.set(user, x.next)
		}
		x.next = nil
		return
	}
	for y := st.sessions.m[user]; y != nil; y = y.next {
		if y.next == x {
			y.next, x.next = x.next, nil
			return
		}
	}
}

// collect implements expiring.
func (x *session) collect(s *Store, now int64) int {
	st := &s.users[x.stripe]
	st.mu.Lock()
	defer st.mu.Unlock()
	if x.gone {
		return 0
	}
	if now < x.text.end() { // replaced since it was popped
		s.due.sessions.schedule(x, x.text.end())
		return 0
	}
	if !x.ended {
		s.unlinkSession(x)
	}
	s.sessionsByHash.drop(x.text.hash())
	s.due.sessions.cancel(x)
	s.sessionsByID.drop(x.text.id())
	x.gone, x.text = true, ""
	s.sessionCount.give(1)
	return 1
}

// admit returns ErrRevoked if a grant names a session that is not a live session of its user. The caller holds the
// stripe of the user.
func (s *Store) admit(g *storage.Grant, stripe uint8, now int64) error {
	if g.SessionID == "" {
		return nil
	}
	x := s.sessionsByID.get(g.SessionID)
	if x == nil || x.stripe != stripe || x.ended || x.gone || now >= x.text.end() ||
		x.text.id() != g.SessionID || x.text.userKey() != string(g.UserKey[:]) {
		return storage.ErrRevoked
	}
	return nil
}
