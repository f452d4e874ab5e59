package memory

import (
	"cmp"
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/portner-go/portner/internal/record"
	"github.com/portner-go/portner/storage"
)

// session is a session. After its end it may remain until it would have expired, so that no other session gets its hash and its ID.
// The stripe of its user guards it.
type session struct {
	place  slot
	text   sessionText
	user   *user    // never changes
	next   *session // in user.sessions or user.ended, newer first
	ended  atomic.Bool
	stripe uint8 // index of the stripe of its user; never changes
	gone   bool  // collected
}

func (x *session) slot() *slot { return &x.place }
func (x *session) shard() int  { return x.place.shard() }

func (x *session) live(hash string, now int64) bool {
	return x.isLive(now) && x.text.hash() == hash
}

func (x *session) isLive(now int64) bool {
	return !x.ended.Load() && !x.gone && now < x.text.end()
}

// endedSession is a session as it was when it ended.
type endedSession struct {
	text sessionText
	user *user
}

func (e endedSession) whole() storage.Session { return e.text.decode(e.user.key) }

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
	text, live := x.text, x.live(string(hash[:]), record.Nanos(now))
	st.unlock()
	if !live {
		return storage.Session{}, storage.ErrNotFound
	}
	return text.decode(x.user.key), nil
}

// ReplaceSession implements provider.Store.
func (s *Store) ReplaceSession(ctx context.Context, old storage.Hash, next storage.Session, limit int, now time.Time) (ended []storage.Session, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := replacement{Store: s, old: string(old[:]), inserts: old == storage.Hash{}, next: next, limit: limit, now: record.Nanos(now)}
	r.user = s.hashOfUser(&next.UserKey)
	err = s.withRoom(now, r.run, sessionKind)
	if err != nil {
		return nil, err
	}
	s.tidy(now)
	for _, one := range r.ended {
		ended = append(ended, one.whole())
	}
	return ended, nil
}

// replacement is one call of ReplaceSession.
type replacement struct {
	*Store
	old     string          // hash of the old session
	inserts bool            // there is no old session
	next    storage.Session // by value: a pointer would move it to the heap
	user    uint64          // hash of the user of next
	limit   int
	now     int64
	ended   []endedSession
}

func (r *replacement) run() error {
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
		return nil
	case r.inserts:
		return r.insert(nil)
	case from == nil || !from.live(r.old, r.now):
		return storage.ErrNotFound
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
		x.text.id() == r.next.ID && x.user.key == r.next.UserKey
}

// insert adds next and ends from, which may be nil. The caller holds both stripes.
func (r *replacement) insert(from *session) error {
	u := r.Store.user(r.user, &r.next.UserKey)
	defer r.release(u)
	most := maxUserSessions
	if 1 <= r.limit && r.limit <= most {
		most++ // the oldest one ends
	}
	if u.sessionShare.held() >= most || !r.sessionCount.take(1, owners{first: &u.sessionShare}) {
		return storage.ErrFull
	}
	x := &session{text: encodeSession(&r.next), user: u, stripe: stripeOf(r.user)}
	if !r.addSession(x) {
		r.sessionCount.give(1, owners{first: &u.sessionShare})
		return storage.ErrConflict
	}
	x.next, u.sessions = u.sessions, x
	r.due.sessions.schedule(x, x.text.end())
	if from != nil {
		r.end(from)
	}
	r.endBeyondLimit(x)
	return nil
}

// addSession adds both keys of x, or none of them. The caller holds its stripe.
func (s *Store) addSession(x *session) bool {
	s.sessions.insert(x)
	if s.sessionsByHash.add(x.text.hash(), x) {
		if s.sessionsByID.add(x.text.id(), x) {
			return true
		}
		x.gone = true // a caller that found it by its hash waits for the lock
		s.sessionsByHash.drop(x.text.hash())
	}
	s.sessions.remove(x)
	return false
}

// rotate puts next in the place of x, which has the same ID. The caller holds the stripes of both users.
func (r *replacement) rotate(x *session) error {
	if x.text.version() != r.next.Version || x.user.key != r.next.UserKey {
		return storage.ErrConflict
	}
	r.next.Version++
	text := encodeSession(&r.next)
	if text.hash() != r.old {
		if !r.sessionsByHash.add(text.hash(), x) {
			r.next.Version--
			return storage.ErrConflict
		}
		r.sessionsByHash.drop(r.old)
	}
	x.text = text
	r.due.sessions.schedule(x, text.end())
	r.endBeyondLimit(x)
	return nil
}

// maxUserSessions bounds the sessions of one user, because the methods walk through them.
const maxUserSessions = 1000

// endBeyondLimit ends the oldest live sessions of the user of x, but not x.
func (r *replacement) endBeyondLimit(x *session) {
	if r.limit < 1 || x.user.sessionShare.held() <= r.limit {
		return
	}
	var others []*session // live, oldest first
	for y := x.user.sessions; y != nil; y = y.next {
		r.users[x.stripe].visited++
		if y != x && y.isLive(r.now) {
			others = append(others, y)
		}
	}
	slices.Reverse(others)
	slices.SortStableFunc(others, func(a, b *session) int { return cmp.Compare(a.text.start(), b.text.start()) })
	r.end(others[:max(0, len(others)+1-r.limit)]...)
}

func (r *replacement) end(some ...*session) { r.ended = append(r.ended, r.endSessions(some...)...) }

// visit applies a visit to a live session. The caller holds its stripe.
func (s *Store) visit(x *session, v *storage.Visit) {
	x.text = x.text.visited(v)
	s.due.sessions.schedule(x, x.text.end())
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
	if !x.live(string(hash[:]), record.Nanos(now)) {
		st.unlock()
		return storage.Session{}, storage.ErrNotFound
	}
	ended := s.endSessions(x)
	st.unlock()
	s.tidy(now)
	return ended[0].whole(), nil
}

// maxEnded is the number of ended sessions of one user whose hashes and IDs are reserved. It is at least 16 (provider.Store).
const maxEnded = 16

// endSessions ends live sessions of one user and returns them as they were. Their codes and grants read that they have ended. The
// caller holds the stripe.
func (s *Store) endSessions(some ...*session) (whole []endedSession) {
	if len(some) == 0 {
		return nil
	}
	u, st := some[0].user, &s.users[some[0].stripe]
	for _, x := range some {
		x.ended.Store(true)
	}
	for at := &u.sessions; *at != nil; st.visited++ {
		if x := *at; x.ended.Load() {
			*at, x.next = x.next, nil
		} else {
			at = &x.next
		}
	}
	for _, x := range some {
		whole = append(whole, endedSession{x.text, u})
		s.sessionCount.give(1, owners{first: &u.sessionShare})
		s.reserve(x)
	}
	return whole
}

// reserve keeps the hash and the ID of a session that has ended, and forgets those of another one if the user has too many. It keeps
// nothing if the store is full.
func (s *Store) reserve(x *session) {
	if !s.endedCount.take(1, owners{first: new(share)}) {
		s.forgetSession(x)
		return
	}
	u, last, n := x.user, x, 1
	x.text = x.text.reserved()
	for x.next, u.ended = u.ended, x; last.next != nil; last = last.next {
		n++
	}
	s.users[x.stripe].visited += n
	if n > maxEnded {
		s.unlinkSession(&u.ended, last)
		s.endedCount.give(1, owners{first: new(share)})
		s.forgetSession(last)
	}
}

// forgetSession removes a session that is in no chain. The caller holds its stripe.
func (s *Store) forgetSession(x *session) {
	s.sessionsByHash.drop(x.text.hash())
	s.sessionsByID.drop(x.text.id())
	s.due.sessions.cancel(x)
	s.sessions.remove(x)
	x.gone, x.text = true, ""
	s.release(x.user)
}

// unlinkSession takes x out of a chain. The caller holds its stripe.
func (s *Store) unlinkSession(at **session, x *session) {
	for *at != x {
		s.users[x.stripe].visited++
		at = &(*at).next
	}
	*at, x.next = x.next, nil
}

// collect implements expiring.
func (x *session) collect(s *Store, now int64) int {
	st := &s.users[x.stripe]
	st.mu.Lock()
	defer st.unlock()
	switch {
	case x.gone:
		return 0
	case now < x.text.end(): // replaced since it was popped
		s.due.sessions.schedule(x, x.text.end())
		return 0
	case x.ended.Load():
		s.unlinkSession(&x.user.ended, x)
		s.endedCount.give(1, owners{first: new(share)})
	default:
		s.unlinkSession(&x.user.sessions, x)
		s.sessionCount.give(1, owners{first: &x.user.sessionShare})
	}
	s.forgetSession(x)
	return 1
}

// admit returns the session in which a grant is inserted, or nil if it names none. It returns ErrRevoked if the grant names a
// session that is not a live session of its user. The caller holds the stripe of the user.
func (s *Store) admit(g *storage.Grant, stripe uint8, now int64) (*session, error) {
	if g.SessionID == "" {
		return nil, nil
	}
	x := s.sessionsByID.get(g.SessionID)
	if x == nil || x.stripe != stripe || !x.isLive(now) || x.text.id() != g.SessionID || x.user.key != g.UserKey {
		return nil, storage.ErrRevoked
	}
	return x, nil
}
