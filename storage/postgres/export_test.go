package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// DocumentedTimeout is the default that Config promises, before init makes it longer.
var DocumentedTimeout = defaultTimeout

// A slow machine is no fault. What depends on the timeout calls Hurried.
func init() { defaultTimeout = maxTimeout }

// Fault is what a method returns for an error of pgx.
func Fault(err error) error { return fault(context.Background(), err) }

// Text and FromText convert texts to columns and back.
var (
	Text     = text
	FromText = fromText
)

// Migration is one step of the schema.
type Migration = migration

// Migrations returns all of them.
func Migrations() []Migration { return migrations() }

// Apply applies one migration.
func Apply(ctx context.Context, pool *pgxpool.Pool, m Migration) error { return apply(ctx, pool, m) }

// Hurried calls f while the calls of s take at most 300 ms. A store that is opened with that timeout fails on a machine with other load.
func (s *Store) Hurried(f func()) {
	whole := s.config.Timeout
	s.config.Timeout = 300 * time.Millisecond
	defer func() { s.config.Timeout = whole }()
	f()
}

// MaxBatch is the largest number of rows that one statement removes.
const MaxBatch = maxBatch

// SweepTime returns the time by which Run sweeps.
func (s *Store) SweepTime(ctx context.Context) (time.Time, error) { return s.sweepTime(ctx) }

// SweepOnce does what Run does about once a minute.
func (s *Store) SweepOnce(ctx context.Context) { s.sweepOnce(ctx) }
