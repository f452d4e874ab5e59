package memory

import (
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/portner-go/portner/storage"
)

// userStripe owns the sessions, grants and consents of some users.
type userStripe struct {
	mu             sync.Mutex
	users          numbers // by the seeded hash of the key: the number of the first of a chain
	authorizations table[authorizationKey, *authorization]
	consents       table[consentKey, *consents]
	// visited counts the records that one hold of the lock visits, and mostVisited is the largest count. Tests bound it.
	visited, mostVisited int
}

// user holds what the store has of one user: sessions, grants and consents. The grants of a client without a user belong to a
// user, too, which has the key of the client. The stripe guards it.
type user struct {
	place slot
	key   storage.Hash
	// first is the place of one authorization: most users have one. It is free if it has no grant and no token. The others are in
	// userStripe.authorizations. It is beside the key, because every use of a token reads both.
	first    authorization
	next     *user    // with the same seeded hash
	sessions *session // newest first
	ended    *session // those that ended last, newest first
	grants   uint32   // the root of a tree by age (tree.go)

	sessionShare, grantShare, tokenShare, consentShare share
}

func (u *user) slot() *slot { return &u.place }

// authorization holds what is common to the grants of a user to one client for one customer. Its stripe guards it, except revoked
// and the shares. After a revocation the next grant gets another one.
type authorization struct {
	user                   *user
	client                 *clientOwner
	hash                   uint64 // of client and customer
	revoked                atomic.Bool
	grantShare, tokenShare share
}

// authorizationKey identifies an authorization. Two of one user have the same seeded hash once in 10^19 pairs.
type authorizationKey struct {
	user *user
	hash uint64
}

// grantOwners returns the owners of the grants.
func (a *authorization) grantOwners() owners {
	return owners{&a.user.grantShare, &a.client.grantShare, &a.grantShare}
}

// tokenOwners returns the owners of the tokens.
func (a *authorization) tokenOwners() owners {
	return owners{&a.user.tokenShare, &a.client.tokenShare, &a.tokenShare}
}

// isFree reports whether nothing counts in the shares. Tokens that have expired may be collected later than their grant.
func (a *authorization) isFree() bool { return a.grantShare.held() == 0 && a.tokenShare.held() == 0 }

// stripeOf returns the index of the stripe of a user, whose key has the given seeded hash.
func stripeOf(user uint64) uint8 { return uint8(user % shardCount) }

// lockUsers locks two stripes, which may be the same, in ascending order.
func (s *Store) lockUsers(a, b uint8) {
	s.users[min(a, b)].mu.Lock()
	if a != b {
		s.users[max(a, b)].mu.Lock()
	}
}

func (s *Store) unlockUsers(a, b uint8) {
	s.users[a].unlock()
	if a != b {
		s.users[b].unlock()
	}
}

func (st *userStripe) unlock() {
	st.mostVisited = max(st.mostVisited, st.visited)
	st.visited = 0
	st.mu.Unlock()
}

// ownerKey returns the key of the owner of a grant: its user, or its client if it has no user.
func ownerKey(g *storage.Grant) storage.Hash {
	if hasUser(g) {
		return g.UserKey
	}
	return clientKey(g.ClientID)
}

// clientKey returns the key under which the grants of a client without a user are kept.
func clientKey(clientID string) storage.Hash { return storage.HashOf("client\x00" + clientID) }

// hasUser reports whether Grants lists a grant: those of machines are not listed.
func hasUser(g *storage.Grant) bool { return g.UserKey != storage.Hash{} || g.SessionID != "" }

func (s *Store) hashOfUser(key *storage.Hash) uint64 { return s.hashOf(string(key[:])) }

// findUser returns the user with a key, whose seeded hash is h, or nil. The caller holds the stripe.
func (s *Store) findUser(h uint64, key *storage.Hash) *user {
	u := s.firstUser(h)
	for u != nil && u.key != *key {
		s.users[stripeOf(h)].visited++
		u = u.next
	}
	return u
}

// firstUser returns the first user whose key has the seeded hash h, or nil. The caller holds the stripe.
func (s *Store) firstUser(h uint64) *user {
	n := s.users[stripeOf(h)].users.get(h)
	if n == 0 {
		return nil
	}
	return s.owners.at(n)
}

// user returns the user with a key. It makes one, which the caller removes with release if nothing was inserted.
func (s *Store) user(h uint64, key *storage.Hash) *user {
	u := s.findUser(h, key)
	if u == nil {
		u = &user{key: *key, next: s.firstUser(h)}
		u.first.user = u
		s.owners.insert(u)
		s.users[stripeOf(h)].users.set(h, u.place.number)
	}
	return u
}

// release removes a user that has nothing, and that was not removed before. The caller holds the stripe.
func (s *Store) release(u *user) {
	if !u.place.numbered() || u.sessions != nil || u.ended != nil || u.grantShare.held() > 0 || u.consentShare.held() > 0 {
		return
	}
	h := s.hashOfUser(&u.key)
	st := &s.users[stripeOf(h)]
	switch first := s.firstUser(h); {
	case first != u:
		for ; first != nil; first = first.next {
			if first.next == u {
				first.next = u.next
			}
		}
	case u.next != nil:
		st.users.set(h, u.next.place.number)
	default:
		st.users.drop(h)
	}
	s.owners.remove(u)
}

// hashOfClient returns the seeded hash of a client and a customer.
func (s *Store) hashOfClient(clientID, customer string) uint64 {
	return bits.RotateLeft64(s.hashOf(clientID), 1) ^ s.hashOf(customer)
}

// clientOwner is a client as the owner of the grants and tokens of all users.
type clientOwner struct {
	hash                   uint64 // of the client
	authorizations         int    // that have a grant; the shard guards it
	grantShare, tokenShare share
}

// clientShard holds clients by their seeded hashes. Two clients with the same one are one owner.
type clientShard struct {
	mu sync.Mutex
	table[uint64, *clientOwner]
	_ [40]byte
}

// client returns the client with a hash, for one more authorization.
func (s *Store) client(hash uint64) *clientOwner {
	sh := &s.clients[hash%shardCount]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	c := sh.m[hash]
	if c == nil {
		c = &clientOwner{hash: hash}
		sh.set(hash, c)
	}
	c.authorizations++
	return c
}

// releaseClient reverses client.
func (s *Store) releaseClient(c *clientOwner) {
	sh := &s.clients[c.hash%shardCount]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if c.authorizations--; c.authorizations == 0 {
		sh.drop(c.hash)
	}
}

// authorization returns the authorization of a user for a client and a customer. It makes one, which the caller removes with
// releaseAuthorization if no grant was inserted. The caller holds the stripe.
func (s *Store) authorization(h uint64, key *storage.Hash, clientID, customer string) *authorization {
	u, st, hash := s.user(h, key), &s.users[stripeOf(h)], s.hashOfClient(clientID, customer)
	a := st.findAuthorization(u, hash)
	switch {
	case a != nil:
		return a
	case u.first.isFree():
		a = &u.first
		a.revoked.Store(false) // the grants that it had are gone
	default:
		a = &authorization{user: u}
		st.authorizations.set(authorizationKey{u, hash}, a)
	}
	a.hash, a.client = hash, s.client(s.hashOf(clientID))
	return a
}

// findAuthorization returns the authorization of u with a hash that is not revoked, or nil.
func (st *userStripe) findAuthorization(u *user, hash uint64) *authorization {
	if a := &u.first; a.hash == hash && a.grantShare.held() > 0 && !a.revoked.Load() {
		return a
	}
	return st.authorizations.m[authorizationKey{u, hash}]
}

// revoke ends the grants of u with a hash of client and customer.
func (st *userStripe) revoke(u *user, hash uint64) {
	a := st.findAuthorization(u, hash)
	if a == nil {
		return
	}
	a.revoked.Store(true)
	if a != &u.first {
		st.authorizations.drop(authorizationKey{u, hash})
	}
}

// releaseAuthorization removes an authorization that has no grant, and its user if it has nothing. The caller holds the stripe.
func (s *Store) releaseAuthorization(stripe uint8, a *authorization) {
	if a.grantShare.held() > 0 {
		return
	}
	s.releaseClient(a.client)
	if st := &s.users[stripe]; a != &a.user.first && st.authorizations.m[authorizationKey{a.user, a.hash}] == a {
		st.authorizations.drop(authorizationKey{a.user, a.hash})
	}
	s.release(a.user)
}
