package postgres_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/localdb"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/postgres"
	"github.com/portner-go/portner/storage/storagetest"
)

// TestNodes runs storagetest with several pools on one database.
func TestNodes(t *testing.T) {
	t.Parallel()
	storagetest.RunNodes(t, func(t *testing.T, n int) []storagetest.Node {
		d := newDatabase(t)
		var nodes []storagetest.Node
		for range n {
			pool := openPool(t, d.url)
			t.Cleanup(pool.Close)
			s := openStore(t, pool, postgres.Config{})
			nodes = append(nodes, storagetest.Node{Store: s, PushedRequests: s, Replay: s, Sweep: s.Sweep})
		}
		return nodes
	})
}

// bouncer is the PgBouncer of the tests that need one.
var bouncer struct {
	sync.Once
	*localdb.Server
	err error
}

// bouncerURL returns the URL of a database through PgBouncer in transaction mode, with two connections to the server.
func bouncerURL(t *testing.T, url string) string {
	t.Helper()
	bouncer.Do(func() {
		bouncer.Server, bouncer.err = localdb.StartPgBouncer(localdb.Config{Dir: filepath.Join(server.dir, "pgbouncer")}, server.Server, 2)
	})
	if errors.Is(bouncer.err, localdb.ErrNotInstalled) && os.Getenv("CI") != "true" {
		t.Skip("SKIPPED: " + bouncer.err.Error())
	}
	require.NoError(t, bouncer.err)
	return strings.Replace(url, server.Addr, bouncer.Addr, 1) + "&default_query_exec_mode=exec"
}

// TestPgBouncer verifies that migrations, all methods and Sweep work through PgBouncer in transaction mode, where each statement of a
// connection may reach another one of the server.
func TestPgBouncer(t *testing.T) {
	t.Parallel()
	url := emptyDatabase(t)
	pool := openPool(t, bouncerURL(t, url))
	defer pool.Close()
	require.NoError(t, postgres.Migrate(bg, pool))
	s := openStore(t, pool, postgres.Config{})
	all := calls(s)
	for n := 10; n < 30; n += 10 {
		prepare(t, s, n)
		for _, name := range order {
			require.NoError(t, all[name](n), name)
		}
	}
	_, err := s.Sweep(bg, epoch.Add(24*time.Hour))
	require.NoError(t, err)
	_, err = s.FenceAfterFailover(bg, time.Time{}, epoch)
	require.NoError(t, err)
	require.NoError(t, s.Ping(bg))

	// More callers than connections: of those that redeem one code one wins, and no connection of the server keeps anything.
	for round := range 20 {
		c := codeOf(7_000_000+round, epoch)
		require.NoError(t, s.FinishRequest(bg, outcomeOf(7_000_000+round, c), epoch))
		var callers sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			callers.Go(func() { errs[i] = s.RedeemCode(bg, c.Hash, issuanceOf(7_000_000+round, i, c, epoch), epoch) })
		}
		callers.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else {
				require.ErrorIs(t, err, storage.ErrConsumed)
			}
		}
		require.Equal(t, 1, won)
	}
	direct := openPoolOf(t, url)
	var locks int
	require.NoError(t, direct.QueryRow(bg, "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE l.locktype = 'advisory' AND d.datname = current_database()").Scan(&locks))
	require.Zero(t, locks, "advisory locks are left")
}

// TestContractPgBouncer runs the parts of storagetest that race through PgBouncer.
func TestContractPgBouncer(t *testing.T) {
	t.Parallel()
	open := func(t *testing.T) *postgres.Store {
		return openStore(t, openPoolOf(t, bouncerURL(t, newDatabase(t).url)), postgres.Config{})
	}
	storagetest.RunPushedRequests(t, func(t *testing.T) authorize.PushedRequestStore { return open(t) })
	storagetest.RunReplay(t, func(t *testing.T) client.ReplayStore { return open(t) })
	storagetest.RunSigningKeys(t, func(t *testing.T) keyset.Store { return open(t) })
	if os.Getenv(storagetest.Variable) != "short" {
		storagetest.Run(t, func(t *testing.T) provider.Store { return open(t) })
	}
}
