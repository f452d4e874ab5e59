package postgres_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/postgres"
)

// tables are those whose rows expire.
var tables = []string{"sessions", "requests", "grants", "access_tokens", "refresh_tokens", "consents", "pushed_requests", "logins", "replays"}

// rowsOf returns the number of rows of each table.
func rowsOf(t testing.TB, pool *pgxpool.Pool) map[string]int {
	t.Helper()
	all := map[string]int{}
	for _, table := range tables {
		var n int
		require.NoError(t, pool.QueryRow(bg, "SELECT count(*) FROM portner."+table).Scan(&n))
		all[table] = n
	}
	return all
}

// everything inserts records of each kind.
func everything(t testing.TB, s *postgres.Store, n int) {
	t.Helper()
	login(t, s, n, epoch)
	key := storage.ConsentKey{UserKey: storage.HashOf("user"), ClientID: "client-a"}
	o := storage.Outcome{RequestID: numbered("denied", n), Consents: key, RetainTo: epoch.Add(retainLife)}
	o.Granted = []storage.Consent{{Scope: numbered("scope", n), GrantedAt: epoch, ExpiresAt: epoch.Add(time.Hour)}}
	require.NoError(t, s.FinishRequest(bg, o, epoch))
	require.NoError(t, s.PushRequest(bg, storage.PushedRequest{Hash: storage.HashOf(numbered("push", n)), ClientID: "c", Source: "c", ExpiresAt: epoch.Add(time.Minute)}, epoch))
	require.NoError(t, s.RecordLogin(bg, storage.Login{ID: numbered("login", n), UserKey: storage.HashOf("user"), At: epoch, ExpiresAt: epoch.Add(time.Hour)}, epoch))
	require.NoError(t, s.ConsumeJTI(bg, "c", storage.HashOf(numbered("jti", n)), epoch.Add(time.Minute), epoch))
}

// TestSweep verifies that Sweep removes what expired longer ago than clocks differ, and nothing else (docs/threat-model.md J3).
func TestSweep(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	s := openStore(t, d.pool, postgres.Config{})
	for n := range 20 {
		everything(t, s, n)
	}
	before := rowsOf(t, d.pool)
	removed, err := s.Sweep(bg, epoch.Add(time.Minute+session.MaxSkew-1))
	require.NoError(t, err)
	require.Zero(t, removed, "a node whose clock is behind may need them")
	require.Equal(t, before, rowsOf(t, d.pool))
	require.ErrorIs(t, s.ConsumeJTI(bg, "c", storage.HashOf("jti-1"), epoch.Add(time.Minute), epoch), storage.ErrConsumed)

	total := 0
	for _, step := range []struct {
		at   time.Duration
		gone []string
	}{
		{time.Minute, []string{"pushed_requests", "replays"}},
		{accessLife, []string{"access_tokens"}},
		{retainLife, []string{"requests", "sessions"}},
		{time.Hour, []string{"consents", "logins"}},
		{grantLife, []string{"grants", "refresh_tokens"}},
	} {
		removed, err := s.Sweep(bg, epoch.Add(step.at+session.MaxSkew))
		require.NoError(t, err)
		left := rowsOf(t, d.pool)
		expected := 0
		for _, table := range step.gone {
			require.Zero(t, left[table], "%s %v later", table, step.at)
			expected += before[table]
			delete(before, table)
		}
		require.Equal(t, expected, removed, "%v later", step.at)
		for table, n := range before {
			require.Equal(t, n, left[table], "%s %v later", table, step.at)
		}
		total += removed
	}
	require.Empty(t, before)
}

// TestSweepTogether verifies that nodes that sweep at once remove each row once, in statements of at most 1,000 rows that wait for
// no lock, while a caller holds some of the rows.
func TestSweepTogether(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	const rows = 5000
	fillReplays(t, d.pool, rows)
	tx, err := d.pool.Begin(bg)
	require.NoError(t, err)
	_, err = tx.Exec(bg, "SELECT 1 FROM portner.replays ORDER BY key LIMIT 10 FOR UPDATE")
	require.NoError(t, err)
	var sizes batches
	cfg := d.pool.Config()
	cfg.ConnConfig.Tracer = &sizes
	pool, err := pgxpool.NewWithConfig(bg, cfg)
	require.NoError(t, err)
	defer pool.Close()
	var removed atomic.Int64
	var nodes sync.WaitGroup
	for range 3 {
		s := openStore(t, pool, postgres.Config{})
		nodes.Go(func() {
			n, err := s.Sweep(bg, epoch.Add(time.Hour))
			if err != nil {
				t.Error(err)
			}
			removed.Add(int64(n))
		})
	}
	nodes.Wait()
	require.NoError(t, tx.Rollback(bg))
	last, err := openStore(t, pool, postgres.Config{}).Sweep(bg, epoch.Add(time.Hour))
	require.NoError(t, err)
	require.GreaterOrEqual(t, last, 10, "rows that a caller held are removed later")
	require.EqualValues(t, rows, removed.Load()+int64(last))
	require.LessOrEqual(t, slices.Max(sizes.all), int64(postgres.MaxBatch))
}

// fillReplays inserts assertions that expired at epoch.
func fillReplays(t testing.TB, pool *pgxpool.Pool, rows int) {
	t.Helper()
	_, err := pool.Exec(bg, `INSERT INTO portner.replays (key, client_id, expires_at)
		SELECT sha256(n::text::bytea), 'client', $1 FROM generate_series(1, $2) AS n`, epoch.UnixNano(), rows)
	require.NoError(t, err)
}

// TestSweepAdapts verifies that statements become smaller while they take long.
func TestSweepAdapts(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	fillReplays(t, d.pool, 5000)
	var sizes batches
	cfg := d.pool.Config()
	cfg.ConnConfig.Tracer = &sizes
	pool, err := pgxpool.NewWithConfig(bg, cfg)
	require.NoError(t, err)
	defer pool.Close()
	at := epoch
	slow := postgres.Config{Now: func() time.Time { at = at.Add(40 * time.Millisecond); return at }}
	removed, err := openStore(t, pool, slow).Sweep(bg, epoch.Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, 5000, removed)
	sizes.mu.Lock()
	defer sizes.mu.Unlock()
	require.Contains(t, sizes.all, int64(50))
	require.NotContains(t, sizes.all, int64(1000))
}

// TestSweepStops verifies that Sweep ends with its context.
func TestSweepStops(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	ctx, cancel := context.WithCancel(bg)
	cancel()
	_, err := s.Sweep(ctx, epoch)
	require.ErrorIs(t, err, context.Canceled)
	s.Run(ctx) // returns
}

// TestOnSweep verifies that Run reports what it removes, and errors.
func TestOnSweep(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	var removed []int
	var errs []error
	s := openStore(t, d.pool, postgres.Config{OnSweep: func(context.Context) func(int, error) {
		return func(n int, err error) { removed, errs = append(removed, n), append(errs, err) }
	}})
	now, err := s.SweepTime(bg)
	require.NoError(t, err)
	require.NoError(t, s.ConsumeJTI(bg, "c", storage.HashOf("jti"), now.Add(-time.Hour), now.Add(-2*time.Hour)))
	s.SweepOnce(bg)
	stopped, cancel := context.WithCancel(bg)
	cancel()
	s.SweepOnce(stopped)
	require.Equal(t, []int{1, 0}, removed)
	require.NoError(t, errs[0])
	require.ErrorIs(t, errs[1], context.Canceled)
}

// TestFence verifies that everything that was touched since an instant is ended, by whatever touched it, and that the rest stays
// (docs/threat-model.md J9).
func TestFence(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	later := epoch.Add(5 * time.Minute)
	for n := range 5 {
		login(t, s, n, epoch)
	}
	// 0 stays as it is. Each of the others is touched in another way.
	c := codeOf(10, epoch)
	require.NoError(t, s.RotateRefreshToken(bg, issuanceOf(1, 1, codeOf(1, epoch), epoch).Refresh.Hash, issuanceOf(1, 2, codeOf(1, epoch), later), 0, later))
	in := sessionOf(2, epoch)
	_, err := s.ReplaceSession(bg, in.Hash, in, 0, later)
	require.NoError(t, err)
	again := codeOf(30, later)
	again.Grant.UserKey, again.Grant.SessionID = sessionOf(3, epoch).UserKey, sessionOf(3, epoch).ID
	o := outcomeOf(30, again)
	o.Visit = &storage.Visit{Session: sessionOf(3, epoch).Hash, At: later, Client: storage.SessionClient{ClientID: "client-b"}}
	require.NoError(t, s.FinishRequest(bg, o, later))
	require.NoError(t, s.InsertGrant(bg, issuanceOf(40, 0, codeOf(40, later), later), later))
	renewal := issuanceOf(4, 3, codeOf(4, epoch), later)
	renewal.Refresh.Hash = issuanceOf(4, 1, codeOf(4, epoch), epoch).Refresh.Hash
	require.NoError(t, s.RotateRefreshToken(bg, renewal.Refresh.Hash, renewal, 0, later))
	require.NoError(t, s.FinishRequest(bg, outcomeOf(10, c), epoch))
	require.NoError(t, s.PushRequest(bg, storage.PushedRequest{Hash: storage.HashOf("push"), ClientID: "c", Source: "c", ExpiresAt: later.Add(time.Minute)}, later))

	ended, err := s.FenceAfterFailover(bg, later.Add(-time.Minute), later)
	require.NoError(t, err)
	require.Equal(t, 6, ended, "two sessions, the grants of two rotations, one code and one grant")
	for n, want := range map[int]error{0: nil, 1: nil, 2: storage.ErrNotFound, 3: storage.ErrNotFound, 4: nil} {
		_, err = s.Session(bg, sessionOf(n, epoch).Hash, later)
		require.ErrorIs(t, err, want, "session %d", n)
	}
	for n, want := range map[int]error{0: nil, 1: storage.ErrRevoked, 2: nil, 3: nil} {
		_, _, err = s.RefreshToken(bg, issuanceOf(n, 1, codeOf(n, epoch), epoch).Refresh.Hash, epoch.Add(time.Minute))
		require.ErrorIs(t, err, want, "grant %d", n)
	}
	_, _, err = s.RefreshToken(bg, renewal.Refresh.Hash, later)
	require.ErrorIs(t, err, storage.ErrRevoked, "a renewed token")
	_, err = s.Code(bg, again.Hash, later)
	require.ErrorIs(t, err, storage.ErrConsumed)
	_, err = s.Code(bg, c.Hash, epoch)
	require.NoError(t, err, "a code before the instant")
	_, _, err = s.AccessToken(bg, issuanceOf(40, 0, codeOf(40, later), later).Access.Hash, later)
	require.ErrorIs(t, err, storage.ErrRevoked)
	_, err = s.PushedRequest(bg, storage.HashOf("push"), later)
	require.ErrorIs(t, err, storage.ErrNotFound)

	ended, err = s.FenceAfterFailover(bg, time.Time{}, later)
	require.NoError(t, err)
	require.Equal(t, 3+4, ended, "the other sessions and grants, and the code")
	_, _, err = s.RefreshToken(bg, issuanceOf(0, 1, codeOf(0, epoch), epoch).Refresh.Hash, later)
	require.ErrorIs(t, err, storage.ErrRevoked, "the zero time ends everything")
}

// TestFenceOfMany verifies that a fence goes through more rows than one statement looks at.
func TestFenceOfMany(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	s := openStore(t, d.pool, postgres.Config{})
	const rows = 2500
	_, err := d.pool.Exec(bg, `INSERT INTO portner.grants (id, client_id, customer, user_key, listed, login_only, created_at, expires_at, inserted_at, remove_at, consumed_at, redeemed_at, grant_data)
		SELECT 'g' || n, 'c', '', sha256(n::text::bytea), true, false, $1, $2, $1, $2, $1, $1, '' FROM generate_series(1, $3) AS n`,
		epoch.UnixNano(), epoch.Add(grantLife).UnixNano(), rows)
	require.NoError(t, err)
	_, err = d.pool.Exec(bg, `INSERT INTO portner.refresh_tokens (hash, grant_id, generation, expires_at, inserted_at, remove_at)
		SELECT sha256(n::text::bytea), 'g' || n, 0, $1, $2, $1 FROM generate_series(1, $3) AS n`,
		epoch.Add(grantLife).UnixNano(), epoch.Add(time.Hour).UnixNano(), rows)
	require.NoError(t, err)
	ended, err := s.FenceAfterFailover(bg, epoch.Add(30*time.Minute), epoch.Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, rows, ended)
	ended, err = s.FenceAfterFailover(bg, epoch.Add(30*time.Minute), epoch.Add(time.Hour))
	require.NoError(t, err)
	require.Zero(t, ended, "again")
}

// TestBounds verifies the bounds of a user and of a source of pushed requests (docs/threat-model.md J3).
func TestBounds(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	s := openStore(t, d.pool, postgres.Config{MaxPushedRequestsPerClient: 4})
	push := func(n int, source string) error {
		return s.PushRequest(bg, storage.PushedRequest{Hash: storage.HashOf(numbered(source, n)), ClientID: "c", Source: source, ExpiresAt: epoch.Add(time.Minute)}, epoch)
	}
	for source, most := range map[string]int{"c": 4, "c 192.0.2.1": 20} {
		for n := range most {
			require.NoError(t, push(n, source))
		}
		require.ErrorIs(t, push(most, source), storage.ErrFull, source)
		require.NoError(t, s.ConsumePushedRequest(bg, storage.HashOf(numbered(source, 0)), epoch))
		require.NoError(t, push(most, source), "a consumed request makes room")
	}
	require.NoError(t, push(0, "c 192.0.2.2"), "another address")

	in := sessionOf(0, epoch)
	_, err := d.pool.Exec(bg, `INSERT INTO portner.sessions (id, hash, user_key, version, started_at, last_request_at, expires_at, changed_at, client_ids, client_sids, client_logins, client_open, data)
		SELECT 's' || n, sha256(n::text::bytea), $1, 0, $2, $2, $3, $2, '{}', '{}', '{}', '{}', decode('0101', 'hex') FROM generate_series(1, 1000) AS n`,
		in.UserKey[:], epoch.Add(-time.Hour).UnixNano(), in.ExpiresAt.UnixNano())
	require.NoError(t, err)
	_, err = s.ReplaceSession(bg, none, in, 0, epoch)
	require.ErrorIs(t, err, storage.ErrFull)
	_, err = d.pool.Exec(bg, "UPDATE portner.sessions SET expires_at = $1 WHERE id = 's1'", epoch.UnixNano())
	require.NoError(t, err)
	_, err = s.ReplaceSession(bg, none, in, 0, epoch)
	require.NoError(t, err, "an expired session makes room")

	user := storage.HashOf("user")
	for n := range 205 {
		require.NoError(t, s.RecordLogin(bg, storage.Login{ID: numbered("l", n), UserKey: user, At: epoch, ExpiresAt: epoch.Add(time.Hour)}, epoch))
	}
	logins, err := s.Logins(bg, user, epoch)
	require.NoError(t, err)
	require.Len(t, logins, 200)
	require.Equal(t, "l-204", logins[0].ID)
	require.Equal(t, "l-5", logins[199].ID)
}

// TestSweepTime verifies that a node whose clock is an hour ahead does not remove used assertions, which other nodes would accept again.
func TestSweepTime(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	now := time.Now()
	for name, c := range map[string]struct {
		clock time.Time
		want  func(got time.Time) bool
	}{
		"ahead":  {now.Add(time.Hour), func(got time.Time) bool { return got.Before(now.Add(time.Hour)) }},
		"behind": {now.Add(-time.Hour), func(got time.Time) bool { return got.Equal(now.Add(-time.Hour)) }},
	} {
		s := openStore(t, d.pool, postgres.Config{Now: func() time.Time { return c.clock }})
		expires := now.Add(30 * time.Minute)
		require.NoError(t, s.ConsumeJTI(bg, "c", storage.HashOf(name), expires, now))
		at, err := s.SweepTime(bg)
		require.NoError(t, err)
		require.True(t, c.want(at), "%s: %s", name, at)
		_, err = s.Sweep(bg, at)
		require.NoError(t, err)
		require.ErrorIs(t, s.ConsumeJTI(bg, "c", storage.HashOf(name), expires, now), storage.ErrConsumed, name)
	}
}
