package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/internal/localdb"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage/postgres"
	"github.com/portner-go/portner/storage/storagetest"
	"github.com/portner-go/portner/token"
)

var (
	_ provider.Store               = (*postgres.Store)(nil)
	_ token.GrantStore             = (*postgres.Store)(nil)
	_ authorize.PushedRequestStore = (*postgres.Store)(nil)
	_ authorize.HistoryStore       = (*postgres.Store)(nil)
	_ authorizations.HistoryStore  = (*postgres.Store)(nil)
	_ client.ReplayStore           = (*postgres.Store)(nil)
	_ dpop.ReplayStore             = (*postgres.Store)(nil)
	_ keyset.Store                 = (*postgres.Store)(nil)
)

// server is the PostgreSQL of all tests of this package.
var server struct {
	sync.Once
	*localdb.Server
	dir string
	err error
}

// serverSettings: the tests of this package lose nothing to a crash, so they do not wait for the disk.
var serverSettings = map[string]string{"fsync": "off", "synchronous_commit": "off", "max_connections": "200", "max_wal_size": "4GB"}

// TestMain runs storagetest in its short form; PORTNER_STORAGETEST=full go test runs the full one, in minutes.
func TestMain(m *testing.M) {
	if os.Getenv(storagetest.Variable) == "" {
		_ = os.Setenv(storagetest.Variable, "short")
	}
	code := m.Run()
	if bouncer.Server != nil {
		bouncer.Stop()
	}
	if server.Server != nil {
		server.Stop()
	}
	if server.dir != "" {
		_ = os.RemoveAll(server.dir)
	}
	os.Exit(code)
}

// postgresURL starts the server with the first test that needs it, and returns its URL.
func postgresURL(t testing.TB) string {
	t.Helper()
	server.Do(func() {
		if server.dir, server.err = os.MkdirTemp("", "portner-postgres"); server.err != nil {
			return
		}
		server.Server, server.err = localdb.StartPostgres(localdb.Config{Dir: filepath.Join(server.dir, "data"), Settings: serverSettings})
	})
	if errors.Is(server.err, localdb.ErrNotInstalled) && os.Getenv("CI") != "true" {
		t.Skip("SKIPPED: " + server.err.Error())
	}
	require.NoError(t, server.err)
	return server.URL
}

// database is a database with the schema.
type database struct {
	url  string
	pool *pgxpool.Pool // stays open between the tests: a new connection is a new process
}

// databases are those that no test uses. Their tables are empty.
var databases struct {
	sync.Mutex
	made int
	free []database
}

// newDatabase returns a database with the schema and without records. Another test gets it later.
func newDatabase(t testing.TB) database {
	t.Helper()
	postgresURL(t)
	databases.Lock()
	var d database
	if last := len(databases.free) - 1; last >= 0 {
		d, databases.free = databases.free[last], databases.free[:last]
	}
	databases.Unlock()
	if d.pool == nil {
		d.url = emptyDatabase(t)
		d.pool = openPool(t, d.url)
		require.NoError(t, postgres.Migrate(context.Background(), d.pool))
	}
	t.Cleanup(func() {
		d.empty(t)
		databases.Lock()
		defer databases.Unlock()
		databases.free = append(databases.free, d)
	})
	return d
}

// empty removes the records.
func (d database) empty(t testing.TB) {
	t.Helper()
	// Faster than TRUNCATE, which makes new files for each table and index.
	_, err := d.pool.Exec(context.Background(), `DELETE FROM portner.sessions; DELETE FROM portner.requests; DELETE FROM portner.grants;
		DELETE FROM portner.access_tokens; DELETE FROM portner.refresh_tokens; DELETE FROM portner.consents; DELETE FROM portner.pushed_requests;
		DELETE FROM portner.logins; DELETE FROM portner.replays; DELETE FROM portner.signing_keys`)
	require.NoError(t, err)
}

// emptyDatabase makes a database without the schema and returns its URL.
func emptyDatabase(t testing.TB) string {
	t.Helper()
	admin := openPool(t, postgresURL(t))
	defer admin.Close()
	databases.Lock()
	databases.made++
	name := fmt.Sprintf("test_%d", databases.made)
	databases.Unlock()
	_, err := admin.Exec(context.Background(), "CREATE DATABASE "+name)
	require.NoError(t, err)
	return fmt.Sprintf("postgres://postgres@%s/%s?sslmode=disable", server.Addr, name)
}

func openPool(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), url)
	require.NoError(t, err)
	return pool
}

// openStore returns a store on a pool.
func openStore(t testing.TB, pool *pgxpool.Pool, c postgres.Config) *postgres.Store {
	t.Helper()
	s, err := postgres.New(context.Background(), pool, c)
	require.NoError(t, err)
	return s
}

func newStore(t testing.TB) *postgres.Store {
	return openStore(t, newDatabase(t).pool, postgres.Config{})
}

// TestContract runs storagetest.
func TestContract(t *testing.T) {
	t.Parallel()
	storagetest.Run(t, func(t *testing.T) provider.Store { return newStore(t) })
	storagetest.RunPushedRequests(t, func(t *testing.T) authorize.PushedRequestStore { return newStore(t) })
	storagetest.RunReplay(t, func(t *testing.T) client.ReplayStore { return newStore(t) })
	storagetest.RunGrants(t, func(t *testing.T) storagetest.GrantStore { return newStore(t) })
	storagetest.RunHistory(t, func(t *testing.T) storagetest.HistoryStore { return newStore(t) })
	storagetest.RunSigningKeys(t, func(t *testing.T) keyset.Store { return newStore(t) })
}
