package client

import (
	"context"
	"fmt"
	"hash/maphash"
	"math"
	"net/netip"
	"sync"
	"time"

	"github.com/portner-go/portner/internal/fields"
)

// AttemptLimiter limits failed attempts to authenticate. [NewAttemptLimiter] returns one that counts in this process; a
// provider on several nodes can implement AttemptLimiter with a shared store.
type AttemptLimiter interface {
	// Wait returns the time until the next attempt of a client from an address is allowed, 0 if it is allowed now.
	Wait(ctx context.Context, clientID, remoteAddr string, now time.Time) time.Duration
	// Failed counts a failed attempt.
	Failed(ctx context.Context, clientID, remoteAddr string, now time.Time)
}

// Size of an attemptTable: 8192 pairs of client and address in 192 KiB.
const (
	attemptShards = 32
	attemptSets   = 64
	attemptWays   = 4
)

// attemptTable is an AttemptLimiter in fixed memory. Each pair of client and address has a place in one of 2048 sets of four.
// A full set drops the pair with the fewest failures, so that a flood of random identifiers does not remove the pairs that
// are limited.
type attemptTable struct {
	max    uint32
	window time.Duration
	seed   maphash.Seed
	shards [attemptShards]attemptShard
}

type attemptShard struct {
	mu   sync.Mutex
	sets [attemptSets][attemptWays]attempts
}

// attempts is the count of one pair within one window. Its place is free after until.
type attempts struct {
	pair  uint64
	until int64 // Unix nanoseconds
	count uint32
}

// NewAttemptLimiter returns a limit of max failures for each pair of client and address, counted in this process in fixed memory.
// The window begins with the first failure; when max is reached, the pair has to wait for its end. Both arguments must be
// positive.
func NewAttemptLimiter(max int, window time.Duration) (AttemptLimiter, error) {
	var problems fields.Checker
	problems.Want(max > 0 && int64(max) <= math.MaxUint32, "max", "must be positive and at most 4294967295")
	problems.Want(window > 0, "window", "must be positive")
	if err := problems.Err(); err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	return newAttemptTable(uint32(max), window), nil
}

func newAttemptTable(max uint32, window time.Duration) *attemptTable {
	return &attemptTable{max: max, window: window, seed: maphash.MakeSeed()}
}

// Wait implements AttemptLimiter.
func (l *attemptTable) Wait(_ context.Context, clientID, remoteAddr string, now time.Time) time.Duration {
	pair := l.pair(clientID, remoteAddr)
	shard, set := l.find(pair)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	for _, a := range set {
		if left := a.until - now.UnixNano(); a.pair == pair && left > 0 && a.count >= l.max {
			return time.Duration(left)
		}
	}
	return 0
}

// Failed implements AttemptLimiter.
func (l *attemptTable) Failed(_ context.Context, clientID, remoteAddr string, now time.Time) {
	pair := l.pair(clientID, remoteAddr)
	shard, set := l.find(pair)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	least := &set[0]
	for i := range set {
		a := &set[i]
		if a.until <= now.UnixNano() {
			a.count = 0
		}
		if a.pair == pair && a.count > 0 {
			a.count++
			return
		}
		if a.count < least.count || a.count == least.count && a.until < least.until {
			least = a
		}
	}
	*least = attempts{pair: pair, until: now.Add(l.window).UnixNano(), count: 1}
}

func (l *attemptTable) find(pair uint64) (*attemptShard, *[attemptWays]attempts) {
	shard := &l.shards[pair%attemptShards]
	return shard, &shard.sets[pair/attemptShards%attemptSets]
}

// pair hashes client and address under a random seed, so that peers cannot predict which pairs share a set.
func (l *attemptTable) pair(clientID, remoteAddr string) uint64 {
	var h maphash.Hash
	h.SetSeed(l.seed)
	h.WriteString(clientID)
	h.WriteByte(0)
	if a := parseAddr(remoteAddr); a.IsValid() {
		b := a.As16()
		h.Write(b[:])
	} else {
		h.WriteString(remoteAddr)
	}
	return h.Sum64()
}

// parseAddr returns an address without its port. Of an IPv6 address it keeps the network prefix of 64 bits, because a host
// chooses the rest itself.
func parseAddr(s string) netip.Addr {
	ap, err := netip.ParseAddrPort(s)
	a := ap.Addr()
	if err != nil {
		if a, err = netip.ParseAddr(s); err != nil {
			return netip.Addr{}
		}
	}
	a = a.Unmap().WithZone("")
	if a.Is6() {
		p, _ := a.Prefix(64) // never fails: 64 is a valid length
		return p.Addr()
	}
	return a
}
