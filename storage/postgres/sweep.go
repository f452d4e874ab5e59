package postgres

import (
	"context"
	"errors"
	"time"

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

// sqlSweep removes up to $3 rows of a table that have expired at $2.
const sqlSweep = `SELECT portner.sweep_1($1, $2, $3)`

// sweptTables are the tables whose rows expire. The tokens come before their grants.
var sweptTables = [...]string{"access_tokens", "refresh_tokens", "grants", "requests", "sessions", "consents", "pushed_requests", "logins", "replays"}

// Sweep removes the records that had expired session.MaxSkew before now, and returns their number. Until then a node whose clock is behind
// recognises them. It removes at most 1,000 rows in a statement, and fewer if that takes long. Several nodes may call it at once: each
// removes other rows. If ctx is done it returns early with the error of ctx, and the next call continues.
func (s *Store) Sweep(ctx context.Context, now time.Time) (removed int, err error) {
	until := nanos(now.Add(-session.MaxSkew))
	for _, table := range sweptTables {
		n, err := s.sweepTable(ctx, table, until)
		removed += n
		if err != nil {
			return removed, err
		}
	}
	return removed, nil
}

func (s *Store) sweepTable(ctx context.Context, table string, until int64) (removed int, err error) {
	for batch := int64(maxBatch / 4); ; {
		var n int64
		begin := s.config.Now()
		if err := s.write(ctx, sqlSweep, []any{table, until, batch}, &n); err != nil {
			return removed, err
		}
		removed += int(n)
		if n < batch {
			return removed, nil
		}
		switch took := s.config.Now().Sub(begin); {
		case took > slowBatch:
			batch = max(batch/2, minBatch)
		case took < slowBatch/2:
			batch = min(batch*2, maxBatch)
		}
	}
}

// sqlClock is the clock of the database.
const sqlClock = `SELECT (extract(epoch FROM clock_timestamp()) * 1000000000)::bigint`

// sweepTime returns the earlier one of the times of the node and of the database. A node whose clock is far ahead would otherwise remove
// used assertions that other nodes still accept.
func (s *Store) sweepTime(ctx context.Context) (time.Time, error) {
	var database int64
	if err := s.find(ctx, sqlClock, nil, &database); err != nil {
		return time.Time{}, err
	}
	now := s.config.Now()
	if t := time.Unix(0, database); t.Before(now) {
		now = t
	}
	return now, nil
}

// Run calls Sweep about once a minute until ctx is done, and logs its errors. Each node may run it. It sweeps by the clock of the node or
// by that of the database, whichever is behind.
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
		s.sweepOnce(ctx)
	}
}

func (s *Store) sweepOnce(ctx context.Context) {
	done, removed := s.config.OnSweep(ctx), 0
	now, err := s.sweepTime(ctx)
	if err == nil {
		removed, err = s.Sweep(ctx, now)
	}
	if done(removed, err); err != nil && !errors.Is(err, context.Canceled) {
		s.config.Logger.ErrorContext(ctx, "sweeping expired records failed", "error", err)
	}
}
