//go:build servers

package stores

import (
	"context"
	"errors"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"
	goredis "github.com/redis/go-redis/v9"

	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/storage/postgres"
	"github.com/portner-go/portner/storage/redis"
)

// servers are the stores that are compiled with the tag servers only: their drivers double the time that the first start takes.
var servers = map[string]standin.OpenStore{"postgres": openPostgres, "redis": openRedis}

// errURL reports a URL that cannot be parsed. The error of the parser may quote a part of the password.
var errURL = errors.New("the URL cannot be used; it is not shown, because it may have a password. Write postgres://USER:PASSWORD@HOST:PORT/DATABASE or redis://USER:PASSWORD@HOST:PORT/NUMBER, with %40 for @, %2F for / and %3A for : in a password")

// openPostgres opens a database, and migrates it.
func openPostgres(ctx context.Context, url string, log *slog.Logger, onSweep standin.OnSweep) (standin.Store, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errURL
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	err = postgres.Migrate(ctx, pool)
	if err == nil {
		var s *postgres.Store
		if s, err = postgres.New(ctx, pool, postgres.Config{Logger: log, OnSweep: onSweep}); err == nil {
			return postgresStore{s, pool}, nil
		}
	}
	pool.Close()
	return nil, err
}

// postgresStore is a store with its pool.
type postgresStore struct {
	*postgres.Store

	pool *pgxpool.Pool
}

// Close implements standin.Store.
func (s postgresStore) Close() error {
	s.pool.Close()
	return nil
}

// openRedis opens a database of Redis or Valkey.
func openRedis(ctx context.Context, url string, log *slog.Logger, onSweep standin.OnSweep) (standin.Store, error) {
	opt, err := goredis.ParseURL(url)
	if err != nil {
		return nil, errURL
	}
	opt.ContextTimeoutEnabled = true // the store bounds its calls
	client := goredis.NewClient(opt)
	s, err := redis.New(ctx, client, redis.Config{Logger: log, OnSweep: onSweep})
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return redisStore{s, client}, nil
}

// redisStore is a store with its client.
type redisStore struct {
	*redis.Store

	client *goredis.Client
}

// Close implements standin.Store.
func (s redisStore) Close() error { return s.client.Close() }
