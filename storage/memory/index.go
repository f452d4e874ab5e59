package memory

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// shardCount keeps shards small (a rebuild of one stays far below 5 ms with millions of
// records) and collisions of two cores rare.
const shardCount = 128

// index finds records by a key. A key is a part of the record's own text, so it costs a string
// header only, and has to be put again when the text is replaced.
type index[T any] struct {
	seed   maphash.Seed
	shards [shardCount]indexShard[T]
}

type indexShard[T any] struct {
	mu   sync.Mutex
	m    map[string]*T
	peak int
	_    [40]byte // a cache line of its own
}

func newIndex[T any]() *index[T] { return &index[T]{seed: maphash.MakeSeed()} }

func (x *index[T]) shard(key string) *indexShard[T] {
	return &x.shards[maphash.String(x.seed, key)%shardCount]
}

func (x *index[T]) get(key string) *T {
	s := x.shard(key)
	s.mu.Lock()
	v := s.m[key]
	s.mu.Unlock()
	return v
}

// add puts v in unless the key is taken.
func (x *index[T]) add(key string, v *T) bool {
	s := x.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.m[key]; taken {
		return false
	}
	if s.m == nil {
		s.m = make(map[string]*T)
	}
	s.m[key] = v
	s.peak = max(s.peak, len(s.m))
	return true
}

// rekey replaces the text of a key that v has: an assignment to a string key stores the new
// string, so the old text is free.
func (x *index[T]) rekey(key string, v *T) {
	s := x.shard(key)
	s.mu.Lock()
	s.m[key] = v
	s.mu.Unlock()
}

// drop takes the key out.
func (x *index[T]) drop(key string) {
	s := x.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, key)
	s.m, s.peak = shrunk(s.m, s.peak)
}

// shrunk gives the memory of deleted entries back: maps keep theirs. A map that fell to an
// eighth of its peak is copied, so copying costs a fraction of the deletions before it.
func shrunk[K comparable, V any](m map[K]V, peak int) (map[K]V, int) {
	if len(m) == 0 {
		return nil, 0
	}
	if peak < 256 || len(m) > peak/8 {
		return m, peak
	}
	small := make(map[K]V, len(m))
	for k, v := range m {
		small[k] = v
	}
	return small, len(small)
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
