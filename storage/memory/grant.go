package memory

import (
	"context"
	"sync"
	"time"

	"github.com/portner-go/portner/internal/record"
	"github.com/portner-go/portner/storage"
)

// grant is the record of an outcome: a code, later the grant of that code, or a denial. A grant without a code is one, too. Its lock
// orders every method on the code, the grant and its tokens.
type grant struct {
	mu    sync.Mutex
	place slot // without a number: collected, or could not be inserted
	// record is a codeText or, if there is no code or it is no longer recognised, a grantText. If the grant was redeemed it is written
	// with the stripe, too, and can be read with either.
	record string
	auth   *authorization
	// session is the one of the code, and after that the one with which the grant ends. The grant reads only whether it has ended.
	session      *session
	older, newer uint32 // numbers of grants in the tree of its user; the stripe guards them
	stripe       uint8  // index of the stripe of its owner; never changes
	linked       bool   // listed when it is redeemed; never changes after the insertion
	listed       bool   // in the tree of its user; the stripe guards it
	used         bool   // the code was consumed
	denied       bool   // the request was denied: there is no code
	revoked      bool   // written with the stripe, too, and can be read with either
	// coded reports that record is a codeText, and redeemed that there is a grant. If the grant was redeemed they are written with the stripe,
	// too, and can be read with either.
	coded, redeemed bool
}

func (g *grant) slot() *slot { return &g.place }
func (g *grant) shard() int  { return g.place.shard() }

// code returns the code, or "" when it is no longer recognised. The caller holds g.
func (g *grant) code() codeText {
	if !g.coded {
		return ""
	}
	return codeText(g.record)
}

// codeVerdict returns the verdict on the code. The caller holds g.
func (g *grant) codeVerdict(hash string, now int64) error {
	switch {
	case !g.place.numbered() || g.denied || !g.coded || g.code().hash() != hash || now >= g.code().retained():
		return storage.ErrNotFound
	case g.isConsumed():
		return storage.ErrConsumed
	case now >= g.code().end():
		return storage.ErrNotFound
	}
	return nil
}

// isConsumed reports whether the code was consumed, revoked, or ended with its session. The caller holds g.
func (g *grant) isConsumed() bool {
	return g.used || g.auth.revoked.Load() || g.session != nil && g.session.ended.Load()
}

// isRevoked reports whether the grant was revoked by itself, with its authorization or with its session. The caller holds g or its
// stripe.
func (g *grant) isRevoked() bool {
	return g.revoked || g.auth.revoked.Load() || g.redeemed && g.session != nil && g.session.ended.Load()
}

// userKey returns the UserKey of the grant.
func (g *grant) userKey() (key storage.Hash) {
	if g.linked {
		key = g.auth.user.key
	}
	return key
}

// ended reports whether there is no grant, or it has expired. The caller holds g, or its stripe if g is listed.
func (g *grant) ended(now int64) bool {
	return !g.redeemed || now >= g.text().end()
}

// text returns the grant as it was redeemed, or "" before that. The caller holds g, or its stripe if g is listed.
func (g *grant) text() grantText {
	if !g.redeemed {
		return ""
	}
	return g.known()
}

// known returns the grant as it was redeemed, or as it was created with the code. The caller holds g, or its stripe if g was redeemed.
func (g *grant) known() grantText {
	if g.coded {
		return codeText(g.record).grant()
	}
	return grantText(g.record)
}

// FinishRequest implements provider.Store.
func (s *Store) FinishRequest(ctx context.Context, o storage.Outcome, now time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	g := &grant{record: string(encodeOutcome(&o)), coded: true, denied: o.Code == nil, used: o.Code == nil}
	f := finish{Store: s, outcome: o, grant: g, now: record.Nanos(now), key: o.Consents.UserKey, client: o.Consents.ClientID, customer: o.Consents.Customer}
	f.user = s.hashOfUser(&o.Consents.UserKey)
	f.answers = len(o.Granted)+len(o.Declined) > 0
	switch {
	case o.Code != nil:
		given := &o.Code.Grant
		f.key, f.client, f.customer, g.linked = ownerKey(given), given.ClientID, given.Customer, hasUser(given)
	case o.Consents.UserKey == storage.Hash{}:
		f.key = clientKey(f.client)
	}
	f.owner = f.user
	if f.key != o.Consents.UserKey {
		f.owner = s.hashOfUser(&f.key)
	}
	if !f.answers {
		f.user = f.owner
	}
	g.stripe = stripeOf(f.owner)
	if err := s.withRoom(now, f.run, grantKind, consentKind); err != nil {
		return err
	}
	s.tidy(now)
	return nil
}

// finish is one call of FinishRequest.
type finish struct {
	*Store
	outcome          storage.Outcome // by value: a pointer would move it to the heap
	grant            *grant
	owner, user      uint64 // hashes of the owner of the grant and of the user of the consents
	key              storage.Hash
	client, customer string // key, client and customer identify the authorization of the grant
	answers          bool   // there are consents to change
	now              int64
}

func (f *finish) run() error {
	stripe := stripeOf(f.user)
	f.lockUsers(stripe, f.grant.stripe)
	defer f.unlockUsers(stripe, f.grant.stripe)
	if f.outcome.Code != nil {
		var err error
		if f.grant.session, err = f.admit(&f.outcome.Code.Grant, f.grant.stripe, f.now); err != nil {
			return err
		}
	}
	if err := f.decide(); err != nil {
		return err
	}
	if f.grant.session != nil && f.outcome.Visit != nil {
		f.visit(f.grant.session, f.outcome.Visit)
	}
	return nil
}

// decide inserts the outcome, or returns the verdict on one that its request has. The caller holds both stripes.
func (f *finish) decide() error {
	if first := f.requests.get(f.outcome.RequestID); first != nil {
		return first.compare(f.grant.code(), f.now)
	}
	f.grant.auth = f.authorization(f.owner, &f.key, f.client, f.customer)
	defer f.releaseAuthorization(f.grant.stripe, f.grant.auth)
	if !f.answers {
		return f.insert(nil)
	}
	u := f.Store.user(f.user, &f.outcome.Consents.UserKey)
	defer f.release(u)
	return f.insert(u)
}

// insert inserts the outcome, whose consents are those of u. The caller holds both stripes.
func (f *finish) insert(u *user) error {
	a := f.grant.auth
	if !f.grantCount.take(1, a.grantOwners()) {
		return storage.ErrFull
	}
	added := 0
	if u != nil {
		if added = f.countNewConsents(); !f.consentCount.take(added, owners{first: &u.consentShare}) {
			f.giveGrant(f.grant)
			return storage.ErrFull
		}
	}
	if !f.insertOutcome(f.grant, f.outcome.RequestID) {
		f.giveGrant(f.grant)
		if u != nil {
			f.consentCount.give(added, owners{first: &u.consentShare})
		}
		return storage.ErrConflict
	}
	if u != nil {
		f.applyConsents(u)
	}
	return nil
}

func (s *Store) giveGrant(g *grant) {
	s.grantCount.give(1, g.auth.grantOwners())
}

// compare returns the verdict on a second outcome of the request of g.
func (g *grant) compare(second codeText, now int64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case !g.place.numbered() || !g.coded || g.code().requestID() != second.requestID() || g.code().hash() != second.hash():
		return storage.ErrConflict
	case g.denied:
		return nil
	case g.isConsumed() || now >= g.code().end():
		return storage.ErrConsumed
	}
	return nil
}

// insertOutcome adds the keys of g, or none of them. The caller holds the stripe of the user of g.
func (s *Store) insertOutcome(g *grant, requestID string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	s.outcomes.insert(g)
	if !s.addKeys(g, requestID) {
		s.outcomes.remove(g) // a reader that found it by its first key waits for the lock
		return false
	}
	s.due.grants.schedule(g, g.code().retained())
	return true
}

func (s *Store) addKeys(g *grant, requestID string) bool {
	if !s.requests.add(requestID, g) {
		return false
	}
	if g.denied {
		return true
	}
	if !s.codes.add(g.code().hash(), g) {
		s.requests.drop(requestID)
		return false
	}
	if !s.grants.add(g.known().id(), g) {
		s.requests.drop(requestID)
		s.codes.drop(g.code().hash())
		return false
	}
	return true
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
	text, verdict := g.code(), g.codeVerdict(string(hash[:]), record.Nanos(now))
	g.mu.Unlock()
	if verdict == storage.ErrNotFound {
		return storage.AuthorizationCode{}, verdict
	}
	return text.decode(g.userKey()), verdict
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
		if err := g.codeVerdict(string(hash[:]), record.Nanos(now)); err != nil {
			return err
		}
		g.used = true
		return nil
	}
	ts, text := newTokens(g, i), encodeGrant(&i.Grant)
	err := s.withRoom(now, func() error { return s.redeem(g, string(hash[:]), i, text, ts, record.Nanos(now)) }, accessKind, refreshKind)
	if err == nil {
		s.tidy(now)
	}
	return err
}

func (s *Store) redeem(g *grant, hash string, i *storage.Issuance, text grantText, ts tokens, now int64) error {
	if g.linked {
		s.users[g.stripe].mu.Lock()
		defer s.users[g.stripe].unlock()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.codeVerdict(hash, now); err != nil {
		return err
	}
	if i.Grant.UserKey != g.userKey() || !text.replaces(g.known()) || !ts.belongTo(text.id()) {
		return storage.ErrConflict
	}
	if err := s.insertTokens(ts); err != nil {
		return err
	}
	g.used = true
	s.begin(g, text)
	s.scheduleTokens(ts)
	return nil
}

// begin makes g live. The caller holds g and its stripe.
func (s *Store) begin(g *grant, text grantText) {
	if g.coded {
		g.record = string(g.code().redeemed(text))
	} else {
		g.record = string(text)
	}
	g.redeemed = true
	if !text.loginOnly() {
		g.session = nil
	}
	if g.linked {
		s.list(g)
	}
}

// InsertGrant implements token.GrantStore.
func (s *Store) InsertGrant(ctx context.Context, i *storage.Issuance, now time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	key := ownerKey(&i.Grant)
	owner := s.hashOfUser(&key)
	g := &grant{used: true, stripe: stripeOf(owner), linked: hasUser(&i.Grant)}
	ts, text := newTokens(g, i), encodeGrant(&i.Grant)
	err := s.withRoom(now, func() error {
		s.lockUsers(g.stripe, g.stripe)
		defer s.unlockUsers(g.stripe, g.stripe)
		var err error
		if g.session, err = s.admit(&i.Grant, g.stripe, record.Nanos(now)); err != nil {
			return err
		}
		g.auth = s.authorization(owner, &key, i.Grant.ClientID, i.Grant.Customer)
		defer s.releaseAuthorization(g.stripe, g.auth)
		return s.insertIssued(g, text, ts)
	}, grantKind, accessKind, refreshKind)
	if err == nil {
		s.tidy(now)
	}
	return err
}

// insertIssued inserts a grant without a code. The caller holds its stripe.
func (s *Store) insertIssued(g *grant, text grantText, ts tokens) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !ts.belongTo(text.id()) {
		return storage.ErrConflict
	}
	if !s.grantCount.take(1, g.auth.grantOwners()) {
		return storage.ErrFull
	}
	s.outcomes.insert(g)
	if !s.grants.add(text.id(), g) {
		s.outcomes.remove(g)
		s.giveGrant(g)
		return storage.ErrConflict
	}
	if err := s.insertTokens(ts); err != nil {
		s.grants.drop(text.id())
		s.outcomes.remove(g)
		s.giveGrant(g)
		return err
	}
	s.begin(g, text)
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
		s.revokeGrant(r.GrantID)
	} else {
		s.revokeAuthorization(&r.Authorization)
	}
	s.tidy(now)
	return nil
}

func (s *Store) revokeGrant(id string) {
	g := s.grants.get(id)
	if g == nil {
		return
	}
	s.lockUsers(g.stripe, g.stripe)
	defer s.unlockUsers(g.stripe, g.stripe)
	g.mu.Lock()
	defer g.mu.Unlock()
	if text := g.known(); text != "" && text.id() == id {
		g.revoked, g.used = true, true
		s.unlist(g)
	}
}

// revokeAuthorization ends the grants and consents of an authorization. The grants leave the tree of the user later.
func (s *Store) revokeAuthorization(key *storage.ConsentKey) {
	h := s.hashOfUser(&key.UserKey)
	stripe := stripeOf(h)
	s.lockUsers(stripe, stripe)
	defer s.unlockUsers(stripe, stripe)
	if u := s.findUser(h, &key.UserKey); u != nil {
		s.users[stripe].revoke(u, s.hashOfClient(key.ClientID, key.Customer))
	}
	s.withdrawAll(key)
}

// Grants implements provider.Store.
func (s *Store) Grants(ctx context.Context, q storage.GrantQuery, now time.Time) ([]storage.Grant, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := q.Validate(); err != nil {
		return nil, err
	}
	if q.ID != "" {
		return s.oneGrant(q, record.Nanos(now))
	}
	p := page{Store: s, key: q.UserKey, user: s.hashOfUser(&q.UserKey), after: q.After, limit: q.Limit, now: record.Nanos(now)}
	var texts []grantText
	for again := true; again; {
		var err error
		if texts, again, err = p.read(); err != nil {
			return nil, err
		}
	}
	var out []storage.Grant
	for _, text := range texts {
		out = append(out, text.decode(q.UserKey))
	}
	return out, nil
}

// oneGrant returns the live grant that a query names.
func (s *Store) oneGrant(q storage.GrantQuery, now int64) ([]storage.Grant, error) {
	g := s.grants.get(q.ID)
	if g == nil {
		return nil, storage.ErrNotFound
	}
	g.mu.Lock()
	text, live := g.text(), g.linked && !g.ended(now) && !g.isRevoked() && g.auth.user.key == q.UserKey
	g.mu.Unlock()
	if !live || text.id() != q.ID {
		return nil, storage.ErrNotFound
	}
	return []storage.Grant{text.decode(q.UserKey)}, nil
}

// page is one call of Grants.
type page struct {
	*Store
	key   storage.Hash
	user  uint64
	after string
	limit int
	now   int64
}

// maxUnlisted is the number of ended grants that read takes out of the tree while it holds the stripe.
const maxUnlisted = 64

// read returns the page. If there are many ended grants in the way, it takes some of them out of the tree and has to be called again.
func (p *page) read() (texts []grantText, again bool, err error) {
	stripe := stripeOf(p.user)
	p.lockUsers(stripe, stripe)
	defer p.unlockUsers(stripe, stripe)
	u := p.findUser(p.user, &p.key)
	before, err := p.position(u, stripe)
	if u == nil || err != nil {
		return nil, false, err
	}
	var ended []*grant
	p.walk(&p.users[stripe], u.grants, before, func(g *grant) bool {
		if g.ended(p.now) || g.isRevoked() {
			ended = append(ended, g)
		} else {
			texts = append(texts, g.text())
		}
		return len(texts) < p.limit && len(ended) < maxUnlisted
	})
	for _, g := range ended {
		p.unlist(g)
	}
	return texts, len(ended) == maxUnlisted, nil
}

// position returns the grant after which the page begins, which must be one of u. The caller holds the stripe.
func (p *page) position(u *user, stripe uint8) (grantText, error) {
	if p.after == "" {
		return "", nil
	}
	g := p.grants.get(p.after)
	if g == nil || u == nil || g.stripe != stripe {
		return "", storage.ErrNotFound
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.linked || g.ended(p.now) || g.auth.user != u || g.text().id() != p.after {
		return "", storage.ErrNotFound
	}
	return g.text(), nil
}

// collect implements expiring: the code is forgotten first, then the grant.
func (g *grant) collect(s *Store, now int64) int {
	s.lockUsers(g.stripe, g.stripe)
	defer s.unlockUsers(g.stripe, g.stripe)
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.place.numbered() {
		return 0
	}
	if g.coded {
		if now < g.code().retained() {
			s.due.grants.schedule(g, g.code().retained())
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
		s.unlist(g)
	}
	g.redeemed, g.session = false, nil
	s.forgetCode(g)
	g.record = ""
	s.due.grants.cancel(g)
	s.outcomes.remove(g)
	s.giveGrant(g)
	s.releaseAuthorization(g.stripe, g.auth)
}

// forgetCode removes the code of g and its request.
func (s *Store) forgetCode(g *grant) {
	if !g.coded {
		return
	}
	code := g.code()
	s.requests.drop(code.requestID())
	if !g.denied {
		s.codes.drop(code.hash())
	}
	g.record, g.coded = string(g.text().first()), false
}
