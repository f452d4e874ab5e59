package memory

import (
	"context"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/portner-go/portner/storage"
)

// consentStripe owns the consents of some people.
type consentStripe struct {
	mu   sync.Mutex
	m    map[consentKey]*consents
	peak int
	_    [40]byte
}

type consentKey struct {
	user   storage.Hash
	client string
}

// consents are those of one person to one client. It is queued by the first that ends.
type consents struct {
	place  slot
	stripe uint8
	key    consentKey
	list   []consent
}

type consent struct {
	scope          string
	granted, until int64
}

func (c *consents) slot() *slot { return &c.place }

func (c *consents) find(scope string) *consent {
	for i := range c.list {
		if c.list[i].scope == scope {
			return &c.list[i]
		}
	}
	return nil
}

func (s *Store) consentStripe(user *storage.Hash) uint8 {
	return uint8(s.shardOf(string(user[:])))
}

// Consents implements authorize.ConsentStore.
func (s *Store) Consents(ctx context.Context, userKey storage.Hash, clientID string, now time.Time) ([]storage.Consent, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	st := &s.consents[s.consentStripe(&userKey)]
	n := nanos(now)
	st.mu.Lock()
	defer st.mu.Unlock()
	c := st.m[consentKey{userKey, clientID}]
	if c == nil {
		return nil, nil
	}
	var out []storage.Consent
	for _, one := range c.list {
		if n < one.until {
			out = append(out, storage.Consent{
				UserKey: userKey, ClientID: clientID, Scope: one.scope,
				GrantedAt: fromNanos(one.granted), ExpiresAt: fromNanos(one.until),
			})
		}
	}
	return out, nil
}

// GrantConsents implements authorize.ConsentStore.
func (s *Store) GrantConsents(ctx context.Context, in []storage.Consent, now time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(in) == 0 {
		return nil
	}
	err := s.grantConsents(in)
	if err != nil { // expired ones do not count
		s.makeRoom(now, consentKind)
		err = s.grantConsents(in)
	}
	if err == nil {
		s.tidy(now)
	}
	return err
}

// grantConsents holds all stripes it needs at once, so that all consents appear together.
func (s *Store) grantConsents(in []storage.Consent) error {
	var needed [shardCount]bool
	for i := range in {
		needed[s.consentStripe(&in[i].UserKey)] = true
	}
	for i, need := range needed {
		if need {
			s.consents[i].mu.Lock()
			defer s.consents[i].mu.Unlock()
		}
	}
	if !s.consentCount.take(s.newConsents(in)) {
		return storage.ErrFull
	}
	for i := range in {
		s.grantConsent(&in[i])
	}
	return nil
}

// newConsents counts those of in that are not remembered yet. The caller holds their stripes.
func (s *Store) newConsents(in []storage.Consent) (n int) {
	type key struct {
		consentKey
		scope string
	}
	seen := make(map[key]bool, len(in))
	for i := range in {
		k := key{consentKey{in[i].UserKey, in[i].ClientID}, in[i].Scope}
		old := s.consents[s.consentStripe(&in[i].UserKey)].m[k.consentKey]
		if !seen[k] && (old == nil || old.find(k.scope) == nil) {
			n++
		}
		seen[k] = true
	}
	return n
}

func (s *Store) grantConsent(in *storage.Consent) {
	stripe := s.consentStripe(&in.UserKey)
	st := &s.consents[stripe]
	key := consentKey{in.UserKey, in.ClientID}
	c := st.m[key]
	if c == nil {
		key.client = strings.Clone(key.client)
		c = &consents{key: key, stripe: stripe, place: slot{shard: stripe}}
		if st.m == nil {
			st.m = make(map[consentKey]*consents)
		}
		st.m[key] = c
		st.peak = max(st.peak, len(st.m))
	}
	one := consent{scope: in.Scope, granted: nanos(in.GrantedAt), until: nanos(in.ExpiresAt)}
	if old := c.find(in.Scope); old == nil {
		one.scope = strings.Clone(in.Scope)
		c.list = append(c.list, one)
	} else if one.until > old.until {
		old.granted, old.until = one.granted, one.until
	}
	s.due.consents.schedule(c, c.firstEnd())
}

func (c *consents) firstEnd() int64 {
	end := int64(math.MaxInt64)
	for i := range c.list {
		end = min(end, c.list[i].until)
	}
	return end
}

// WithdrawConsents implements authorize.ConsentStore.
func (s *Store) WithdrawConsents(ctx context.Context, userKey storage.Hash, clientID string, now time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	st := &s.consents[s.consentStripe(&userKey)]
	st.mu.Lock()
	defer st.mu.Unlock()
	if c := st.m[consentKey{userKey, clientID}]; c != nil {
		s.consentCount.give(len(c.list))
		s.forgetConsents(st, c)
	}
	return nil
}

// forgetConsents removes c. The caller holds the stripe.
func (s *Store) forgetConsents(st *consentStripe, c *consents) {
	s.due.consents.cancel(c)
	c.list = nil
	delete(st.m, c.key)
	st.m, st.peak = shrunk(st.m, st.peak)
}

// collect implements expiring.
func (c *consents) collect(s *Store, now int64) int {
	st := &s.consents[c.stripe]
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.m[c.key] != c { // withdrawn since it was popped
		return 0
	}
	live := c.list[:0]
	for _, one := range c.list {
		if now < one.until {
			live = append(live, one)
		}
	}
	removed := len(c.list) - len(live)
	clear(c.list[len(live):])
	c.list = live
	s.consentCount.give(removed)
	if len(live) == 0 {
		s.forgetConsents(st, c)
	} else {
		s.due.consents.schedule(c, c.firstEnd())
	}
	return removed
}
