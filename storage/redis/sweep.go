package redis

import (
	"context"
	"log/slog"
	"strings"
	"time"
)

const (
	scanBatch   = 1000 // keys in one SCAN
	scanBatches = 200  // in one Sweep
	sweepEvery  = time.Minute
)

// Sweep removes the members of the lists of grants and sessions of users whose record Redis has collected, and returns their number. Redis
// collects everything else by itself. It examines at most 200,000 keys and continues where the last call ended. Several nodes may run it at
// once.
func (s *Store) Sweep(ctx context.Context, now time.Time) (removed int, err error) {
	cursor := s.cursor.Load()
	for range scanBatches {
		keys, next, err := s.scan(ctx, cursor)
		if err != nil {
			return removed, err
		}
		for _, key := range keys {
			n, err := s.sweepList(ctx, key, now)
			removed += n
			if err != nil {
				return removed, err
			}
		}
		cursor = next
		s.cursor.Store(cursor)
		if cursor == 0 {
			break
		}
	}
	return removed, nil
}

// scan returns some keys of the store.
func (s *Store) scan(ctx context.Context, cursor uint64) (keys []string, next uint64, err error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	node, err := s.node(ctx)
	if err != nil {
		return nil, 0, fault("SCAN", err)
	}
	keys, next, err = node.Scan(ctx, cursor, s.prefix+"*", scanBatch).Result()
	if err != nil {
		return nil, 0, fault("SCAN", err)
	}
	return keys, next, nil
}

// sweepList removes members of one list of a user. It does nothing for other keys.
func (s *Store) sweepList(ctx context.Context, key string, now time.Time) (removed int, err error) {
	sc := sweepGrantsScript
	args := []any{0}
	switch {
	case strings.HasPrefix(key, s.prefix+"grants:"):
	case strings.HasPrefix(key, s.prefix+"sessions:"):
		sc, args = sweepSessionsScript, nil
	default:
		return 0, nil
	}
	for {
		reply, err := s.run(ctx, sc, now, []string{key}, args...)
		if err != nil {
			return removed, err
		}
		v, _ := reply.([]any)
		removed += list(v).number(0)
		if args = []any{list(v).number(1)}; args[0] == 0 {
			return removed, nil
		}
	}
}

// Run calls Sweep about once a minute until ctx is done, and logs errors.
func (s *Store) Run(ctx context.Context) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			s.sweepOnce(ctx, now)
		}
	}
}

func (s *Store) sweepOnce(ctx context.Context, now time.Time) {
	done := s.onSweep(ctx)
	removed, err := s.Sweep(ctx, now)
	if done(removed, err); err != nil && ctx.Err() == nil {
		s.logger.Error("redis: sweeping failed", slog.Any("error", err))
	}
}
