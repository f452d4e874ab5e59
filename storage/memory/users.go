package memory

import "sync"

// userStripe owns the sessions, grants and consents of some users.
type userStripe struct {
	mu       sync.Mutex
	sessions table[uint64, *session] // by the seeded hash of the user's key: the first of a chain
	grants   table[uint64, *grant]   // likewise
	consents table[consentKey, *consents]
}

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
	s.users[a].mu.Unlock()
	if a != b {
		s.users[b].mu.Unlock()
	}
}
