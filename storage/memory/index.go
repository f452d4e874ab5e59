package memory

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// shardCount keeps shards small (a rebuild of one stays far below 5 ms with millions of
// records) and collisions of two cores rare. It is no power of two because Go's maps double by
// such: at the default bounds of a million they are three quarters full with 160 shards, and
// half full with 128 or 256.
const shardCount = 160

// index finds records by the seeded 64-bit hash of a key. The record has the whole key, and its
// owner compares it. Two keys with one hash, once in 10^13 insertions into a million records and
// nobody can look for them without the seed, are a conflict like any other: the caller makes a
// new random value.
type index[T any] struct {
	seed   maphash.Seed
	shards [shardCount]indexShard[T]
}

type indexShard[T any] struct {
	mu sync.Mutex
	table[uint64, T]
	_ [40]byte // a cache line of its own
}

func newIndex[T any]() *index[T] { return &index[T]{seed: maphash.MakeSeed()} }

func (x *index[T]) shard(key string) (uint64, *indexShard[T]) {
	h := maphash.String(x.seed, key)
	return h, &x.shards[h%shardCount]
}

// get returns what may have the key, or the zero T.
func (x *index[T]) get(key string) T {
	h, s := x.shard(key)
	s.mu.Lock()
	v := s.m[h]
	s.mu.Unlock()
	return v
}

// add puts v in unless the key is taken.
func (x *index[T]) add(key string, v T) bool {
	h, s := x.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.m[h]; taken {
		return false
	}
	s.set(h, v)
	return true
}

// drop takes out a key that was added.
func (x *index[T]) drop(key string) {
	h, s := x.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.table.drop(h)
}

// table is a map that returns the memory of deleted entries, which Go's maps keep. A map that fell to an eighth of its
// largest size is copied, so copying costs a fraction of the deletions before it.
type table[K comparable, V any] struct {
	m    map[K]V
	peak int
}

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
	case t.peak >= 256 && len(t.m) <= t.peak/8:
		small := make(map[K]V, len(t.m))
		for k, v := range t.m {
			small[k] = v
		}
		t.m, t.peak = small, len(small)
	}
}

// counter counts the records of one kind against their bound.
type counter struct {
	n   atomic.Int64
	max int64
	_   [48]byte
}

func (c *counter) take(n int) bool {
	if c.n.Add(int64(n)) > c.max {
		c.n.Add(-int64(n))
		return false
	}
	return true
}

func (c *counter) give(n int) { c.n.Add(-int64(n)) }

func (c *counter) value() int { return int(c.n.Load()) }

// tally counts per name against one bound.
type tally struct {
	seed   maphash.Seed
	max    int
	shards [shardCount]struct {
		mu sync.Mutex
		n  map[string]int
	}
}

func (t *tally) take(name string) bool {
	s := &t.shards[maphash.String(t.seed, name)%shardCount]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n[name] >= t.max {
		return false
	}
	if s.n == nil {
		s.n = make(map[string]int)
	}
	s.n[name]++
	return true
}

func (t *tally) give(name string) {
	s := &t.shards[maphash.String(t.seed, name)%shardCount]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n[name]--; s.n[name] <= 0 {
		delete(s.n, name)
	}
}
