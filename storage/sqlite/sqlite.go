// Package sqlite keeps sessions, grants, tokens, consents and signing keys in a SQLite file on the disk of one machine. They survive a
// restart, and a kill at any instant. Several processes of the machine may have the file open; programs on other machines may not, also
// not through a network file system.
//
// # Durability
//
// What a method has acknowledged is on the disk (write-ahead log, synchronous=FULL), as far as the disk keeps what it has
// synchronised. Methods that write at the same time share one synchronisation.
//
// # Size
//
// Call [Store.Run], which removes expired records. Removed pages are used again; when a quarter of the file is free, Sweep gives pages back
// to the file system, at most 1,000 in each call. Config.MaxBytes bounds the file.
package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/fields"
)

// Config holds the settings of a Store. Fields that are zero have the defaults.
type Config struct {
	// Timeout bounds how long a method waits for its turn or for another process, and how long a query runs. The default is 3 s; at least 1 ms.
	Timeout time.Duration
	// LoseLastSecondsOnPowerLoss sets synchronous=NORMAL: a commit does not wait for the disk. Nothing is lost if the process ends or is
	// killed. If the machine loses power or its kernel crashes, the commits since the last checkpoint are lost as a whole, usually those
	// of some seconds: logins and tokens that were issued, and also redemptions, revocations and used assertions, so that a code or an
	// assertion that was used is accepted again until it expires, and a session that was ended is live again.
	LoseLastSecondsOnPowerLoss bool
	// MaxBytes bounds the file. A full store returns storage.ErrFull. The default is 64 GiB.
	MaxBytes int64
	// Readers is the largest number of connections that read at the same time, besides the one that writes. The default is GOMAXPROCS,
	// and at least 2. A connection takes about 3 MB, and is opened when it is first needed.
	Readers int
	// MaxPushedRequests bounds pushed requests, also consumed ones until they expire. A client may have as many as are free. The default
	// is 100,000.
	MaxPushedRequests int
	// MaxPushedRequestsPerClient bounds the pushed requests of one authenticated client that are not consumed. The default is 1,000.
	MaxPushedRequestsPerClient int
	// MaxPushedRequestsPerAddress bounds the pushed requests of one public client from one address that are not consumed. The default
	// is 20.
	MaxPushedRequestsPerAddress int
	// MaxReplays bounds used assertions and proofs. A client may have as many as are free. The default is 1,000,000.
	MaxReplays int
	// Now is the clock of Run. If nil, time.Now is used. The other methods have an argument now.
	Now func() time.Time
	// Logger receives faults of Run. If nil, they are discarded.
	Logger *slog.Logger
	// OnSweep is called when Run begins to remove expired records, and the function that it returns when Run has done so, with their number
	// and the error. If nil, it is not called.
	OnSweep func(ctx context.Context) (done func(removed int, err error))
}

// defaultTimeout is longer in the tests of this package.
var defaultTimeout = 3 * time.Second

// withDefaults returns c with its defaults, and all problems.
func (c Config) withDefaults() (Config, error) {
	var check fields.Checker
	number := func(name string, n *int, standard int) {
		check.Want(*n >= 0, name, "must not be negative")
		if *n == 0 {
			*n = standard
		}
	}
	number("Readers", &c.Readers, max(2, runtime.GOMAXPROCS(0)))
	number("MaxPushedRequests", &c.MaxPushedRequests, 100_000)
	number("MaxPushedRequestsPerClient", &c.MaxPushedRequestsPerClient, 1_000)
	number("MaxPushedRequestsPerAddress", &c.MaxPushedRequestsPerAddress, 20)
	number("MaxReplays", &c.MaxReplays, 1_000_000)
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	check.Want(c.Timeout >= time.Millisecond, "Timeout", "must not be less than a millisecond")
	c.MaxBytes = cmp.Or(c.MaxBytes, 64<<30)
	check.Want(c.MaxBytes >= 1<<20, "MaxBytes", "must not be less than 1 MiB")
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.OnSweep == nil {
		c.OnSweep = func(context.Context) func(int, error) { return func(int, error) {} }
	}
	return c, check.Err()
}

// Store is a store in a file. It is safe for concurrent use. Use Open to make one.
type Store struct {
	config Config
	file   string

	turn    chan struct{} // who has put a value into it uses writer
	writer  *conn
	readers chan *conn // nil for a connection that was not opened yet

	mu     sync.Mutex
	queue  []*change
	closed bool
}

// Open opens the file, or makes it with mode 0600. The name is a path: names of SQLite such as ":memory:" and URIs are errors, and so are a
// file of another application, a file that others than its owner may read or write, and a file that a later version of this package has
// changed. A file of an earlier version is migrated. Call Close when the store is not used any more.
func Open(ctx context.Context, file string, config Config) (*Store, error) {
	texts, err := migrations()
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	return open(ctx, file, config, texts)
}

// open opens a file whose schema is made by some migrations.
func open(ctx context.Context, file string, config Config, migrations []string) (*Store, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("sqlite: config: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := prepareFile(file); err != nil {
		return nil, err
	}
	// SQLite makes the other files beside the file itself, not beside a link to it.
	if file, err = filepath.EvalSymlinks(file); err != nil {
		return nil, fmt.Errorf("sqlite: %w: %w", err, portner.ErrUnavailable)
	}
	s := &Store{config: config, file: file, turn: make(chan struct{}, 1), readers: make(chan *conn, config.Readers)}
	if s.writer, err = config.connect(file, false); err != nil {
		return nil, fmt.Errorf("sqlite: %s: %w", file, err)
	}
	if err := s.writer.migrate(migrations, config.Timeout); err != nil {
		_ = s.writer.close()
		return nil, fmt.Errorf("sqlite: %s: %w", file, err)
	}
	if err := restrict(file); err != nil {
		_ = s.writer.close()
		return nil, err
	}
	for range config.Readers {
		s.readers <- nil
	}
	return s, nil
}

// prepareFile makes the file if there is none, and returns an error for a name or a file that cannot be a store.
func prepareFile(file string) error {
	switch {
	case file == "":
		return errors.New("sqlite: the name of the file is empty")
	case strings.HasPrefix(file, ":"):
		return fmt.Errorf("sqlite: %q is not the path of a file; package memory keeps records in memory", file)
	case strings.HasPrefix(strings.ToLower(file), "file:"), strings.Contains(file, "://"):
		return fmt.Errorf("sqlite: %q is a URI; give the path of a file", file)
	case strings.ContainsRune(file, 0):
		return errors.New("sqlite: the name of the file has a NUL byte")
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("sqlite: %w: %w", err, portner.ErrUnavailable)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return fmt.Errorf("sqlite: %w: %w", err, portner.ErrUnavailable)
	case !info.Mode().IsRegular():
		return fmt.Errorf("sqlite: %s is not a regular file", file)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("sqlite: %s has mode %#o: others than its owner may use it (chmod 600 %[1]s)", file, info.Mode().Perm())
	}
	return nil
}

// restrict sets the mode of the files that SQLite made beside the file. They contain nothing secret before.
func restrict(file string) error {
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Chmod(file+suffix, 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("sqlite: %w: %w", err, portner.ErrUnavailable)
		}
	}
	return nil
}

// Close waits until the running methods return, and closes the file. Methods that are called later return an error that wraps
// portner.ErrUnavailable. Closing twice is no error.
func (s *Store) Close() error {
	s.mu.Lock()
	before := s.closed
	s.closed = true
	s.mu.Unlock()
	if before {
		return nil
	}
	var errs []error
	for range cap(s.readers) {
		if c := <-s.readers; c != nil {
			errs = append(errs, c.close())
		}
	}
	for range cap(s.readers) {
		s.readers <- nil
	}
	s.turn <- struct{}{}
	s.execute(s.next()) // queued before closed was set
	errs = append(errs, s.writer.close())
	s.writer = nil
	<-s.turn
	return errors.Join(errs...)
}

// Ping reports whether the store accepts writes: it writes, and waits for the disk.
func (s *Store) Ping(ctx context.Context) error {
	return s.write(ctx, func(c *conn) error {
		_, err := c.exec("INSERT INTO readiness VALUES (1, 1) ON CONFLICT DO UPDATE SET n = n + 1")
		return err
	})
}
