package standin

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/token"
)

// Store keeps the state of a server.
type Store interface {
	provider.Store
	authorize.PushedRequestStore
	authorize.HistoryStore
	authorizations.HistoryStore
	client.ReplayStore
	token.GrantStore
	keyset.Store

	// Run deletes what has expired, until ctx ends.
	Run(ctx context.Context)
	// Ping returns nil if the store would accept a write.
	Ping(ctx context.Context) error
	Close() error
}

// StateFlags say where a server keeps its state.
type StateFlags struct {
	Store   string
	Secrets string // file
	// Stores opens the other kinds of store by their names: sqlite, postgres and redis. A kind that is not there is refused.
	Stores map[string]OpenStore

	program string  // name of the folder in examples/
	onSweep OnSweep // may be nil
}

// OpenStore opens a kind of store. at is the value of the flag without the scheme of sqlite. onSweep may be nil.
type OpenStore func(ctx context.Context, at string, log *slog.Logger, onSweep OnSweep) (Store, error)

// Define adds the flags.
func (f *StateFlags) Define(fs *flag.FlagSet) {
	fs.StringVar(&f.Store, "store", "memory", "where sessions, grants and signing keys are kept: memory, sqlite:`FILE`, or, with -tags servers, postgres://… or redis://…")
	fs.StringVar(&f.Secrets, "secrets", "", "`file` with the secrets of the server, made if there is none (default: beside the file of sqlite, FILE.secrets; otherwise new secrets at each start)")
}

// errNotBuilt is the error of a store that this program is compiled without. program is the path of its package.
func errNotBuilt(program, store string) error {
	return fmt.Errorf("-store: this program is compiled without PostgreSQL and Redis: go run -tags servers ./examples/%s -store %s", program, store)
}

// scheme is the part of a value of -store before the colon. A single letter is the drive of a Windows path.
var scheme = regexp.MustCompile(`^([a-z][a-z0-9+]+):`)

// fileName matches what is taken for a path without the scheme sqlite. Everything else may be the address of a server, which can have a
// password: no error may quote it, and no file may have its name.
var fileName = regexp.MustCompile(`^([A-Za-z]:)?[^:@=]*$`)

// resolve returns how to open the store, and the file of SQLite, or "".
func (f StateFlags) resolve() (open func(ctx context.Context, log *slog.Logger) (Store, error), file string, err error) {
	found := scheme.FindStringSubmatch(f.Store)
	switch {
	case f.Store == "memory":
		return func(context.Context, *slog.Logger) (Store, error) { return memoryStore{memory.New(), f.onSweep}, nil }, "", nil
	case found == nil && f.Store != ":memory:" && !fileName.MatchString(f.Store):
		return nil, "", errors.New("-store: is neither a file nor the URL of a server: write sqlite:FILE, or, in small letters, postgres://… or redis://…")
	case found == nil && f.Store != "" && f.Store != ":memory:" && !strings.ContainsAny(f.Store, `./\`):
		return nil, "", fmt.Errorf("-store: %q is none of memory, sqlite:FILE, postgres://… and redis://…; a file of that name is sqlite:%s", f.Store, f.Store)
	case found == nil:
		file = f.Store
	case found[1] == "sqlite":
		file = strings.TrimPrefix(f.Store, "sqlite:")
	case found[1] == "postgres" || found[1] == "postgresql" || found[1] == "redis" || found[1] == "rediss":
		return f.resolveServer(strings.TrimSuffix(found[1], "ql"))
	default:
		return nil, "", fmt.Errorf("-store: the scheme %s is none of sqlite, postgres and redis; -store memory keeps nothing, and -store sqlite:FILE is a file", found[1])
	}
	sqlite := f.Stores["sqlite"]
	if sqlite == nil {
		return nil, "", errors.New("-store: this program is compiled without SQLite: write -store memory")
	}
	if err := checkDatabase(file); err != nil {
		return nil, "", err
	}
	return func(ctx context.Context, log *slog.Logger) (Store, error) { return sqlite(ctx, file, log, f.onSweep) }, file, nil
}

// resolveServer returns how to open PostgreSQL or Redis.
func (f StateFlags) resolveServer(kind string) (func(ctx context.Context, log *slog.Logger) (Store, error), string, error) {
	if !strings.Contains(f.Store, "://") {
		return nil, "", fmt.Errorf("-store: write %s://HOST:PORT/…", kind)
	}
	open := f.Stores[strings.Replace(kind, "rediss", "redis", 1)]
	if open == nil {
		return nil, "", errNotBuilt(f.program, kind+"://…")
	}
	if f.Secrets == "" {
		return nil, "", fmt.Errorf("-store %s://…: needs -secrets FILE, the same file on every node; the first node makes it", kind)
	}
	return func(ctx context.Context, log *slog.Logger) (Store, error) { return open(ctx, f.Store, log, f.onSweep) }, "", nil
}

// checkDatabase returns an error if path cannot be a file of SQLite, before secrets are made for it.
func checkDatabase(path string) error {
	if scheme.MatchString(path) {
		return errors.New("-store: what follows sqlite: is a URI; write -store sqlite:FILE")
	}
	if err := checkFile(path); err != nil {
		return fmt.Errorf("-store: %w", err)
	}
	const magic = "SQLite format 3\x00" // https://www.sqlite.org/fileformat.html, "The Database Header"
	start := make([]byte, len(magic))
	file, err := os.Open(path)
	if err != nil {
		return nil // there is none, or opening the store says why it cannot be read
	}
	n, err := io.ReadFull(file, start)
	if closing := file.Close(); closing == nil && err != io.EOF && string(start[:n]) != magic {
		return fmt.Errorf("-store: %s is no SQLite file", path)
	}
	return nil
}

// checkFile returns an error if a file cannot be made at path, with what to do.
func checkFile(path string) error {
	switch {
	case path == "":
		return errors.New("names no file; write -store sqlite:FILE")
	case path == ":memory:":
		return errors.New("write -store memory for a store that ends with the process")
	case strings.HasPrefix(path, "//"):
		return errors.New("write sqlite:FILE, without //")
	}
	folder := filepath.Dir(path)
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return fmt.Errorf("there is no folder %s: mkdir -p %s", folder, folder)
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder; write the name of a file in it", path)
	}
	return nil
}

// memorySweep is how often the store in memory deletes what has expired.
const memorySweep = 10 * time.Second

// memoryStore is the store that ends with the process.
type memoryStore struct {
	*memory.Store

	onSweep OnSweep // may be nil
}

// Run implements Store.
func (s memoryStore) Run(ctx context.Context) {
	ticker := time.NewTicker(memorySweep)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case t := <-ticker.C:
			s.sweep(ctx, t)
		}
	}
}

// sweep deletes what has expired. It fails if ctx ends only.
func (s memoryStore) sweep(ctx context.Context, now time.Time) {
	done := func(int, error) {}
	if s.onSweep != nil {
		done = s.onSweep(ctx)
	}
	done(s.Sweep(ctx, now))
}

// Ping implements Store.
func (memoryStore) Ping(context.Context) error { return nil }

// Close implements Store.
func (memoryStore) Close() error { return nil }
