package client

import (
	"context"
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// AttemptLimiter slows down guessing (security row E13). Implement it over a shared store if many nodes
// answer for one provider; [NewAttemptLimit] counts within one process.
type AttemptLimiter interface {
	// Wait returns how long the pair has to wait before its next attempt, zero for not at all.
	Wait(ctx context.Context, clientID, remoteAddr string, now time.Time) time.Duration
	// Failed counts a failed attempt.
	Failed(ctx context.Context, clientID, remoteAddr string, now time.Time)
}

// The size of an AttemptLimit: 8192 pairs in 192 KiB, whatever is thrown at it.
const (
	attemptShards = 32
	attemptSets   = 64
	attemptWays   = 4
)

// AttemptLimit is an AttemptLimiter in fixed memory. A full table forgets the pair with the fewest
// failures among the few that hash alike, so junk never pushes out somebody who is guessing, and nobody
// is refused for want of room.
type AttemptLimit struct {
	max    uint32
	window time.Duration
	seed   maphash.Seed
	shards [attemptShards]attemptShard
}

type attemptShard struct {
	mu   sync.Mutex
	sets [attemptSets][attemptWays]attempts
}

// attempts is the count of one pair within one window; it is free when the window is over.
type attempts struct {
	pair  uint64
	until int64 // Unix nanoseconds
	count uint32
}

// NewAttemptLimit lets each pair of client and address fail max times in a window; then it has to wait
// until the window, which began with the first failure, is over.
func NewAttemptLimit(max int, window time.Duration) *AttemptLimit {
	return &AttemptLimit{max: uint32(max), window: window, seed: maphash.MakeSeed()}
}

// Wait implements AttemptLimiter.
func (l *AttemptLimit) Wait(_ context.Context, clientID, remoteAddr string, now time.Time) time.Duration {
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
func (l *AttemptLimit) Failed(_ context.Context, clientID, remoteAddr string, now time.Time) {
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

func (l *AttemptLimit) find(pair uint64) (*attemptShard, *[attemptWays]attempts) {
	shard := &l.shards[pair%attemptShards]
	return shard, &shard.sets[pair/attemptShards%attemptSets]
}

// pair hashes client and address under a random seed: nobody outside knows which pairs share a set.
func (l *AttemptLimit) pair(clientID, remoteAddr string) uint64 {
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

// parseAddr drops the port, and of an IPv6 address the half that its owner chooses freely.
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
		p, _ := a.Prefix(64) // 64 is a valid length
		return p.Addr()
	}
	return a
}
