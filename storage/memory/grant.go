package memory

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/portner-go/portner/storage"
)

// grant is the record of an outcome: a code, later the grant of that code, or a denial. A grant without a code is one, too. Its lock
// orders every method on the code, the grant and its tokens.
type grant struct {
	mu     sync.Mutex
	place  slot
	code   codeText // with the grant it was created with; "" when no longer recognised
	issue  *issued  // nil until the code is redeemed
	stripe uint8    // index of the stripe of its user; never changes
	linked bool     // in the chain of its user until it is gone; never changes after the insertion
	used   bool     // the code was consumed
	denied bool     // the request was denied: there is no code
	// revoked reports that the grant was revoked, and gone that it was collected or could not be inserted.
	revoked, gone bool
	next, prev    *grant // of the same user in userStripe.grants, newer first; the stripe guards them
}

// issued is what a grant has after its code was redeemed. It is a struct of its own to keep codes small.
type issued struct{ text grantText }

func (g *grant) slot() *slot { return &g.place }

// codeVerdict returns the verdict on the code. The caller holds g.
func (g *grant) codeVerdict(hash string, now int64) error {
	switch {
	case g.gone || g.denied || g.code == "" || g.code.hash() != hash || now >= g.code.retained():
		return storage.ErrNotFound
	case g.used:
		return storage.ErrConsumed
	case now >= g.code.end():
		return storage.ErrNotFound
	}
	return nil
}

// ended reports whether there is no grant, or it has expired. The caller holds g.
func (g *grant) ended(now int64) bool {
	return g.gone || g.issue == nil || now >= g.text().end()
}

// text returns the grant as it was redeemed, or "" before that. The caller holds g.
func (g *grant) text() grantText {
	if g.issue == nil {
		return ""
	}
	return g.issue.text
}

// known returns the grant as it was redeemed, or as it was created with the code. The caller holds g.
func (g *grant) known() grantText {
	if g.issue == nil && g.code != "" {
		return g.code.grant()
	}
	return g.text()
}

// FinishRequest implements provider.Store.
func (s *Store) FinishRequest(ctx context.Context, o storage.Outcome, now time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	g := &grant{code: encodeOutcome(&o), denied: o.Code == nil, used: o.Code == nil}
	g.place.shard = uint8(s.shardOf(o.RequestID))
	f := finish{Store: s, outcome: &o, grant: g, now: nanos(now), stripe: s.stripeOfKey(&o.Consents.UserKey)}
	g.stripe = f.stripe
	if o.Code != nil {
		g.stripe, g.linked = s.stripeOfKey(&o.Code.Grant.UserKey), hasUser(&o.Code.Grant)
	}
	if len(o.Granted)+len(o.Declined) == 0 {
		f.stripe = g.stripe
	}
	if err := s.withRoom(now, f.run, grantKind, consentKind); err != nil {
		return err
	}
	s.tidy(now)
	return nil
}

func (s *Store) stripeOfKey(user *storage.Hash) uint8 { return stripeOf(s.hashOf(string(user[:]))) }

// hasUser reports whether a grant is kept in the chain of its user: the grants of machines are not.
func hasUser(g *storage.Grant) bool { return g.UserKey != storage.Hash{} || g.SessionID != "" }

// finish is one call of FinishRequest.
type finish struct {
	*Store
	outcome *storage.Outcome
	grant   *grant
	stripe  uint8 // of the user of the consents
	now     int64
}

func (f *finish) run() error {
	f.lockUsers(f.stripe, f.grant.stripe)
	defer f.unlockUsers(f.stripe, f.grant.stripe)
	if f.outcome.Code != nil {
		if err := f.admit(&f.outcome.Code.Grant, f.grant.stripe, f.now); err != nil {
			return err
		}
	}
	if first := f.requests.get(f.outcome.RequestID); first != nil {
		return first.compare(f.grant.code, f.now)
	}
	if !f.grantCount.take(1) {
		return storage.ErrFull
	}
	added := f.countNewConsents()
	if !f.consentCount.take(added) {
		f.grantCount.give(1)
		return storage.ErrFull
	}
	if !f.insertOutcome(f.grant) {
		f.grantCount.give(1)
		f.consentCount.give(added)
		return storage.ErrConflict
	}
	f.applyConsents()
	return nil
}

// compare returns the verdict on a second outcome of the request of g.
func (g *grant) compare(second codeText, now int64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.gone || g.code == "" || g.code.requestID() != second.requestID() || g.code.hash() != second.hash():
		return storage.ErrConflict
	case g.denied:
		return nil
	case g.used || now >= g.code.end():
		return storage.ErrConsumed
	}
	return nil
}

// insertOutcome adds the keys of g, or none of them. The caller holds the stripe of the user of g.
func (s *Store) insertOutcome(g *grant) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !s.addKeys(g) {
		g.gone = true // a reader that found it by its first key waits for the lock
		return false
	}
	if !g.denied {
		s.link(g)
	}
	s.due.grants.schedule(g, g.code.retained())
	return true
}

func (s *Store) addKeys(g *grant) bool {
	if !s.requests.add(g.code.requestID(), g) {
		return false
	}
	if g.denied {
		return true
	}
	if !s.codes.add(g.code.hash(), g) {
		s.requests.drop(g.code.requestID())
		return false
	}
	if !s.grants.add(g.code.grant().id(), g) {
		s.requests.drop(g.code.requestID())
		s.codes.drop(g.code.hash())
		return false
	}
	return true
}

// link puts g into the chain of its user. The caller holds g and its stripe.
func (s *Store) link(g *grant) {
	if !g.linked {
		return
	}
	user, st := s.hashOf(g.known().userKey()), &s.users[g.stripe]
	if g.next = st.grants.m[user]; g.next != nil {
		g.next.prev = g
	}
	st.grants.set(user, g)
}

// unlink reverses link.
func (s *Store) unlink(g *grant) {
	if !g.linked {
		return
	}
	user, st := s.hashOf(g.known().userKey()), &s.users[g.stripe]
	switch {
	case g.prev != nil:
		g.prev.next = g.next
	case g.next != nil:
		st.grants.set(user, g.next)
	default:
		st.grants.drop(user)
	}
	if g.next != nil {
		g.next.prev = g.prev
	}
	g.next, g.prev = nil, nil
}

// Code implements provider.Store.
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

// RedeemCode implements provider.Store.
func (s *Store) RedeemCode(ctx context.Context, hash storage.Hash, i *storage.Issuance, now time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	g := s.codes.get(string(hash[:]))
	if g == nil {
		return storage.ErrNotFound
	}
	if i == nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		if err := g.codeVerdict(string(hash[:]), nanos(now)); err != nil {
			return err
		}
		g.used = true
		return nil
	}
	ts, text := newTokens(s, g, i), encodeGrant(&i.Grant)
	err := s.withRoom(now, func() error { return s.redeem(g, string(hash[:]), text, ts, nanos(now)) }, accessKind, refreshKind)
	if err == nil {
		s.tidy(now)
	}
	return err
}

func (s *Store) redeem(g *grant, hash string, text grantText, ts tokens, now int64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.codeVerdict(hash, now); err != nil {
		return err
	}
	if !text.replaces(g.code.grant()) || !ts.belongTo(text.id()) {
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
func (s *Store) InsertGrant(ctx context.Context, i *storage.Issuance, now time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	g := &grant{used: true, stripe: s.stripeOfKey(&i.Grant.UserKey), linked: hasUser(&i.Grant)}
	g.place.shard = uint8(s.shardOf(string(i.Access.Hash[:])))
	ts, text := newTokens(s, g, i), encodeGrant(&i.Grant)
	err := s.withRoom(now, func() error { return s.insertIssued(g, i, text, ts, nanos(now)) }, grantKind, accessKind, refreshKind)
	if err == nil {
		s.tidy(now)
	}
	return err
}

func (s *Store) insertIssued(g *grant, i *storage.Issuance, text grantText, ts tokens, now int64) error {
	if g.linked {
		s.lockUsers(g.stripe, g.stripe)
		defer s.unlockUsers(g.stripe, g.stripe)
		if err := s.admit(&i.Grant, g.stripe, now); err != nil {
			return err
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !ts.belongTo(text.id()) {
		return storage.ErrConflict
	}
	if !s.grantCount.take(1) {
		return storage.ErrFull
	}
	if !s.grants.add(text.id(), g) {
		s.grantCount.give(1)
		return storage.ErrConflict
	}
	if err := s.insertTokens(ts); err != nil {
		s.grants.drop(text.id())
		s.grantCount.give(1)
		g.gone = true
		return err
	}
	g.issue = &issued{text: text}
	s.link(g)
	s.scheduleTokens(ts)
	s.due.grants.schedule(g, text.end())
	return nil
}

// Revoke implements provider.Store.
func (s *Store) Revoke(ctx context.Context, r storage.Revocation, now time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := r.Validate(); err != nil {
		return err
	}
	if r.GrantID != "" {
		if g := s.grants.get(r.GrantID); g != nil {
			g.revokeIf(func(text grantText) bool { return text.id() == r.GrantID })
		}
	} else {
		s.revokeAuthorization(&r.Authorization)
	}
	s.tidy(now)
	return nil
}

func (s *Store) revokeAuthorization(key *storage.ConsentKey) {
	user := s.hashOf(string(key.UserKey[:]))
	stripe := stripeOf(user)
	s.lockUsers(stripe, stripe)
	defer s.unlockUsers(stripe, stripe)
	for g := s.users[stripe].grants.m[user]; g != nil; g = g.next {
		g.revokeIf(func(text grantText) bool { return text.belongsTo(key) })
	}
	s.withdrawAll(key)
}

// revokeIf revokes g if its grant matches.
func (g *grant) revokeIf(match func(grantText) bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if text := g.known(); text != "" && match(text) {
		g.revoked, g.used = true, true
	}
}

// logOut is the effect of the end of a session on g if it belongs to the session: its code is consumed, and a
// login-only grant is revoked. The caller holds its stripe.
func (g *grant) logOut(sessionID string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if text := g.known(); text != "" && text.inSession(sessionID) {
		g.used = true
		g.revoked = g.revoked || g.issue != nil && text.loginOnly()
	}
}

// Grants implements provider.Store.
func (s *Store) Grants(ctx context.Context, userKey storage.Hash, after string, limit int, now time.Time) ([]storage.Grant, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var out []storage.Grant
	found := after == ""
	for _, g := range s.grantsOf(string(userKey[:]), nanos(now)) {
		switch {
		case !found:
			found = g.text.id() == after
		case !g.revoked:
			if out = append(out, g.text.decode()); len(out) == limit {
				return out, nil
			}
		}
	}
	if !found {
		return nil, storage.ErrNotFound
	}
	return out, nil
}

// listed is a grant of a user in the order of Grants.
type listed struct {
	text    grantText
	revoked bool
}

// grantsOf returns the grants of a user that have not expired, newest first.
func (s *Store) grantsOf(userKey string, now int64) (all []listed) {
	user := s.hashOf(userKey)
	st := &s.users[stripeOf(user)]
	st.mu.Lock()
	for g := st.grants.m[user]; g != nil; g = g.next {
		g.mu.Lock()
		if text := g.text(); !g.ended(now) && text.userKey() == userKey {
			all = append(all, listed{text, g.revoked})
		}
		g.mu.Unlock()
	}
	st.mu.Unlock()
	slices.SortFunc(all, func(a, b listed) int { return b.text.compareAge(a.text) })
	return all
}

// collect implements expiring: the code is forgotten first, then the grant.
func (g *grant) collect(s *Store, now int64) int {
	if g.linked {
		s.lockUsers(g.stripe, g.stripe)
		defer s.unlockUsers(g.stripe, g.stripe)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gone {
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

// forgetGrant removes g and its code. The caller holds g and its stripe.
func (s *Store) forgetGrant(g *grant) {
	if !g.denied {
		s.grants.drop(g.known().id())
		s.unlink(g)
	}
	s.forgetCode(g)
	s.due.grants.cancel(g)
	g.gone = true
	g.issue = nil
	s.grantCount.give(1)
}

// forgetCode removes the code of g and its request.
func (s *Store) forgetCode(g *grant) {
	if g.code == "" {
		return
	}
	s.requests.drop(g.code.requestID())
	if !g.denied {
		s.codes.drop(g.code.hash())
	}
	g.code = ""
	if g.issue != nil { // it may share memory with the text of the code
		g.issue.text = grantText(strings.Clone(string(g.issue.text)))
	}
}
