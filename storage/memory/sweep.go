package memory

import (
	"context"
	"time"

	"github.com/portner-go/portner/internal/record"
)

// queues holds the records of all kinds by their ends.
type queues struct {
	sessions queue[*session]
	grants   queue[*grant]
	access   queue[*accessToken]
	refresh  queue[*refreshToken]
	pushed   queue[*pushedRequest]
	consents queue[*consents]
	logins   queue[*logins]
}

// sweepBatch is the number of records that Sweep collects between two checks of its context. A lock is held while a batch leaves
// its heap, about 50 µs, and then for each record by itself.
const sweepBatch = 256

// tidyBatch is the number of expired records that a write collects: more than it can insert.
const tidyBatch = 8

// Kinds of records.
const (
	sessionKind = iota
	grantKind
	accessKind
	refreshKind
	pushedKind
	consentKind
	loginKind
	replayKind
	kinds
)

// collectKind collects up to most records of one kind in one shard.
func (s *Store) collectKind(kind, shard int, now int64, most int) (popped, removed int) {
	switch kind {
	case sessionKind:
		return s.due.sessions.collect(s, shard, now, most)
	case grantKind:
		return s.due.grants.collect(s, shard, now, most)
	case accessKind:
		return s.due.access.collect(s, shard, now, most)
	case refreshKind:
		return s.due.refresh.collect(s, shard, now, most)
	case pushedKind:
		return s.due.pushed.collect(s, shard, now, most)
	case consentKind:
		return s.due.consents.collect(s, shard, now, most)
	case loginKind:
		return s.due.logins.collect(s, shard, now, most)
	}
	forgotten := s.replays[shard].forget(now, most)
	for _, owner := range forgotten {
		s.giveReplay(owner)
	}
	return len(forgotten), len(forgotten)
}

// Sweep removes the records that have expired at now and returns their number. It works in small batches, holds no lock for more
// than a fraction of a millisecond, and its cost depends only on the number of records that it removes. If ctx is done it returns
// early with the error of ctx, and the next call continues. Call it about once a minute. It is optional, because each
// write removes a few expired records.
func (s *Store) Sweep(ctx context.Context, now time.Time) (removed int, err error) {
	start, n := s.nextShard.Load(), record.Nanos(now)
	for i := range uint32(shardCount) {
		shard := (start + i) % shardCount
		s.nextShard.Store(shard)
		for kind := range kinds {
			for popped := sweepBatch; popped == sweepBatch; {
				if err := ctx.Err(); err != nil {
					return removed, err
				}
				var gone int
				popped, gone = s.collectKind(kind, int(shard), n, sweepBatch)
				removed += gone
			}
		}
	}
	return removed, nil
}

// makeRoom collects all expired records of some kinds. The caller holds no lock.
func (s *Store) makeRoom(now time.Time, some ...int) {
	for _, kind := range some {
		for shard := range shardCount {
			for popped := sweepBatch; popped == sweepBatch; {
				popped, _ = s.collectKind(kind, shard, record.Nanos(now), sweepBatch)
			}
		}
	}
}

// tidy collects a few expired records of one kind and shard, another one in each call. The caller holds no lock.
func (s *Store) tidy(now time.Time) {
	turn := int(s.turn.Add(1) % (kinds * shardCount))
	s.collectKind(turn%kinds, turn/kinds, record.Nanos(now), tidyBatch)
}
