package redis_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/redis"
)

// bounded returns a store with small bounds.
func bounded(t *testing.T) *redis.Store {
	t.Helper()
	installed(t, shared.err)
	s, err := redis.New(t.Context(), connect(t, shared.Addr), redis.Config{
		Prefix: prefix(), Logger: quiet, MaxPushedRequestsPerClient: 6, MaxPushedRequestsPerAddress: 2, MaxPushedRequestsPerPublicClient: 9, MaxReplaysPerClient: 3,
	})
	require.NoError(t, err)
	return s
}

// TestSessionsOfUser checks that a user has at most 1,000 live sessions, and that a full user keeps them.
func TestSessionsOfUser(t *testing.T) {
	t.Parallel()
	s := open(t)
	insert := func(name, user string, limit int, now time.Time) error {
		in := newSession(name, user)
		in.ExpiresAt = now.Add(time.Hour)
		_, err := s.ReplaceSession(t.Context(), none, in, limit, now)
		return err
	}
	for i := range 1000 {
		require.NoError(t, insert(fmt.Sprint(i), "a", 0, epoch))
	}
	require.ErrorIs(t, insert("more", "a", 0, epoch), storage.ErrFull)
	require.ErrorIs(t, insert("more", "a", 2000, epoch), storage.ErrFull)
	require.NoError(t, insert("other", "b", 0, epoch))
	_, err := s.Session(t.Context(), storage.HashOf("cookie 0"), epoch)
	require.NoError(t, err, "nothing is evicted")
	require.NoError(t, insert("within the limit", "a", 1000, epoch))
	_, err = s.Session(t.Context(), storage.HashOf("cookie 0"), epoch)
	require.ErrorIs(t, err, storage.ErrNotFound, "the oldest one ends")
	require.ErrorIs(t, insert("more", "a", 0, epoch), storage.ErrFull)
	require.NoError(t, insert("later", "a", 0, epoch.Add(time.Hour)), "expired sessions do not count")
}

// TestPushedRequestsOfSource checks the bounds of a client, and of an address of a public client.
func TestPushedRequestsOfSource(t *testing.T) {
	t.Parallel()
	s := bounded(t)
	n := 0
	push := func(client, source string) (storage.PushedRequest, error) {
		n++
		p := newPushed(fmt.Sprint(n), client, source)
		return p, s.PushRequest(t.Context(), p, epoch)
	}
	for range 2 {
		_, err := push("app", "app 192.0.2.1")
		require.NoError(t, err)
	}
	_, err := push("app", "app 192.0.2.1")
	require.ErrorIs(t, err, storage.ErrFull)
	for address := range 3 {
		for range 2 {
			_, err := push("app", fmt.Sprintf("app 198.51.100.%d", address))
			require.NoError(t, err)
		}
	}
	last, err := push("app", "app 203.0.113.1")
	require.NoError(t, err)
	_, err = push("app", "app 203.0.113.2")
	require.ErrorIs(t, err, storage.ErrFull, "all addresses of the client together")
	require.NoError(t, s.ConsumePushedRequest(t.Context(), last.Hash, epoch))
	_, err = push("app", "app 203.0.113.3")
	require.ErrorIs(t, err, storage.ErrFull, "a consumed one takes room until it expires")

	var first storage.PushedRequest
	for i := range 6 {
		p, err := push("service", "service")
		require.NoError(t, err)
		if i == 0 {
			first = p
		}
	}
	_, err = push("service", "service")
	require.ErrorIs(t, err, storage.ErrFull)
	require.NoError(t, s.ConsumePushedRequest(t.Context(), first.Hash, epoch))
	_, err = push("service", "service")
	require.NoError(t, err, "a consumed one makes room in the source")
	late := newPushed("late", "service", "service")
	late.ExpiresAt = epoch.Add(time.Hour)
	require.NoError(t, s.PushRequest(t.Context(), late, epoch.Add(time.Minute)), "expired ones do not count")
}

// TestReplaysOfClient checks that a client fills its own part only, and that a full one forgets nothing.
func TestReplaysOfClient(t *testing.T) {
	t.Parallel()
	s := bounded(t)
	use := func(client string, key int, now time.Time) error {
		return s.ConsumeJTI(t.Context(), client, storage.HashOf(fmt.Sprint(client, key)), now.Add(time.Minute), now)
	}
	for i := range 3 {
		require.NoError(t, use("a", i, epoch))
	}
	require.ErrorIs(t, use("a", 3, epoch), storage.ErrFull)
	require.ErrorIs(t, use("a", 0, epoch), storage.ErrConsumed)
	require.NoError(t, use("b", 0, epoch))
	require.ErrorIs(t, use("a", 4, epoch.Add(session.MaxSkew)), storage.ErrFull, "keys count until every clock has passed them")
	require.NoError(t, use("a", 4, epoch.Add(4*time.Minute)))
}

// TestLoginsOfUser checks that the oldest entry leaves the history of a user when there are more than 200.
func TestLoginsOfUser(t *testing.T) {
	t.Parallel()
	s := open(t)
	for i := range 203 {
		require.NoError(t, s.RecordLogin(t.Context(), newLogin(fmt.Sprint(i), "a"), epoch))
	}
	all, err := s.Logins(t.Context(), storage.HashOf("a"), epoch)
	require.NoError(t, err)
	require.Len(t, all, 200)
	require.Equal(t, "grant-202", all[0].ID)
	require.Equal(t, "grant-3", all[199].ID)
}

// TestEndedSessionsOfUser checks that a user who logs in and out leaves at most 16 records.
func TestEndedSessionsOfUser(t *testing.T) {
	t.Parallel()
	s := open(t)
	for i := range 40 {
		in := newSession(fmt.Sprint(i), "a")
		_, err := s.ReplaceSession(t.Context(), none, in, 0, epoch)
		require.NoError(t, err)
		_, err = s.EndSession(t.Context(), in.Hash, epoch)
		require.NoError(t, err)
	}
	c := connect(t, shared.Addr)
	for _, kind := range []string{"session:", "cookie:"} {
		keys, err := c.Keys(t.Context(), s.Prefix()+":"+kind+"*").Result()
		require.NoError(t, err)
		require.Len(t, keys, 16, kind)
	}
}

// TestSweep checks that members of lists leave them when Redis has collected their records, and no others.
func TestSweep(t *testing.T) {
	t.Parallel()
	s := open(t)
	c := connect(t, shared.Addr)
	user := storage.HashOf("a")
	for i := range 2500 {
		o := newCode(fmt.Sprint(i), storage.Session{UserKey: user})
		require.NoError(t, s.InsertGrant(t.Context(), newIssuance(o.Code.Grant.ID, o), epoch))
		if i%2 == 0 {
			require.NoError(t, c.Del(t.Context(), s.Prefix()+":grant:"+o.Code.Grant.ID).Err())
		}
	}
	for i := range 10 {
		in := newSession(fmt.Sprint(i), "a")
		_, err := s.ReplaceSession(t.Context(), none, in, 0, epoch)
		require.NoError(t, err)
		if i < 4 {
			require.NoError(t, c.Del(t.Context(), s.Prefix()+":session:"+in.ID).Err())
		}
	}
	removed, err := s.Sweep(t.Context(), epoch)
	require.NoError(t, err)
	require.Equal(t, 1250+4, removed)
	removed, err = s.Sweep(t.Context(), epoch)
	require.NoError(t, err)
	require.Zero(t, removed)
	require.EqualValues(t, 1250, c.ZCard(t.Context(), s.Prefix()+":grants:"+redis.Name(user)).Val())
	require.EqualValues(t, 6, c.HLen(t.Context(), s.Prefix()+":sessions:"+redis.Name(user)).Val())
}

// TestOnSweep checks that Run reports what it removes, and errors.
func TestOnSweep(t *testing.T) {
	t.Parallel()
	var removed []int
	var errs []error
	c := connect(t, shared.Addr)
	s, err := redis.New(t.Context(), c, redis.Config{Prefix: prefix(), OnSweep: func(context.Context) func(int, error) {
		return func(n int, err error) { removed, errs = append(removed, n), append(errs, err) }
	}})
	require.NoError(t, err)
	in := newSession("a", "a")
	_, err = s.ReplaceSession(t.Context(), none, in, 0, epoch)
	require.NoError(t, err)
	require.NoError(t, c.Del(t.Context(), s.Prefix()+":session:"+in.ID).Err())
	s.SweepOnce(t.Context(), epoch)
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	s.SweepOnce(stopped, epoch)
	require.Equal(t, []int{1, 0}, removed)
	require.NoError(t, errs[0])
	require.ErrorIs(t, errs[1], context.Canceled)
}

// TestGrantsPassEnded checks a list that begins with thousands of grants that have ended: the page is full, and they leave the list.
func TestGrantsPassEnded(t *testing.T) {
	t.Parallel()
	s := open(t)
	c := connect(t, shared.Addr)
	user := storage.HashOf("a")
	insert := func(name, client string, age time.Duration) {
		o := newCode(name, storage.Session{UserKey: user})
		o.Code.Grant.ClientID, o.Code.Grant.CreatedAt = client, epoch.Add(-age)
		require.NoError(t, s.InsertGrant(t.Context(), newIssuance(name, o), epoch))
	}
	for i := range 2300 {
		insert(fmt.Sprint("ended ", i), "client-b", 0)
	}
	for i := range 5 {
		insert(fmt.Sprint("live ", i), "client-a", time.Hour)
	}
	require.NoError(t, s.Revoke(t.Context(), storage.Revocation{Authorization: storage.ConsentKey{UserKey: user, ClientID: "client-b"}}, epoch))
	got, err := s.Grants(t.Context(), storage.GrantQuery{UserKey: user, Limit: 5}, epoch)
	require.NoError(t, err)
	require.Len(t, got, 5)
	require.EqualValues(t, 5, c.ZCard(t.Context(), s.Prefix()+":grants:"+redis.Name(user)).Val())
}

// TestInstants checks that instants compare as strings, to the nanosecond, and come back.
func TestInstants(t *testing.T) {
	t.Parallel()
	all := []int64{math.MinInt64, math.MinInt64 + 1, -1e18, -1001, -1000, -999, -1, 0, 1, 999, 1000, 1 << 53, 1<<53 + 1, 1764423600000000000, 1764423600000000001, math.MaxInt64 - 1, math.MaxInt64}
	texts := make([]string, len(all))
	for i, n := range all {
		texts[i] = redis.Digits(n)
		require.Len(t, texts[i], 20)
		got, err := redis.ParseInstant(texts[i])
		require.NoError(t, err)
		if n == math.MinInt64 {
			require.True(t, got.IsZero())
		} else {
			require.Equal(t, n, got.UnixNano())
		}
	}
	require.True(t, slices.IsSorted(texts))
	require.Equal(t, "11764423600000000000", redis.Digits(1764423600000000000))
	for _, bad := range []string{"", "1", "2" + texts[8][1:], texts[8] + "0", "1000000000000000000x", "19999999999999999999"} {
		_, err := redis.ParseInstant(bad)
		require.Error(t, err, bad)
	}
}
