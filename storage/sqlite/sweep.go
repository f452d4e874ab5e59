package sqlite

import (
	"context"
	"log/slog"
	"time"

	"github.com/portner-go/portner/internal/record"
	"github.com/portner-go/portner/session"
)

// sweepBatch is the largest number of rows that one transaction of Sweep removes.
const sweepBatch = 1000

// expired holds the statement that removes expired rows of each table. Tokens come before their grants. A refresh token is kept until its
// grant expires: a rotated one must be recognised, and the last one of a grant is one row.
var expired = []struct{ table, sql string }{
	{"sessions", "DELETE FROM sessions WHERE number IN (SELECT number FROM sessions WHERE expires_at <= ?1 LIMIT ?2)"},
	{"codes", "DELETE FROM codes WHERE rowid IN (SELECT rowid FROM codes WHERE retain_to <= ?1 LIMIT ?2)"},
	{"access_tokens", "DELETE FROM access_tokens WHERE rowid IN (SELECT rowid FROM access_tokens WHERE expires_at <= ?1 LIMIT ?2)"},
	{"refresh_tokens", `DELETE FROM refresh_tokens WHERE rowid IN (SELECT r.rowid FROM grants g CROSS JOIN refresh_tokens r ON r.grant_id = g.id
		WHERE g.expires_at <= ?1 LIMIT ?2)`},
	{"grants", `DELETE FROM grants WHERE rowid IN (SELECT rowid FROM grants g WHERE expires_at <= ?1
		AND NOT EXISTS (SELECT 1 FROM access_tokens WHERE grant_id = g.id) LIMIT ?2)`},
	{"consents", `DELETE FROM consents WHERE (user_key, client_id, customer, scope) IN
		(SELECT user_key, client_id, customer, scope FROM consents WHERE expires_at <= ?1 LIMIT ?2)`},
	{"pushed_requests", "DELETE FROM pushed_requests WHERE rowid IN (SELECT rowid FROM pushed_requests WHERE expires_at <= ?1 LIMIT ?2)"},
	{"logins", "DELETE FROM logins WHERE number IN (SELECT number FROM logins WHERE expires_at <= ?1 LIMIT ?2)"},
	{"replays", "DELETE FROM replays WHERE key IN (SELECT key FROM replays WHERE expires_at <= ?1 LIMIT ?2)"},
}

// sweep removes rows of a table that expired session.MaxSkew before now, so that nodes whose clocks are behind still find them.
func (c *conn) sweep(table string, now time.Time) (int64, error) {
	for _, e := range expired {
		if e.table == table {
			return c.exec(e.sql, record.Nanos(now.Add(-session.MaxSkew)), sweepBatch)
		}
	}
	return 0, nil
}

// Sweep removes the records that have expired at now, in transactions of at most 1,000 rows, between which other methods write. If ctx is
// done it returns early. Several processes may call it at once. See Run.
func (s *Store) Sweep(ctx context.Context, now time.Time) (removed int, err error) {
	for _, e := range expired {
		for n := int64(sweepBatch); n == sweepBatch; {
			err := s.write(ctx, func(c *conn) (err error) {
				n, err = c.sweep(e.table, now)
				return err
			})
			if err != nil {
				return removed, err
			}
			removed += int(n)
		}
	}
	return removed, s.shrink(ctx)
}

// shrink gives pages back to the file system if a quarter of the file is free.
func (s *Store) shrink(ctx context.Context) error {
	return s.write(ctx, func(c *conn) error {
		free, err := c.number("PRAGMA freelist_count")
		if err != nil {
			return err
		}
		pages, err := c.number("PRAGMA page_count")
		if err != nil || free < 1000 || free < pages/4 {
			return err
		}
		_, err = c.exec("PRAGMA incremental_vacuum(1000)")
		return err
	})
}

// Run calls Sweep once a minute until ctx is done, and logs errors.
func (s *Store) Run(ctx context.Context) {
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	for {
		done := s.config.OnSweep(ctx)
		removed, err := s.Sweep(ctx, s.config.Now())
		if done(removed, err); err != nil && ctx.Err() == nil {
			s.config.Logger.LogAttrs(ctx, slog.LevelError, "sqlite: expired records were not removed", slog.String("error", err.Error()))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
