package combined_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/combined"
	"github.com/portner-go/portner/storage/memory"
)

var epoch = time.Date(2031, time.March, 4, 12, 0, 0, 0, time.UTC)

var errCrashed = errors.New("the process is gone")

// crash fails the call number at of two stores, and all later ones. With lost, that call is made and its response is lost.
type crash struct {
	at, calls int // at is 0 for none
	lost      bool
}

func (c *crash) call(f func() error) error {
	c.calls++
	switch {
	case c.at == 0 || c.calls < c.at:
		return f()
	case c.calls == c.at && c.lost:
		_ = f()
	}
	return errCrashed
}

// crashing is one of the two stores. Its methods are those that package combined calls.
type crashing struct {
	provider.Store
	*crash
}

func (s crashing) Session(ctx context.Context, h storage.Hash, now time.Time) (v storage.Session, err error) {
	err = s.call(func() (err error) { v, err = s.Store.Session(ctx, h, now); return err })
	return v, err
}

func (s crashing) ReplaceSession(ctx context.Context, old storage.Hash, next storage.Session, limit int, now time.Time) (v []storage.Session, err error) {
	err = s.call(func() (err error) { v, err = s.Store.ReplaceSession(ctx, old, next, limit, now); return err })
	return v, err
}

func (s crashing) EndSession(ctx context.Context, h storage.Hash, now time.Time) (v storage.Session, err error) {
	err = s.call(func() (err error) { v, err = s.Store.EndSession(ctx, h, now); return err })
	return v, err
}

func (s crashing) FinishRequest(ctx context.Context, o storage.Outcome, now time.Time) error {
	return s.call(func() error { return s.Store.FinishRequest(ctx, o, now) })
}

// world is two stores with one session, and what it has.
type world struct {
	sessions, rest *memory.Store
	open           func(sessions combined.SessionStore, rest provider.Store) provider.Store
	store          provider.Store // without crashes
	in             storage.Session
	login, unused  storage.Outcome // login-only, the first one redeemed
	access         storage.Hash
}

func session(name, user string) storage.Session {
	return storage.Session{
		Hash: storage.HashOf(name), ID: "session " + name, UserKey: storage.HashOf(user), Version: 3,
		StartedAt: epoch, LastRequestAt: epoch, ExpiresAt: epoch.Add(time.Hour), Circles: []storage.Circle{{Identity: []byte("sealed"), ACR: "high"}},
	}
}

func outcome(name string, in storage.Session) storage.Outcome {
	return storage.Outcome{
		RequestID: name, RetainTo: epoch.Add(time.Hour), Code: &storage.AuthorizationCode{
			Hash: storage.HashOf("code " + name), ExpiresAt: epoch.Add(time.Minute),
			Grant: storage.Grant{ID: name, ClientID: "a", UserKey: in.UserKey, SessionID: in.ID, LoginOnly: true, ExpiresAt: epoch.Add(3 * time.Hour)},
		},
		Visit: &storage.Visit{Session: in.Hash, At: epoch, Until: epoch.Add(3 * time.Hour), Client: storage.SessionClient{ClientID: name, SID: name, Open: true}},
	}
}

func newWorld(t *testing.T, open func(combined.SessionStore, provider.Store) provider.Store) *world {
	t.Helper()
	w := &world{sessions: memory.New(), rest: memory.New(), in: session("first", "kari"), open: open, access: storage.HashOf("access")}
	w.store = open(w.sessions, w.rest)
	_, err := w.store.ReplaceSession(t.Context(), storage.Hash{}, w.in, 0, epoch)
	require.NoError(t, err)
	w.login, w.unused = outcome("login", w.in), outcome("unused", w.in)
	for _, o := range []storage.Outcome{w.login, w.unused} {
		require.NoError(t, w.store.FinishRequest(t.Context(), o, epoch))
	}
	require.NoError(t, w.store.RedeemCode(t.Context(), w.login.Code.Hash, &storage.Issuance{
		Grant: w.login.Code.Grant, Access: storage.AccessToken{Hash: w.access, GrantID: "login", ExpiresAt: epoch.Add(2 * time.Hour)},
	}, epoch))
	w.in, err = w.store.Session(t.Context(), w.in.Hash, epoch)
	require.NoError(t, err)
	return w
}

// isLive reports whether a session is live under one of its hashes.
func (w *world) isLive(t *testing.T, hashes ...storage.Hash) bool {
	t.Helper()
	for _, h := range hashes {
		s, err := w.store.Session(t.Context(), h, epoch)
		if err == nil && s.ID == w.in.ID {
			return true
		}
	}
	return false
}

// survivor returns what is live of a session that has ended, or nil.
func (w *world) survivor(t *testing.T, hashes ...storage.Hash) error {
	t.Helper()
	if w.isLive(t, hashes...) {
		return nil
	}
	if _, _, err := w.store.AccessToken(t.Context(), w.access, epoch); err == nil {
		return errors.New("a login-only grant is live")
	}
	if _, err := w.store.Code(t.Context(), w.unused.Code.Hash, epoch); err == nil {
		return errors.New("a code can be redeemed")
	}
	late := w.unused
	if err := w.store.FinishRequest(t.Context(), late, epoch); !errors.Is(err, storage.ErrRevoked) {
		return fmt.Errorf("a code is admitted: %w", err)
	}
	return nil
}

// change is a call that changes the session of the world.
type change struct {
	name string
	do   func(s provider.Store, w *world) error
	// done checks the result of a call that returned nil.
	done func(t *testing.T, w *world)
	// again are the errors, beside nil, with which a second call may report that the first one was made.
	again []error
}

var (
	rotated  = storage.HashOf("rotated")
	switched = session("switched", "ola")
	newest   = session("newest", "kari")
)

func ended(t *testing.T, w *world) {
	t.Helper()
	require.False(t, w.isLive(t, w.in.Hash, rotated))
	require.NoError(t, w.survivor(t, w.in.Hash, rotated))
}

func exists(next storage.Session) func(t *testing.T, w *world) {
	return func(t *testing.T, w *world) {
		t.Helper()
		ended(t, w)
		got, err := w.store.Session(t.Context(), next.Hash, epoch)
		require.NoError(t, err)
		require.Equal(t, next, got)
		require.NoError(t, w.store.FinishRequest(t.Context(), outcome("in "+next.ID, next), epoch))
	}
}

var changes = []change{
	{"a logout", func(s provider.Store, w *world) error {
		_, err := s.EndSession(context.Background(), w.in.Hash, epoch)
		return err
	}, ended, []error{storage.ErrNotFound}},
	{"a login of another user", func(s provider.Store, w *world) error {
		_, err := s.ReplaceSession(context.Background(), w.in.Hash, switched, 5, epoch)
		return err
	}, exists(switched), nil},
	{"a login beyond the limit", func(s provider.Store, _ *world) error {
		_, err := s.ReplaceSession(context.Background(), storage.Hash{}, newest, 1, epoch)
		return err
	}, exists(newest), nil},
	{"a rotation", func(s provider.Store, w *world) error {
		next := w.in
		next.Hash, next.ExpiresAt = rotated, w.in.ExpiresAt.Add(time.Hour)
		_, err := s.ReplaceSession(context.Background(), w.in.Hash, next, 0, epoch)
		return err
	}, func(t *testing.T, w *world) {
		t.Helper()
		require.False(t, w.isLive(t, w.in.Hash))
		got, err := w.store.EndSession(t.Context(), rotated, w.in.ExpiresAt.Add(time.Hour-1))
		require.NoError(t, err)
		require.Equal(t, w.in.Version+1, got.Version)
		ended(t, w)
	}, nil},
	{"a request", func(s provider.Store, w *world) error {
		return s.FinishRequest(context.Background(), outcome("further", w.in), epoch)
	}, func(t *testing.T, w *world) {
		t.Helper()
		got, err := w.store.EndSession(t.Context(), w.in.Hash, epoch.Add(3*time.Hour-1))
		require.NoError(t, err)
		require.Len(t, got.Clients, 3)
		ended(t, w)
	}, nil},
}

// run makes the change with a crash at each call, and then again without one. It returns the number of calls and the first survivor.
func run(t *testing.T, c change, open func(combined.SessionStore, provider.Store) provider.Store, lost bool) (calls int, survivor error) {
	t.Helper()
	for at := 1; ; at++ {
		w := newWorld(t, open)
		faults := &crash{at: at, lost: lost}
		err := c.do(open(crashing{w.sessions, faults}, crashing{w.rest, faults}), w)
		if err := w.survivor(t, w.in.Hash, rotated); err != nil {
			return at, fmt.Errorf("%s, call %d fails: %w", c.name, at, err)
		}
		if faults.calls < at {
			require.NoError(t, err)
			c.done(t, w)
			return at - 1, nil
		}
		if err = c.do(w.store, w); err != nil {
			accepted := false
			for _, e := range c.again {
				accepted = accepted || errors.Is(err, e)
			}
			require.True(t, accepted, "%s again, after call %d failed: %v", c.name, at, err)
		}
		c.done(t, w)
	}
}

func open(sessions combined.SessionStore, rest provider.Store) provider.Store {
	s, err := combined.New(sessions, rest)
	if err != nil {
		panic(err)
	}
	return s
}

// TestCrashes: whichever call to one of the two stores is the last one of a process, made or not, nothing login-only is live of a session that has
// ended, and the same call of another process completes the change.
func TestCrashes(t *testing.T) {
	t.Parallel()
	for _, c := range changes {
		for _, lost := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, lost %t", c.name, lost), func(t *testing.T) {
				t.Parallel()
				calls, survivor := run(t, c, open, lost)
				require.NoError(t, survivor)
				require.Greater(t, calls, 1)
			})
		}
	}
}

// sessionsFirst ends sessions in the wrong order.
type sessionsFirst struct {
	provider.Store
	sessions combined.SessionStore
}

func (s sessionsFirst) EndSession(ctx context.Context, h storage.Hash, now time.Time) (storage.Session, error) {
	if _, err := s.sessions.EndSession(ctx, h, now); err != nil {
		return storage.Session{}, err
	}
	return s.Store.EndSession(ctx, h, now)
}

// TestCrashesOfTheWrongOrder: the test of crashes finds a store that ends the session before its grants.
func TestCrashesOfTheWrongOrder(t *testing.T) {
	t.Parallel()
	_, survivor := run(t, changes[0], func(sessions combined.SessionStore, rest provider.Store) provider.Store {
		return sessionsFirst{open(sessions, rest), sessions}
	}, true)
	require.ErrorContains(t, survivor, "a login-only grant is live")
}

func TestNew(t *testing.T) {
	t.Parallel()
	one := memory.New()
	for name, stores := range map[string][2]provider.Store{"sessions": {nil, one}, "rest": {one, nil}, "rest: must be another": {one, one}} {
		_, err := combined.New(stores[0], stores[1])
		require.ErrorContains(t, err, name)
	}
}

// TestRoundTrips: the calls to each store of the operations in docs/storage.md.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/storage.md")
	require.NoError(t, err)
	rotate := func(s provider.Store, w *world) error {
		next := w.in
		next.Hash = rotated
		_, err := s.ReplaceSession(context.Background(), w.in.Hash, next, 0, epoch)
		return err
	}
	read := func(s provider.Store, w *world) error {
		_, err := s.Session(context.Background(), w.in.Hash, epoch)
		return err
	}
	begin := func(s provider.Store, _ *world) error {
		_, err := s.ReplaceSession(context.Background(), storage.Hash{}, newest, 50, epoch)
		return err
	}
	finishNew := func(s provider.Store, _ *world) error {
		return s.FinishRequest(context.Background(), outcome("new", newest), epoch)
	}
	finish, end := changes[4].do, changes[0].do
	for _, o := range []struct {
		name    string
		calls   []func(provider.Store, *world) error
		commits int
	}{
		{"session check", []func(provider.Store, *world) error{read}, 0},
		{"login", []func(provider.Store, *world) error{begin, finishNew}, 2},
		{"authorize, with SSO", []func(provider.Store, *world) error{read, finish}, 1},
		{"login in a session", []func(provider.Store, *world) error{read, rotate, finish}, 2},
		{"logout", []func(provider.Store, *world) error{read, end}, 1},
	} {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, open)
			sessions, rest := &crash{}, &crash{}
			s := open(crashing{w.sessions, sessions}, crashing{w.rest, rest})
			for _, call := range o.calls {
				require.NoError(t, call(s, w))
			}
			require.Contains(t, string(text), fmt.Sprintf("\n| %s | %d | %d | %d |\n", o.name, sessions.calls, rest.calls, o.commits))
		})
	}
}
