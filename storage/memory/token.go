package memory

import (
	"context"
	"time"

	"github.com/portner-go/portner/internal/record"
	"github.com/portner-go/portner/storage"
)

// accessToken and refreshToken are guarded by the lock of their grant. A token without a number was collected, or could not be inserted:
// a caller that found it waited for the lock.
type accessToken struct {
	place slot
	grant *grant
	text  accessText
}

type refreshToken struct {
	place      slot
	grant      *grant
	hash       storage.Hash
	successor  *refreshToken // nil while it was not rotated, or if it was rotated without a successor
	end        int64
	consumed   int64 // when it was rotated; record.NoTime while it was not
	generation int32
	used       bool // rotated or renewed
}

func (t *accessToken) slot() *slot  { return &t.place }
func (t *accessToken) shard() int   { return t.place.shard() }
func (t *refreshToken) slot() *slot { return &t.place }
func (t *refreshToken) shard() int  { return t.place.shard() }

// tokens are those of one Issuance.
type tokens struct {
	access                    *accessToken
	refresh                   *refreshToken // nil if there is none
	accessGrant, refreshGrant string
}

func newTokens(g *grant, i *storage.Issuance) tokens {
	ts := tokens{access: &accessToken{grant: g, text: encodeAccess(&i.Access)}, accessGrant: i.Access.GrantID}
	if r := i.Refresh; r != nil {
		ts.refresh = &refreshToken{
			grant: g, hash: r.Hash, generation: int32(r.Generation),
			end: record.Nanos(r.ExpiresAt), consumed: record.NoTime,
		}
		ts.refreshGrant = r.GrantID
	}
	return ts
}

func (ts tokens) count() int {
	if ts.refresh == nil {
		return 1
	}
	return 2
}

func (ts tokens) belongTo(grantID string) bool {
	return ts.accessGrant == grantID && (ts.refresh == nil || ts.refreshGrant == grantID)
}

// insertTokens adds both keys, or none of them. The caller holds the grant.
func (s *Store) insertTokens(ts tokens) error {
	if !s.tokenCount.take(ts.count(), ts.access.grant.auth.tokenOwners()) {
		return storage.ErrFull
	}
	if !s.addTokens(ts) {
		s.giveTokens(ts.access.grant, ts.count())
		return storage.ErrConflict
	}
	return nil
}

func (s *Store) addTokens(ts tokens) bool {
	s.accessTokens.insert(ts.access)
	if s.access.add(ts.access.text.hash(), ts.access) {
		if ts.refresh == nil || s.addRefreshToken(ts.refresh) {
			return true
		}
		s.access.drop(ts.access.text.hash())
	}
	s.accessTokens.remove(ts.access)
	return false
}

func (s *Store) addRefreshToken(t *refreshToken) bool {
	s.refreshTokens.insert(t)
	if s.refresh.add(string(t.hash[:]), t) {
		return true
	}
	s.refreshTokens.remove(t)
	return false
}

func (s *Store) giveTokens(g *grant, n int) {
	s.tokenCount.give(n, g.auth.tokenOwners())
}

// scheduleTokens queues new tokens by their ends: a token does not outlive its grant. The caller holds the grant.
func (s *Store) scheduleTokens(ts tokens) {
	s.due.access.schedule(ts.access, min(ts.access.text.end(), ts.access.grant.text().end()))
	if ts.refresh != nil {
		s.due.refresh.schedule(ts.refresh, ts.refresh.forgetAt())
	}
}

// forgetAt returns when the token is no longer recognised: a rotated one when its grant expires.
func (t *refreshToken) forgetAt() int64 {
	if t.consumed != record.NoTime {
		return t.grant.text().end()
	}
	return min(t.end, t.grant.text().end())
}

// verdict returns the verdict on the token. The caller holds its grant.
func (t *refreshToken) verdict(hash storage.Hash, now int64) error {
	switch {
	case !t.place.numbered() || t.hash != hash || t.grant.ended(now) || t.consumed == record.NoTime && now >= t.end:
		return storage.ErrNotFound
	case t.grant.isRevoked():
		return storage.ErrRevoked
	case t.consumed != record.NoTime:
		return storage.ErrConsumed
	}
	return nil
}

// RefreshToken implements provider.Store.
func (s *Store) RefreshToken(ctx context.Context, hash storage.Hash, now time.Time) (storage.RefreshToken, storage.Grant, error) {
	if err := ctx.Err(); err != nil {
		return storage.RefreshToken{}, storage.Grant{}, err
	}
	t := s.refresh.get(string(hash[:]))
	if t == nil {
		return storage.RefreshToken{}, storage.Grant{}, storage.ErrNotFound
	}
	t.grant.mu.Lock()
	verdict, text := t.verdict(hash, record.Nanos(now)), t.grant.text()
	out := storage.RefreshToken{
		Hash: hash, Generation: int(t.generation),
		ExpiresAt: record.Time(t.end), ConsumedAt: record.Time(t.consumed),
	}
	if t.successor != nil {
		out.Successor, out.SuccessorUsed = t.successor.hash, t.successor.used
	}
	t.grant.mu.Unlock()
	if verdict == storage.ErrNotFound {
		return storage.RefreshToken{}, storage.Grant{}, verdict
	}
	g := text.decode(t.grant.userKey())
	out.GrantID = g.ID
	return out, g, verdict
}

// RotateRefreshToken implements provider.Store.
func (s *Store) RotateRefreshToken(ctx context.Context, hash storage.Hash, i *storage.Issuance, grace time.Duration, now time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t := s.refresh.get(string(hash[:]))
	if t == nil {
		return storage.ErrNotFound
	}
	ts := newTokens(t.grant, i)
	err := s.withRoom(now, func() error { return s.rotate(t, hash, ts, int64(grace), record.Nanos(now)) }, accessKind, refreshKind)
	if err == nil {
		s.tidy(now)
	}
	return err
}

func (s *Store) rotate(t *refreshToken, hash storage.Hash, ts tokens, grace, now int64) error {
	t.grant.mu.Lock()
	defer t.grant.mu.Unlock()
	verdict := t.verdict(hash, now)
	retry := verdict == storage.ErrConsumed && t.mayRetry(ts, grace, now)
	if verdict != nil && !retry {
		return verdict
	}
	if !ts.belongTo(t.grant.text().id()) {
		return storage.ErrConflict
	}
	next := ts.refresh
	renewed := next != nil && next.hash == hash
	if retry || renewed {
		ts.refresh = nil
	}
	if err := s.insertTokens(ts); err != nil {
		return err
	}
	s.scheduleTokens(ts)
	switch {
	case retry:
		return nil
	case renewed:
		t.generation, t.end = next.generation, next.end
	default:
		t.consumed, t.successor = now, next
	}
	t.used = true
	s.due.refresh.schedule(t, t.forgetAt())
	return nil
}

// mayRetry reports whether a consumed token was rotated less than grace ago to the refresh token of ts, which is live
// and unused. The caller holds the grant.
func (t *refreshToken) mayRetry(ts tokens, grace, now int64) bool {
	n := t.successor
	return n != nil && ts.refresh != nil && n.hash == ts.refresh.hash && grace > 0 && now-t.consumed < grace &&
		!n.used && n.verdict(n.hash, now) == nil
}

// AccessToken implements provider.Store.
func (s *Store) AccessToken(ctx context.Context, hash storage.Hash, now time.Time) (storage.AccessToken, storage.Grant, error) {
	if err := ctx.Err(); err != nil {
		return storage.AccessToken{}, storage.Grant{}, err
	}
	t := s.access.get(string(hash[:]))
	if t == nil {
		return storage.AccessToken{}, storage.Grant{}, storage.ErrNotFound
	}
	n := record.Nanos(now)
	t.grant.mu.Lock()
	over := !t.place.numbered() || t.text.hash() != string(hash[:]) || t.grant.ended(n) || n >= t.text.end()
	revoked, text, given := t.grant.isRevoked(), t.text, t.grant.text()
	t.grant.mu.Unlock()
	if over {
		return storage.AccessToken{}, storage.Grant{}, storage.ErrNotFound
	}
	g := given.decode(t.grant.userKey())
	a := text.decode(g.ID)
	if revoked {
		return a, g, storage.ErrRevoked
	}
	return a, g, nil
}

// collect implements expiring.
func (t *accessToken) collect(s *Store, now int64) int {
	t.grant.mu.Lock()
	defer t.grant.mu.Unlock()
	if !t.place.numbered() {
		return 0
	}
	if !t.grant.ended(now) && now < t.text.end() {
		s.due.access.schedule(t, min(t.text.end(), t.grant.text().end()))
		return 0
	}
	s.due.access.cancel(t)
	s.access.drop(t.text.hash())
	s.accessTokens.remove(t)
	s.giveTokens(t.grant, 1)
	return 1
}

// collect implements expiring.
func (t *refreshToken) collect(s *Store, now int64) int {
	t.grant.mu.Lock()
	defer t.grant.mu.Unlock()
	if !t.place.numbered() {
		return 0
	}
	if !t.grant.ended(now) && now < t.forgetAt() {
		s.due.refresh.schedule(t, t.forgetAt())
		return 0
	}
	s.due.refresh.cancel(t)
	s.refresh.drop(string(t.hash[:]))
	s.refreshTokens.remove(t)
	s.giveTokens(t.grant, 1)
	return 1
}
