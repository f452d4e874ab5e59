package sqlite_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/sqlite"
)

var epoch = time.Date(2031, time.March, 4, 12, 30, 15, 123456789, time.UTC)

func newSession(name string) storage.Session {
	return storage.Session{
		Hash: storage.HashOf("cookie " + name), ID: "session " + name, UserKey: storage.HashOf("user " + name),
		StartedAt: epoch, LastRequestAt: epoch, ExpiresAt: epoch.Add(time.Hour),
		Circles: []storage.Circle{{Identity: []byte("sealed"), ACR: "substantial", AMR: []string{"BankID"}, AuthTime: epoch}},
		Clients: []storage.SessionClient{{ClientID: "client-a", SID: "sid " + name, LoginAt: epoch, Open: true}},
	}
}

func newCode(name string) *storage.AuthorizationCode {
	return &storage.AuthorizationCode{
		Hash: storage.HashOf("code " + name), RedirectURI: "https://client.example/callback", CodeChallenge: "challenge", ExpiresAt: epoch.Add(time.Minute),
		Grant: storage.Grant{
			ID: "grant " + name, ClientID: "client-a", UserKey: storage.HashOf("user " + name), Identity: []byte("sealed"), SessionID: "session " + name,
			LoginOnly: true, Scopes: []string{"openid"}, AuthTime: epoch, CreatedAt: epoch, ExpiresAt: epoch.Add(time.Hour),
		},
	}
}

func newIssuance(name string, generation int) *storage.Issuance {
	one := fmt.Sprint(name, " ", generation)
	return &storage.Issuance{
		Grant:   newCode(name).Grant,
		Access:  storage.AccessToken{Hash: storage.HashOf("access " + one), GrantID: "grant " + name, JTI: "jti " + one, Scopes: []string{"openid"}, IssuedAt: epoch, ExpiresAt: epoch.Add(2 * time.Minute)},
		Refresh: &storage.RefreshToken{Hash: storage.HashOf("refresh " + one), GrantID: "grant " + name, Generation: generation, ExpiresAt: epoch.Add(30 * time.Minute)},
	}
}

// steps are the calls of a login: a session, a code in it, tokens and the first rotation.
func steps(s *sqlite.Store, name string) []func(context.Context) error {
	o := storage.Outcome{
		RequestID: "request " + name, Code: newCode(name), RetainTo: epoch.Add(time.Hour),
		Consents: storage.ConsentKey{UserKey: storage.HashOf("user " + name), ClientID: "client-a"},
		Granted:  []storage.Consent{{Scope: "openid", GrantedAt: epoch, ExpiresAt: epoch.Add(time.Hour)}},
	}
	return []func(context.Context) error{
		func(ctx context.Context) error {
			_, err := s.ReplaceSession(ctx, storage.Hash{}, newSession(name), 0, epoch)
			return err
		},
		func(ctx context.Context) error { return s.FinishRequest(ctx, o, epoch) },
		func(ctx context.Context) error { return s.RedeemCode(ctx, o.Code.Hash, newIssuance(name, 0), epoch) },
		func(ctx context.Context) error {
			return s.RotateRefreshToken(ctx, newIssuance(name, 0).Refresh.Hash, newIssuance(name, 1), 0, epoch)
		},
	}
}

func logIn(ctx context.Context, s *sqlite.Store, name string) error {
	for _, step := range steps(s, name) {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// requireLoggedIn checks what logIn wrote.
func requireLoggedIn(t *testing.T, s *sqlite.Store, name string) {
	t.Helper()
	session, err := s.Session(t.Context(), newSession(name).Hash, epoch)
	require.NoError(t, err)
	require.Equal(t, newSession(name), session)
	_, err = s.Code(t.Context(), newCode(name).Hash, epoch)
	require.ErrorIs(t, err, storage.ErrConsumed)
	_, g, err := s.AccessToken(t.Context(), newIssuance(name, 1).Access.Hash, epoch)
	require.NoError(t, err)
	require.Equal(t, newCode(name).Grant, g)
	_, _, err = s.RefreshToken(t.Context(), newIssuance(name, 0).Refresh.Hash, epoch)
	require.ErrorIs(t, err, storage.ErrConsumed)
	_, _, err = s.RefreshToken(t.Context(), newIssuance(name, 1).Refresh.Hash, epoch)
	require.NoError(t, err)
	consents, err := s.Consents(t.Context(), storage.ConsentKey{UserKey: storage.HashOf("user " + name), ClientID: "client-a"}, epoch)
	require.NoError(t, err)
	require.Len(t, consents, 1)
}

func newFile(t *testing.T) string { return filepath.Join(t.TempDir(), "store.db") }

func TestRestartKeepsEverything(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	s, err := sqlite.Open(t.Context(), file, sqlite.Config{})
	require.NoError(t, err)
	require.NoError(t, logIn(t.Context(), s, "a"))
	key := storage.SigningKey{Set: "set", Number: 1, KID: "kid", Alg: "ES256", Key: []byte("sealed"), CreatedAt: epoch}
	require.NoError(t, s.InsertSigningKey(t.Context(), key))
	jti := storage.HashOf("jti")
	require.NoError(t, s.ConsumeJTI(t.Context(), "client-a", jti, epoch.Add(time.Minute), epoch))
	require.NoError(t, s.Close())

	s = openFile(t, file)
	requireLoggedIn(t, s, "a")
	keys, err := s.SigningKeys(t.Context(), "set")
	require.NoError(t, err)
	require.Equal(t, []storage.SigningKey{key}, keys)
	require.ErrorIs(t, s.ConsumeJTI(t.Context(), "client-a", jti, epoch.Add(time.Minute), epoch), storage.ErrConsumed)
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	s := openFile(t, file)
	require.NoError(t, logIn(t.Context(), s, "a"))
	require.Equal(t, map[string]os.FileMode{"": 0o600, "-wal": 0o600, "-shm": 0o600}, sqlite.Permissions(file))
}

// A symbolic link names the file that it points to: SQLite makes its other files beside that one.
func TestFilesBehindALink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, link := filepath.Join(dir, "store.db"), filepath.Join(t.TempDir(), "link.db")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.NoError(t, os.Symlink(file, link))
	s := openFile(t, link)
	require.NoError(t, logIn(t.Context(), s, "a"))
	require.Equal(t, map[string]os.FileMode{"": 0o600, "-wal": 0o600, "-shm": 0o600}, sqlite.Permissions(file))
	requireLoggedIn(t, openFile(t, file), "a")
}

func TestOpenRejects(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	foreign, marked, text, shared := filepath.Join(dir, "foreign.db"), filepath.Join(dir, "marked.db"), filepath.Join(dir, "text"), filepath.Join(dir, "shared.db")
	makeDatabase(t, foreign, "CREATE TABLE notes (text)")
	makeDatabase(t, marked, "PRAGMA application_id=1")
	require.NoError(t, os.WriteFile(text, bytes.Repeat([]byte("not a database "), 100), 0o600))
	require.NoError(t, os.WriteFile(shared, nil, 0o640))
	for name, tt := range map[string]struct{ file, want string }{
		"no name":                             {"", "the name of the file is empty"},
		"memory":                              {":memory:", "package memory keeps records in memory"},
		"URI":                                 {"file:store.db?mode=memory", "is a URI"},
		"URI in capitals":                     {"FILE:store.db", "is a URI"},
		"URI of another store":                {"postgres://localhost/db", "is a URI"},
		"NUL byte":                            {"store\x00.db", "NUL byte"},
		"a directory":                         {dir, "is a directory"},
		"a folder that is missing":            {filepath.Join(dir, "none", "store.db"), "no such file"},
		"a database of another application":   {foreign, "database of another application"},
		"an empty one of another application": {marked, "database of another application"},
		"not a database":                      {text, "file is not a database"},
		"readable by others":                  {shared, "chmod 600 " + shared},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := sqlite.Open(t.Context(), tt.file, sqlite.Config{})
			require.ErrorContains(t, err, tt.want)
		})
	}
	t.Run("and leaves the other database alone", func(t *testing.T) {
		t.Parallel()
		before, err := os.ReadFile(foreign)
		require.NoError(t, err)
		_, err = sqlite.Open(t.Context(), foreign, sqlite.Config{})
		require.Error(t, err)
		after, err := os.ReadFile(foreign)
		require.NoError(t, err)
		require.Equal(t, before, after)
	})
}

// makeDatabase makes a database that is not one of the package.
func makeDatabase(t *testing.T, file, sql string) {
	t.Helper()
	db, err := sqlite3.Open(file)
	require.NoError(t, err)
	require.NoError(t, db.Exec(sql))
	require.NoError(t, db.Close())
	require.NoError(t, os.Chmod(file, 0o600))
}

func TestConfig(t *testing.T) {
	t.Parallel()
	_, err := sqlite.Open(t.Context(), newFile(t), sqlite.Config{
		Timeout: 1, MaxBytes: 1, Readers: -1, MaxPushedRequests: -1, MaxPushedRequestsPerClient: -1, MaxPushedRequestsPerAddress: -1, MaxReplays: -1,
	})
	var names []string
	for _, field := range portner.FieldErrors(err) {
		names = append(names, field.Field)
	}
	require.ElementsMatch(t, []string{
		"Timeout", "MaxBytes", "Readers", "MaxPushedRequests", "MaxPushedRequestsPerClient", "MaxPushedRequestsPerAddress", "MaxReplays",
	}, names)
}

func TestSettingsOfTheFile(t *testing.T) {
	t.Parallel()
	for config, want := range map[*sqlite.Config]int64{{}: 2, {LoseLastSecondsOnPowerLoss: true}: 1} {
		s, err := sqlite.Open(t.Context(), newFile(t), *config)
		require.NoError(t, err)
		for sql, want := range map[string]int64{
			"PRAGMA synchronous": want, "PRAGMA foreign_keys": 1, "PRAGMA auto_vacuum": 2, "PRAGMA page_size": 4096,
			"SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'": 1, "PRAGMA user_version": 1, "PRAGMA application_id": 0x7072746e,
		} {
			got, err := s.Number(sql)
			require.NoError(t, err)
			require.Equal(t, want, got, sql)
		}
		require.NoError(t, s.Close())
	}
}

// A file of an earlier version is migrated once and keeps its records; a process that has it open goes on. A later version is rejected.
func TestMigrations(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	old := openFile(t, file)
	require.NoError(t, logIn(t.Context(), old, "a"))

	more := []string{"ALTER TABLE grants ADD COLUMN note TEXT; CREATE TABLE notes (text TEXT) STRICT;", "CREATE INDEX grants_note ON grants (note);"}
	for range 2 {
		later, err := sqlite.OpenWith(t.Context(), file, sqlite.Config{}, more...)
		require.NoError(t, err)
		requireLoggedIn(t, later, "a")
		version, err := later.Number("PRAGMA user_version")
		require.NoError(t, err)
		require.EqualValues(t, 3, version)
		require.NoError(t, later.Close())
	}
	require.NoError(t, logIn(t.Context(), old, "b"))
	requireLoggedIn(t, old, "b")

	_, err := sqlite.Open(t.Context(), file, sqlite.Config{})
	require.ErrorContains(t, err, "the schema has version 3, and this program supports 1")
	require.NotErrorIs(t, err, portner.ErrUnavailable)
}

// A migration that fails changes nothing.
func TestFailedMigration(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	_, err := sqlite.OpenWith(t.Context(), file, sqlite.Config{}, "CREATE TABLE notes (text TEXT) STRICT; CREATE TABLE notes (text TEXT) STRICT;")
	require.ErrorContains(t, err, "migration 2")
	s := openFile(t, file)
	require.NoError(t, logIn(t.Context(), s, "a"))
}

func TestManyProcessesMakeOneFile(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() {
			s, err := sqlite.Open(context.Background(), file, sqlite.Config{})
			if err == nil {
				if err = logIn(context.Background(), s, fmt.Sprint(i)); err == nil {
					err = s.Close()
				}
			}
			errs[i] = err
		})
	}
	wg.Wait()
	s := openFile(t, file)
	for i := range errs {
		require.NoError(t, errs[i])
		requireLoggedIn(t, s, fmt.Sprint(i))
	}
}

func TestClosedStore(t *testing.T) {
	t.Parallel()
	s := open(t)
	require.NoError(t, logIn(t.Context(), s, "a"))
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "closing twice is no error")
	_, err := s.Session(t.Context(), newSession("a").Hash, epoch)
	require.ErrorIs(t, err, portner.ErrUnavailable)
	require.ErrorIs(t, logIn(t.Context(), s, "b"), portner.ErrUnavailable)
	require.ErrorIs(t, s.Ping(t.Context()), portner.ErrUnavailable)
	_, err = s.Sweep(t.Context(), epoch)
	require.ErrorIs(t, err, portner.ErrUnavailable)
}

// Methods that run when Close is called return their verdict, and later ones an error. None waits for ever.
func TestCloseWhileMethodsRun(t *testing.T) {
	t.Parallel()
	s, err := sqlite.Open(t.Context(), newFile(t), sqlite.Config{})
	require.NoError(t, err)
	var wg sync.WaitGroup
	errs := make([]error, 100)
	for i := range errs {
		wg.Go(func() { errs[i] = logIn(context.Background(), s, fmt.Sprint(i)) })
	}
	require.NoError(t, s.Close())
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			require.ErrorIs(t, err, portner.ErrUnavailable)
		}
	}
}

func TestFullFile(t *testing.T) {
	t.Parallel()
	s, err := sqlite.Open(t.Context(), newFile(t), sqlite.Config{MaxBytes: 1 << 20})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.Exec("INSERT INTO pushed_requests (hash, client_id, source, expires_at, params) VALUES (x'00', '', '', 0, zeroblob(700000))"))
	for i := 0; err == nil; i++ {
		require.Less(t, i, 500)
		err = logIn(t.Context(), s, fmt.Sprint(i))
	}
	require.ErrorIs(t, err, storage.ErrFull)
	require.ErrorIs(t, err, portner.ErrUnavailable)
	requireLoggedIn(t, s, "0")
	removed, err := s.Sweep(t.Context(), epoch.Add(24*time.Hour))
	require.NoError(t, err, "a full file can be swept")
	require.Greater(t, removed, 10)
	require.NoError(t, logIn(t.Context(), s, "again"))
}

func TestReadOnlyFile(t *testing.T) {
	t.Parallel()
	s := open(t)
	require.NoError(t, logIn(t.Context(), s, "a"))
	require.NoError(t, s.Exec("PRAGMA query_only=ON")) // root may write to a file without permission, so SQLite itself refuses
	require.ErrorIs(t, logIn(t.Context(), s, "b"), portner.ErrUnavailable)
	require.ErrorIs(t, s.Ping(t.Context()), portner.ErrUnavailable)
	requireLoggedIn(t, s, "a")
}

// A damaged file is a fault, and never a verdict.
func TestDamagedFile(t *testing.T) {
	t.Parallel()
	s := open(t)
	require.NoError(t, logIn(t.Context(), s, "a"))
	require.NoError(t, s.Exec("UPDATE sessions SET record = x'02'; UPDATE grants SET record = x''"))
	_, err := s.Session(t.Context(), newSession("a").Hash, epoch)
	requireFault(t, err)
	_, _, err = s.AccessToken(t.Context(), newIssuance("a", 1).Access.Hash, epoch)
	requireFault(t, err)
	require.NoError(t, s.Exec("DROP TABLE consents"))
	_, err = s.Consents(t.Context(), storage.ConsentKey{}, epoch)
	requireFault(t, err)
}

func requireFault(t *testing.T, err error) {
	t.Helper()
	require.Error(t, err)
	for _, verdict := range []error{storage.ErrNotFound, storage.ErrConsumed, storage.ErrRevoked, storage.ErrConflict, storage.ErrFull} {
		require.NotErrorIs(t, err, verdict)
	}
}

// cancelling cancels a context when something is logged.
type cancelling struct {
	bytes.Buffer
	cancel context.CancelFunc
}

func (c *cancelling) Write(b []byte) (int, error) {
	c.cancel()
	return c.Buffer.Write(b)
}

func TestRunSweepsAndLogsFaults(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	log := &cancelling{cancel: cancel}
	var begun, removed int
	var swept error
	s, err := sqlite.Open(ctx, newFile(t), sqlite.Config{
		Logger: slog.New(slog.NewTextHandler(log, nil)), Now: func() time.Time { return epoch.Add(24 * time.Hour) },
		OnSweep: func(context.Context) func(int, error) {
			begun++
			return func(n int, err error) { removed, swept = n, err }
		},
	})
	require.NoError(t, err)
	require.NoError(t, logIn(ctx, s, "a"))
	require.NoError(t, s.Exec("DROP TABLE replays"))
	s.Run(ctx)
	require.Contains(t, log.String(), "no such table: replays")
	require.Equal(t, 1, begun)
	require.Positive(t, removed)
	require.ErrorContains(t, swept, "no such table: replays")
	n, err := s.Number("SELECT count(*) FROM sessions")
	require.NoError(t, err)
	require.Zero(t, n)
	require.NoError(t, s.Close())
}
