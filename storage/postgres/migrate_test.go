package postgres_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/postgres"
)

// TestMigrateTogether verifies that nodes that start at the same time make one schema, and that Migrate continues where it was interrupted
// (docs/threat-model.md J19).
func TestMigrateTogether(t *testing.T) {
	t.Parallel()
	url := emptyDatabase(t)
	pools := [3]*pgxpool.Pool{}
	for i := range pools {
		pools[i] = openPool(t, url)
		defer pools[i].Close()
	}
	_, err := postgres.New(bg, pools[0], postgres.Config{})
	require.ErrorIs(t, err, postgres.ErrSchema, "without a schema")
	all := postgres.Migrations()
	broken := all[1]
	broken.SQL += "; SELECT 1/0"
	require.NoError(t, postgres.Apply(bg, pools[0], all[0]))
	require.Error(t, postgres.Apply(bg, pools[0], broken), "a migration that fails at its end")
	_, err = postgres.New(bg, pools[0], postgres.Config{})
	require.ErrorIs(t, err, postgres.ErrSchema, "with a part of the schema")

	var nodes sync.WaitGroup
	errs := [len(pools)]error{}
	for i, pool := range pools {
		nodes.Go(func() { errs[i] = postgres.Migrate(bg, pool) })
	}
	nodes.Wait()
	require.NoError(t, errors.Join(errs[:]...))
	require.NoError(t, postgres.Migrate(bg, pools[0]), "again")
	var applied int
	require.NoError(t, pools[0].QueryRow(bg, "SELECT count(*) FROM portner.migrations").Scan(&applied))
	require.Equal(t, len(all), applied)
	openStore(t, pools[0], postgres.Config{})
}

// future is what a later version of the package may do: it adds columns, a new version of a function and a table, and takes away nothing.
var future = postgres.Migration{
	Version: len(postgres.Migrations()) + 1, Name: "9999_future.sql", Needs: 1,
	SQL: `ALTER TABLE portner.grants ADD COLUMN tenant text COLLATE "C" NOT NULL DEFAULT '';
		ALTER TABLE portner.access_tokens ADD COLUMN tenant text COLLATE "C";
		CREATE INDEX grants_tenant ON portner.grants (tenant) WHERE tenant <> '';
		CREATE FUNCTION portner.consume_pushed_request_2(p_hash bytea, p_now bigint) RETURNS smallint
			LANGUAGE sql AS $$ SELECT portner.consume_pushed_request_1(p_hash, p_now) $$`,
}

// TestOldAndNew verifies that nodes of this version work on while a later version migrates the schema, that they start on it, and that
// neither version starts on a schema that does not fit it (docs/threat-model.md J19).
func TestOldAndNew(t *testing.T) {
	t.Parallel()
	url := emptyDatabase(t)
	pool := openPool(t, url)
	defer pool.Close()
	require.NoError(t, postgres.Migrate(bg, pool))
	old := openStore(t, pool, postgres.Config{})

	stop, n := make(chan struct{}), make(chan int, 1)
	go func() { // logins while the schema changes; a failure ends the test
		for i := 0; ; i++ {
			select {
			case <-stop:
				n <- i
				return
			default:
				login(t, old, i, epoch)
			}
		}
	}()
	require.NoError(t, postgres.Apply(bg, pool, future))
	login(t, old, 1_000_000, epoch)
	close(stop)
	last := <-n - 1

	started := openStore(t, openPoolOf(t, url), postgres.Config{})
	for _, s := range []*postgres.Store{old, started} {
		for _, i := range []int{0, last, 1_000_000} {
			in, c := sessionOf(i, epoch), codeOf(i, epoch)
			_, err := s.Session(bg, in.Hash, epoch)
			require.NoError(t, err)
			_, _, err = s.AccessToken(bg, issuanceOf(i, 0, c, epoch).Access.Hash, epoch)
			require.NoError(t, err)
			require.ErrorIs(t, s.RedeemCode(bg, c.Hash, issuanceOf(i, 9, c, epoch), epoch), storage.ErrConsumed)
		}
	}

	breaking := future
	breaking.Version, breaking.Name, breaking.Needs, breaking.SQL = future.Version+1, "10000_breaking.sql", future.Version+1, "ALTER TABLE portner.grants DROP COLUMN tenant"
	require.NoError(t, postgres.Apply(bg, pool, breaking))
	_, err := postgres.New(bg, pool, postgres.Config{})
	require.ErrorIs(t, err, postgres.ErrSchema, "a schema that needs a later package")
	require.NoError(t, postgres.Migrate(bg, pool), "Migrate leaves a newer schema as it is")
}

func openPoolOf(t *testing.T, url string) *pgxpool.Pool {
	pool := openPool(t, url)
	t.Cleanup(pool.Close)
	return pool
}

// TestNewerRecord verifies that a record of a later format is an error of its own record, and of no other (docs/threat-model.md J19).
func TestNewerRecord(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	s := openStore(t, d.pool, postgres.Config{})
	_, c := login(t, s, 1, epoch)
	login(t, s, 2, epoch)
	_, err := d.pool.Exec(bg, "UPDATE portner.grants SET grant_data = set_byte(grant_data, 0, 200) WHERE id = $1", c.Grant.ID)
	require.NoError(t, err)
	_, _, err = s.AccessToken(bg, issuanceOf(1, 0, c, epoch).Access.Hash, epoch)
	require.Error(t, err)
	for _, verdict := range []error{storage.ErrNotFound, storage.ErrRevoked} {
		require.NotErrorIs(t, err, verdict)
	}
	_, _, err = s.AccessToken(bg, issuanceOf(2, 0, codeOf(2, epoch), epoch).Access.Hash, epoch)
	require.NoError(t, err)
}

// TestScript verifies that the script makes the schema that Migrate makes.
func TestScript(t *testing.T) {
	t.Parallel()
	pool := openPoolOf(t, emptyDatabase(t))
	_, err := pool.Exec(bg, postgres.Script())
	require.NoError(t, err)
	s := openStore(t, pool, postgres.Config{})
	require.NoError(t, postgres.Migrate(bg, pool))
	login(t, s, 1, epoch)
	_, err = pool.Exec(bg, postgres.Script())
	require.Error(t, err, "a second time")
}
