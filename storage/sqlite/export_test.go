package sqlite

import (
	"context"
	"os"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// DocumentedTimeout is the default that Config promises, before init makes it longer.
var DocumentedTimeout = defaultTimeout

// A slow machine is no fault.
func init() { defaultTimeout = time.Minute }

// OpenWith opens a file whose schema has some migrations after those of this package.
func OpenWith(ctx context.Context, file string, config Config, more ...string) (*Store, error) {
	texts, err := migrations()
	if err != nil {
		return nil, err
	}
	return open(ctx, file, config, append(texts, more...))
}

// Number executes a query with the connection that writes.
func (s *Store) Number(sql string, args ...any) (n int64, err error) {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	return s.writer.number(sql, args...)
}

// Exec executes statements with the connection that writes.
func (s *Store) Exec(sql string) error {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	return s.writer.db.Exec(sql)
}

// Hold keeps changes in the queue until release is called.
func (s *Store) Hold() (release func()) {
	s.turn <- struct{}{}
	return func() { <-s.turn }
}

// Queued returns the number of changes that wait.
func (s *Store) Queued() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue)
}

// Write executes statements as a method does.
func (s *Store) Write(ctx context.Context, f func(exec func(sql string) error) error) error {
	return s.write(ctx, func(c *conn) error {
		return f(func(sql string) error { _, err := c.exec(sql); return err })
	})
}

// Waits executes n changes as one batch. It returns their errors, and how often it would have waited for another process.
func (s *Store) Waits(n int, f func() error) (waits int, errs []error) {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	err := s.writer.db.BusyHandler(func(context.Context, int) bool { waits++; return false })
	if err != nil {
		return 0, []error{err}
	}
	batch := make([]*change, n)
	for i := range batch {
		batch[i] = &change{ctx: context.Background(), f: func(*conn) error { return f() }, done: make(chan error, 1)}
	}
	s.execute(batch)
	for _, w := range batch {
		errs = append(errs, <-w.done)
	}
	return waits, errs
}

// Read reads as a method does.
func (s *Store) Read(ctx context.Context, f func() error) error {
	return s.read(ctx, func(*conn) error { return f() })
}

// MaxBatch bounds the changes of one transaction.
const MaxBatch = maxBatch

// IntegrityCheck returns what SQLite finds wrong with a file.
func (s *Store) IntegrityCheck() (problems []string, err error) {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	err = s.writer.each(func(st *sqlite3.Stmt) error { problems = append(problems, st.ColumnText(0)); return nil }, "PRAGMA integrity_check")
	return problems, err
}

// Permissions returns the modes of the file and of those beside it.
func Permissions(file string) map[string]os.FileMode {
	modes := make(map[string]os.FileMode)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if info, err := os.Stat(file + suffix); err == nil {
			modes[suffix] = info.Mode().Perm()
		}
	}
	return modes
}

// File returns the path of the file.
func (s *Store) File() string { return s.file }
