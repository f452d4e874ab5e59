package memory

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/portner-go/portner/storage"
)

// maxLogins is how many entries one person's history has; the oldest goes when there is one more.
const maxLogins = 200

// loginStripe owns the login history of some people.
type loginStripe struct {
	mu   sync.Mutex
	m    map[storage.Hash]*logins
	peak int
	_    [40]byte
}

// logins is the history of one person, oldest first. It is queued by its first entry's end.
type logins struct {
	place  slot
	stripe uint8
	user   storage.Hash
	list   []storage.Login
}

func (l *logins) slot() *slot { return &l.place }

// RecordLogin implements authorize.HistoryStore.
func (s *Store) RecordLogin(ctx context.Context, in storage.Login, now time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.reserve(&s.loginCount, 1, now, loginKind); err != nil {
		return err
	}
	stripe := uint8(s.shardOf(string(in.UserKey[:])))
	st := &s.logins[stripe]
	st.mu.Lock()
	l := st.m[in.UserKey]
	if l == nil {
		l = &logins{user: in.UserKey, stripe: stripe, place: slot{shard: stripe}}
		if st.m == nil {
			st.m = make(map[storage.Hash]*logins)
		}
		st.m[in.UserKey] = l
		st.peak = max(st.peak, len(st.m))
	}
	in.Service, in.Method = strings.Clone(in.Service), strings.Clone(in.Method)
	l.list = append(l.list, in)
	if len(l.list) > maxLogins {
		l.list = slices.Delete(l.list, 0, 1)
		s.loginCount.give(1)
	}
	s.due.logins.schedule(l, l.firstEnd())
	st.mu.Unlock()
	s.tidy(now)
	return nil
}

func (l *logins) firstEnd() int64 {
	end := nanos(l.list[0].ExpiresAt)
	for i := range l.list {
		end = min(end, nanos(l.list[i].ExpiresAt))
	}
	return end
}

// Logins implements authorizations.HistoryStore.
func (s *Store) Logins(ctx context.Context, userKey storage.Hash, now time.Time) ([]storage.Login, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	st := &s.logins[s.shardOf(string(userKey[:]))]
	st.mu.Lock()
	defer st.mu.Unlock()
	l := st.m[userKey]
	if l == nil {
		return nil, nil
	}
	var out []storage.Login
	for _, one := range slices.Backward(l.list) {
		if now.Before(one.ExpiresAt) {
			one.At, one.ExpiresAt = one.At.UTC(), one.ExpiresAt.UTC()
			out = append(out, one)
		}
	}
	return out, nil
}

// collect implements expiring.
func (l *logins) collect(s *Store, now int64) int {
	st := &s.logins[l.stripe]
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.m[l.user] != l {
		return 0
	}
	before := len(l.list)
	l.list = slices.DeleteFunc(l.list, func(one storage.Login) bool { return now >= nanos(one.ExpiresAt) })
	removed := before - len(l.list)
	s.loginCount.give(removed)
	if len(l.list) > 0 {
		s.due.logins.schedule(l, l.firstEnd())
		return removed
	}
	delete(st.m, l.user)
	st.m, st.peak = shrunk(st.m, st.peak)
	return removed
}

// GrantsOf implements authorizations.Store. It looks through all grants, a shard at a time: what a person
// has given is asked for rarely, and an index by person would cost every grant its room.
func (s *Store) GrantsOf(ctx context.Context, userKey storage.Hash, now time.Time) ([]storage.Grant, error) {
	var out []storage.Grant
	for i := range s.grants.shards {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for _, g := range s.grants.shards[i].all() {
			if found, ok := g.liveGrant(now); ok && found.UserKey == userKey {
				out = append(out, found)
			}
		}
	}
	slices.SortFunc(out, func(a, b storage.Grant) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return out, nil
}

// Grant implements authorizations.Store.
func (s *Store) Grant(ctx context.Context, grantID string, now time.Time) (storage.Grant, error) {
	if err := ctx.Err(); err != nil {
		return storage.Grant{}, err
	}
	if g := s.grants.get(grantID); g != nil {
		if found, ok := g.liveGrant(now); ok && found.ID == grantID {
			return found, nil
		}
	}
	return storage.Grant{}, storage.ErrNotFound
}

// liveGrant decodes a grant that is redeemed, not revoked and not over.
func (g *grant) liveGrant(now time.Time) (storage.Grant, bool) {
	g.mu.Lock()
	live, text := !g.ended(nanos(now)) && !g.revoked, g.text()
	g.mu.Unlock()
	if !live {
		return storage.Grant{}, false
	}
	return text.decode(), true
}

// all copies the records of a shard.
func (s *indexShard[T]) all() []T {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]T, 0, len(s.m))
	for _, v := range s.m {
		out = append(out, v)
	}
	return out
}
