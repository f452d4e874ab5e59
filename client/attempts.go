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

// AttemptLimiter limits attempts to guess the secret of a client. [NewAttemptLimiter] returns one that counts in this process; a
// provider on several nodes can implement AttemptLimiter with a shared store.
type AttemptLimiter interface {
	// Wait returns the time until the next wrong secret of a client from an address is answered as such, 0 if it is now.
	Wait(ctx context.Context, clientID, remoteAddr string, now time.Time) time.Duration
	// Failed counts a wrong secret.
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
		if a.pair == pair && a.count >= l.max && l.live(a, now) {
			return time.Duration(a.until - now.UnixNano())
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
		if !l.live(*a, now) {
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

// live reports whether a window has not ended. A window that ends more than two windows from now began while the clock was ahead
// and does not count; one window of slack keeps a concurrent request with an earlier now from ending it.
func (l *attemptTable) live(a attempts, now time.Time) bool {
	left := a.until - now.UnixNano()
	return left > 0 && left/2 <= int64(l.window)
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
// chooses the rest itself, unless the address is that of an IPv4 host.
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
		if v4 := embedded(a); v4.IsValid() {
			return v4
		}
		p, _ := a.Prefix(64) // never fails: 64 is a valid length
		return p.Addr()
	}
	return a
}

// Prefixes of IPv6 addresses of IPv4 hosts. All hosts behind a translator have one network prefix.
var (
	nat64      = netip.MustParsePrefix("64:ff9b::/96")   // RFC 6052 §2.1
	localNAT64 = netip.MustParsePrefix("64:ff9b:1::/48") // RFC 8215; the place of the IPv4 address is unknown
	sixToFour  = netip.MustParsePrefix("2002::/16")      // RFC 3056 §2
	teredo     = netip.MustParsePrefix("2001::/32")      // RFC 4380 §4
)

// embedded returns the IPv4 address in an IPv6 address, or the whole address if a translator of unknown form assigned it. It returns
// the zero Addr for a native IPv6 address.
func embedded(a netip.Addr) netip.Addr {
	b := a.As16()
	switch {
	case nat64.Contains(a):
		return netip.AddrFrom4([4]byte(b[12:]))
	case localNAT64.Contains(a):
		return a
	case sixToFour.Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6]))
	case teredo.Contains(a): // every bit is inverted
		return netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]})
	}
	return netip.Addr{}
}
