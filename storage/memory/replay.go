package memory

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/portner-go/portner/storage"
)

// replayShard keeps keys in a map, and by their ends in a heap. There can be millions, and they contain no pointers, so the
// garbage collector does not scan them.
type replayShard struct {
	mu   sync.Mutex
	keys table[storage.Hash, struct{}]
	heap []replay
	// forgotten is the latest end of a collected key. A new key with this end or an earlier one is rejected, because it may have
	// been collected: the clock may have gone back.
	forgotten int64
	_         [8]byte
}

type replay struct {
	at  int64
	key storage.Hash
}

// ConsumeJTI implements client.ReplayStore.
func (s *Store) ConsumeJTI(ctx context.Context, key storage.Hash, expiresAt, now time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n, end := nanos(now), nanos(expiresAt)
	if n >= end {
		return storage.ErrConsumed
	}
	shard := &s.replays[s.shardOf(string(key[:]))]
	err := s.withRoom(now, func() error {
		switch {
		case !s.replayCount.take(1):
			if shard.knows(key) {
				return storage.ErrConsumed
			}
			return storage.ErrFull
		case !shard.add(key, end):
			s.replayCount.give(1)
			return storage.ErrConsumed
		}
		return nil
	}, replayKind)
	if err == nil {
		s.tidy(now)
	}
	return err
}

func (r *replayShard) knows(key storage.Hash) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, known := r.keys.m[key]
	return known
}

// add inserts the key, or returns false if it exists or may have been collected.
func (r *replayShard) add(key storage.Hash, end int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.keys.m[key]; known || end <= r.horizon() {
		return false
	}
	r.keys.set(key, struct{}{})
	r.heap = append(r.heap, replay{end, key})
	r.up(len(r.heap) - 1)
	return true
}

// horizon returns forgotten, or the least value if no key was collected.
func (r *replayShard) horizon() int64 {
	if r.forgotten == 0 {
		return math.MinInt64
	}
	return r.forgotten
}

// forget collects up to most keys that end at now or before.
func (r *replayShard) forget(now int64, most int) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for n < most && len(r.heap) > 0 && r.heap[0].at <= now {
		first := r.heap[0]
		if r.forgotten == 0 || first.at > r.forgotten {
			r.forgotten = first.at
		}
		r.keys.drop(first.key)
		last := len(r.heap) - 1
		r.heap[0] = r.heap[last]
		r.heap = r.heap[:last]
		r.down()
		n++
	}
	if n > 0 {
		r.heap = trimmed(r.heap)
	}
	return n
}

func (r *replayShard) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if r.heap[parent].at <= r.heap[i].at {
			return
		}
		r.heap[parent], r.heap[i] = r.heap[i], r.heap[parent]
		i = parent
	}
}

func (r *replayShard) down() {
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(r.heap) {
			return
		}
		if child+1 < len(r.heap) && r.heap[child+1].at < r.heap[child].at {
			child++
		}
		if r.heap[i].at <= r.heap[child].at {
			return
		}
		r.heap[i], r.heap[child] = r.heap[child], r.heap[i]
		i = child
	}
}
