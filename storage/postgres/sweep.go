package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/portner-go/portner/session"
)

const (
	// maxBatch is the largest number of rows that one statement removes. The number is halved while statements take longer than
	// slowBatch, so that they do not delay others, and doubled while they take less than half of that.
	maxBatch  = 1000
	minBatch  = 50
	slowBatch = 25 * time.Millisecond

	sweepEvery = time.Minute
)

// sqlSweep are the statements that remove up to $2 rows that have expired at $1. A row that another node removes, or that a method has
// locked, is skipped. The tokens come before their grants.
var sqlSweep = [...]string{
	`DELETE FROM portner.access_tokens WHERE ctid = ANY (ARRAY(
		SELECT ctid FROM portner.access_tokens WHERE remove_at <= $1 ORDER BY remove_at LIMIT $2 FOR UPDATE SKIP LOCKED))`,
	`DELETE FROM portner.refresh_tokens WHERE ctid = ANY (ARRAY(
		SELECT ctid FROM portner.refresh_tokens WHERE remove_at <= $1 ORDER BY remove_at LIMIT $2 FOR UPDATE SKIP LOCKED))`,
	`DELETE FROM portner.grants WHERE ctid = ANY (ARRAY(
		SELECT ctid FROM portner.grants WHERE remove_at <= $1 ORDER BY remove_at LIMIT $2 FOR UPDATE SKIP LOCKED))`,
	`DELETE FROM portner.requests WHERE ctid = ANY (ARRAY(
		SELECT ctid FROM portner.requests WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED))`,
	`DELETE FROM portner.sessions WHERE ctid = ANY (ARRAY(
		SELECT ctid FROM portner.sessions WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED))`,
	`DELETE FROM portner.consents WHERE ctid = ANY (ARRAY(
		SELECT ctid FROM portner.consents WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED))`,
	`DELETE FROM portner.pushed_requests WHERE ctid = ANY (ARRAY(
		SELECT ctid FROM portner.pushed_requests WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED))`,
	`DELETE FROM portner.logins WHERE ctid = ANY (ARRAY(
		SELECT ctid FROM portner.logins WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED))`,
	`DELETE FROM portner.replays WHERE ctid = ANY (ARRAY(
		SELECT ctid FROM portner.replays WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED))`,
}

// Sweep removes the records that had expired session.MaxSkew before now, and returns their number. Until then a node whose clock is behind
// recognises them. It removes at most 1,000 rows in a statement, and fewer if that takes long. Several nodes may call it at once: each
// removes other rows. If ctx is done it returns early with the error of ctx, and the next call continues.
func (s *Store) Sweep(ctx context.Context, now time.Time) (removed int, err error) {
	until := nanos(now.Add(-session.MaxSkew))
	for _, sql := range sqlSweep {
		for batch, n := int64(maxBatch/4), int64(1); n > 0; {
			var took time.Duration
			err := s.call(ctx, mayRepeatWrite, func(ctx context.Context, c *pgx.Conn) error {
				begin := s.config.Now()
				tag, err := c.Exec(ctx, sql, until, batch)
				n, took = tag.RowsAffected(), s.config.Now().Sub(begin)
				return err
			})
			if err != nil {
				return removed, err
			}
			removed += int(n)
			if n < batch {
				break
			}
			switch {
			case took > slowBatch:
				batch = max(batch/2, minBatch)
			case took < slowBatch/2:
				batch = min(batch*2, maxBatch)
			}
		}
	}
	return removed, nil
}

// Run calls Sweep about once a minute until ctx is done, and logs its errors. Each node may run it.
func (s *Store) Run(ctx context.Context) {
	for {
		// Nodes that start at the same time sweep at different times.
		wait := time.NewTimer(sweepEvery/2 + jitter(sweepEvery))
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-wait.C:
		}
		if _, err := s.Sweep(ctx, s.config.Now()); err != nil && !errors.Is(err, context.Canceled) {
			s.config.Logger.ErrorContext(ctx, "sweeping expired records failed", "error", err)
		}
	}
}
