// Package postgres keeps sessions, grants, tokens and consents in PostgreSQL 14 or later. A [Store] implements provider.Store and the
// optional interfaces of stores. Any number of nodes may use one database.
//
//	pool, err := pgxpool.New(ctx, "postgres://…")
//	err = postgres.Migrate(ctx, pool) // or with the command portner-postgres
//	store, err := postgres.New(ctx, pool, postgres.Config{})
//
// # Statements
//
// Each method is one statement and one commit. Methods that change more than one record are functions of the schema portner, whose names
// end with their version, so that nodes of two versions of this package can use one schema. The package changes no setting of a session
// and prepares statements only through pgx, so the pool may go through PgBouncer in transaction mode; then set
// default_query_exec_mode=exec in the connection string, unless PgBouncer keeps prepared statements (max_prepared_statements). The
// simple protocol is rejected.
//
// # Faults
//
// An error that is no verdict of package storage wraps portner.ErrUnavailable if the database is down, slow, full, read-only or rejects
// connections, or if the pool is exhausted. A method takes at most Config.Timeout. It does not start if its context is done, and from then
// on it runs to its end whether or not the caller still waits: a statement that is interrupted costs a connection. A statement is sent a
// second time only if it changed nothing for certain.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/portner-go/portner"
)

// Config holds the settings of a Store. Fields that are zero have the defaults.
type Config struct {
	// Timeout bounds each call of a method, including the wait for a connection of the pool. The default is 3 s; at most 1 minute.
	Timeout time.Duration
	// Now is the clock of Run, and Sweep measures its statements with it. If nil, time.Now is used.
	Now func() time.Time
	// Logger receives the warnings of New and the errors of Run. If nil, they are discarded.
	Logger *slog.Logger
	// MaxPushedRequestsPerClient bounds the pushed requests of one authenticated client that are not consumed. The default is 1,000.
	MaxPushedRequestsPerClient int
	// MaxPushedRequestsPerAddress bounds the pushed requests of one public client from one address that are not consumed
	// (storage.PushedRequest.Source). The default is 20.
	MaxPushedRequestsPerAddress int
	// OnSweep is called when Run begins to remove expired records, and the function that it returns when Run has done so, with their number
	// and the error. If nil, it is not called.
	OnSweep func(ctx context.Context) (done func(removed int, err error))
}

// defaultTimeout is longer in the tests of this package.
var defaultTimeout = 3 * time.Second

// Bounds that are not configurable.
const (
	maxTimeout      = time.Minute
	maxUserSessions = 1000 // live sessions of one user
	maxLogins       = 200  // entries of the login history of one user
)

// validate returns the problems of c, and fills in the defaults.
func (c *Config) validate() error {
	var problems []error
	bad := func(field, text string) {
		problems = append(problems, &portner.FieldError{Field: "Config." + field, Err: errors.New(text)})
	}
	if c.Timeout < 0 || c.Timeout > maxTimeout {
		bad("Timeout", "must be from 0 to 1 minute")
	}
	if c.MaxPushedRequestsPerClient < 0 {
		bad("MaxPushedRequestsPerClient", "must not be negative")
	}
	if c.MaxPushedRequestsPerAddress < 0 {
		bad("MaxPushedRequestsPerAddress", "must not be negative")
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.MaxPushedRequestsPerClient == 0 {
		c.MaxPushedRequestsPerClient = 1000
	}
	if c.MaxPushedRequestsPerAddress == 0 {
		c.MaxPushedRequestsPerAddress = 20
	}
	if c.OnSweep == nil {
		c.OnSweep = func(context.Context) func(int, error) { return func(int, error) {} }
	}
	return errors.Join(problems...)
}

// Store is a store in PostgreSQL. It is safe for concurrent use. It does not close the pool.
type Store struct {
	pool   *pgxpool.Pool
	config Config
}

// New returns a store on the database of pool. It returns an error if the schema is older than this package needs, or newer and not
// compatible with it; see [Migrate]. It warns if the settings of the database can lose transactions that were committed.
func New(ctx context.Context, pool *pgxpool.Pool, c Config) (*Store, error) {
	if pool == nil {
		return nil, &portner.FieldError{Field: "pool", Err: errors.New("is missing")}
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	if pool.Config().ConnConfig.DefaultQueryExecMode == pgx.QueryExecModeSimpleProtocol {
		return nil, errors.New("postgres: the pool uses the simple protocol (default_query_exec_mode=simple_protocol): use exec")
	}
	s := &Store{pool: pool, config: c}
	if err := s.checkServer(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// checkServer checks the settings of the database and the version of its schema.
func (s *Store) checkServer(ctx context.Context) error {
	var version int
	var encoding, isolation, synchronous, fsync string
	if err := s.find(ctx, sqlSettings, nil, &version, &encoding, &isolation, &synchronous, &fsync); err != nil {
		return fmt.Errorf("postgres: reading the settings of the database: %w", err)
	}
	switch {
	case version < 140000:
		return fmt.Errorf("postgres: the server has version %d, and 14 is needed", version/10000)
	case encoding != "UTF8":
		return fmt.Errorf("postgres: the database has the encoding %s, and UTF8 is needed", encoding)
	case isolation != "read committed":
		return fmt.Errorf("postgres: default_transaction_isolation is %q, and \"read committed\" is needed", isolation)
	}
	if synchronous == "off" {
		s.config.Logger.Warn("synchronous_commit is off: a crash of the database undoes redemptions, rotations and revocations that were acknowledged")
	}
	if fsync == "off" {
		s.config.Logger.Warn("fsync is off: a crash of the machine of the database can lose all data")
	}
	return s.checkSchema(ctx)
}

// Ping returns nil if the database accepts writes now: it writes a row. It is meant for a readiness probe.
func (s *Store) Ping(ctx context.Context) error {
	return s.write(ctx, sqlProbe, nil)
}
