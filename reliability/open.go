package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	goredis "github.com/redis/go-redis/v9"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/storage/postgres"
	"github.com/portner-go/portner/storage/redis"
	"github.com/portner-go/portner/storage/sqlite"
	"github.com/portner-go/portner/token"
)

// fullStore is what every store of this module has.
type fullStore interface {
	provider.Store
	authorize.PushedRequestStore
	authorize.HistoryStore
	client.ReplayStore
	token.GrantStore
	keyset.Store
	Ping(ctx context.Context) error
	Sweep(ctx context.Context, now time.Time) (int, error)
	Run(ctx context.Context)
}

// opening says how a store is opened.
type opening struct {
	url       string
	conns     int           // connections at most; 0 is the default
	timeout   time.Duration // of one call; 0 is the default
	logger    *slog.Logger
	statement func(d time.Duration) // called after each statement of PostgreSQL; may be nil
	evict     bool                  // an evicting Redis is accepted
	now       func() time.Time      // of Run; nil is time.Now
}

// opened is an open store.
type opened struct {
	fullStore
	close func()
	conns func() int                       // connections that exist; nil if the store has none
	size  func() (records int, disk int64) // nil if it is not known
	pool  *pgxpool.Pool
	redis *goredis.Client
}

// open opens the store of a URL.
func open(ctx context.Context, o opening) (*opened, error) {
	if o.logger == nil {
		o.logger = slog.New(slog.DiscardHandler)
	}
	switch kind, rest, _ := strings.Cut(o.url, ":"); kind {
	case kindMemory:
		m := memory.New()
		return &opened{fullStore: memoryStore{m}, close: func() {}, size: func() (int, int64) {
			s := m.Stats()
			return s.Sessions + s.EndedSessions + s.Grants + s.Tokens + s.PushedRequests + s.Consents + s.Replays + s.Logins, 0
		}}, nil
	case kindSQLite:
		s, err := sqlite.Open(ctx, rest, sqlite.Config{Timeout: o.timeout, Logger: o.logger, Now: o.now})
		if err != nil {
			return nil, err
		}
		return &opened{fullStore: s, close: func() { _ = s.Close() }, size: func() (int, int64) { return 0, fileSizes(rest) }}, nil
	case kindRedis:
		return openRedis(ctx, o)
	case kindPostgres:
		return openPostgres(ctx, o)
	}
	return nil, fmt.Errorf("there is no store for %q", o.url)
}

func openPostgres(ctx context.Context, o opening) (*opened, error) {
	pool, err := newPool(ctx, o)
	if err != nil {
		return nil, err
	}
	s, err := postgres.New(ctx, pool, postgres.Config{Timeout: o.timeout, Logger: o.logger, Now: o.now})
	if err != nil {
		pool.Close()
		return nil, err
	}
	return &opened{fullStore: s, close: pool.Close, conns: func() int { return int(pool.Stat().TotalConns()) }, pool: pool}, nil
}

func newPool(ctx context.Context, o opening) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(o.url)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = 16
	if o.conns > 0 {
		cfg.MaxConns = int32(min(o.conns, 1000))
	}
	cfg.ConnConfig.ConnectTimeout = 2 * time.Second
	if o.statement != nil {
		cfg.ConnConfig.Tracer = stopwatch{o.statement}
	}
	return pgxpool.NewWithConfig(ctx, cfg)
}

// quiet drops what go-redis writes to the standard error: connections that fail are what the experiments want.
type quiet struct{}

// Printf implements the logger of go-redis.
func (quiet) Printf(context.Context, string, ...any) {}

func openRedis(ctx context.Context, o opening) (*opened, error) {
	options, err := goredis.ParseURL(o.url)
	if err != nil {
		return nil, err
	}
	options.ContextTimeoutEnabled, options.PoolSize = true, 32
	if o.conns > 0 {
		options.PoolSize = o.conns
	}
	goredis.SetLogger(quiet{})
	c := goredis.NewClient(options)
	s, err := redis.New(ctx, c, redis.Config{Timeout: o.timeout, Logger: o.logger, AllowEviction: o.evict})
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return &opened{fullStore: s, close: func() { _ = c.Close() }, conns: func() int { return int(c.PoolStats().TotalConns) }, redis: c}, nil
}

// migrate makes the tables of the database.
func migrate(ctx context.Context, url string) error {
	pool, err := newPool(ctx, opening{url: url, conns: 1})
	if err != nil {
		return err
	}
	defer pool.Close()
	return postgres.Migrate(ctx, pool)
}

// fileSizes returns the bytes of a database of SQLite.
func fileSizes(path string) (total int64) {
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(path + suffix); err == nil {
			total += info.Size()
		}
	}
	return total
}

// memoryStore adapts memory.Store.
type memoryStore struct{ *memory.Store }

// Ping returns nil: memory is always reachable.
func (memoryStore) Ping(context.Context) error { return nil }

// Run returns at once: the store deletes expired records while it is used.
func (memoryStore) Run(context.Context) {}
