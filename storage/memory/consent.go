package memory

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/portner-go/portner/internal/record"
	"github.com/portner-go/portner/storage"
)

// consentKey is the key of the consents of a user.
type consentKey = storage.ConsentKey

// consents are those of one user to one client for one customer. They are queued by the first that ends. The stripe of
// the user guards them.
type consents struct {
	place  slot
	stripe uint8
	user   *user
	key    consentKey
	list   []consent
}

type consent struct {
	scope, version string
	granted, until int64
}

func (c *consents) slot() *slot { return &c.place }
func (c *consents) shard() int  { return int(c.stripe) }

// find returns the consent for a scope, or nil.
func (c *consents) find(scope string) *consent {
	for i := range c.list {
		if c.list[i].scope == scope {
			return &c.list[i]
		}
	}
	return nil
}

// Consents implements provider.Store.
func (s *Store) Consents(ctx context.Context, key storage.ConsentKey, now time.Time) ([]storage.Consent, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	st := &s.users[stripeOf(s.hashOfUser(&key.UserKey))]
	n := record.Nanos(now)
	st.mu.Lock()
	defer st.unlock()
	c := st.consents.m[key]
	if c == nil {
		return nil, nil
	}
	var out []storage.Consent
	for _, one := range c.list {
		if n < one.until {
			out = append(out, storage.Consent{
				Scope: one.scope, Version: one.version, GrantedAt: record.Time(one.granted), ExpiresAt: record.Time(one.until),
			})
		}
	}
	return out, nil
}

// countNewConsents counts the granted consents that need room: those for scopes without a remembered one. The caller
// holds the stripe.
func (f *finish) countNewConsents() (n int) {
	c := f.users[stripeOf(f.user)].consents.m[f.outcome.Consents]
	for i := range f.outcome.Granted {
		scope := f.outcome.Granted[i].Scope
		known := c != nil && c.find(scope) != nil
		for j := range f.outcome.Granted[:i] {
			known = known || f.outcome.Granted[j].Scope == scope
		}
		if !known {
			n++
		}
	}
	return n
}

// applyConsents withdraws the declined consents and remembers the granted ones of a user, for which countNewConsents took
// room. The caller holds the stripe.
func (f *finish) applyConsents(u *user) {
	st := &f.users[stripeOf(f.user)]
	c := st.consents.m[f.outcome.Consents]
	if c == nil && len(f.outcome.Granted) == 0 {
		return
	}
	if c == nil {
		key := f.outcome.Consents
		key.ClientID, key.Customer = strings.Clone(key.ClientID), strings.Clone(key.Customer)
		c = &consents{key: key, user: u, stripe: stripeOf(f.user)}
		st.consents.set(key, c)
	}
	for i := range f.outcome.Granted {
		c.remember(&f.outcome.Granted[i], f.now)
	}
	f.forget(c, c.drop(func(one *consent) bool {
		for _, scope := range f.outcome.Declined {
			if scope == one.scope {
				return true
			}
		}
		return false
	}))
	f.keep(c)
}

// remember adds a consent. One that is live for the same version keeps its beginning, and the later end of both.
func (c *consents) remember(in *storage.Consent, now int64) {
	one := consent{granted: record.Nanos(in.GrantedAt), until: record.Nanos(in.ExpiresAt)}
	old := c.find(in.Scope)
	if old != nil && old.version == in.Version && now < old.until {
		one.granted = old.granted
	}
	switch {
	case old == nil:
		one.scope, one.version = strings.Clone(in.Scope), strings.Clone(in.Version)
		c.list = append(c.list, one)
	case old.version != in.Version || one.until > old.until:
		one.scope, one.version = old.scope, strings.Clone(in.Version)
		*old = one
	}
}

// drop removes the consents that match and returns how many these were.
func (c *consents) drop(match func(*consent) bool) int {
	rest := c.list[:0]
	for i := range c.list {
		if !match(&c.list[i]) {
			rest = append(rest, c.list[i])
		}
	}
	n := len(c.list) - len(rest)
	clear(c.list[len(rest):])
	c.list = rest
	return n
}

// keep queues c by its first end, or removes it if it is empty. The caller holds the stripe.
func (s *Store) keep(c *consents) {
	if len(c.list) == 0 {
		s.due.consents.cancel(c)
		s.users[c.stripe].consents.drop(c.key)
		return
	}
	end := int64(math.MaxInt64)
	for i := range c.list {
		end = min(end, c.list[i].until)
	}
	s.due.consents.schedule(c, end)
}

// forget counts n consents of c that were dropped. The caller holds the stripe.
func (s *Store) forget(c *consents, n int) {
	s.consentCount.give(n, owners{first: &c.user.consentShare})
}

// withdrawAll removes the consents of a key. The caller holds the stripe.
func (s *Store) withdrawAll(key *storage.ConsentKey) {
	if c := s.users[stripeOf(s.hashOfUser(&key.UserKey))].consents.m[*key]; c != nil {
		s.forget(c, c.drop(func(*consent) bool { return true }))
		s.keep(c)
		s.release(c.user)
	}
}

// collect implements expiring.
func (c *consents) collect(s *Store, now int64) int {
	st := &s.users[c.stripe]
	st.mu.Lock()
	defer st.unlock()
	if st.consents.m[c.key] != c { // withdrawn since it was popped
		return 0
	}
	removed := c.drop(func(one *consent) bool { return now >= one.until })
	s.forget(c, removed)
	s.keep(c)
	s.release(c.user)
	return removed
}
