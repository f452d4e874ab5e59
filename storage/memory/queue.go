package memory

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// expiring is a record with an end. Its owner's lock is held around every schedule and cancel.
type expiring interface {
	slot() *slot
	// collect removes what of the record is over at now and returns how many records that
	// were; what is not over is scheduled again. No lock is held.
	collect(s *Store, now int64) int
}

// slot is a record's place in the queue. The shard's lock guards pos.
type slot struct {
	pos   int32 // index in the heap plus one; 0 = not queued
	shard uint8
}

// queue holds every record by its end: a binary heap per shard. Each record is in it once, so
// the queue is as large as the store and no larger.
type queue struct {
	shards [shardCount]queueShard
	sweep  atomic.Uint32 // the shard where the next Sweep starts
}

type queueShard struct {
	mu   sync.Mutex
	heap []queued
	_    [32]byte
}

type queued struct {
	at   int64
	item expiring
}

// schedule sets the end of item, which may be in the queue or not. The shard counts only when
// it is not.
func (q *queue) schedule(item expiring, at int64) {
	sl := item.slot()
	s := &q.shards[sl.shard]
	s.mu.Lock()
	defer s.mu.Unlock()
	if sl.pos == 0 {
		s.heap = append(s.heap, queued{at, item})
		sl.pos = int32(len(s.heap))
		s.up(len(s.heap) - 1)
		return
	}
	i := int(sl.pos) - 1
	s.heap[i].at = at
	s.up(i)
	s.down(int(sl.pos) - 1)
}

// cancel takes item out of the queue.
func (q *queue) cancel(item expiring) {
	sl := item.slot()
	s := &q.shards[sl.shard]
	s.mu.Lock()
	defer s.mu.Unlock()
	if sl.pos != 0 {
		s.remove(int(sl.pos) - 1)
	}
}

// pop moves up to len(buf) records that end at now or before from the queue to buf.
func (q *queue) pop(shard int, now int64, buf []expiring) []expiring {
	s := &q.shards[shard]
	s.mu.Lock()
	defer s.mu.Unlock()
	out := buf[:0]
	for len(out) < cap(buf) && len(s.heap) > 0 && s.heap[0].at <= now {
		out = append(out, s.heap[0].item)
		s.remove(0)
	}
	return out
}

func (s *queueShard) remove(i int) {
	s.heap[i].item.slot().pos = 0
	last := len(s.heap) - 1
	moved := s.heap[last]
	s.heap[last] = queued{}
	s.heap = s.heap[:last]
	if i < last {
		s.place(i, moved)
		s.up(i)
		s.down(int(moved.item.slot().pos) - 1)
	}
	s.heap = trimmed(s.heap)
}

// trimmed gives the memory of a slice back that fell to an eighth of its room.
func trimmed[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	if cap(s) < 256 || len(s) > cap(s)/8 {
		return s
	}
	return append(make([]T, 0, len(s)*2), s...)
}

func (s *queueShard) place(i int, q queued) {
	s.heap[i] = q
	q.item.slot().pos = int32(i + 1)
}

func (s *queueShard) up(i int) {
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

func (s *queueShard) down(i int) {
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

// sweepBatch is how many records are collected between two looks at the context; a lock is
// held for the heap part of one batch, about 50 µs.
const sweepBatch = 256

// Sweep removes what has expired at now and returns how many records that were. It works in
// small batches, holds no lock for more than a fraction of a millisecond, and costs by what it
// removes, not by what the store holds. A done ctx ends it early with ctx's error; the next
// call goes on from there. Call it about once a minute from a ticker of yours, or never: writes
// collect a little each.
func (s *Store) Sweep(ctx context.Context, now time.Time) (removed int, err error) {
	start, n := s.due.sweep.Load(), nanos(now)
	buf := make([]expiring, 0, sweepBatch)
	for i := range uint32(shardCount) {
		shard := int((start + i) % shardCount)
		s.due.sweep.Store(uint32(shard))
		for more := true; more; {
			if err := ctx.Err(); err != nil {
				return removed, err
			}
			popped := s.due.pop(shard, n, buf)
			removed += s.collect(popped, n)
			forgotten := s.replays[shard].forget(n, sweepBatch)
			s.replayCount.give(forgotten)
			removed += forgotten
			more = len(popped) == sweepBatch || forgotten == sweepBatch
		}
	}
	return removed, nil
}

func (s *Store) collect(popped []expiring, now int64) (removed int) {
	for i, item := range popped {
		removed += item.collect(s, now)
		popped[i] = nil
	}
	return removed
}

// tidy collects up to eight expired records of one shard, picked by the key of the write it
// comes with. A write adds at most three records, so garbage shrinks under any traffic.
func (s *Store) tidy(key string, now time.Time) {
	var room [8]expiring
	n := nanos(now)
	s.collect(s.due.pop(s.shardOf(key), n, room[:]), n)
}
