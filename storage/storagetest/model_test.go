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

// model is the contract in its plainest form: everything in maps under one lock. It passes the
// suite, and each defect is one line of it done wrong.
type model struct {
	defect string

	mu       sync.Mutex
	ghosts   []storage.Session     // that were ended
	firstEnd map[string]time.Time  // by session ID
	dead     map[storage.Hash]bool // tokens
	sessions map[storage.Hash]storage.Session
	ended    map[string]time.Time // session ID to ExpiresAt
	codes    map[storage.Hash]modelCode
	grants   map[string]modelGrant
	access   map[storage.Hash]storage.AccessToken
	refresh  map[storage.Hash]storage.RefreshToken
	pushed   map[storage.Hash]modelPushed
	consents map[consentKey]storage.Consent
	jtis     map[storage.Hash]time.Time
}

type modelCode struct {
	storage.AuthorizationCode
	used bool
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
	user          storage.Hash
	client, scope string
}

func newModel(defect string) *model {
	return &model{
		defect:   defect,
		firstEnd: map[string]time.Time{}, dead: map[storage.Hash]bool{},
		sessions: map[storage.Hash]storage.Session{}, ended: map[string]time.Time{},
		codes: map[storage.Hash]modelCode{}, grants: map[string]modelGrant{},
		access: map[storage.Hash]storage.AccessToken{}, refresh: map[storage.Hash]storage.RefreshToken{},
		pushed: map[storage.Hash]modelPushed{}, consents: map[consentKey]storage.Consent{}, jtis: map[storage.Hash]time.Time{},
	}
}

func (m *model) is(defect string) bool { return m.defect == defect }

// begin is what every verb starts with.
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
	if m.is("microseconds") {
		return t.Truncate(time.Microsecond)
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

// number is a column of floating point numbers.
func (m *model) number(n int64) int64 {
	if m.is("versions as floats") {
		return int64(float64(n))
	}
	return n
}

func (m *model) session(s storage.Session) storage.Session {
	s.Identity = m.bytes(s.Identity)
	s.Circles, s.Clients = slices.Clone(s.Circles), slices.Clone(s.Clients)
	for i := range s.Circles {
		s.Circles[i].AMR = m.strings(s.Circles[i].AMR)
	}
	s.ExpiresAt, s.Version = m.stamp(s.ExpiresAt), m.number(s.Version)
	return s
}

func (m *model) grant(g storage.Grant) storage.Grant {
	g.Identity, g.AuthorizationDetails = m.bytes(g.Identity), m.bytes(g.AuthorizationDetails)
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
	if !ok || !m.valid(s.ExpiresAt, now) {
		return storage.Session{}, storage.ErrNotFound
	}
	return m.session(s), nil
}

func (m *model) CreateSession(ctx context.Context, s storage.Session, max int, now time.Time) ([]storage.Session, error) {
	end, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	if !m.is("upserts sessions") {
		if _, taken := m.sessions[s.Hash]; taken {
			return nil, storage.ErrConflict
		}
	}
	for _, other := range m.sessions {
		if other.ID == s.ID && other.Hash != s.Hash {
			return nil, storage.ErrConflict
		}
	}
	m.sessions[s.Hash], m.firstEnd[s.ID] = m.session(s), s.ExpiresAt
	if max < 1 || m.is("no session cap") {
		return nil, nil
	}
	return m.makeRoom(s, max, now), nil
}

func (m *model) makeRoom(s storage.Session, max int, now time.Time) (ended []storage.Session) {
	var others []storage.Session
	for _, o := range m.sessions {
		if o.UserKey == s.UserKey && o.Hash != s.Hash && m.valid(o.ExpiresAt, now) {
			others = append(others, o)
		}
	}
	if m.is("ended sessions count") {
		for _, o := range m.ghosts {
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
	for len(others)+1 > max {
		if m.is("the cap forgets the grants") {
			delete(m.sessions, others[0].Hash)
		} else if m.is("the cap leaves no mark") {
			m.end(others[0])
			delete(m.ended, others[0].ID)
		} else {
			m.end(others[0])
		}
		ended, others = append(ended, m.session(others[0])), others[1:]
	}
	return ended
}

func (m *model) ReplaceSession(ctx context.Context, old storage.Hash, next storage.Session, now time.Time) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	s, ok := m.sessions[old]
	if !ok || !m.valid(s.ExpiresAt, now) {
		return storage.ErrNotFound
	}
	if s.Version != m.number(next.Version) && !m.is("versions not compared") ||
		(s.ID != next.ID || s.UserKey != next.UserKey) && !m.is("the person may change") {
		return storage.ErrConflict
	}
	if _, taken := m.sessions[next.Hash]; taken && next.Hash != old && !m.is("rotation overwrites") {
		return storage.ErrConflict
	}
	m.gap(ctx, "replace reads, then writes")
	if !m.is("rotation keeps the old hash") {
		delete(m.sessions, old)
	}
	next = m.session(next)
	next.Version++
	m.sessions[next.Hash] = next
	return nil
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
	m.ghosts = append(m.ghosts, s)
	if !m.is("codes after the end") {
		m.ended[s.ID] = s.ExpiresAt
	}
	if m.is("the mark keeps its first end") {
		m.ended[s.ID] = m.firstEnd[s.ID]
	}
	for h, c := range m.codes {
		if c.Grant.SessionID == s.ID && !c.used && !m.is("EndSession keeps codes") {
			delete(m.codes, h)
		}
	}
	for id, g := range m.grants {
		loginOnly := g.LoginOnly || m.is("EndSession revokes all grants")
		if m.key(g.SessionID) != m.key(s.ID) || !loginOnly || m.is("EndSession keeps grants") {
			continue
		}
		if m.is("EndSession misses late tokens") { // the tokens of the moment, not the grant
			for h, r := range m.refresh {
				m.dead[h] = m.dead[h] || r.GrantID == id
			}
			for h, a := range m.access {
				m.dead[h] = m.dead[h] || a.GrantID == id
			}
			continue
		}
		g.revoked = true
		m.grants[id] = g
	}
}

func (m *model) CreateCode(ctx context.Context, code storage.AuthorizationCode, now time.Time) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if until, ended := m.ended[code.Grant.SessionID]; ended && now.Before(until) {
		return storage.ErrRevoked
	}
	if m.is("collects grants with their codes") {
		maps.DeleteFunc(m.grants, func(id string, _ modelGrant) bool {
			for _, c := range m.codes {
				if c.Grant.ID == id {
					return !now.Before(c.RetainUntil)
				}
			}
			return true
		})
	}
	for _, c := range m.codes {
		remembered := now.Before(c.RetainUntil) || now.Before(c.ExpiresAt)
		if m.is("forgets the request with the code") {
			remembered = now.Before(c.ExpiresAt)
		}
		if !remembered || m.is("upserts codes") {
			continue
		}
		if c.Hash == code.Hash || c.Grant.ID == code.Grant.ID || c.RequestID == code.RequestID && !m.is("two codes for a request") {
			return storage.ErrConflict
		}
	}
	m.gap(ctx, "CreateCode looks, then writes")
	m.codes[code.Hash] = modelCode{AuthorizationCode: m.code(code)}
	return nil
}

// usable is the verdict on a code.
func (m *model) usable(hash storage.Hash, now time.Time) (modelCode, error) {
	c, ok := m.codes[hash]
	switch {
	case !ok || c.used && !m.valid(c.RetainUntil, now) || !c.used && !m.valid(c.ExpiresAt, now):
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

func (m *model) RedeemCode(ctx context.Context, hash storage.Hash, issue *storage.Issue, now time.Time) error {
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
	if issue == nil {
		m.codes[hash] = c
		return nil
	}
	id := c.Grant.ID
	foreign := issue.Grant.ID != id || issue.Access.GrantID != id || issue.Refresh != nil && issue.Refresh.GrantID != id
	if foreign && !m.is("redeems for any grant") {
		return storage.ErrConflict
	}
	if m.is("consumes, then inserts") {
		m.codes[hash] = c
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if err := m.insert(issue); err != nil {
		return err
	}
	m.codes[hash] = c
	m.grants[issue.Grant.ID] = modelGrant{Grant: m.grant(issue.Grant)}
	return nil
}

// insert adds both tokens or none.
func (m *model) insert(issue *storage.Issue) error {
	_, accessTaken := m.access[issue.Access.Hash]
	if accessTaken {
		return storage.ErrConflict
	}
	if m.is("half an insert stays") {
		m.access[issue.Access.Hash] = m.token(issue.Access)
		m.grants[issue.Grant.ID] = modelGrant{Grant: issue.Grant}
	}
	if issue.Refresh != nil {
		if _, taken := m.refresh[issue.Refresh.Hash]; taken && !m.is("upserts refresh tokens") {
			return storage.ErrConflict
		}
		m.refresh[issue.Refresh.Hash] = *issue.Refresh
	}
	m.access[issue.Access.Hash] = m.token(issue.Access)
	return nil
}

// alive is the verdict on a refresh token.
func (m *model) alive(hash storage.Hash, now time.Time) (storage.RefreshToken, modelGrant, error) {
	r, ok := m.refresh[hash]
	g, live := m.grants[r.GrantID]
	used := !r.ConsumedAt.IsZero()
	switch {
	case !ok || !live || !m.valid(g.ExpiresAt, now) && !m.is("tokens outlive their grant"):
		return r, g, storage.ErrNotFound
	case !m.valid(r.ExpiresAt, now) && (!used || m.is("forgets rotated tokens")):
		return r, g, storage.ErrNotFound
	case g.revoked || m.dead[hash]:
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
	if err == storage.ErrConsumed && !m.is("forgets the newest generation") {
		for _, other := range m.refresh {
			if other.GrantID == r.GrantID {
				r.Latest = max(r.Latest, other.Generation)
			}
		}
	}
	return r, m.grant(g.Grant), err
}

func (m *model) RotateRefreshToken(ctx context.Context, hash storage.Hash, issue *storage.Issue, now time.Time) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	r, g, err := m.alive(hash, now)
	renewing := issue.Refresh != nil && issue.Refresh.Hash == hash
	if err == storage.ErrConsumed && renewing && m.is("reuse revives rotated tokens") {
		r.ConsumedAt, err = time.Time{}, nil
	}
	if err != nil {
		return err
	}
	m.gap(ctx, "rotate reads, then marks")
	m.gap(ctx, "EndSession misses late tokens")
	if m.refresh[hash].ConsumedAt != r.ConsumedAt && m.is("EndSession misses late tokens") {
		return storage.ErrConsumed // the row is looked at again, but not what ended in between
	}
	if issue.Access.GrantID != g.ID || issue.Refresh != nil && issue.Refresh.GrantID != g.ID {
		return storage.ErrConflict
	}
	renewed, added := issue.Refresh, *issue
	if inPlace := renewed != nil && renewed.Hash == hash; inPlace {
		added.Refresh = nil
		r.Generation = renewed.Generation
		if !m.is("reuse does not renew") {
			r.ExpiresAt = renewed.ExpiresAt
		}
	} else if !m.is("rotation keeps the old token") {
		r.ConsumedAt = now
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
	if m.is("rotation writes the grant") {
		m.grants[g.ID] = modelGrant{Grant: m.grant(issue.Grant)}
	}
	return nil
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
	case !ok || !live || !m.valid(a.ExpiresAt, now) || !m.valid(g.ExpiresAt, now) && !m.is("tokens outlive their grant"):
		return storage.AccessToken{}, storage.Grant{}, storage.ErrNotFound
	case g.revoked || m.dead[hash]:
		return m.token(a), m.grant(g.Grant), storage.ErrRevoked
	}
	return m.token(a), m.grant(g.Grant), nil
}

func (m *model) RevokeGrant(ctx context.Context, grantID string, now time.Time) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if m.is("revocation misses late tokens") { // the tokens of the moment, not the grant
		maps.DeleteFunc(m.access, func(_ storage.Hash, a storage.AccessToken) bool { return a.GrantID == grantID })
		maps.DeleteFunc(m.refresh, func(_ storage.Hash, r storage.RefreshToken) bool { return r.GrantID == grantID })
		return nil
	}
	for id, g := range m.grants {
		if m.key(id) == m.key(grantID) && !(m.is("revokes through the code") && !m.remembers(id, now)) {
			g.revoked = true
			m.grants[id] = g
		}
	}
	for h, c := range m.codes {
		if c.Grant.ID == grantID && !m.is("a code survives its grant") {
			c.used = true
			m.codes[h] = c
		}
	}
	return nil
}

// remembers tells whether the code of a grant is not forgotten yet.
func (m *model) remembers(grantID string, now time.Time) bool {
	for _, c := range m.codes {
		if c.Grant.ID == grantID {
			return now.Before(c.RetainUntil)
		}
	}
	return false
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
	p, ok := m.pushed[hash]
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
	p, ok := m.pushed[hash]
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

func (m *model) Consents(ctx context.Context, userKey storage.Hash, clientID string, now time.Time) (out []storage.Consent, err error) {
	end, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	for k, c := range m.consents {
		if k.user == userKey && (m.key(k.client) == m.key(clientID) || m.is("consent for all clients")) && m.valid(c.ExpiresAt, now) {
			out = append(out, c)
		}
	}
	return out, nil
}

func (m *model) GrantConsents(ctx context.Context, consents []storage.Consent, now time.Time) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	for _, c := range consents {
		k := consentKey{c.UserKey, c.ClientID, c.Scope}
		if old, ok := m.consents[k]; !ok || c.ExpiresAt.After(old.ExpiresAt) || m.is("consent is cut short") {
			m.consents[k] = c
		}
		m.gap(ctx, "consents one by one")
	}
	return nil
}

func (m *model) WithdrawConsents(ctx context.Context, userKey storage.Hash, clientID string, now time.Time) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	maps.DeleteFunc(m.consents, func(k consentKey, _ storage.Consent) bool {
		return k.user == userKey && (k.client == clientID || m.is("withdraws from all clients"))
	})
	return nil
}

func (m *model) ConsumeJTI(ctx context.Context, key storage.Hash, expiresAt, now time.Time) error {
	end, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if _, known := m.jtis[key]; known || !now.Before(expiresAt) {
		return storage.ErrConsumed
	}
	m.gap(ctx, "a jti is looked up, then written")
	if m.is("evicts jtis") && len(m.jtis) >= 500 {
		clear(m.jtis)
	}
	m.jtis[key] = expiresAt
	return nil
}
