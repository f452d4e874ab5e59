package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

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

// MaxBatch is the largest number of rows that one statement removes.
const MaxBatch = maxBatch

// SweepTime returns the time by which Run sweeps.
func (s *Store) SweepTime(ctx context.Context) (time.Time, error) { return s.sweepTime(ctx) }

// SweepOnce does what Run does about once a minute.
func (s *Store) SweepOnce(ctx context.Context) { s.sweepOnce(ctx) }
