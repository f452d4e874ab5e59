package memory

import (
	"context"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/portner-go/portner/internal/record"
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
	at    int64
	key   storage.Hash
	owner uint32
}

// replayOwners counts the keys of the clients with a number in their shard. Keys have the number, so that they contain no pointers.
type replayOwners struct {
	mu      sync.Mutex
	numbers table[string, uint32]
	owners  []replayOwner
	free    []uint32 // numbers that no client has
	_       [8]byte
}

type replayOwner struct {
	clientID string
	share    *share
}

// takeReplay counts a key of a client, and returns the number of the client.
func (s *Store) takeReplay(clientID string) (owner uint32, ok bool) {
	shard := s.shardOf(clientID)
	o := &s.replayOwners[shard]
	o.mu.Lock()
	defer o.mu.Unlock()
	n, known := o.numbers.m[clientID]
	if !known {
		n = o.add(strings.Clone(clientID))
	}
	if !s.replayCount.take(1, owners{first: o.owners[n].share}) {
		o.remove(n)
		return 0, false
	}
	return n*shardCount + uint32(shard), true
}

// giveReplay reverses takeReplay.
func (s *Store) giveReplay(owner uint32) {
	o := &s.replayOwners[owner%shardCount]
	o.mu.Lock()
	defer o.mu.Unlock()
	s.replayCount.give(1, owners{first: o.owners[owner/shardCount].share})
	o.remove(owner / shardCount)
}

func (o *replayOwners) add(clientID string) uint32 {
	n := uint32(len(o.owners))
	if last := len(o.free) - 1; last >= 0 {
		n, o.free = o.free[last], o.free[:last]
	} else {
		o.owners = append(o.owners, replayOwner{})
	}
	o.owners[n] = replayOwner{clientID, new(share)}
	o.numbers.set(clientID, n)
	return n
}

// remove frees the number of a client without keys.
func (o *replayOwners) remove(n uint32) {
	if o.owners[n].share.held() > 0 {
		return
	}
	o.numbers.drop(o.owners[n].clientID)
	o.owners[n] = replayOwner{}
	if o.free = append(o.free, n); len(o.free) == len(o.owners) {
		o.owners, o.free = nil, nil
	}
}

// ConsumeJTI implements client.ReplayStore.
func (s *Store) ConsumeJTI(ctx context.Context, clientID string, key storage.Hash, expiresAt, now time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n, end := record.Nanos(now), record.Nanos(expiresAt)
	if n >= end {
		return storage.ErrConsumed
	}
	shard := &s.replays[s.shardOf(string(key[:]))]
	err := s.withRoom(now, func() error {
		owner, ok := s.takeReplay(clientID)
		switch {
		case !ok && shard.knows(key):
			return storage.ErrConsumed
		case !ok:
			return storage.ErrFull
		case !shard.add(replay{end, key, owner}):
			s.giveReplay(owner)
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
func (r *replayShard) add(one replay) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.keys.m[one.key]; known || one.at <= r.horizon() {
		return false
	}
	r.keys.set(one.key, struct{}{})
	r.heap = append(r.heap, one)
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

// forget collects up to most keys that end at now or before, and returns their owners.
func (r *replayShard) forget(now int64, most int) (owners []uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(owners) < most && len(r.heap) > 0 && r.heap[0].at <= now {
		first := r.heap[0]
		if r.forgotten == 0 || first.at > r.forgotten {
			r.forgotten = first.at
		}
		r.keys.drop(first.key)
		last := len(r.heap) - 1
		r.heap[0] = r.heap[last]
		r.heap = r.heap[:last]
		r.down()
		owners = append(owners, first.owner)
	}
	if len(owners) > 0 {
		r.heap = trimmed(r.heap)
	}
	return owners
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
