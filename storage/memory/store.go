// Package memory implements provider.Store and the optional interfaces of stores in one process. Its records are lost when
// the process ends, and other processes do not see them: users then log in again. It is bounded, and it is the reference for
// other stores.
//
// # Encoding
//
// A record is kept as one string, which each method that returns the record decodes. A login (session, redeemed code, access
// token, refresh token) takes 1,190 bytes with its indexes and queues (TestBytesPerRecord). The structs of package storage would
// take 2,500 bytes; 290 bytes of the difference come from the table of symbols, the texts that many records share, such as client
// IDs and scopes. Encoding and decoding also copy the record, as the rules of package storage require, and two records are equal
// if their strings are. Methods read the fields that they compare without decoding the rest of the record (session_text.go,
// grant_text.go).
//
// # Locks
//
// There are three kinds. They are locked in this order:
//
//  1. users: a fixed number of stripes, chosen by the user. A stripe guards the sessions and consents of its users, and the
//     tree of the grants of each. A method on two users locks both stripes in ascending order.
//  2. grant: a mutex in each grant. It guards the code, the grant and all its tokens, and orders the methods on tokens. A method
//     holds one at a time.
//  3. leaves: a shard of an index, of the queue of expiring records, of clients, of pushed requests, of logins or of assertions, a
//     directory, and the signing keys. A method holds one at a time.
//
// An index has numbers of records instead of pointers, and a directory has the record of each number (directory.go), so that a
// collection of garbage does not read the indexes. An index only finds a record. A method that found one locks the stripe or the
// grant that guards the record, and then checks that the record is live and has the key. A method that inserts a record holds that
// lock, and can therefore insert the keys of the record one by one and remove them after a conflict: other methods do not see a
// part of them.
//
// EndSession and Revoke set one value that all grants of the session or of the authorization read. The duration of a hold does not
// depend on the number of records, except for its logarithm (TestLockHolds) and for tables that grow or shrink: when the number of records
// of a kind reaches a new maximum, 24 bytes for 64 of them are copied now and then, and a shard of an index copies its entries (0.2 ms for
// 100,000).
//
// # Expiry
//
// No goroutine runs. Every write removes ("collects") a few expired records, so the store stays small under traffic. Call
// [Store.Sweep] about once a minute to remove them without traffic. The memory of removed records is freed, also that of Go maps,
// which do not shrink by themselves.
package memory

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"sync/atomic"
	"time"

	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/storage"
)

// Config holds the bounds of a store. At a bound, inserting returns storage.ErrFull; live records are never evicted. A field must be from 0
// to 2^30, and zero is the default. A store that reaches all of them takes about 2.5 GiB.
//
// The owner of a session, consent or login is its user, and that of a pushed request or assertion is its client. Grants and tokens
// have two owners, their user and their client. An owner may hold at most as many records of a kind as are free: one owner can fill
// half of a bound, and others find room in the rest. The grants and tokens of a user at one client may be at most as many as the user
// and the client may still add, a third of the bound, so that a client that refreshes or exchanges tokens without pause does not keep
// the user from other clients, nor a user other users from the client. Set bounds to twice the records that are expected.
type Config struct {
	// MaxSessions bounds live sessions, of which one user may have 1,000. As many sessions that ended may be recognised besides,
	// 16 of each user. The default is 1,000,000 (about 450 MB).
	MaxSessions int
	// MaxGrants bounds grants, from their code on until they expire, and denials. The default is 1,000,000 (about 500 MB).
	MaxGrants int
	// MaxTokens bounds access tokens and all generations of refresh tokens. The default is 4,000,000.
	MaxTokens int
	// MaxPushedRequests bounds pushed requests, also consumed ones until they expire. The default is 100,000.
	MaxPushedRequests int
	// MaxPushedRequestsPerClient bounds the pushed requests of one authenticated client that are not consumed. The default is
	// 1,000.
	MaxPushedRequestsPerClient int
	// MaxPushedRequestsPerAddress bounds the pushed requests of one public client from one address that are not consumed
	// (storage.PushedRequest.Source). The default is 20.
	MaxPushedRequestsPerAddress int
	// MaxConsents bounds consents. The default is 1,000,000.
	MaxConsents int
	// MaxLogins bounds entries of the login history. The default is 1,000,000.
	MaxLogins int
	// MaxReplays bounds consumed assertions. The default is 1,000,000: 7,600 per second if each is remembered for 130 s.
	MaxReplays int
}

// Store is a store in memory. It is safe for concurrent use. Use New or NewWith to make one.
type Store struct {
	sessions       directory[*session]
	sessionsByHash *index[*session]
	sessionsByID   *index[*session]
	owners         directory[*user]
	users          [shardCount]userStripe
	clients        [shardCount]clientShard

	outcomes directory[*grant]
	codes    *index[*grant] // by code hash
	requests *index[*grant] // by RequestID
	grants   *index[*grant] // by Grant.ID

	accessTokens  directory[*accessToken]
	access        *index[*accessToken]
	refreshTokens directory[*refreshToken]
	refresh       *index[*refreshToken]

	pushedRequests                 directory[*pushedRequest]
	pushed                         *index[*pushedRequest]
	pushing                        [shardCount]pushingShard
	maxPushed, maxPushedPerAddress int // not consumed, of one source

	logins       [shardCount]loginStripe
	replays      [shardCount]replayShard
	replayOwners [shardCount]replayOwners
	signing      signingKeys

	due       queues
	nextShard atomic.Uint32 // where the next Sweep starts
	turn      atomic.Uint32 // of tidy
	seed      maphash.Seed

	sessionCount, endedCount, grantCount, tokenCount, pushedCount, consentCount, loginCount, replayCount counter
}

// New returns an empty store with the default bounds.
func New() *Store {
	s := newStore()
	_ = s.setBounds(Config{}) // zero fields are valid
	return s
}

// NewWith returns an empty store with the bounds of c. It reports every problem of c at once, as portner.FieldErrors.
func NewWith(c Config) (*Store, error) {
	s := newStore()
	if err := s.setBounds(c); err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	return s, nil
}

func newStore() *Store {
	s := &Store{seed: maphash.MakeSeed()}
	s.sessionsByHash, s.sessionsByID = newIndex(&s.sessions), newIndex(&s.sessions)
	s.codes, s.requests, s.grants = newIndex(&s.outcomes), newIndex(&s.outcomes), newIndex(&s.outcomes)
	s.access, s.refresh = newIndex(&s.accessTokens), newIndex(&s.refreshTokens)
	s.pushed = newIndex(&s.pushedRequests)
	return s
}

// maxBound keeps the numbers of a directory, of which at most half are free, and the counts of owners within 32 bits.
const maxBound = 1 << 30

// setBounds sets the bounds of c, and reports every field that is negative.
func (s *Store) setBounds(c Config) error {
	var problems fields.Checker
	bound := func(field string, n, standard int) int64 {
		problems.Want(0 <= n && n <= maxBound, field, "must be from 0 to 2^30")
		return int64(cmp.Or(n, standard))
	}
	s.sessionCount.max = bound("MaxSessions", c.MaxSessions, 1_000_000)
	s.endedCount.max = s.sessionCount.max
	s.grantCount.max = bound("MaxGrants", c.MaxGrants, 1_000_000)
	s.tokenCount.max = bound("MaxTokens", c.MaxTokens, 4_000_000)
	s.pushedCount.max = bound("MaxPushedRequests", c.MaxPushedRequests, 100_000)
	s.maxPushed = int(bound("MaxPushedRequestsPerClient", c.MaxPushedRequestsPerClient, 1_000))
	s.maxPushedPerAddress = int(bound("MaxPushedRequestsPerAddress", c.MaxPushedRequestsPerAddress, 20))
	s.consentCount.max = bound("MaxConsents", c.MaxConsents, 1_000_000)
	s.loginCount.max = bound("MaxLogins", c.MaxLogins, 1_000_000)
	s.replayCount.max = bound("MaxReplays", c.MaxReplays, 1_000_000)
	return problems.Err()
}

// Stats holds the numbers of records, including expired ones that are not collected yet.
type Stats struct {
	Sessions       int // live
	EndedSessions  int // recognised until they would have expired
	Grants         int // grants, codes and denials
	Tokens         int // access tokens and every generation of refresh tokens
	PushedRequests int // consumed or not
	Consents       int // of all users
	Logins         int // entries of the login history
	Replays        int // consumed assertions
}

// Stats returns the numbers of records. It takes no lock.
func (s *Store) Stats() Stats {
	return Stats{
		Sessions:       s.sessionCount.value(),
		EndedSessions:  s.endedCount.value(),
		Grants:         s.grantCount.value(),
		Tokens:         s.tokenCount.value(),
		PushedRequests: s.pushedCount.value(),
		Consents:       s.consentCount.value(),
		Logins:         s.loginCount.value(),
		Replays:        s.replayCount.value(),
	}
}

// withRoom calls try. If try returns ErrFull, withRoom collects the expired records of some kinds and calls try again. The
// caller holds no lock.
func (s *Store) withRoom(now time.Time, try func() error, kinds ...int) error {
	err := try()
	if err == storage.ErrFull {
		s.makeRoom(now, kinds...)
		err = try()
	}
	return err
}

// hashOf returns the hash of a key. Its seed is random, because clients choose some keys and must not choose the shard.
func (s *Store) hashOf(key string) uint64 { return maphash.String(s.seed, key) }

func (s *Store) shardOf(key string) int { return int(s.hashOf(key) % shardCount) }
