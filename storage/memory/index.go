package memory

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// shardCount is the number of shards of an index, a queue and the users. Shards are small, so that growing one takes far less
// than 5 ms with millions of records, and two cores rarely need the same. It is not a power of two: the tables that are maps of Go double in
// size, and with a million records they are three quarters full with 160 shards, and half full with 128 or 256.
const shardCount = 160

// index finds the numbers of records by the seeded 64-bit hash of a key. The record has the whole key, and the caller compares it. Two keys
// with the same hash are a conflict, and the caller of the store makes a new random value. This happens once in 10^13 insertions
// into a million records, and cannot be provoked without the seed.
type index[T placed] struct {
	seed    maphash.Seed
	records *directory[T]
	shards  [shardCount]indexShard
}

type indexShard struct {
	mu sync.Mutex
	numbers
	_ [24]byte // a cache line of its own
}

func newIndex[T placed](records *directory[T]) *index[T] {
	return &index[T]{seed: maphash.MakeSeed(), records: records}
}

func (x *index[T]) shard(key string) (uint64, *indexShard) {
	h := maphash.String(x.seed, key)
	return h, &x.shards[h%shardCount]
}

// get returns the record that may have the key, or the zero T.
func (x *index[T]) get(key string) (v T) {
	h, s := x.shard(key)
	s.mu.Lock()
	if n := s.numbers.get(h); n != 0 {
		v = x.records.at(n)
	}
	s.mu.Unlock()
	return v
}

// add inserts v, which has a number, or returns false if the key exists.
func (x *index[T]) add(key string, v T) bool {
	h, s := x.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.numbers.get(h) != 0 {
		return false
	}
	s.numbers.set(h, v.slot().number)
	return true
}

// drop removes a key that was added.
func (x *index[T]) drop(key string) {
	h, s := x.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.numbers.drop(h)
}

// table is a map that returns the memory of deleted entries, which Go's maps keep. A map that fell to an eighth of its
// largest size is copied, so copying costs a fraction of the deletions before it. A larger one than maxCopied is not copied, because
// a lock is held.
type table[K comparable, V any] struct {
	m    map[K]V
	peak int
}

const maxCopied = 4096

func (t *table[K, V]) set(key K, v V) {
	if t.m == nil {
		t.m = make(map[K]V)
	}
	t.m[key] = v
	t.peak = max(t.peak, len(t.m))
}

func (t *table[K, V]) drop(key K) {
	delete(t.m, key)
	switch {
	case len(t.m) == 0:
		t.m, t.peak = nil, 0
	case t.peak >= 256 && len(t.m) <= min(t.peak/8, maxCopied):
		small := make(map[K]V, len(t.m))
		for k, v := range t.m {
			small[k] = v
		}
		t.m, t.peak = small, len(small)
	}
}

// share counts the records of one kind that an owner holds.
type share struct{ n atomic.Int32 }

func (s *share) held() int { return int(s.n.Load()) }

// add counts n records, and returns how many the owner holds.
func (s *share) add(n int) int64 { return int64(s.n.Add(int32(n))) }

// owners are the shares in which a record counts.
type owners struct {
	first  *share
	second *share // nil if the kind has one owner
	part   *share // of what both owners have in common; nil if the kind has no parts
}

// counter counts the records of one kind, up to a bound, and divides the room between owners.
//
// An owner may hold at most as many records as are free. One owner can therefore fill half of the room, and k owners k/(k+1) of it,
// and an owner without a record finds room until the bound is reached. A record with two owners needs room for both. A part of an
// owner may likewise hold at most as many records as the owner may still add.
type counter struct {
	n   atomic.Int64
	max int64
	_   [48]byte
}

// take counts n records of owners. It returns false if they have no room.
func (c *counter) take(n int, of owners) bool {
	free := c.max - c.n.Add(int64(n)) + int64(n)
	held := of.first.add(n)
	if of.second != nil {
		held = max(held, of.second.add(n))
	}
	room := held <= free
	if of.part != nil {
		room = of.part.add(n) <= free-held+int64(n) && room
	}
	if !room {
		c.give(n, of)
	}
	return room
}

// give reverses take.
func (c *counter) give(n int, of owners) {
	c.n.Add(-int64(n))
	of.first.add(-n)
	if of.second != nil {
		of.second.add(-n)
	}
	if of.part != nil {
		of.part.add(-n)
	}
}

func (c *counter) value() int { return int(c.n.Load()) }
