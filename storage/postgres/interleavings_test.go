package postgres_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/postgres"
)

// pauseAfter makes statements of a kind on a table wait when they have found their rows, until the function that it returns is called. Each
// statement of a function has a snapshot of its own: what is committed during the pause is seen by the following ones.
func pauseAfter(t *testing.T, d database, statement, table string) (resume func()) {
	t.Helper()
	t.Cleanup(func() {
		_, err := d.pool.Exec(bg, "DROP FUNCTION IF EXISTS pause() CASCADE")
		require.NoError(t, err)
	})
	_, err := d.pool.Exec(bg, `CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NULL; END $$;
		CREATE TRIGGER pause AFTER `+statement+" ON portner."+table+" FOR EACH STATEMENT EXECUTE FUNCTION pause()")
	require.NoError(t, err)
	return hold(t, d, "SELECT pg_advisory_xact_lock(1)")
}

// hold executes a statement that locks, and returns what ends its transaction.
func hold(t *testing.T, d database, sql string, args ...any) (resume func()) {
	t.Helper()
	tx, err := d.pool.Begin(bg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback(bg) }) // if the test fails before
	_, err = tx.Exec(bg, sql, args...)
	require.NoError(t, err)
	return func() { require.NoError(t, tx.Rollback(bg)) }
}

// TestInterleavings verifies the verdict of a method during which another one commits: an order of the two explains it
// (docs/threat-model.md J24). The first one is held between two statements.
func TestInterleavings(t *testing.T) {
	t.Parallel()
	during := func(t *testing.T, d database, method func() error, resume func(), other func() error) error {
		t.Helper()
		result := make(chan error, 1)
		go func() { result <- method() }()
		waitUntilBlocked(t, d.pool)
		require.NoError(t, other())
		resume()
		return <-result
	}

	t.Run("a request that is pushed while it is consumed was not consumed", func(t *testing.T) {
		t.Parallel()
		d := newDatabase(t)
		s := openStore(t, d.pool, postgres.Config{Timeout: time.Minute})
		p := storage.PushedRequest{Hash: storage.HashOf("urn"), ClientID: "c", Source: "c", Params: []byte("sealed"), ExpiresAt: epoch.Add(time.Minute)}
		err := during(t, d, func() error { return s.ConsumePushedRequest(bg, p.Hash, epoch) }, pauseAfter(t, d, "UPDATE", "pushed_requests"),
			func() error { return s.PushRequest(bg, p, epoch) })
		require.ErrorIs(t, err, storage.ErrNotFound)
		require.NoError(t, s.ConsumePushedRequest(bg, p.Hash, epoch))
		require.ErrorIs(t, s.ConsumePushedRequest(bg, p.Hash, epoch), storage.ErrConsumed)
	})

	t.Run("a code that is inserted while it is redeemed is redeemed", func(t *testing.T) {
		t.Parallel()
		d := newDatabase(t)
		s := openStore(t, d.pool, postgres.Config{Timeout: time.Minute})
		c := codeOf(1, epoch)
		err := during(t, d, func() error { return s.RedeemCode(bg, c.Hash, issuanceOf(1, 0, c, epoch), epoch) }, pauseAfter(t, d, "UPDATE", "grants"),
			func() error { return s.FinishRequest(bg, outcomeOf(1, c), epoch) })
		require.NoError(t, err, "the function is called again")
		_, err = s.Code(bg, c.Hash, epoch)
		require.ErrorIs(t, err, storage.ErrConsumed)
		_, _, err = s.AccessToken(bg, issuanceOf(1, 0, c, epoch).Access.Hash, epoch)
		require.NoError(t, err)
	})

	t.Run("a request that is swept while it is finished again is finished", func(t *testing.T) {
		t.Parallel()
		d := newDatabase(t)
		s := openStore(t, d.pool, postgres.Config{Timeout: time.Minute})
		c := codeOf(1, epoch)
		require.NoError(t, s.FinishRequest(bg, outcomeOf(1, c), epoch))
		err := during(t, d, func() error { return s.FinishRequest(bg, outcomeOf(1, c), epoch) }, pauseAfter(t, d, "INSERT", "requests"),
			func() error {
				_, err := s.Sweep(bg, epoch.Add(grantLife+time.Hour))
				return err
			})
		require.NoError(t, err, "the function is called again")
		_, err = s.Code(bg, c.Hash, epoch)
		require.NoError(t, err)
	})

	t.Run("a session that is visited while others end is not counted", func(t *testing.T) {
		t.Parallel()
		d := newDatabase(t)
		s := openStore(t, d.pool, postgres.Config{Timeout: time.Minute})
		expired, other, next := sessionOf(1, epoch), sessionOf(2, epoch.Add(20*time.Minute)), sessionOf(3, epoch.Add(31*time.Minute))
		other.UserKey, next.UserKey = expired.UserKey, expired.UserKey
		for _, one := range []storage.Session{expired, other} {
			_, err := s.ReplaceSession(bg, none, one, 0, one.StartedAt)
			require.NoError(t, err)
		}
		resume := hold(t, d, "SELECT FROM portner.sessions WHERE id = $1 FOR UPDATE", other.ID)
		var ended []storage.Session
		err := during(t, d, func() (err error) {
			ended, err = s.ReplaceSession(bg, none, next, 1, next.StartedAt)
			return err
		}, resume, func() error { // on a node whose clock is behind
			now := epoch.Add(29 * time.Minute)
			c := codeOf(1, now)
			c.Grant.SessionID = expired.ID
			o := outcomeOf(1, c)
			o.Visit = &storage.Visit{Session: expired.Hash, At: now, Until: epoch.Add(2 * time.Hour), Client: expired.Clients[0]}
			return s.FinishRequest(bg, o, now)
		})
		require.NoError(t, err)
		require.Len(t, ended, 1)
		require.Equal(t, other.ID, ended[0].ID, "the session that was live at the time of the replacement")
		_, err = s.Session(bg, other.Hash, next.StartedAt)
		require.ErrorIs(t, err, storage.ErrNotFound)
		_, err = s.Session(bg, expired.Hash, next.StartedAt)
		require.NoError(t, err, "the visit came after the replacement")
	})
}
