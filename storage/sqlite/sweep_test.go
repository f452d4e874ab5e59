package sqlite_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/sqlite"
)

func count(t *testing.T, s *sqlite.Store, table string) int {
	t.Helper()
	n, err := s.Number("SELECT count(*) FROM " + table)
	require.NoError(t, err)
	return int(n)
}

// Sweep removes each kind of record at its end and a tolerance, and not before.
func TestSweep(t *testing.T) {
	t.Parallel()
	s := open(t)
	ctx := t.Context()
	require.NoError(t, logIn(ctx, s, "a"))
	require.NoError(t, s.PushRequest(ctx, storage.PushedRequest{Hash: storage.HashOf("urn"), ClientID: "client-a", Source: "client-a", ExpiresAt: epoch.Add(90 * time.Second)}, epoch))
	require.NoError(t, s.RecordLogin(ctx, storage.Login{ID: "login", UserKey: storage.HashOf("user a"), At: epoch, ExpiresAt: epoch.Add(48 * time.Hour)}, epoch))
	require.NoError(t, s.ConsumeJTI(ctx, "client-a", storage.HashOf("jti"), epoch.Add(time.Minute), epoch))
	require.NoError(t, s.FinishRequest(ctx, storage.Outcome{RequestID: "denied", RetainTo: epoch.Add(time.Minute)}, epoch))
	tables := []string{"sessions", "codes", "access_tokens", "refresh_tokens", "grants", "consents", "pushed_requests", "logins", "replays"}
	have := map[string]int{"sessions": 1, "codes": 2, "access_tokens": 2, "refresh_tokens": 2, "grants": 1, "consents": 1, "pushed_requests": 1, "logins": 1, "replays": 1}
	for _, step := range []struct {
		after time.Duration
		gone  map[string]int
	}{
		{time.Minute, map[string]int{"codes": 1, "replays": 1}},
		{90 * time.Second, map[string]int{"pushed_requests": 1}},
		{2 * time.Minute, map[string]int{"access_tokens": 2}},
		{time.Hour, map[string]int{"sessions": 1, "codes": 1, "consents": 1, "grants": 1, "refresh_tokens": 2}},
		{48 * time.Hour, map[string]int{"logins": 1}},
	} {
		end := epoch.Add(step.after + session.MaxSkew)
		removed, err := s.Sweep(ctx, end.Add(-1))
		require.NoError(t, err)
		require.Zero(t, removed, "before the end of what expires after %s", step.after)
		want := 0
		for table, n := range step.gone {
			have[table] -= n
			want += n
		}
		removed, err = s.Sweep(ctx, end)
		require.NoError(t, err)
		require.Equal(t, want, removed, "what expires after %s", step.after)
		for _, table := range tables {
			require.Equal(t, have[table], count(t, s, table), "%s after %s", table, step.after)
		}
	}
	require.Zero(t, count(t, s, "usage WHERE client_id <> '' OR n <> 0"))
}

// Sweep removes more rows than one transaction does, ends with its context, and gives pages back.
func TestSweepManyAndShrink(t *testing.T) {
	t.Parallel()
	s := open(t)
	require.NoError(t, s.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1100)
		INSERT INTO pushed_requests (hash, client_id, source, expires_at, params) SELECT CAST(printf('%032d', i) AS BLOB), 'client-a', 'client-a', 1, zeroblob(8000) FROM n`))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	removed, err := s.Sweep(ctx, epoch)
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, removed)
	before, err := s.Number("PRAGMA page_count")
	require.NoError(t, err)
	removed, err = s.Sweep(t.Context(), epoch)
	require.NoError(t, err)
	require.Equal(t, 1100, removed)
	after, err := s.Number("PRAGMA page_count")
	require.NoError(t, err)
	require.InDelta(t, before-1000, after, 10, "a thousand pages are given back at once, and those that list them")
	requireInvariants(t, s)
}

// A bound is shared: a client has as many as are free, an address of a public client has its own bound, and what expired makes room.
func TestBounds(t *testing.T) {
	t.Parallel()
	s, err := sqlite.Open(t.Context(), newFile(t), sqlite.Config{MaxReplays: 20, MaxPushedRequests: 20, MaxPushedRequestsPerClient: 6, MaxPushedRequestsPerAddress: 3})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	use := func(clientID string, n int, now time.Time) error {
		return s.ConsumeJTI(t.Context(), clientID, storage.HashOf(fmt.Sprint(clientID, n)), epoch.Add(time.Minute), now)
	}
	for n := range 10 {
		require.NoError(t, use("client-a", n, epoch))
	}
	require.ErrorIs(t, use("client-a", 10, epoch), storage.ErrFull)
	require.ErrorIs(t, use("client-a", 0, epoch), storage.ErrConsumed, "a used one is known in a full store")
	for n := range 5 {
		require.NoError(t, use("client-b", n, epoch))
	}
	require.ErrorIs(t, use("client-b", 5, epoch), storage.ErrFull)
	later := epoch.Add(time.Minute + session.MaxSkew)
	require.NoError(t, s.ConsumeJTI(t.Context(), "client-b", storage.HashOf("later"), later.Add(time.Minute), later), "expired ones make room")

	push := func(source string, n int) error {
		return s.PushRequest(t.Context(), storage.PushedRequest{
			Hash: storage.HashOf(fmt.Sprint(source, n)), ClientID: "client-a", Source: source, Params: []byte("p"), ExpiresAt: epoch.Add(time.Minute),
		}, epoch)
	}
	for n := range 3 {
		require.NoError(t, push("client-a 192.0.2.1", n))
	}
	require.ErrorIs(t, push("client-a 192.0.2.1", 3), storage.ErrFull)
	for n := range 6 {
		require.NoError(t, push("client-a", n))
	}
	require.ErrorIs(t, push("client-a", 6), storage.ErrFull)
	require.NoError(t, s.ConsumePushedRequest(t.Context(), storage.HashOf("client-a0"), epoch))
	require.NoError(t, push("client-a", 7), "a consumed request makes room for its source")
	require.ErrorIs(t, push("client-a 192.0.2.2", 0), storage.ErrFull, "a client has as many as are free")
}

func TestBoundsOfAUser(t *testing.T) {
	t.Parallel()
	s := open(t)
	user := storage.HashOf("user")
	insert := func(n, limit int) ([]storage.Session, error) {
		in := newSession(fmt.Sprint(n))
		in.UserKey = user
		return s.ReplaceSession(t.Context(), storage.Hash{}, in, limit, epoch)
	}
	_, err := insert(0, 0)
	require.NoError(t, err)
	require.NoError(t, s.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999)
		INSERT INTO sessions (hash, id, user_key, version, started_at, last_request_at, expires_at, record)
		SELECT CAST(printf('%032d', i) AS BLOB), 'session of ' || i, user_key, 0, started_at - i, last_request_at, expires_at, record FROM sessions, n`))
	_, err = insert(1000, 0)
	require.ErrorIs(t, err, storage.ErrFull)
	ended, err := insert(1000, 3)
	require.NoError(t, err)
	require.Len(t, ended, 998)

	for n := range 201 { // one more than are kept
		require.NoError(t, s.RecordLogin(t.Context(), storage.Login{ID: fmt.Sprint(n), UserKey: user, At: epoch, ExpiresAt: epoch.Add(time.Hour)}, epoch))
	}
	logins, err := s.Logins(t.Context(), user, epoch)
	require.NoError(t, err)
	require.Len(t, logins, 200)
	require.Equal(t, "200", logins[0].ID)
}
