package storagetest_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/portner-go/portner/storage"
)

// model is a store with maps under one lock. It passes the suite, and each defect makes one line of it wrong.
type model struct {
	defect string

	mu       sync.Mutex
	lost     map[storage.Hash]bool // tokens
	renewed  map[storage.Hash]bool // refresh tokens
	sessions map[storage.Hash]storage.Session
	ended    []storage.Session // as they were
	codes    map[storage.Hash]modelCode
	codeOf   map[string]storage.Hash // of a grant
	grants   map[string]modelGrant
	access   map[storage.Hash]storage.AccessToken
	refresh  map[storage.Hash]storage.RefreshToken
	pushed   map[storage.Hash]modelPushed
	consents map[consentKey]storage.Consent
	requests map[string]modelRequest
	jtis     map[storage.Hash]time.Time
	logins   []storage.Login
	signing  []storage.SigningKey
	// prolonged has the ends of sessions, by ID, that rejected changes gave them for the codes alone.
	prolonged map[string]time.Time
}

type modelCode struct {
	storage.AuthorizationCode
	used     bool
	retained time.Time // end of recognition
}

// modelRequest is the outcome of a request. The code is zero if there is none.
type modelRequest struct {
	code     storage.Hash
	retained time.Time
}

type modelGrant struct {
	storage.Grant
	revoked bool
}

type modelPushed struct {
	storage.PushedRequest
	used bool
}

type consentKey struct {
	storage.ConsentKey
	scope string
}

func newModel(defect string) *model {
	return &model{
		defect: defect,
		lost:   map[storage.Hash]bool{}, renewed: map[storage.Hash]bool{},
		sessions: map[storage.Hash]storage.Session{},
		codes:    map[storage.Hash]modelCode{}, codeOf: map[string]storage.Hash{}, grants: map[string]modelGrant{},
		access: map[storage.Hash]storage.AccessToken{}, refresh: map[storage.Hash]storage.RefreshToken{},
		pushed: map[storage.Hash]modelPushed{}, consents: map[consentKey]storage.Consent{}, requests: map[string]modelRequest{}, jtis: map[storage.Hash]time.Time{},
		prolonged: map[string]time.Time{},
	}
}

func (m *model) is(defect string) bool { return m.defect == defect }

// begin is the first step of every method.
func (m *model) begin(ctx context.Context) (func(), error) {
	if err := ctx.Err(); err != nil && !m.is("ignores the context") {
		return nil, err
	}
	m.mu.Lock()
	return m.mu.Unlock, nil
}

// gap is between two calls of a store that reads with the one and marks with the other.
func (m *model) gap(ctx context.Context, defect string) {
	if m.is(defect) {
		m.mu.Unlock()
		_ = ctx.Err() // what the second call starts with
		m.mu.Lock()
	}
}

func (m *model) valid(end, now time.Time) bool {
	switch m.defect {
	case "valid at the very end":
		return !now.After(end)
	case "one nanosecond short":
		return now.Before(end.Add(-1))
	case "instants compared as text":
		return now.Format(time.RFC3339Nano) < end.Format(time.RFC3339Nano)
	case "its own clock":
		return time.Now().Before(end)
	}
	return now.Before(end)
}

func (m *model) stamp(t time.Time) time.Time {
	switch m.defect {
	case "microseconds":
		return t.Truncate(time.Microsecond)
	case "seconds of 32 bits":
		return time.Unix(int64(int32(t.Unix())), int64(t.Nanosecond()))
	}
	return t
}

func (m *model) bytes(b []byte) []byte {
	if m.is("shares slices") {
		return b
	}
	if m.is("bytes in a text column") {
		return []byte(strings.ToValidUTF8(string(b), "\uFFFD"))
	}
	return slices.Clone(b)
}

func (m *model) strings(s []string) []string {
	if m.is("shares slices") {
		return s
	}
	return slices.Clone(s)
}

// text is a column that holds 255 bytes.
func (m *model) text(s string) string {
	if m.is("cuts long texts") && len(s) > 255 {
		return s[:255]
	}
	return s
}

// key is a column whose collation folds case and trailing spaces.
func (m *model) key(s string) string {
	if m.is("keys by collation") {
		return strings.TrimRight(strings.ToLower(s), " ")
	}
	return s
}

// equal compares keys. With the defect, it folds case and trailing spaces.
func (m *model) equal(a, b, defect string) bool {
	fold := func(s string) string { return strings.TrimRight(strings.ToLower(s), " ") }
	return a == b || m.is(defect) && fold(a) == fold(b)
}

// alike compares hashes. With the defect, it leaves out the last byte.
func (m *model) alike(a, b storage.Hash, defect string) bool {
	return a == b || m.is(defect) && [31]byte(a[:31]) == [31]byte(b[:31])
}

// found returns the key of records that is alike.
func found[V any](m *model, records map[storage.Hash]V, hash storage.Hash, defect string) storage.Hash {
	if m.is(defect) {
		for k := range records {
			if m.alike(k, hash, defect) {
				return k
			}
		}
	}
	return hash
}

// number is a column of floating point numbers.
func (m *model) number(n int64) int64 {
	if m.is("versions as floats") {
		return int64(float64(n))
	}
	return n
}

func (m *model) session(s storage.Session) storage.Session {
	s.Circles, s.Clients = slices.Clone(s.Circles), slices.Clone(s.Clients)
	for i := range s.Circles {
		s.Circles[i].Identity, s.Circles[i].AMR = m.bytes(s.Circles[i].Identity), m.strings(s.Circles[i].AMR)
		if m.is("one identity for all circles") {
			s.Circles[i].Identity = s.Circles[0].Identity
		}
	}
	s.ExpiresAt, s.Version = m.stamp(s.ExpiresAt), m.number(s.Version)
	return s
}

func (m *model) grant(g storage.Grant) storage.Grant {
	g.Identity, g.AuthorizationDetails = m.bytes(g.Identity), m.bytes(g.AuthorizationDetails)
	g.Claims = m.bytes(g.Claims)
	if m.is("loses the actor token") {
		g.Delegation.ActorToken = storage.Hash{}
	}
	g.Delegation.Actor, g.Delegation.MayAct = m.bytes(g.Delegation.Actor), m.bytes(g.Delegation.MayAct)
	g.Scopes, g.Resources, g.AMR = m.strings(g.Scopes), m.strings(g.Resources), m.strings(g.AMR)
	return g
}

func (m *model) code(c storage.AuthorizationCode) storage.AuthorizationCode {
	c.Grant, c.Nonce = m.grant(c.Grant), m.text(c.Nonce)
	return c
}

func (m *model) token(a storage.AccessToken) storage.AccessToken {
	a.Scopes, a.Audience = m.strings(a.Scopes), m.strings(a.Audience)
	a.AuthorizationDetails = m.bytes(a.AuthorizationDetails)
	return a
}

func (m *model) Session(ctx context.Context, hash storage.Hash, now time.Time) (storage.Session, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return storage.Session{}, err
	}
	defer end()
	s, ok := m.sessions[hash]
	if id := s.ID; ok && m.is("Session finds the ID, then reads") {
		m.gap(ctx, m.defect)
		s, ok = m.sessionWithID(id)
	}
	if !ok || !m.valid(s.ExpiresAt, now) {
		return storage.Session{}, storage.ErrNotFound
	}
	return m.session(s), nil
}

func (m *model) ReplaceSession(ctx context.Context, old storage.Hash, next storage.Session, limit int, now time.Time) (ended []storage.Session, err error) {
	end, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	same, taken := m.sessions[next.Hash]
	if taken && next.Hash != old && m.valid(same.ExpiresAt, now) && same.ID == next.ID && same.UserKey == next.UserKey && !m.is("a login has no retry") {
		return nil, nil
	}
	before, live := m.sessions[old]
	live = live && m.valid(before.ExpiresAt, now)
	if old != (storage.Hash{}) && !live {
		return nil, storage.ErrNotFound
	}
	if old != (storage.Hash{}) && before.ID == next.ID {
		if err := m.rotate(ctx, before, next, now); err != nil {
			return nil, err
		}
		return m.makeRoom(next, limit, now), nil
	}
	if taken && !m.is("upserts sessions") || m.hasID(next) || m.reserves(next, now) {
		return nil, storage.ErrConflict
	}
	if old != (storage.Hash{}) {
		if !m.is("a switch keeps the old session") {
			m.end(before)
		}
		ended = append(ended, m.session(before))
		m.gap(ctx, "a switch is two steps")
		if m.is("a switch is two steps") && ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	m.sessions[next.Hash] = m.session(next)
	return append(ended, m.makeRoom(next, limit, now)...), nil
}

// hasID reports whether another live session has the ID of next.
func (m *model) hasID(next storage.Session) bool {
	for _, other := range m.sessions {
		if other.ID == next.ID && other.Hash != next.Hash {
			return true
		}
	}
	return false
}

// sessionWithID returns the session with an ID.
func (m *model) sessionWithID(id string) (storage.Session, bool) {
	for _, s := range m.sessions {
		if s.ID == id {
			return s, true
		}
	}
	return storage.Session{}, false
}

// reserves reports whether an ended session had the Hash or the ID of next.
func (m *model) reserves(next storage.Session, now time.Time) bool {
	last := m.ended
	if m.is("reserves the last ended session only") {
		last = last[max(0, len(last)-1):]
	}
	for _, s := range last {
		id := s.ID == next.ID && !m.is("reuses the IDs of ended sessions")
		hash := s.Hash == next.Hash && !m.is("reuses the hashes of ended sessions")
		if now.Before(s.ExpiresAt) && (id || hash) {
			return true
		}
	}
	return false
}

func (m *model) rotate(ctx context.Context, s, next storage.Session, now time.Time) error {
	if s.Version != m.number(next.Version) && !m.is("versions not compared") && (next.Version < s.Version || !m.is("newer versions replace")) ||
		s.UserKey != next.UserKey && !m.is("the user may change") {
		if m.is("a rejected change prolongs") {
			s.ExpiresAt = next.ExpiresAt
			m.sessions[s.Hash] = s
		}
		if m.is("a rejected change prolongs for codes") {
			m.prolonged[s.ID] = next.ExpiresAt
		}
		return storage.ErrConflict
	}
	if _, taken := m.sessions[next.Hash]; taken && next.Hash != s.Hash && !m.is("rotation overwrites") {
		return storage.ErrConflict
	}
	if m.reserves(storage.Session{Hash: next.Hash}, now) && !m.is("rotates to the hash of an ended session") {
		return storage.ErrConflict
	}
	m.gap(ctx, "replace reads, then writes")
	if !m.is("rotation keeps the old hash") {
		delete(m.sessions, s.Hash)
	}
	next = m.session(next)
	next.Version++
	m.sessions[next.Hash] = next
	return nil
}

func (m *model) makeRoom(s storage.Session, limit int, now time.Time) (ended []storage.Session) {
	if limit < 1 || m.is("no session limit") {
		return nil
	}
	var others []storage.Session
	for _, o := range m.sessions {
		if m.alike(o.UserKey, s.UserKey, "limits by 31 bytes of the user") && o.Hash != s.Hash && m.valid(o.ExpiresAt, now) {
			others = append(others, o)
		}
	}
	if m.is("ended sessions count") {
		for _, o := range m.ended {
			if o.UserKey == s.UserKey {
				others = append(others, o)
			}
		}
	}
	slices.SortFunc(others, func(a, b storage.Session) int {
		if m.is("ends the youngest session") {
			a, b = b, a
		}
		return a.StartedAt.Compare(b.StartedAt)
	})
	for len(others)+1 > limit {
		if m.is("the limit forgets the grants") {
			delete(m.sessions, others[0].Hash)
		} else {
			m.end(others[0])
		}
		ended, others = append(ended, m.session(others[0])), others[1:]
	}
	return ended
}

func (m *model) EndSession(ctx context.Context, hash storage.Hash, now time.Time) (storage.Session, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return storage.Session{}, err
	}
	defer end()
	s, ok := m.sessions[hash]
	if !ok || !m.valid(s.ExpiresAt, now) {
		return storage.Session{}, storage.ErrNotFound
	}
	if m.is("EndSession stops half-way") {
		delete(m.sessions, hash)
		if err := ctx.Err(); err != nil {
			return storage.Session{}, err
		}
	}
	m.end(s)
	return m.session(s), nil
}

func (m *model) end(s storage.Session) {
	delete(m.sessions, s.Hash)
	m.ended = append(m.ended, s)
	for h, c := range m.codes {
		if c.Grant.SessionID == s.ID && !m.is("EndSession keeps codes") {
			c.used = true
			m.codes[h] = c
		}
	}
	for id, g := range m.grants {
		loginOnly := g.LoginOnly || m.is("EndSession revokes all grants")
		if m.key(g.SessionID) != m.key(s.ID) || !loginOnly || m.is("EndSession keeps grants") {
			continue
		}
		if m.is("EndSession misses late tokens") { // the tokens of the moment, not the grant
			for h, r := range m.refresh {
				m.lost[h] = m.lost[h] || r.GrantID == id
			}
			for h, a := range m.access {
				m.lost[h] = m.lost[h] || a.GrantID == id
			}
			continue
		}
		g.revoked = true
		m.grants[id] = g
	}
}

func (m *model) FinishRequest(ctx context.Context, o storage.Outcome, now time.Time) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if m.is("a visit before the verdict") || m.is("a visit revives the session") {
		m.visit(ctx, o)
	}
	if o.Code != nil {
		if err := m.admit(&o.Code.Grant, now); err != nil {
			return err
		}
	}
	m.collect(now)
	if first, ok := m.requests[o.RequestID]; ok && m.remembers(first, now) {
		if err := m.compare(first, o, now); err != nil {
			return err
		}
		m.visit(ctx, o)
		return nil
	}
	if m.is("consents before the verdict") {
		m.answer(ctx, o, now)
	}
	if o.Code != nil {
		if err := m.insertCode(ctx, o, now); err != nil {
			return err
		}
	}
	r := modelRequest{retained: o.RetainTo}
	if o.Code != nil {
		r.code = o.Code.Hash
	}
	if !m.is("forgets denials") || o.Code != nil {
		m.requests[o.RequestID] = r
	}
	if m.is("consents in a second step") && ctx.Err() != nil {
		return ctx.Err()
	}
	m.answer(ctx, o, now)
	m.visit(ctx, o)
	return nil
}

// visit applies the visit of an outcome.
func (m *model) visit(ctx context.Context, o storage.Outcome) {
	if o.Visit == nil || m.is("no visits") {
		return
	}
	m.gap(ctx, "a visit is a second step")
	if m.is("a visit is a second step") && ctx.Err() != nil {
		return
	}
	if s, ok := m.sessionOf(o); ok {
		m.gap(ctx, "a visit reads, then writes")
		m.sessions[s.Hash] = m.visited(s, *o.Visit)
	}
}

// sessionOf returns the session that an outcome visits.
func (m *model) sessionOf(o storage.Outcome) (storage.Session, bool) {
	id := ""
	if o.Code != nil {
		id = o.Code.Grant.SessionID
	}
	if m.is("visits by the hash") || m.is("visits without a code") && id == "" {
		s, ok := m.sessions[o.Visit.Session]
		return s, ok
	}
	all := slices.Collect(maps.Values(m.sessions))
	if m.is("a visit revives the session") {
		all = append(all, m.ended...)
	}
	for _, s := range all {
		if id != "" && s.ID == id {
			return s, true
		}
	}
	return storage.Session{}, false
}

// visited returns the session as it is after a visit.
func (m *model) visited(s storage.Session, v storage.Visit) storage.Session {
	next := m.session(s)
	v.Apply(&next)
	switch m.defect {
	case "a visit keeps the version":
		next.Version = s.Version
	case "a visit sets instants back":
		next.LastRequestAt = v.At
	case "a visit shortens the session":
		next.ExpiresAt = v.Until
	case "a visit prolongs nothing":
		next.ExpiresAt = s.ExpiresAt
	case "a visit forgets the client":
		next.Clients = slices.Clone(s.Clients)
	case "a visit adds the client again":
		next.Clients = append(slices.Clone(s.Clients), v.Client)
	case "a visit renews the login", "a visit opens the client":
		for i, c := range next.Clients {
			if c.ClientID == v.Client.ClientID && m.is("a visit renews the login") {
				next.Clients[i].SID, next.Clients[i].LoginAt = v.Client.SID, v.Client.LoginAt
			} else if c.ClientID == v.Client.ClientID {
				next.Clients[i].Open = v.Client.Open
			}
		}
	case "open is never lost":
		for i, c := range s.Clients {
			next.Clients[i].Open = c.Open
		}
	}
	return next
}

// admit is the verdict on a grant in its session.
func (m *model) admit(g *storage.Grant, now time.Time) error {
	if g.SessionID == "" {
		return nil
	}
	for _, s := range m.sessions {
		switch {
		case m.key(s.ID) != m.key(g.SessionID):
		case !m.alike(s.UserKey, g.UserKey, "admits by 31 bytes of the user") && !m.is("grants in sessions of others"):
		case m.valid(s.ExpiresAt, now) || now.Before(m.prolonged[s.ID]) || m.is("grants in expired sessions"):
			return nil
		}
	}
	ended := slices.ContainsFunc(m.ended, func(s storage.Session) bool { return s.ID == g.SessionID })
	if ended && m.is("codes after the end") || !ended && m.is("grants in unknown sessions") {
		return nil
	}
	return storage.ErrRevoked
}

func (m *model) collect(now time.Time) {
	if !m.is("collects grants with their codes") {
		return
	}
	maps.DeleteFunc(m.grants, func(id string, _ modelGrant) bool {
		for _, c := range m.codes {
			if c.Grant.ID == id {
				return !now.Before(c.retained)
			}
		}
		return true
	})
}

// remembers reports whether an outcome is recognised.
func (m *model) remembers(r modelRequest, now time.Time) bool {
	c := m.codes[r.code]
	if m.is("forgets the request with the code") {
		return now.Before(c.ExpiresAt)
	}
	outlived := now.Before(c.ExpiresAt) && !m.is("forgets the request before the code")
	return (now.Before(r.retained) || outlived) && !m.is("two codes for a request")
}

// compare is the verdict on a second outcome.
func (m *model) compare(first modelRequest, o storage.Outcome, now time.Time) error {
	var second storage.Hash
	if o.Code != nil {
		second = o.Code.Hash
	}
	switch c := m.codes[first.code]; {
	case m.is("every second outcome is equal"):
		return nil
	case second != first.code || m.is("no outcome is equal"):
		return storage.ErrConflict
	case second != (storage.Hash{}) && (c.used || !m.valid(c.ExpiresAt, now)) && !m.is("a consumed code is handed out again"):
		return storage.ErrConsumed
	}
	if m.is("a retry answers again") {
		m.answer(context.Background(), o, now)
	}
	return nil
}

func (m *model) insertCode(ctx context.Context, o storage.Outcome, now time.Time) error {
	for _, hash := range [...]storage.Hash{o.Code.Hash, m.codeOf[o.Code.Grant.ID]} {
		if c, ok := m.codes[hash]; ok && (now.Before(c.retained) || now.Before(c.ExpiresAt)) && !m.is("upserts codes") {
			return storage.ErrConflict
		}
	}
	if _, taken := m.grants[o.Code.Grant.ID]; taken && !m.is("upserts codes") && !m.is("codes of live grants") {
		return storage.ErrConflict
	}
	m.gap(ctx, "FinishRequest looks, then writes")
	m.codeOf[o.Code.Grant.ID] = o.Code.Hash
	m.codes[o.Code.Hash] = modelCode{AuthorizationCode: m.code(*o.Code), retained: o.RetainTo}
	return nil
}

// answer withdraws and remembers consents.
func (m *model) answer(ctx context.Context, o storage.Outcome, now time.Time) {
	for _, scope := range o.Declined {
		if !m.is("keeps declined consents") {
			delete(m.consents, consentKey{o.Consents, scope})
		}
		if m.is("declines for every customer") {
			maps.DeleteFunc(m.consents, func(k consentKey, _ storage.Consent) bool {
				return k.UserKey == o.Consents.UserKey && k.ClientID == o.Consents.ClientID && k.scope == scope
			})
		}
	}
	for _, c := range o.Granted {
		k := consentKey{o.Consents, c.Scope}
		old, ok := m.consents[k]
		sameVersion := old.Version == c.Version || m.is("versions of consents not compared")
		live := m.valid(old.ExpiresAt, now) || m.is("an expired consent goes on")
		if ok && sameVersion && live && !m.is("a renewed consent begins anew") {
			c.GrantedAt = old.GrantedAt
		}
		if !ok || !sameVersion || c.ExpiresAt.After(old.ExpiresAt) || m.is("consent is cut short") {
			m.consents[k] = c
		}
		m.gap(ctx, "consents one by one")
	}
}

// usable is the verdict on a code.
func (m *model) usable(hash storage.Hash, now time.Time) (modelCode, error) {
	c, ok := m.codes[hash]
	switch {
	case !ok || c.used && !m.valid(c.retained, now) || !c.used && !m.valid(c.ExpiresAt, now):
		return c, storage.ErrNotFound
	case c.used && m.is("forgets used codes"):
		return c, storage.ErrNotFound
	case c.used:
		return c, storage.ErrConsumed
	}
	return c, nil
}

func (m *model) Code(ctx context.Context, hash storage.Hash, now time.Time) (storage.AuthorizationCode, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return storage.AuthorizationCode{}, err
	}
	defer end()
	c, err := m.usable(hash, now)
	return m.code(c.AuthorizationCode), err
}

func (m *model) RedeemCode(ctx context.Context, hash storage.Hash, i *storage.Issuance, now time.Time) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	c, err := m.usable(hash, now)
	if err != nil {
		return err
	}
	m.gap(ctx, "redeem reads, then marks")
	c.used = true
	if i == nil {
		m.codes[hash] = c
		return nil
	}
	id := c.Grant.ID
	a, b := i.Grant, c.Grant
	other := a.UserKey != b.UserKey || a.ClientID != b.ClientID || a.Customer != b.Customer || a.SessionID != b.SessionID
	if other && !m.is("redemption changes the user") {
		return storage.ErrConflict
	}
	foreign := i.Grant.ID != id || i.Access.GrantID != id || i.Refresh != nil && i.Refresh.GrantID != id
	if foreign && !m.is("redeems for any grant") {
		return storage.ErrConflict
	}
	if m.is("consumes, then inserts") {
		m.codes[hash] = c
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if err := m.insert(i); err != nil {
		return err
	}
	m.codes[hash] = c
	m.grants[i.Grant.ID] = modelGrant{Grant: m.grant(i.Grant)}
	return nil
}

// insert adds both tokens or none.
func (m *model) insert(i *storage.Issuance) error {
	_, accessTaken := m.access[i.Access.Hash]
	if accessTaken {
		return storage.ErrConflict
	}
	if m.is("half an insert stays") {
		m.access[i.Access.Hash] = m.token(i.Access)
		m.grants[i.Grant.ID] = modelGrant{Grant: i.Grant}
	}
	if i.Refresh != nil {
		older, taken := m.refresh[i.Refresh.Hash]
		if taken && !m.is("upserts refresh tokens") && !(m.is("rotates to older tokens") && older.GrantID == i.Refresh.GrantID) {
			return storage.ErrConflict
		}
		m.refresh[i.Refresh.Hash] = *i.Refresh
	}
	m.access[i.Access.Hash] = m.token(i.Access)
	return nil
}

// expired reports whether the tokens of a grant have ended with it.
func (m *model) expired(g modelGrant, now time.Time) bool {
	return !m.valid(g.ExpiresAt, now) && !m.is("tokens outlive their grant") && !(g.revoked && m.is("revoked grants never expire"))
}

// alive returns the verdict on a refresh token.
func (m *model) alive(hash storage.Hash, now time.Time) (storage.RefreshToken, modelGrant, error) {
	r, ok := m.refresh[hash]
	g, live := m.grants[r.GrantID]
	used := !r.ConsumedAt.IsZero()
	switch {
	case !ok || !live || m.expired(g, now):
		return r, g, storage.ErrNotFound
	case !m.valid(r.ExpiresAt, now) && (!used || m.is("forgets rotated tokens")):
		return r, g, storage.ErrNotFound
	case (g.revoked || m.lost[hash]) && !(used && m.is("rotated before revoked")):
		return r, g, storage.ErrRevoked
	case used:
		return r, g, storage.ErrConsumed
	}
	return r, g, nil
}

func (m *model) RefreshToken(ctx context.Context, hash storage.Hash, now time.Time) (storage.RefreshToken, storage.Grant, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return storage.RefreshToken{}, storage.Grant{}, err
	}
	defer end()
	r, g, err := m.alive(hash, now)
	r.SuccessorUsed = m.renewed[r.Successor] || !m.refresh[r.Successor].ConsumedAt.IsZero()
	if m.is("forgets the successor") {
		r.Successor, r.SuccessorUsed = storage.Hash{}, false
	}
	return r, m.grant(g.Grant), err
}

func (m *model) RotateRefreshToken(ctx context.Context, hash storage.Hash, i *storage.Issuance, grace time.Duration, now time.Time) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	r, g, err := m.alive(hash, now)
	renewing := i.Refresh != nil && i.Refresh.Hash == hash
	if err == storage.ErrConsumed && renewing && m.is("reuse revives rotated tokens") {
		r.ConsumedAt, err = time.Time{}, nil
	}
	retry := err == storage.ErrConsumed && m.mayRetry(r, i, grace, now)
	if err != nil && !retry {
		return err
	}
	m.gap(ctx, "rotate reads, then marks")
	m.gap(ctx, "EndSession misses late tokens")
	if m.refresh[hash].ConsumedAt != r.ConsumedAt && m.is("EndSession misses late tokens") {
		return storage.ErrConsumed // the row is read again, but not what ended in between
	}
	if i.Access.GrantID != g.ID || i.Refresh != nil && i.Refresh.GrantID != g.ID {
		return storage.ErrConflict
	}
	added := *i
	switch {
	case retry:
		if added.Refresh = nil; m.is("a retry rewrites the successor") {
			m.refresh[i.Refresh.Hash] = *i.Refresh
		}
	case renewing:
		added.Refresh = nil
		r.Generation, m.renewed[hash] = i.Refresh.Generation, true
		if !m.is("reuse does not renew") {
			r.ExpiresAt = i.Refresh.ExpiresAt
		}
	case !m.is("rotation keeps the old token"):
		if r.ConsumedAt = now; i.Refresh != nil {
			r.Successor = i.Refresh.Hash
		}
	}
	if m.is("consumes, then inserts") {
		m.refresh[hash] = r
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if err := m.insert(&added); err != nil {
		return err
	}
	m.refresh[hash] = r
	if m.is("rotation shares slices") {
		m.access[i.Access.Hash] = i.Access
	}
	if m.is("rotation writes the grant") {
		m.grants[g.ID] = modelGrant{Grant: m.grant(i.Grant)}
	}
	return nil
}

// mayRetry reports whether a rotated token may be presented again.
func (m *model) mayRetry(r storage.RefreshToken, i *storage.Issuance, grace time.Duration, now time.Time) bool {
	_, _, err := m.alive(r.Successor, now)
	used := m.renewed[r.Successor] || !m.refresh[r.Successor].ConsumedAt.IsZero()
	switch {
	case i.Refresh == nil, m.is("no retry"):
		return false
	case i.Refresh.Hash != r.Successor && !m.is("a retry gets any successor"):
		return false
	case (grace <= 0 || now.Sub(r.ConsumedAt) >= grace) && !m.is("grace has no end"):
		return false
	case used && !m.is("a retry after the successor was used"):
		return false
	}
	return err == nil || m.is("a retry of a token whose successor has expired") || used && err == storage.ErrConsumed
}

func (m *model) AccessToken(ctx context.Context, hash storage.Hash, now time.Time) (storage.AccessToken, storage.Grant, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return storage.AccessToken{}, storage.Grant{}, err
	}
	defer end()
	a, ok := m.access[hash]
	g, live := m.grants[a.GrantID]
	switch {
	case !ok || !live || !m.valid(a.ExpiresAt, now) || m.expired(g, now):
		return storage.AccessToken{}, storage.Grant{}, storage.ErrNotFound
	case g.revoked || m.lost[hash]:
		return m.token(a), m.grant(g.Grant), storage.ErrRevoked
	}
	return m.token(a), m.grant(g.Grant), nil
}

func (m *model) Revoke(ctx context.Context, r storage.Revocation, now time.Time) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if err := r.Validate(); err != nil && !m.is("accepts any revocation") {
		return err
	}
	match := func(g *storage.Grant) bool { return m.key(g.ID) == m.key(r.GrantID) }
	if a := r.Authorization; r.GrantID == "" {
		match = func(g *storage.Grant) bool {
			return m.alike(g.UserKey, a.UserKey, "revokes by 31 bytes of the user") &&
				(m.equal(g.ClientID, a.ClientID, "revokes clients by collation") || m.is("revokes all clients")) &&
				(m.equal(g.Customer, a.Customer, "revokes customers by collation") || m.is("revokes all customers"))
		}
		if !m.is("revocation keeps consents") {
			maps.DeleteFunc(m.consents, func(k consentKey, _ storage.Consent) bool { return k.ConsentKey == a })
		}
		m.gap(ctx, "revokes in two steps")
		if m.is("revokes in two steps") && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if m.is("revocation misses late tokens") { // the tokens of the moment, not the grant
		maps.DeleteFunc(m.access, func(_ storage.Hash, a storage.AccessToken) bool { g := m.grants[a.GrantID].Grant; return match(&g) })
		maps.DeleteFunc(m.refresh, func(_ storage.Hash, r storage.RefreshToken) bool { g := m.grants[r.GrantID].Grant; return match(&g) })
		return nil
	}
	if g, ok := m.grants[r.GrantID]; ok && m.defect == "" { // a shortcut
		g.revoked = true
		m.grants[r.GrantID] = g
		if h, ok := m.codeOf[r.GrantID]; ok {
			c := m.codes[h]
			c.used = true
			m.codes[h] = c
		}
		return nil
	}
	for id, g := range m.grants {
		if match(&g.Grant) && !(m.is("revokes through the code") && !m.hasCode(id, now)) {
			g.revoked = true
			m.grants[id] = g
		}
	}
	for h, c := range m.codes {
		if match(&c.Grant) && !m.is("a code survives its grant") {
			c.used = true
			m.codes[h] = c
		}
	}
	return nil
}

// hasCode reports whether the code of a grant is recognised.
func (m *model) hasCode(grantID string, now time.Time) bool {
	for _, c := range m.codes {
		if c.Grant.ID == grantID {
			return now.Before(c.retained)
		}
	}
	return false
}

// oneGrant returns the live grant with an ID.
func (m *model) oneGrant(userKey storage.Hash, id string, now time.Time) ([]storage.Grant, error) {
	g, ok := m.grants[id]
	if !ok && m.is("finds the grant of a code") {
		for _, c := range m.codes {
			if c.Grant.ID == id {
				g, ok = modelGrant{Grant: c.Grant}, true
			}
		}
	}
	switch {
	case !ok, !m.valid(g.ExpiresAt, now) && !m.is("finds expired grants"), g.revoked && !m.is("finds revoked grants"),
		g.UserKey != userKey && !m.is("finds grants of other users"):
		return nil, storage.ErrNotFound
	}
	return []storage.Grant{m.grant(g.Grant)}, nil
}

func (m *model) Grants(ctx context.Context, q storage.GrantQuery, now time.Time) (out []storage.Grant, err error) {
	end, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	userKey, after, limit := q.UserKey, q.After, q.Limit
	err = q.Validate()
	switch {
	case q.ID == "" && limit < 1 && m.is("a limit of 0 is no limit"):
		limit = 1 << 40
	case q.ID == "" && limit > storage.MaxPage && m.is("a page of any size"):
	case q.ID != "" && m.is("ignores the page of a query for one grant"):
		return m.oneGrant(userKey, q.ID, now)
	case err != nil:
		return nil, err
	case q.ID != "":
		return m.oneGrant(userKey, q.ID, now)
	}
	var all []modelGrant
	for _, g := range m.grants {
		if (m.alike(g.UserKey, userKey, "lists by 31 bytes of the user") || m.is("lists other users")) && m.valid(g.ExpiresAt, now) {
			all = append(all, g)
		}
	}
	if m.is("lists codes") {
		for _, c := range m.codes {
			all = append(all, modelGrant{Grant: c.Grant})
		}
	}
	slices.SortFunc(all, func(a, b modelGrant) int {
		if m.is("lists the oldest first") {
			a, b = b, a
		}
		if n := b.CreatedAt.Compare(a.CreatedAt); n != 0 {
			return n
		}
		return strings.Compare(b.ID, a.ID)
	})
	i := slices.IndexFunc(all, func(g modelGrant) bool { return m.equal(g.ID, after, "positions by collation") })
	if i < 0 && after != "" && !m.is("an unknown position is the start") || i >= 0 && all[i].revoked && m.is("forgets the position with the grant") {
		return nil, storage.ErrNotFound
	}
	if m.is("repeats the last grant of a page") {
		i = max(i-1, -1)
	}
	for n, g := range all[i+1:] {
		if n == limit && m.is("revoked grants shorten the page") {
			break
		}
		if g.revoked && !m.is("lists revoked grants") {
			continue
		}
		if len(out) == limit && !m.is("pages have no limit") {
			break
		}
		out = append(out, m.grant(g.Grant))
	}
	return out, nil
}

func (m *model) InsertGrant(ctx context.Context, i *storage.Issuance, now time.Time) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	_, taken := m.grants[i.Grant.ID]
	for _, c := range m.codes {
		taken = taken || c.Grant.ID == i.Grant.ID && now.Before(c.ExpiresAt)
	}
	m.gap(ctx, "InsertGrant looks, then writes")
	if taken && !m.is("upserts grants") || i.Access.GrantID != i.Grant.ID || i.Refresh != nil && i.Refresh.GrantID != i.Grant.ID {
		return storage.ErrConflict
	}
	if !m.is("grants after the end") {
		if err := m.admit(&i.Grant, now); err != nil {
			return err
		}
	}
	if err := m.insert(i); err != nil {
		return err
	}
	m.grants[i.Grant.ID] = modelGrant{Grant: m.grant(i.Grant)}
	return nil
}

func (m *model) RecordLogin(ctx context.Context, l storage.Login, now time.Time) error {
	if m.is("records logins of cancelled calls") {
		ctx = context.WithoutCancel(ctx)
	}
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	repeated := slices.ContainsFunc(m.logins, func(o storage.Login) bool {
		sameUser := o.UserKey == l.UserKey || m.is("logins of all users share their IDs")
		return m.equal(o.ID, l.ID, "logins by collation") && sameUser && (m.valid(o.ExpiresAt, now) || m.is("the IDs of logins never expire"))
	})
	m.gap(ctx, "RecordLogin looks, then writes")
	if repeated && !m.is("a login is recorded twice") {
		return nil
	}
	m.logins = append(m.logins, l)
	return nil
}

func (m *model) Logins(ctx context.Context, userKey storage.Hash, now time.Time) (out []storage.Login, err error) {
	end, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	for _, l := range slices.Backward(m.logins) {
		if (m.alike(l.UserKey, userKey, "logins by 31 bytes of the user") || m.is("logins of all users")) && m.valid(l.ExpiresAt, now) {
			out = append(out, l)
		}
	}
	if m.is("logins oldest first") {
		slices.Reverse(out)
	}
	return out, nil
}

func (m *model) PushRequest(ctx context.Context, p storage.PushedRequest, now time.Time) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if _, taken := m.pushed[p.Hash]; taken && !m.is("upserts pushed requests") {
		return storage.ErrConflict
	}
	p.Params = m.bytes(p.Params)
	m.pushed[p.Hash] = modelPushed{PushedRequest: p}
	return nil
}

func (m *model) PushedRequest(ctx context.Context, hash storage.Hash, now time.Time) (storage.PushedRequest, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return storage.PushedRequest{}, err
	}
	defer end()
	p, ok := m.pushed[found(m, m.pushed, hash, "pushed requests by 31 bytes")]
	if !ok || p.used || !m.valid(p.ExpiresAt, now) {
		return storage.PushedRequest{}, storage.ErrNotFound
	}
	p.Params = m.bytes(p.Params)
	return p.PushedRequest, nil
}

func (m *model) ConsumePushedRequest(ctx context.Context, hash storage.Hash, now time.Time) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	p, ok := m.pushed[found(m, m.pushed, hash, "consumes pushed requests by 31 bytes")]
	if !ok || !m.valid(p.ExpiresAt, now) {
		return storage.ErrNotFound
	}
	if p.used {
		return storage.ErrConsumed
	}
	m.gap(ctx, "a pushed request is read, then marked")
	p.used = true
	m.pushed[hash] = p
	return nil
}

func (m *model) Consents(ctx context.Context, key storage.ConsentKey, now time.Time) (out []storage.Consent, err error) {
	end, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	for k, c := range m.consents {
		client := m.key(k.ClientID) == m.key(key.ClientID) || m.is("consents of all clients")
		customer := k.Customer == key.Customer || m.is("consents of all customers")
		if m.alike(k.UserKey, key.UserKey, "consents by 31 bytes of the user") && client && customer && m.valid(c.ExpiresAt, now) {
			out = append(out, c)
		}
	}
	return out, nil
}

func (m *model) ConsumeJTI(ctx context.Context, clientID string, key storage.Hash, expiresAt, now time.Time) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if m.is("deletes jtis at once") {
		maps.DeleteFunc(m.jtis, func(_ storage.Hash, until time.Time) bool { return !now.Before(until) })
	}
	if m.is("jtis of each client") {
		key = storage.HashOf(clientID + string(key[:]))
	}
	if _, known := m.jtis[found(m, m.jtis, key, "jtis by 31 bytes")]; known || !m.valid(expiresAt, now) {
		return storage.ErrConsumed
	}
	m.gap(ctx, "a jti is looked up, then written")
	if m.is("evicts jtis") && len(m.jtis) >= 500 {
		clear(m.jtis)
	}
	m.jtis[key] = expiresAt
	return nil
}
