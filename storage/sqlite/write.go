package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/storage"
)

// Writers share transactions: the first caller that gets the connection executes what others queued meanwhile, each in a savepoint of
// its own, and commits once. One synchronisation of the disk then serves all of them.

// change is one call of a method that writes.
type change struct {
	ctx  context.Context
	f    func(*conn) error // may be called twice
	done chan error        // has room for one
}

// maxBatch bounds the changes of one transaction.
const maxBatch = 64

// errClosed is returned after Close.
var errClosed = fmt.Errorf("sqlite: the store is closed: %w", portner.ErrUnavailable)

// errSlow reports that other writers hold the file for longer than Config.Timeout.
var errSlow = fmt.Errorf("sqlite: no turn to write within the timeout: %w", portner.ErrUnavailable)

// write calls f in a transaction. If f returns an error, nothing is changed. Once f was called, the end of ctx changes nothing.
func (s *Store) write(ctx context.Context, f func(*conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &change{ctx: ctx, f: f, done: make(chan error, 1)}
	if !s.enqueue(w) {
		return errClosed
	}
	timer := time.NewTimer(s.config.Timeout)
	defer timer.Stop()
	err := errSlow
	select {
	case s.turn <- struct{}{}:
		s.lead(w)
		return <-w.done
	case err := <-w.done:
		return err
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
	}
	if s.withdraw(w) {
		return err
	}
	return <-w.done // it is being executed
}

func (s *Store) enqueue(w *change) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.queue = append(s.queue, w)
	return true
}

// withdraw takes w from the queue, and reports whether it was there.
func (s *Store) withdraw(w *change) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.queue {
		if s.queue[i] == w {
			s.queue = append(s.queue[:i], s.queue[i+1:]...)
			return true
		}
	}
	return false
}

// next takes the oldest changes from the queue.
func (s *Store) next() []*change {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(s.queue), maxBatch)
	batch := append([]*change(nil), s.queue[:n]...)
	s.queue = append(s.queue[:0], s.queue[n:]...)
	return batch
}

// lead executes changes until own is among them. The caller has the turn.
func (s *Store) lead(own *change) {
	defer func() { <-s.turn }()
	for len(own.done) == 0 {
		s.execute(s.next())
	}
}

// call calls f. A panic, such as that of the driver without memory, is a fault: other callers wait for the batch.
func (w *change) call(c *conn) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("sqlite: panic: %v", p)
		}
	}()
	return w.f(c)
}

// execute executes a batch in one transaction, or each change in its own if a fault would end all of them.
func (s *Store) execute(batch []*change) {
	errs := make([]error, len(batch))
	if err := s.transact(batch, errs); err != nil {
		for i := range batch {
			if len(batch) > 1 && !errors.Is(err, sqlite3.BUSY) { // otherwise all have waited for another process, and no one has begun
				err = s.transact(batch[i:i+1], errs[i:i+1])
			}
			if err != nil {
				errs[i] = err
			}
		}
	}
	for i, w := range batch {
		w.done <- errs[i]
	}
}

// transact executes changes in one transaction and writes their verdicts to errs. It returns a fault, and then nothing is changed.
func (s *Store) transact(batch []*change, errs []error) (err error) {
	c := s.writer
	if c == nil {
		return errClosed
	}
	if err := c.db.Exec("BEGIN IMMEDIATE"); err != nil {
		return fault(err)
	}
	defer func() {
		if !c.db.GetAutocommit() {
			_ = c.db.Exec("ROLLBACK")
		}
	}()
	single := len(batch) == 1
	for i, w := range batch {
		if errs[i] = w.ctx.Err(); errs[i] != nil {
			continue
		}
		if !single {
			if _, err := c.exec("SAVEPOINT change"); err != nil {
				return err
			}
		}
		errs[i] = w.call(c)
		switch {
		case errs[i] == nil:
		case !isVerdict(errs[i]) || c.db.GetAutocommit():
			return errs[i]
		case single:
			return nil // the deferred call rolls back
		default:
			if _, err := c.exec("ROLLBACK TO change"); err != nil {
				return err
			}
		}
		if !single {
			if _, err := c.exec("RELEASE change"); err != nil {
				return err
			}
		}
	}
	if err := c.db.Exec("COMMIT"); err != nil {
		return fault(err)
	}
	return nil
}

// isVerdict reports whether err is a verdict of a method, and not a fault of the driver.
func isVerdict(err error) bool {
	return errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrConsumed) || errors.Is(err, storage.ErrRevoked) ||
		errors.Is(err, storage.ErrConflict) || err == storage.ErrFull
}

// read calls f with a connection that sees what was committed before. The end of ctx interrupts it.
func (s *Store) read(ctx context.Context, f func(*conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	c, err := s.reader(bounded)
	if err == nil {
		err = s.use(bounded, c, f)
	}
	if err != nil && ctx.Err() != nil && !isVerdict(err) {
		return ctx.Err()
	}
	return err
}

// use calls f with a connection and puts the connection back. A panic is a fault, and the connection is closed: the next caller opens another
// one.
func (s *Store) use(ctx context.Context, c *conn, f func(*conn) error) (err error) {
	whole := false
	defer func() {
		if whole {
			s.readers <- c
			return
		}
		err = fmt.Errorf("sqlite: panic: %v", recover())
		defer func() {
			_ = recover() // of a driver that cannot close it
			s.readers <- nil
		}()
		_ = c.close()
	}()
	old := c.db.SetInterrupt(ctx)
	err = f(c)
	c.db.SetInterrupt(old)
	whole = true
	return err
}

// reader returns a connection, which the caller puts back into s.readers.
func (s *Store) reader(ctx context.Context) (*conn, error) {
	select {
	case c := <-s.readers:
		return s.opened(c)
	default:
	}
	select {
	case c := <-s.readers:
		return s.opened(c)
	case <-ctx.Done():
		return nil, fmt.Errorf("sqlite: no connection to read within the timeout: %w", portner.ErrUnavailable)
	}
}

// opened returns c, or a new connection if c is nil: connections are opened when they are first needed.
func (s *Store) opened(c *conn) (*conn, error) {
	if c != nil {
		return c, nil
	}
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		s.readers <- nil
		return nil, errClosed
	}
	c, err := s.config.connect(s.file, true)
	if err != nil {
		s.readers <- nil
		return nil, err
	}
	return c, nil
}
