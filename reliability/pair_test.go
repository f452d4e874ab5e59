package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/localdb"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage/combined"
	"github.com/portner-go/portner/storage/postgres"
	"github.com/portner-go/portner/storage/redis"
	"github.com/portner-go/portner/storage/storagetest"
)

// installed skips a test without a server. In CI the test fails.
func installed(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, localdb.ErrNotInstalled) && os.Getenv("CI") != "true" {
		t.Skip("SKIPPED: " + err.Error())
	}
	require.NoError(t, err)
}

// Sessions in Redis and everything else in PostgreSQL is one store. The form of storagetest is the short one unless the environment
// chooses another.
func TestSessionsInRedisGrantsInPostgres(t *testing.T) {
	if os.Getenv(storagetest.Variable) == "" {
		t.Setenv(storagetest.Variable, "short")
	}
	dir := t.TempDir()
	fast := map[string]string{"fsync": "off", "synchronous_commit": "off"} // the test loses nothing to a crash
	database, err := localdb.StartPostgres(localdb.Config{Dir: filepath.Join(dir, "postgres"), Settings: fast})
	installed(t, err)
	t.Cleanup(database.Stop)
	cache, err := localdb.StartRedis(localdb.Config{Dir: filepath.Join(dir, "redis"), Settings: map[string]string{"appendonly": "no"}})
	installed(t, err)
	t.Cleanup(cache.Stop)

	pool, err := pgxpool.New(t.Context(), database.URL)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	require.NoError(t, postgres.Migrate(t.Context(), pool))
	client := goredis.NewClient(&goredis.Options{Addr: cache.Addr, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })

	grants, err := postgres.New(t.Context(), pool, postgres.Config{})
	require.NoError(t, err)
	var stores atomic.Int32
	storagetest.Run(t, func(t *testing.T) provider.Store {
		sessions, err := redis.New(t.Context(), client, redis.Config{Prefix: fmt.Sprintf("{case-%d}", stores.Add(1))})
		require.NoError(t, err)
		t.Cleanup(func() {
			_, err := pool.Exec(context.Background(), `DELETE FROM portner.sessions; DELETE FROM portner.requests; DELETE FROM portner.grants;
				DELETE FROM portner.access_tokens; DELETE FROM portner.refresh_tokens; DELETE FROM portner.consents`)
			require.NoError(t, err)
		})
		s, err := combined.New(sessions, grants)
		require.NoError(t, err)
		return s
	})
}
