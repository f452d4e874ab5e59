package memory

import (
	"math/bits"
	"time"

	"github.com/portner-go/portner/internal/record"
	"github.com/portner-go/portner/storage"
)

// Leftovers returns the number of entries of each index, heap and counter that is not empty.
func (s *Store) Leftovers() map[string]int {
	left := map[string]int{}
	add := func(what string, n int) {
		if n != 0 {
			left[what] += n
		}
	}
	add("numbered sessions", s.sessions.numbered())
	add("numbered grants", s.outcomes.numbered())
	add("numbered access tokens", s.accessTokens.numbered())
	add("numbered refresh tokens", s.refreshTokens.numbered())
	add("numbered pushed requests", s.pushedRequests.numbered())
	add("numbered users", s.owners.numbered())
	for i := range shardCount {
		add("sessions by hash", len(s.sessionsByHash.shards[i].places))
		add("sessions by ID", len(s.sessionsByID.shards[i].places))
		add("users", len(s.users[i].users.places))
		add("authorizations", len(s.users[i].authorizations.m))
		add("clients", len(s.clients[i].m))
		add("codes", len(s.codes.shards[i].places))
		add("requests", len(s.requests.shards[i].places))
		add("grants", len(s.grants.shards[i].places))
		add("access tokens", len(s.access.shards[i].places))
		add("refresh tokens", len(s.refresh.shards[i].places))
		add("pushed requests", len(s.pushed.shards[i].places))
		add("pushing clients", len(s.pushing[i].clients.m))
		add("consents", len(s.users[i].consents.m))
		add("replays", len(s.replays[i].keys.m))
		add("replay heap", len(s.replays[i].heap))
		add("clients of replays", len(s.replayOwners[i].numbers.m)+len(s.replayOwners[i].owners))
		add("queued sessions", len(s.due.sessions.shards[i].heap))
		add("queued grants", len(s.due.grants.shards[i].heap))
		add("queued access tokens", len(s.due.access.shards[i].heap))
		add("queued refresh tokens", len(s.due.refresh.shards[i].heap))
		add("queued pushed requests", len(s.due.pushed.shards[i].heap))
		add("queued consents", len(s.due.consents.shards[i].heap))
	}
	stats := s.Stats()
	add("counters", stats.Sessions+stats.EndedSessions+stats.Grants+stats.Tokens+stats.PushedRequests+stats.Consents+stats.Replays)
	return left
}

// numbered returns the number of records, and 1 if there is none and memory is left.
func (d *directory[T]) numbered() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := d.leaves.Load()
	if all == nil {
		return len(d.open) + len(d.free) + d.last
	}
	for _, l := range *all {
		if l.items != nil {
			n += leafSize - bits.OnesCount64(l.empty)
		}
	}
	return max(n, 1)
}

// SymbolCount returns the number of texts in the table of symbols.
func SymbolCount() int {
	symbols.mu.Lock()
	defer symbols.mu.Unlock()
	return symbols.used
}

// Encoders, for the fuzz test.
var (
	EncodeSession = encodeSession
	EncodeGrant   = encodeGrant
	EncodeOutcome = encodeOutcome
	EncodeAccess  = encodeAccess
)

// GrantsOf returns the number of grants and codes of a user.
func (s *Store) GrantsOf(key storage.Hash) int {
	if u := s.findUser(s.hashOfUser(&key), &key); u != nil {
		return u.grantShare.held()
	}
	return 0
}

// InOneStripe reports whether the records of two users have one lock.
func (s *Store) InOneStripe(a, b storage.Hash) bool {
	return stripeOf(s.hashOfUser(&a)) == stripeOf(s.hashOfUser(&b))
}

// Found finds a session as the methods do before they take its lock. The result reports what they read then.
func (s *Store) Found(hash storage.Hash) (live func(now time.Time) bool) {
	x := s.sessionsByHash.get(string(hash[:]))
	return func(now time.Time) bool {
		st := &s.users[x.stripe]
		st.mu.Lock()
		defer st.unlock()
		return x.live(string(hash[:]), record.Nanos(now))
	}
}

// CollectGrants removes expired grants, and not their tokens.
func (s *Store) CollectGrants(now time.Time) { s.makeRoom(now, grantKind) }

// MostVisited returns the largest number of records that were visited under one hold of a stripe since the last call.
func (s *Store) MostVisited() (most int) {
	for i := range s.users {
		st := &s.users[i]
		most, st.mostVisited = max(most, st.mostVisited), 0
	}
	return most
}

func (t sessionText) Decode(user storage.Hash) storage.Session        { return t.decode(user) }
func (t codeText) Redeemed(g grantText) codeText                      { return t.redeemed(g) }
func (t codeText) Grant() grantText                                   { return t.grant() }
func (t grantText) First() grantText                                  { return t.first() }
func (t grantText) Decode(user storage.Hash) storage.Grant            { return t.decode(user) }
func (t codeText) Decode(user storage.Hash) storage.AuthorizationCode { return t.decode(user) }
func (t accessText) Decode(id string) storage.AccessToken             { return t.decode(id) }

// Numbered is a record, and Directory a directory of such records.
type (
	Numbered  = user
	Directory struct{ directory[*user] }
)

// Insert returns the number of x.
func (d *Directory) Insert(x *Numbered) uint32 { d.insert(x); return x.place.number }

// Remove returns the number that x has after it was removed.
func (d *Directory) Remove(x *Numbered) uint32 { d.remove(x); return x.place.number }

// At returns the record with a number.
func (d *Directory) At(number uint32) *Numbered { return d.at(number) }

// Len returns the number of records, and 1 if there is none and memory is left.
func (d *Directory) Len() int { return d.numbered() }

// Leaves returns the number of leaves with records.
func (d *Directory) Leaves() (n int) {
	for _, l := range *d.leaves.Load() {
		if l.items != nil {
			n++
		}
	}
	return n
}

// Numbers is a table of numbers.
type Numbers struct{ numbers }

func (t *Numbers) Get(h uint64) uint32    { return t.get(h) }
func (t *Numbers) Set(h uint64, n uint32) { t.set(h, n) }
func (t *Numbers) Drop(h uint64)          { t.drop(h) }

// Len returns the number of places, and Entries counts those that are not free.
func (t *Numbers) Len() int { return cap(t.places) }

func (t *Numbers) Entries() (n int) {
	for i := range t.places {
		if t.places[i].number != 0 {
			n++
		}
	}
	return n
}
