package storagetest_test

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/storagetest"
)

// wrongStores are stores around the model that break the contract in more than one line, and the cases that must reject each.
var wrongStores = map[string]struct {
	open  func() storagetest.FullStore
	cases []string
}{
	"a cache of access tokens that nothing empties":  {cache("AccessToken"), []string{"Changes/EndSession", "Changes/a switch of the session", "Changes/the session limit", "Changes/Revoke of a grant", "Changes/Revoke of an authorization"}},
	"a cache of refresh tokens that nothing empties": {cache("RefreshToken"), []string{"Changes/EndSession", "Changes/a switch of the session", "Changes/the session limit", "Changes/Revoke of a grant", "Changes/Revoke of an authorization", "Changes/RotateRefreshToken", "Changes/a renewal"}},
	"a cache of sessions that nothing empties":       {cache("Session"), []string{"Changes/EndSession", "Changes/a switch of the session", "Changes/the session limit", "Changes/a rotation of the session", "Changes/a replacement of the session"}},
	"a cache of codes that nothing empties":          {cache("Code"), []string{"Changes/EndSession", "Changes/RedeemCode", "Changes/RedeemCode without an issuance", "Changes/Revoke of the grant of a code", "Changes/Revoke of an authorization"}},
	"a cache of consents that nothing empties":       {cache("Consents"), []string{"Changes/FinishRequest", "Changes/Revoke of an authorization"}},
	"a cache of lists that nothing empties":          {cache("Grants"), []string{"Changes/EndSession", "Changes/RedeemCode", "Changes/Revoke of a grant", "Changes/Revoke of an authorization"}},
	"a cache that EndSession does not empty":         {cache("AccessToken", "Revoke", "ReplaceSession"), []string{"Changes/EndSession"}},
	"a cache that the limit does not empty":          {cache("AccessToken", "Revoke", "EndSession"), []string{"Changes/the session limit", "Changes/a switch of the session"}},
	"a cache that Revoke does not empty":             {cache("AccessToken", "EndSession", "ReplaceSession"), []string{"Changes/Revoke of a grant", "Changes/Revoke of an authorization"}},
	"a cache of access tokens that is filled late":   {cache("AccessToken", "Revoke", "EndSession", "ReplaceSession"), []string{"Changes in one step/EndSession", "Changes in one step/Revoke of a grant", "Changes in one step/Revoke of an authorization"}},
	"a cache of sessions that is filled late":        {cache("Session", "EndSession", "ReplaceSession"), []string{"Changes in one step/a rotation of the session"}},

	"a cache of pushed requests that nothing empties": {cache("PushedRequest"), []string{"PushedRequest/insert never overwrites", "PushedRequest/read before"}},
	"a cache of pushed requests that is filled late":  {cache("PushedRequest", "ConsumePushedRequest"), []string{"PushedRequest/read before"}},
	"a cache of empty lists of logins":                {func() storagetest.FullStore { return emptyLists{newModel(""), &sync.Map{}} }, []string{"Logins/user keys are whole"}},
	"revokes 1,000 tokens at most":                    {wrong(func(m *model) storagetest.FullStore { return thousand{m, map[storage.Hash]bool{}} }), []string{"Many/revoke tokens"}},

	"inserts by hash, then by ID":                     {wrong(func(m *model) storagetest.FullStore { return twoIndexes{m} }), []string{"Race/rejected session"}},
	"inserts an access token, then the refresh token": {wrong(func(m *model) storagetest.FullStore { return twoIndexes{m} }), []string{"Race/rejected tokens"}},

	"ends 100 grants at most":         {wrong(func(m *model) storagetest.FullStore { return hundred{m} }), []string{"Many/EndSession", "Many/switch", "Many/limit", "Many/revoke authorization", "InsertGrant/many"}},
	"forgets after 128 rotations":     {wrong(func(m *model) storagetest.FullStore { return shortMemory{m} }), []string{"Many/rotations"}},
	"finds by 8 bytes of the hash":    {wrong(func(m *model) storagetest.FullStore { return eightBytes{m} }), []string{"Values/hashes are whole"}},
	"LoginOnly of the code":           {wrong(func(m *model) storagetest.FullStore { return flagOfTheCode{m} }), []string{"RedeemCode/grant of the issuance"}},
	"locks the old user first":        {func() storagetest.FullStore { return lockByUser{newModel(""), &sync.Map{}} }, []string{"Race/two switches"}},
	"locks in two orders":             {func() storagetest.FullStore { return twoOrders{newModel(""), &sync.Mutex{}, &sync.Mutex{}} }, []string{"Race/all methods"}},
	"evicts sessions beyond 500":      {wrong(func(m *model) storagetest.FullStore { return evicts{m} }), []string{"Many/sessions"}},
	"InsertGrant admits, then writes": {wrong(func(m *model) storagetest.FullStore { return admitsFirst{m} }), []string{"InsertGrant/race with EndSession", "InsertGrant/race with a switch", "InsertGrant/race with the limit"}},
	"FinishRequest admits, then writes": {wrong(func(m *model) storagetest.FullStore { return admitsFirst{m} }), []string{
		"Race/end session and finish request", "Race/writers and EndSession", "Race/writers and switch", "Race/writers and limit",
	}},
	"RedeemCode reads the code, then writes": {wrong(func(m *model) storagetest.FullStore { return readsFirst{m} }), []string{"Race/writers and Revoke of each grant", "Race/writers and Revoke of the authorization", "Race/writers and EndSession"}},
}

func wrong(f func(*model) storagetest.FullStore) func() storagetest.FullStore {
	return func() storagetest.FullStore { return f(newModel("")) }
}

// Each wrong store is rejected by the cases of the rules that it breaks.
func TestSuiteRejectsWrongStores(t *testing.T) {
	slow.WithoutRaceDetector(t)
	if testing.Short() {
		t.Skip("races need their rounds")
	}
	for name, tt := range wrongStores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, c := range tt.cases {
				if v := storagetest.Judge(c, tt.open); v != storagetest.Failed {
					t.Errorf("the verdict of case %q is %d, want %d", c, v, storagetest.Failed)
				}
			}
		})
	}
}

// cached answers one method from a cache, which only some methods empty.
type cached struct {
	*model
	what    string
	empties []string
	cache   *sync.Map
}

func cache(what string, empties ...string) func() storagetest.FullStore {
	return func() storagetest.FullStore { return cached{newModel(""), what, empties, &sync.Map{}} }
}

type entry struct {
	record any
	grant  storage.Grant
}

// read returns the entry of a key. It adds one that f read a moment ago.
func (s cached) read(ctx context.Context, what string, key any, f func() (entry, error)) (entry, error) {
	if what != s.what {
		return f()
	}
	if e, ok := s.cache.Load(key); ok {
		return e.(entry), nil
	}
	e, err := f()
	if err == nil {
		_ = ctx.Err()
		s.cache.Store(key, e)
	}
	return e, err
}

func (s cached) empty(method string) {
	if slices.Contains(s.empties, method) {
		s.cache.Clear()
	}
}

func (s cached) AccessToken(ctx context.Context, h storage.Hash, now time.Time) (storage.AccessToken, storage.Grant, error) {
	e, err := s.read(ctx, "AccessToken", h, func() (entry, error) { a, g, err := s.model.AccessToken(ctx, h, now); return entry{a, g}, err })
	return e.record.(storage.AccessToken), e.grant, err
}

func (s cached) RefreshToken(ctx context.Context, h storage.Hash, now time.Time) (storage.RefreshToken, storage.Grant, error) {
	e, err := s.read(ctx, "RefreshToken", h, func() (entry, error) { r, g, err := s.model.RefreshToken(ctx, h, now); return entry{r, g}, err })
	return e.record.(storage.RefreshToken), e.grant, err
}

func (s cached) Session(ctx context.Context, h storage.Hash, now time.Time) (storage.Session, error) {
	e, err := s.read(ctx, "Session", h, func() (entry, error) { in, err := s.model.Session(ctx, h, now); return entry{record: in}, err })
	return e.record.(storage.Session), err
}

func (s cached) Code(ctx context.Context, h storage.Hash, now time.Time) (storage.AuthorizationCode, error) {
	e, err := s.read(ctx, "Code", h, func() (entry, error) { c, err := s.model.Code(ctx, h, now); return entry{record: c}, err })
	return e.record.(storage.AuthorizationCode), err
}

func (s cached) Consents(ctx context.Context, k storage.ConsentKey, now time.Time) ([]storage.Consent, error) {
	e, err := s.read(ctx, "Consents", k, func() (entry, error) { all, err := s.model.Consents(ctx, k, now); return entry{record: all}, err })
	return e.record.([]storage.Consent), err
}

func (s cached) Grants(ctx context.Context, q storage.GrantQuery, now time.Time) ([]storage.Grant, error) {
	e, err := s.read(ctx, "Grants", q, func() (entry, error) {
		all, err := s.model.Grants(ctx, q, now)
		return entry{record: all}, err
	})
	return e.record.([]storage.Grant), err
}

func (s cached) PushedRequest(ctx context.Context, h storage.Hash, now time.Time) (storage.PushedRequest, error) {
	e, err := s.read(ctx, "PushedRequest", h, func() (entry, error) { p, err := s.model.PushedRequest(ctx, h, now); return entry{record: p}, err })
	return e.record.(storage.PushedRequest), err
}

func (s cached) ConsumePushedRequest(ctx context.Context, h storage.Hash, now time.Time) error {
	defer s.empty("ConsumePushedRequest")
	return s.model.ConsumePushedRequest(ctx, h, now)
}

func (s cached) EndSession(ctx context.Context, h storage.Hash, now time.Time) (storage.Session, error) {
	defer s.empty("EndSession")
	return s.model.EndSession(ctx, h, now)
}

func (s cached) ReplaceSession(ctx context.Context, old storage.Hash, next storage.Session, limit int, now time.Time) ([]storage.Session, error) {
	defer s.empty("ReplaceSession")
	return s.model.ReplaceSession(ctx, old, next, limit, now)
}

func (s cached) Revoke(ctx context.Context, r storage.Revocation, now time.Time) error {
	defer s.empty("Revoke")
	return s.model.Revoke(ctx, r, now)
}

// hundred ends at most 100 grants in one call.
type hundred struct{ *model }

func (s hundred) limited(f func() error) error {
	s.mu.Lock()
	before := map[string]bool{}
	for id, g := range s.grants {
		before[id] = g.revoked
	}
	s.mu.Unlock()
	err := f()
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, id := range slices.Sorted(maps.Keys(s.grants)) {
		g := s.grants[id]
		if was, known := before[id]; known && !was && g.revoked {
			if n++; n > 100 {
				g.revoked = false
				s.grants[id] = g
			}
		}
	}
	return err
}

func (s hundred) Revoke(ctx context.Context, r storage.Revocation, now time.Time) error {
	return s.limited(func() error { return s.model.Revoke(ctx, r, now) })
}

func (s hundred) EndSession(ctx context.Context, h storage.Hash, now time.Time) (out storage.Session, err error) {
	err = s.limited(func() error { var e error; out, e = s.model.EndSession(ctx, h, now); return e })
	return out, err
}

func (s hundred) ReplaceSession(ctx context.Context, old storage.Hash, next storage.Session, limit int, now time.Time) (out []storage.Session, err error) {
	if old == (storage.Hash{}) && limit == 0 {
		return s.model.ReplaceSession(ctx, old, next, limit, now)
	}
	err = s.limited(func() error { var e error; out, e = s.model.ReplaceSession(ctx, old, next, limit, now); return e })
	return out, err
}

// shortMemory forgets a rotated refresh token after 128 further rotations.
type shortMemory struct{ *model }

func (s shortMemory) RotateRefreshToken(ctx context.Context, h storage.Hash, i *storage.Issuance, grace time.Duration, now time.Time) error {
	err := s.model.RotateRefreshToken(ctx, h, i, grace, now)
	if err == nil && i.Refresh != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		maps.DeleteFunc(s.refresh, func(_ storage.Hash, r storage.RefreshToken) bool {
			return r.GrantID == i.Refresh.GrantID && r.Generation < i.Refresh.Generation-128
		})
	}
	return err
}

// lockByUser locks the user of the old session, then the user of the new one.
type lockByUser struct {
	*model
	users *sync.Map
}

func (s lockByUser) lock(u storage.Hash) func() {
	m, _ := s.users.LoadOrStore(u, &sync.Mutex{})
	m.(*sync.Mutex).Lock()
	return m.(*sync.Mutex).Unlock
}

func (s lockByUser) ReplaceSession(ctx context.Context, old storage.Hash, next storage.Session, limit int, now time.Time) ([]storage.Session, error) {
	s.mu.Lock()
	before, ok := s.sessions[old]
	s.mu.Unlock()
	if ok {
		defer s.lock(before.UserKey)()
		_ = ctx.Err()
	}
	if !ok || before.UserKey != next.UserKey {
		defer s.lock(next.UserKey)()
	}
	return s.model.ReplaceSession(ctx, old, next, limit, now)
}

// twoOrders locks sessions before grants in EndSession, and grants before sessions in Revoke.
type twoOrders struct {
	*model
	sessionLock, grantLock *sync.Mutex
}

func (s twoOrders) EndSession(ctx context.Context, h storage.Hash, now time.Time) (storage.Session, error) {
	s.sessionLock.Lock()
	defer s.sessionLock.Unlock()
	_ = ctx.Err()
	s.grantLock.Lock()
	defer s.grantLock.Unlock()
	return s.model.EndSession(ctx, h, now)
}

func (s twoOrders) Revoke(ctx context.Context, r storage.Revocation, now time.Time) error {
	s.grantLock.Lock()
	defer s.grantLock.Unlock()
	_ = ctx.Err()
	s.sessionLock.Lock()
	defer s.sessionLock.Unlock()
	return s.model.Revoke(ctx, r, now)
}

// eightBytes finds access tokens by the first eight bytes of a hash.
type eightBytes struct{ *model }

func (s eightBytes) AccessToken(ctx context.Context, h storage.Hash, now time.Time) (storage.AccessToken, storage.Grant, error) {
	s.mu.Lock()
	for k := range s.access {
		if [8]byte(k[:]) == [8]byte(h[:]) {
			h = k
		}
	}
	s.mu.Unlock()
	return s.model.AccessToken(ctx, h, now)
}

// flagOfTheCode ends a grant with its session if its code was login-only.
type flagOfTheCode struct{ *model }

func (s flagOfTheCode) RedeemCode(ctx context.Context, h storage.Hash, i *storage.Issuance, now time.Time) error {
	err := s.model.RedeemCode(ctx, h, i, now)
	if err == nil && i != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		g := s.grants[i.Grant.ID]
		g.LoginOnly = s.codes[h].Grant.LoginOnly
		s.grants[i.Grant.ID] = g
	}
	return err
}

// evicts ends the oldest session of a user who has more than 500, and reports none.
type evicts struct{ *model }

func (s evicts) ReplaceSession(ctx context.Context, old storage.Hash, next storage.Session, limit int, now time.Time) ([]storage.Session, error) {
	if limit < 1 {
		_, err := s.model.ReplaceSession(ctx, old, next, 500, now)
		return nil, err
	}
	return s.model.ReplaceSession(ctx, old, next, limit, now)
}

// admitsFirst examines the session of a grant in one step and inserts in another.
type admitsFirst struct{ *model }

// admitted returns g without its session, which the second step does not examine, if the first step admits it.
func (s admitsFirst) admitted(ctx context.Context, g storage.Grant, now time.Time) (storage.Grant, error) {
	s.mu.Lock()
	err := s.admit(&g, now)
	s.mu.Unlock()
	_ = ctx.Err()
	g.SessionID = ""
	return g, err
}

func (s admitsFirst) InsertGrant(ctx context.Context, i *storage.Issuance, now time.Time) error {
	own := *i
	var err error
	if own.Grant, err = s.admitted(ctx, i.Grant, now); err != nil {
		return err
	}
	if err = s.model.InsertGrant(ctx, &own, now); err == nil {
		s.rejoin(i.Grant, storage.Hash{})
	}
	return err
}

func (s admitsFirst) FinishRequest(ctx context.Context, o storage.Outcome, now time.Time) error {
	if o.Code == nil {
		return s.model.FinishRequest(ctx, o, now)
	}
	c, err := *o.Code, error(nil)
	if c.Grant, err = s.admitted(ctx, c.Grant, now); err != nil {
		return err
	}
	own := o
	own.Code = &c
	if err = s.model.FinishRequest(ctx, own, now); err == nil {
		s.rejoin(o.Code.Grant, c.Hash)
	}
	return err
}

// rejoin writes the session of a grant, or of a code.
func (s admitsFirst) rejoin(g storage.Grant, code storage.Hash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.codes[code]; ok {
		c.Grant.SessionID = g.SessionID
		s.codes[code] = c
		return
	}
	own := s.grants[g.ID]
	own.SessionID = g.SessionID
	s.grants[g.ID] = own
}

// readsFirst reads a code in one step and redeems it in another, which marks it again whatever happened to it.
type readsFirst struct{ *model }

func (s readsFirst) RedeemCode(ctx context.Context, h storage.Hash, i *storage.Issuance, now time.Time) error {
	s.mu.Lock()
	c, err := s.usable(h, now)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	_ = ctx.Err()
	s.mu.Lock()
	s.codes[h] = c
	s.mu.Unlock()
	return s.model.RedeemCode(ctx, h, i, now)
}

// twoIndexes inserts a session under its hash, and an access token, before it finds that the rest of the record is in conflict, and takes
// them out again. Readers do not wait for it.
type twoIndexes struct{ *model }

func (s twoIndexes) ReplaceSession(ctx context.Context, old storage.Hash, next storage.Session, limit int, now time.Time) ([]storage.Session, error) {
	ended, err := s.model.ReplaceSession(ctx, old, next, limit, now)
	if errors.Is(err, storage.ErrConflict) && old == (storage.Hash{}) {
		s.shows(func() { s.sessions[next.Hash] = next }, func() { delete(s.sessions, next.Hash) })
	}
	return ended, err
}

func (s twoIndexes) RotateRefreshToken(ctx context.Context, h storage.Hash, i *storage.Issuance, grace time.Duration, now time.Time) error {
	err := s.model.RotateRefreshToken(ctx, h, i, grace, now)
	if errors.Is(err, storage.ErrConflict) {
		s.shows(func() { s.access[i.Access.Hash] = i.Access }, func() { delete(s.access, i.Access.Hash) })
	}
	return err
}

// shows makes a change that others see, and reverts it.
func (s twoIndexes) shows(change, revert func()) {
	s.mu.Lock()
	change()
	s.mu.Unlock()
	runtime.Gosched()
	s.mu.Lock()
	revert()
	s.mu.Unlock()
}

// emptyLists remembers which users had no logins.
type emptyLists struct {
	*model
	users *sync.Map
}

func (s emptyLists) Logins(ctx context.Context, userKey storage.Hash, now time.Time) ([]storage.Login, error) {
	if _, ok := s.users.Load(userKey); ok {
		return nil, ctx.Err()
	}
	all, err := s.model.Logins(ctx, userKey, now)
	if err == nil && len(all) == 0 {
		s.users.Store(userKey, true)
	}
	return all, err
}

// thousand revokes at most 1,000 access tokens of a grant.
type thousand struct {
	*model
	spared map[storage.Hash]bool
}

func (s thousand) Revoke(ctx context.Context, r storage.Revocation, now time.Time) error {
	s.mu.Lock()
	n := 0
	for h, a := range s.access {
		if r.GrantID != "" && a.GrantID == r.GrantID {
			n++
			s.spared[h] = n > 1000
		}
	}
	s.mu.Unlock()
	return s.model.Revoke(ctx, r, now)
}

func (s thousand) AccessToken(ctx context.Context, h storage.Hash, now time.Time) (storage.AccessToken, storage.Grant, error) {
	a, g, err := s.model.AccessToken(ctx, h, now)
	s.mu.Lock()
	defer s.mu.Unlock()
	if errors.Is(err, storage.ErrRevoked) && s.spared[h] {
		err = nil
	}
	return a, g, err
}
