package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/sqlite"
)

// waitForQueue waits until n changes are queued.
func waitForQueue(t *testing.T, s *sqlite.Store, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return s.Queued() >= n }, time.Minute, 100*time.Microsecond)
}

// inOneBatch queues some changes before the first one is executed, in their order, and returns their errors.
func inOneBatch(t *testing.T, s *sqlite.Store, changes ...func() error) []error {
	t.Helper()
	release := s.Hold()
	errs := make([]error, len(changes))
	var wg sync.WaitGroup
	for i, change := range changes {
		wg.Go(func() { errs[i] = change() })
		waitForQueue(t, s, i+1)
	}
	release()
	wg.Wait()
	return errs
}

// A change that gets a verdict leaves those of the same transaction alone, and sees those before it.
func TestVerdictInABatch(t *testing.T) {
	t.Parallel()
	s := open(t)
	require.NoError(t, logIn(t.Context(), s, "a"))
	insert := func(name string) func() error {
		return func() error {
			_, err := s.ReplaceSession(t.Context(), storage.Hash{}, newSession(name), 0, epoch)
			return err
		}
	}
	redeem := func() error { return s.RedeemCode(t.Context(), newCode("b").Hash, newIssuance("b", 0), epoch) }
	finish := func() error {
		return s.FinishRequest(t.Context(), storage.Outcome{RequestID: "request b", Code: newCode("b"), RetainTo: epoch.Add(time.Hour)}, epoch)
	}
	late := func() error { // the tokens are inserted before the conflict
		i := newIssuance("c", 0)
		i.Grant.SessionID, i.Refresh.Hash = "", newIssuance("a", 0).Refresh.Hash
		return s.InsertGrant(t.Context(), i, epoch)
	}
	errs := inOneBatch(t, s, finish, insert("b"), finish, redeem, late, redeem, insert("c"))
	for i, want := range []error{storage.ErrRevoked, nil, nil, nil, storage.ErrConflict, storage.ErrConsumed, nil} {
		require.ErrorIs(t, errs[i], want, i)
	}
	_, _, err := s.AccessToken(t.Context(), newIssuance("c", 0).Access.Hash, epoch)
	require.ErrorIs(t, err, storage.ErrNotFound, "the part of the change before the conflict is undone")
	_, _, err = s.AccessToken(t.Context(), newIssuance("b", 0).Access.Hash, epoch)
	require.NoError(t, err)
}

// A fault, such as a panic or a transaction that SQLite ended, is that of one change: the others are executed again, each by itself.
func TestFaultInABatch(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]func(exec func(string) error) error{
		"fault":                   func(func(string) error) error { return errors.New("broken") },
		"panic":                   func(func(string) error) error { panic("broken") },
		"transaction rolled back": func(exec func(string) error) error { return errors.Join(exec("ROLLBACK"), errors.New("broken")) },
		"verdict and rollback": func(exec func(string) error) error {
			return errors.Join(exec("ROLLBACK"), errors.New("broken"), storage.ErrNotFound)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			insert := func(name string) func() error {
				return func() error {
					_, err := s.ReplaceSession(t.Context(), storage.Hash{}, newSession(name), 0, epoch)
					return err
				}
			}
			errs := inOneBatch(t, s, insert("a"), insert("a2"), func() error { return s.Write(t.Context(), broken) }, insert("b"))
			require.NoError(t, errs[0])
			require.NoError(t, errs[1])
			require.ErrorContains(t, errs[2], "broken")
			require.NoError(t, errs[3])
			for _, name := range []string{"a", "a2", "b"} {
				_, err := s.Session(t.Context(), newSession(name).Hash, epoch)
				require.NoError(t, err, name)
			}
		})
	}
}

// More changes than one transaction has are executed in several; none is lost or executed twice.
func TestManyBatches(t *testing.T) {
	t.Parallel()
	s := open(t)
	var changes []func() error
	for i := range 2*sqlite.MaxBatch + 10 {
		changes = append(changes, func() error {
			return s.ConsumeJTI(t.Context(), "client-a", storage.HashOf(fmt.Sprint(i)), epoch.Add(time.Minute), epoch)
		})
	}
	for _, err := range inOneBatch(t, s, changes...) {
		require.NoError(t, err)
	}
	n, err := s.Number("SELECT count(*) FROM replays")
	require.NoError(t, err)
	require.EqualValues(t, len(changes), n)
}

// A change whose context ends while it waits is not made.
func TestCancelledWhileWaiting(t *testing.T) {
	t.Parallel()
	s := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	use := func(ctx context.Context) error {
		return s.ConsumeJTI(ctx, "client-a", storage.HashOf("jti"), epoch.Add(time.Minute), epoch)
	}
	release := s.Hold()
	done := make(chan error)
	go func() { done <- use(ctx) }()
	waitForQueue(t, s, 1)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	require.Zero(t, s.Queued())
	release()
	require.NoError(t, use(t.Context()))
}

// impatient opens a file with a timeout that is short enough to wait for.
func impatient(t *testing.T, file string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), file, sqlite.Config{Timeout: 20 * time.Millisecond})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// A change that gets no turn within the timeout is not made, and is no verdict.
func TestNoTurn(t *testing.T) {
	t.Parallel()
	file := emptyFile(t)
	s := impatient(t, file)
	release := s.Hold()
	require.ErrorIs(t, s.ConsumeJTI(t.Context(), "client-a", storage.HashOf("jti"), epoch.Add(time.Minute), epoch), portner.ErrUnavailable)
	require.Zero(t, s.Queued())
	release()
	require.NoError(t, openFile(t, file).ConsumeJTI(t.Context(), "client-a", storage.HashOf("jti"), epoch.Add(time.Minute), epoch))
}

// Another process that holds the file is waited for, up to the timeout. Readers do not wait.
func TestFileHeldByAnotherProcess(t *testing.T) {
	t.Parallel()
	file := emptyFile(t)
	other, patient, s := openFile(t, file), openFile(t, file), impatient(t, file)
	require.NoError(t, other.Exec("BEGIN IMMEDIATE"))
	require.ErrorIs(t, logIn(t.Context(), s, "a"), portner.ErrUnavailable)
	_, err := patient.Session(t.Context(), newSession("a").Hash, epoch)
	require.ErrorIs(t, err, storage.ErrNotFound)
	waiting := make(chan error)
	go func() { waiting <- logIn(context.Background(), patient, "a") }()
	require.NoError(t, other.Exec("ROLLBACK"))
	require.NoError(t, <-waiting)
}

// While another process holds the file, the changes of one batch wait for it once, not one after another.
func TestBatchWaitsOnce(t *testing.T) {
	t.Parallel()
	file := emptyFile(t)
	other, s := openFile(t, file), openFile(t, file)
	executed := 0
	change := func() error { executed++; return nil }
	require.NoError(t, other.Exec("BEGIN IMMEDIATE"))
	waits, errs := s.Waits(10, change)
	require.Equal(t, 1, waits)
	require.Len(t, errs, 10)
	for _, err := range errs {
		require.ErrorIs(t, err, portner.ErrUnavailable)
	}
	require.Zero(t, executed)
	require.NoError(t, other.Exec("ROLLBACK"))
	waits, errs = s.Waits(10, change)
	require.Zero(t, waits)
	require.NoError(t, errors.Join(errs...))
	require.Equal(t, 10, executed)
}

// A panic while reading, such as that of the driver without memory, is a fault of one call: its connection is replaced.
func TestPanicWhileReading(t *testing.T) {
	t.Parallel()
	file := emptyFile(t)
	s, err := sqlite.Open(t.Context(), file, sqlite.Config{Readers: 2})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	for range 3 {
		require.NotPanics(t, func() { err = s.Read(t.Context(), func() error { panic("broken") }) })
		require.ErrorContains(t, err, "broken")
		require.NotErrorIs(t, err, storage.ErrNotFound)
	}
	_, err = s.Session(t.Context(), newSession("a").Hash, epoch)
	require.ErrorIs(t, err, storage.ErrNotFound)
}
