package memory

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/portner-go/portner/storage"
)

// grant is a grant from its code on. Its lock orders every verb on the code, the grant and its
// tokens: security lesson 3, "ordered by one row".
type grant struct {
	mu      sync.Mutex
	place   slot
	code    codeText // with the grant it was created with; "" when no longer remembered
	issue   *issued  // nil until the code is redeemed
	used    bool     // the code was redeemed, burnt, or its grant revoked
	revoked bool
	gone    atomic.Bool // collected or logged out; written under mu
}

// issued is what a grant has once its code is redeemed. It is apart to keep codes small.
type issued struct {
	text   grantText
	latest int // generation of the newest refresh token
}

func (g *grant) slot() *slot { return &g.place }

// codeVerdict judges the code. The caller holds g.
func (g *grant) codeVerdict(hash string, now int64) error {
	switch {
	case g.gone.Load() || g.code == "" || g.code.hash() != hash || now >= g.code.retained():
		return storage.ErrNotFound
	case g.used:
		return storage.ErrConsumed
	case now >= g.code.end():
		return storage.ErrNotFound
	}
	return nil
}

// ended tells whether the grant is not, or no longer, there. The caller holds g.
func (g *grant) ended(now int64) bool {
	return g.gone.Load() || g.issue == nil || now >= g.text().end()
}

// text is the grant as redeemed, "" until then. The caller holds g.
func (g *grant) text() grantText {
	if g.issue == nil {
		return ""
	}
	return g.issue.text
}

// CreateCode implements authorize.Store.
func (s *Store) CreateCode(ctx context.Context, code storage.AuthorizationCode, now time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.reserve(&s.grantCount, 1, now, grantKind); err != nil {
		return err
	}
	g := &grant{code: encodeCode(&code)}
	g.place.shard = uint8(s.shardOf(g.code.hash()))
	err := s.giveIn(code.Grant.SessionID, g, now, func() error { return s.insertGrant(g) })
	if err != nil {
		s.grantCount.give(1)
		return err
	}
	s.tidy(now)
	return nil
}

func (s *Store) insertGrant(g *grant) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !s.codes.add(g.code.hash(), g) {
		g.gone.Store(true)
		return storage.ErrConflict
	}
	if !s.requests.add(g.code.requestID(), true) {
		s.codes.drop(g.code.hash())
		g.gone.Store(true)
		return storage.ErrConflict
	}
	if !s.grants.add(g.code.grant().id(), g) {
		s.codes.drop(g.code.hash())
		s.requests.drop(g.code.requestID())
		g.gone.Store(true)
		return storage.ErrConflict
	}
	s.due.grants.schedule(g, g.code.retained())
	return nil
}

// Code implements token.Store.
func (s *Store) Code(ctx context.Context, hash storage.Hash, now time.Time) (storage.AuthorizationCode, error) {
	if err := ctx.Err(); err != nil {
		return storage.AuthorizationCode{}, err
	}
	g := s.codes.get(string(hash[:]))
	if g == nil {
		return storage.AuthorizationCode{}, storage.ErrNotFound
	}
	g.mu.Lock()
	text, verdict := g.code, g.codeVerdict(string(hash[:]), nanos(now))
	g.mu.Unlock()
	if verdict == storage.ErrNotFound {
		return storage.AuthorizationCode{}, verdict
	}
	return text.decode(), verdict
}

// RedeemCode implements token.Store.
func (s *Store) RedeemCode(ctx context.Context, hash storage.Hash, issue *storage.Issue, now time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	g := s.codes.get(string(hash[:]))
	if g == nil {
		return storage.ErrNotFound
	}
	if issue == nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		if err := g.codeVerdict(string(hash[:]), nanos(now)); err != nil {
			return err
		}
		g.used = true
		return nil
	}
	ts := newTokens(s, g, issue)
	if err := s.reserve(&s.tokenCount, ts.count(), now, accessKind, refreshKind); err != nil {
		return err
	}
	if err := s.redeem(g, string(hash[:]), encodeGrant(&issue.Grant), ts, now); err != nil {
		s.tokenCount.give(ts.count())
		return err
	}
	s.tidy(now)
	return nil
}

func (s *Store) redeem(g *grant, hash string, text grantText, ts tokens, now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.codeVerdict(hash, nanos(now)); err != nil {
		return err
	}
	if id := g.code.grant().id(); text.id() != id || !ts.belongTo(id) {
		return storage.ErrConflict
	}
	if err := s.insertTokens(ts); err != nil {
		return err
	}
	g.used = true
	if same := g.code.grant(); text == same {
		text = same // one text for both
	}
	g.issue = &issued{text: text}
	s.scheduleTokens(ts)
	return nil
}

// InsertGrant implements token.GrantStore.
func (s *Store) InsertGrant(ctx context.Context, issue *storage.Issue, now time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	g := &grant{used: true}
	g.place.shard = uint8(s.shardOf(string(issue.Access.Hash[:])))
	ts := newTokens(s, g, issue)
	if err := s.reserve(&s.grantCount, 1, now, grantKind); err != nil {
		return err
	}
	if err := s.reserve(&s.tokenCount, ts.count(), now, accessKind, refreshKind); err != nil {
		s.grantCount.give(1)
		return err
	}
	text := encodeGrant(&issue.Grant)
	err := s.giveIn(issue.Grant.SessionID, g, now, func() error { return s.insertIssued(g, text, ts) })
	if err != nil {
		s.grantCount.give(1)
		s.tokenCount.give(ts.count())
		return err
	}
	s.tidy(now)
	return nil
}

func (s *Store) insertIssued(g *grant, text grantText, ts tokens) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !ts.belongTo(text.id()) || !s.grants.add(text.id(), g) {
		g.gone.Store(true)
		return storage.ErrConflict
	}
	if err := s.insertTokens(ts); err != nil {
		s.grants.drop(text.id())
		g.gone.Store(true)
		return err
	}
	g.issue = &issued{text: text}
	s.scheduleTokens(ts)
	s.due.grants.schedule(g, text.end())
	return nil
}

// RevokeGrant implements token.Store.
func (s *Store) RevokeGrant(ctx context.Context, grantID string, now time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	g := s.grants.get(grantID)
	if g == nil {
		return nil
	}
	g.mu.Lock()
	if g.id() == grantID {
		g.revoked, g.used = true, true
	}
	g.mu.Unlock()
	s.tidy(now)
	return nil
}

// logOut is what the end of the session means to a grant: an unused code is deleted, a grant
// for nothing but login revoked. The caller holds the person.
func (s *Store) logOut(g *grant) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.gone.Load():
	case !g.used:
		s.forgetGrant(g)
	case g.issue != nil && g.text().loginOnly():
		g.revoked = true
	}
}

// forgetGrant removes g and its code. The caller holds g.
func (s *Store) forgetGrant(g *grant) {
	s.grants.drop(g.id())
	s.forgetCode(g)
	s.due.grants.cancel(g)
	g.gone.Store(true)
	g.issue = nil
	s.grantCount.give(1)
}

func (s *Store) forgetCode(g *grant) {
	if g.code == "" {
		return
	}
	s.codes.drop(g.code.hash())
	s.requests.drop(g.code.requestID())
	g.code = ""
	if g.issue != nil { // perhaps a part of the code's text
		g.issue.text = grantText(strings.Clone(string(g.issue.text)))
	}
}

// id is the Grant.ID, "" when it is forgotten. The caller holds g.
func (g *grant) id() string {
	switch {
	case g.code != "":
		return g.code.grant().id()
	case g.issue != nil:
		return g.text().id()
	}
	return ""
}

// collect implements expiring: first the code goes, then the grant.
func (g *grant) collect(s *Store, now int64) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gone.Load() {
		return 0
	}
	if g.code != "" {
		if now < g.code.retained() {
			s.due.grants.schedule(g, g.code.retained())
			return 0
		}
		if !g.ended(now) {
			s.forgetCode(g)
		}
	}
	if !g.ended(now) {
		s.due.grants.schedule(g, g.text().end())
		return 0
	}
	s.forgetGrant(g)
	return 1
}
