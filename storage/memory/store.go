// Package memory keeps everything in the process: the embedded default and the reference
// the other stores are compared with. One process only: nodes do not see one another's
// records, and a restart forgets them all (people log in again, clients start over).
//
// # Locks
//
// Three kinds, always taken in this order and never two of the same kind at once:
//
//  1. person: one of a fixed number of stripes, chosen by UserKey. It guards the sessions of
//     the people in the stripe and the list of grants given in each session. (Consents have
//     stripes of their own, taken in ascending order and before nothing but leaves.)
//  2. grant: a mutex in every grant. It guards the code, the grant and all its tokens, so
//     each token verb is ordered against RevokeGrant and EndSession by this one lock.
//  3. leaves: a shard of an index or of the expiry queue. Nothing is locked under a leaf.
//
// An index only finds the object: whoever found one locks its owner and looks again whether
// the record is there, live and has that very key. So a verb may put its keys in one by
// one and take them out again on a conflict: nobody sees it before the owner's lock is free.
//
// # Memory
//
// Records are kept encoded, one string each: half the bytes of the structs, and copies in and
// out follow by themselves. No goroutine runs. Every write also collects a few expired records,
// so the store shrinks under traffic alone; call [Store.Sweep] about once a minute so that it
// does without. Go maps never shrink, so emptied ones are replaced.
package memory

import (
	"hash/maphash"
	"sync/atomic"
	"time"

	"github.com/portner-go/portner/storage"
)

// Config bounds the store. At a bound, creation answers storage.ErrFull; nothing live is ever
// evicted. Zero fields take the defaults, which add up to about 2.5 GiB when all are reached.
type Config struct {
	// MaxSessions counts sessions, live or ended before their time. Default 1,000,000 (about 450 MB).
	MaxSessions int
	// MaxGrants counts grants, from their code on until they end. Default 1,000,000 (about 500 MB).
	MaxGrants int
	// MaxTokens counts access tokens and all generations of refresh tokens. Default 4,000,000.
	MaxTokens int
	// MaxPushedRequests counts pushed requests, used ones too. Default 100,000.
	MaxPushedRequests int
	// MaxPushedRequestsPerClient counts one client's unused pushed requests, so that one client
	// cannot shut out the others. Default 1,000.
	MaxPushedRequestsPerClient int
	// MaxConsents counts remembered consents. Default 1,000,000.
	MaxConsents int
	// MaxLogins counts entries of the login history. Default 1,000,000.
	MaxLogins int
	// MaxReplays counts remembered assertions. Default 1,000,000: 3,300 assertions a second
	// that live for 300 seconds.
	MaxReplays int
}

// Store is a store in memory. It is safe for concurrent use. Make one with New or NewWith.
type Store struct {
	sessionsByHash *index[*session]
	sessionsByID   *index[*session]
	users          [shardCount]userStripe

	codes    *index[*grant] // by code hash
	requests *index[*grant] // by RequestID
	grants   *index[*grant] // by Grant.ID
	access   *index[*accessToken]
	refresh  *index[*refreshToken]

	pushed        *index[*pushedRequest]
	pushedClients tally

	logins  [shardCount]loginStripe
	replays [shardCount]replayShard

	due       queues
	nextShard atomic.Uint32 // where the next Sweep starts
	turn      atomic.Uint32 // of tidy
	seed      maphash.Seed

	sessionCount, grantCount, tokenCount, pushedCount, consentCount, loginCount, replayCount counter
}

// New returns an empty store with the default bounds.
func New() *Store { return NewWith(Config{}) }

// NewWith returns an empty store with the bounds of c.
func NewWith(c Config) *Store {
	s := &Store{
		sessionsByHash: newIndex[*session](),
		sessionsByID:   newIndex[*session](),
		codes:          newIndex[*grant](),
		requests:       newIndex[*grant](),
		grants:         newIndex[*grant](),
		access:         newIndex[*accessToken](),
		refresh:        newIndex[*refreshToken](),
		pushed:         newIndex[*pushedRequest](),
		seed:           maphash.MakeSeed(),
	}
	s.sessionCount.max = bound(c.MaxSessions, 1_000_000)
	s.grantCount.max = bound(c.MaxGrants, 1_000_000)
	s.tokenCount.max = bound(c.MaxTokens, 4_000_000)
	s.pushedCount.max = bound(c.MaxPushedRequests, 100_000)
	s.pushedClients.max = int(bound(c.MaxPushedRequestsPerClient, 1_000))
	s.pushedClients.seed = s.seed
	s.consentCount.max = bound(c.MaxConsents, 1_000_000)
	s.loginCount.max = bound(c.MaxLogins, 1_000_000)
	s.replayCount.max = bound(c.MaxReplays, 1_000_000)
	return s
}

func bound(n, standard int) int64 {
	if n <= 0 {
		n = standard
	}
	return int64(n)
}

// Stats are the numbers of records held, expired ones that are not collected yet included.
type Stats struct {
	Sessions       int // live, or ended before their time
	Grants         int // grants and codes
	Tokens         int // access tokens and every generation of refresh tokens
	PushedRequests int // unused or used, until they expire
	Consents       int // remembered ones
	Logins         int // entries of the login history
	Replays        int // remembered assertions
}

// Stats returns the numbers for metrics. It takes no lock.
func (s *Store) Stats() Stats {
	return Stats{
		Sessions:       s.sessionCount.value(),
		Grants:         s.grantCount.value(),
		Tokens:         s.tokenCount.value(),
		PushedRequests: s.pushedCount.value(),
		Consents:       s.consentCount.value(),
		Logins:         s.loginCount.value(),
		Replays:        s.replayCount.value(),
	}
}

// withRoom calls try. If it returns ErrFull, the expired records of some kinds, which do not count, are collected, and
// try is called again. The caller holds no lock.
func (s *Store) withRoom(now time.Time, try func() error, kinds ...int) error {
	err := try()
	if err == storage.ErrFull {
		s.makeRoom(now, kinds...)
		err = try()
	}
	return err
}

// hashOf spreads keys over the shards. Peers choose some keys (ClientID): the seed is random so
// that nobody can aim at one shard.
func (s *Store) hashOf(key string) uint64 { return maphash.String(s.seed, key) }

func (s *Store) shardOf(key string) int { return int(s.hashOf(key) % shardCount) }
