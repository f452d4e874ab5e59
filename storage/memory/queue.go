package memory

import (
	"slices"
	"sync"
)

// expiring is a record that expires. Callers of schedule and cancel hold the lock of its owner.
type expiring interface {
	placed
	shard() int // of the queue; never changes while the record is queued
	// collect removes the parts of the record that have expired at now, and returns the number of records removed. It
	// schedules the rest again. The caller holds no lock.
	collect(s *Store, now int64) int
}

// slot is the place of a record in its directory and in the queue. The lock of the shard guards pos.
type slot struct {
	number uint32 // in the directory; 0 if it is in none
	pos    int32  // index in the heap plus one; 0 if it is not queued
}

// shard returns a shard of the queue. Eight neighbouring numbers have one shard, which saves cache misses of the garbage collector. With more
// of them in one shard, a write would find few expired records in a small store.
func (sl *slot) shard() int { return int(sl.number / tidyBatch % shardCount) }

// queue holds all records of one kind by their ends, in one binary heap per shard. Each record is in it once.
type queue[T expiring] struct {
	shards [shardCount]queueShard[T]
}

type queueShard[T expiring] struct {
	mu   sync.Mutex
	heap []queued[T]
	_    [32]byte
}

type queued[T expiring] struct {
	at   int64
	item T
}

// schedule sets the end of item, and inserts it if it is not queued.
func (q *queue[T]) schedule(item T, at int64) {
	sl := item.slot()
	s := &q.shards[item.shard()]
	s.mu.Lock()
	defer s.mu.Unlock()
	if sl.pos == 0 {
		s.heap = append(grown(s.heap), queued[T]{at, item})
		sl.pos = int32(len(s.heap))
		s.up(len(s.heap) - 1)
		return
	}
	i := int(sl.pos) - 1
	s.heap[i].at = at
	s.up(i)
	s.down(int(sl.pos) - 1)
}

// cancel removes item from the queue.
func (q *queue[T]) cancel(item T) {
	sl := item.slot()
	s := &q.shards[item.shard()]
	s.mu.Lock()
	defer s.mu.Unlock()
	if sl.pos != 0 {
		s.remove(int(sl.pos) - 1)
	}
}

// pop removes up to most records that end at now or before, and returns them.
func (q *queue[T]) pop(shard int, now int64, most int) (due []T) {
	s := &q.shards[shard]
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(due) < most && len(s.heap) > 0 && s.heap[0].at <= now {
		due = append(due, s.heap[0].item)
		s.remove(0)
	}
	return due
}

func (s *queueShard[T]) remove(i int) {
	s.heap[i].item.slot().pos = 0
	last := len(s.heap) - 1
	moved := s.heap[last]
	s.heap[last] = queued[T]{}
	s.heap = s.heap[:last]
	if i < last {
		s.place(i, moved)
		s.up(i)
		s.down(int(moved.item.slot().pos) - 1)
	}
	s.heap = trimmed(s.heap)
}

// grown returns s, or a copy of it with a quarter more room if it is full: append doubles a short slice.
func grown[T any](s []T) []T {
	if len(s) < cap(s) {
		return s
	}
	return append(slices.Grow([]T(nil), len(s)+len(s)/4+1), s...)
}

// trimmed returns s, or a copy of it with less capacity if at most an eighth of the capacity is used.
func trimmed[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	if cap(s) < 256 || len(s) > cap(s)/8 {
		return s
	}
	return append(make([]T, 0, len(s)*2), s...)
}

func (s *queueShard[T]) place(i int, q queued[T]) {
	s.heap[i] = q
	q.item.slot().pos = int32(i + 1)
}

func (s *queueShard[T]) up(i int) {
	q := s.heap[i]
	for i > 0 {
		parent := (i - 1) / 2
		if s.heap[parent].at <= q.at {
			break
		}
		s.place(i, s.heap[parent])
		i = parent
	}
	s.place(i, q)
}

func (s *queueShard[T]) down(i int) {
	q := s.heap[i]
	for {
		child := 2*i + 1
		if child >= len(s.heap) {
			break
		}
		if child+1 < len(s.heap) && s.heap[child+1].at < s.heap[child].at {
			child++
		}
		if q.at <= s.heap[child].at {
			break
		}
		s.place(i, s.heap[child])
		i = child
	}
	s.place(i, q)
}

// collect collects up to most records of a shard that have expired at now. It returns how many left the queue, and how many
// records were removed.
func (q *queue[T]) collect(s *Store, shard int, now int64, most int) (popped, removed int) {
	due := q.pop(shard, now, most)
	for _, item := range due {
		removed += item.collect(s, now)
	}
	return len(due), removed
}
