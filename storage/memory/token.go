package memory

import (
	"context"
	"time"

	"github.com/portner-go/portner/storage"
)

// accessToken and refreshToken are owned by their grant: its lock guards them.
type accessToken struct {
	place slot
	grant *grant
	text  accessText
	gone  bool
}

type refreshToken struct {
	place      slot
	grant      *grant
	hash       storage.Hash
	generation int
	end        int64
	consumed   int64 // when it was rotated; noTime while it was not
	gone       bool
}

func (t *accessToken) slot() *slot  { return &t.place }
func (t *refreshToken) slot() *slot { return &t.place }

// tokens is what one issue adds.
type tokens struct {
	access                    *accessToken
	refresh                   *refreshToken // nil if there is none
	accessGrant, refreshGrant string
}

func newTokens(s *Store, g *grant, issue *storage.Issue) tokens {
	ts := tokens{access: &accessToken{grant: g, text: encodeAccess(&issue.Access)}, accessGrant: issue.Access.GrantID}
	ts.access.place.shard = uint8(s.shardOf(ts.access.text.hash()))
	if r := issue.Refresh; r != nil {
		ts.refresh = &refreshToken{
			grant: g, hash: r.Hash, generation: r.Generation,
			end: nanos(r.ExpiresAt), consumed: noTime,
		}
		ts.refresh.place.shard = uint8(s.shardOf(string(r.Hash[:])))
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

// insertTokens puts both keys in or none. The caller holds the grant.
func (s *Store) insertTokens(ts tokens) error {
	if !s.access.add(ts.access.text.hash(), ts.access) {
		return storage.ErrConflict
	}
	if ts.refresh != nil && !s.refresh.add(string(ts.refresh.hash[:]), ts.refresh) {
		s.access.drop(ts.access.text.hash())
		return storage.ErrConflict
	}
	return nil
}

// scheduleTokens sets the ends of new tokens: none outlives its grant. The caller holds it.
func (s *Store) scheduleTokens(ts tokens) {
	s.due.access.schedule(ts.access, min(ts.access.text.end(), ts.access.grant.text().end()))
	if ts.refresh != nil {
		s.due.refresh.schedule(ts.refresh, ts.refresh.forgetAt())
	}
}

// forgetAt is when the token need not be recognised any more: a rotated one is remembered until
// the grant ends.
func (t *refreshToken) forgetAt() int64 {
	if t.consumed != noTime {
		return t.grant.text().end()
	}
	return min(t.end, t.grant.text().end())
}

// verdict judges the token. The caller holds its grant.
func (t *refreshToken) verdict(hash storage.Hash, now int64) error {
	switch {
	case t.gone || t.hash != hash || t.grant.ended(now) || t.consumed == noTime && now >= t.end:
		return storage.ErrNotFound
	case t.grant.revoked:
		return storage.ErrRevoked
	case t.consumed != noTime:
		return storage.ErrConsumed
	}
	return nil
}

// RefreshToken implements token.Store.
func (s *Store) RefreshToken(ctx context.Context, hash storage.Hash, now time.Time) (storage.RefreshToken, storage.Grant, error) {
	if err := ctx.Err(); err != nil {
		return storage.RefreshToken{}, storage.Grant{}, err
	}
	t := s.refresh.get(string(hash[:]))
	if t == nil {
		return storage.RefreshToken{}, storage.Grant{}, storage.ErrNotFound
	}
	t.grant.mu.Lock()
	verdict, text := t.verdict(hash, nanos(now)), t.grant.text()
	out := storage.RefreshToken{
		Hash: hash, Generation: t.generation,
		ExpiresAt: fromNanos(t.end), ConsumedAt: fromNanos(t.consumed),
	}
	if verdict == storage.ErrConsumed {
		out.Latest = t.grant.issue.latest
	}
	t.grant.mu.Unlock()
	if verdict == storage.ErrNotFound {
		return storage.RefreshToken{}, storage.Grant{}, verdict
	}
	g := text.decode()
	out.GrantID = g.ID
	return out, g, verdict
}

// RotateRefreshToken implements token.Store.
func (s *Store) RotateRefreshToken(ctx context.Context, hash storage.Hash, issue *storage.Issue, now time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t := s.refresh.get(string(hash[:]))
	if t == nil {
		return storage.ErrNotFound
	}
	ts := newTokens(s, t.grant, issue)
	inPlace := ts.refresh != nil && ts.refresh.hash == hash
	added := ts.count()
	if inPlace {
		added--
	}
	if err := s.reserve(&s.tokenCount, added, now, accessKind, refreshKind); err != nil {
		return err
	}
	if err := s.rotate(t, hash, ts, now); err != nil {
		s.tokenCount.give(added)
		return err
	}
	s.tidy(now)
	return nil
}

func (s *Store) rotate(t *refreshToken, hash storage.Hash, ts tokens, now time.Time) error {
	t.grant.mu.Lock()
	defer t.grant.mu.Unlock()
	if err := t.verdict(hash, nanos(now)); err != nil {
		return err
	}
	if !ts.belongTo(t.grant.text().id()) {
		return storage.ErrConflict
	}
	if renewed := ts.refresh; renewed != nil && renewed.hash == hash {
		ts.refresh = nil
		if err := s.insertTokens(ts); err != nil {
			return err
		}
		t.generation, t.end = renewed.generation, renewed.end
	} else {
		if err := s.insertTokens(ts); err != nil {
			return err
		}
		t.consumed = nanos(now)
		t.grant.issue.latest = t.generation
		if ts.refresh != nil {
			t.grant.issue.latest = ts.refresh.generation
		}
	}
	s.scheduleTokens(ts)
	s.due.refresh.schedule(t, t.forgetAt())
	return nil
}

// AccessToken implements token.Store.
func (s *Store) AccessToken(ctx context.Context, hash storage.Hash, now time.Time) (storage.AccessToken, storage.Grant, error) {
	if err := ctx.Err(); err != nil {
		return storage.AccessToken{}, storage.Grant{}, err
	}
	t := s.access.get(string(hash[:]))
	if t == nil {
		return storage.AccessToken{}, storage.Grant{}, storage.ErrNotFound
	}
	n := nanos(now)
	t.grant.mu.Lock()
	over := t.gone || t.text.hash() != string(hash[:]) || t.grant.ended(n) || n >= t.text.end()
	revoked, text, given := t.grant.revoked, t.text, t.grant.text()
	t.grant.mu.Unlock()
	if over {
		return storage.AccessToken{}, storage.Grant{}, storage.ErrNotFound
	}
	g := given.decode()
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
	if t.gone {
		return 0
	}
	if !t.grant.ended(now) && now < t.text.end() {
		s.due.access.schedule(t, min(t.text.end(), t.grant.text().end()))
		return 0
	}
	t.gone = true
	s.due.access.cancel(t)
	s.access.drop(t.text.hash())
	s.tokenCount.give(1)
	return 1
}

// collect implements expiring.
func (t *refreshToken) collect(s *Store, now int64) int {
	t.grant.mu.Lock()
	defer t.grant.mu.Unlock()
	if t.gone {
		return 0
	}
	if !t.grant.ended(now) && now < t.forgetAt() {
		s.due.refresh.schedule(t, t.forgetAt())
		return 0
	}
	t.gone = true
	s.due.refresh.cancel(t)
	s.refresh.drop(string(t.hash[:]))
	s.tokenCount.give(1)
	return 1
}
