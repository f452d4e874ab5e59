package memory

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/portner-go/portner/internal/record"
	"github.com/portner-go/portner/storage"
)

// maxLogins bounds the entries of one user. The oldest one is removed when there is one more.
const maxLogins = 200

// loginStripe owns the login history of some users.
type loginStripe struct {
	mu    sync.Mutex
	users table[storage.Hash, *logins]
	_     [40]byte
}

// logins is the history of one user, oldest first. It is queued by the first end of an entry.
type logins struct {
	place  slot
	stripe uint8
	user   storage.Hash
	list   []storage.Login
	share  share // len(list)
}

func (l *logins) slot() *slot { return &l.place }
func (l *logins) shard() int  { return int(l.stripe) }

// RecordLogin implements authorize.HistoryStore.
func (s *Store) RecordLogin(ctx context.Context, in storage.Login, now time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	in.Service, in.Method = strings.Clone(in.Service), strings.Clone(in.Method)
	if err := s.withRoom(now, func() error { return s.recordLogin(&in, record.Nanos(now)) }, loginKind); err != nil {
		return err
	}
	s.tidy(now)
	return nil
}

func (s *Store) recordLogin(in *storage.Login, now int64) error {
	stripe := uint8(s.shardOf(string(in.UserKey[:])))
	st := &s.logins[stripe]
	st.mu.Lock()
	defer st.mu.Unlock()
	l := st.users.m[in.UserKey]
	if l == nil {
		l = &logins{user: in.UserKey, stripe: stripe}
	}
	if l.has(in.ID, now) {
		return nil
	}
	if len(l.list) == maxLogins {
		l.list = slices.Delete(l.list, 0, 1)
	} else if !s.loginCount.take(1, owners{first: &l.share}) {
		return storage.ErrFull
	}
	l.list = append(l.list, *in)
	st.users.set(in.UserKey, l)
	s.due.logins.schedule(l, l.firstEnd())
	return nil
}

// has reports whether there is an entry with the ID that has not expired.
func (l *logins) has(id string, now int64) bool {
	return slices.ContainsFunc(l.list, func(one storage.Login) bool { return one.ID == id && now < record.Nanos(one.ExpiresAt) })
}

func (l *logins) firstEnd() int64 {
	end := record.Nanos(l.list[0].ExpiresAt)
	for i := range l.list {
		end = min(end, record.Nanos(l.list[i].ExpiresAt))
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
	l := st.users.m[userKey]
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
	if st.users.m[l.user] != l {
		return 0
	}
	before := len(l.list)
	l.list = slices.DeleteFunc(l.list, func(one storage.Login) bool { return now >= record.Nanos(one.ExpiresAt) })
	removed := before - len(l.list)
	s.loginCount.give(removed, owners{first: &l.share})
	if len(l.list) > 0 {
		s.due.logins.schedule(l, l.firstEnd())
		return removed
	}
	st.users.drop(l.user)
	return removed
}
