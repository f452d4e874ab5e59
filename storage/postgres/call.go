package postgres

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/storage"
)

// The verdicts of the functions of the schema.
const (
	done = iota
	notFound
	consumed
	revoked
	conflict
	full
)

var verdicts = [...]error{done: nil, notFound: storage.ErrNotFound, consumed: storage.ErrConsumed, revoked: storage.ErrRevoked, conflict: storage.ErrConflict, full: storage.ErrFull}

// verdict returns the error of a verdict.
func verdict(v int16) error {
	if v < 0 || int(v) >= len(verdicts) {
		return fmt.Errorf("postgres: unknown verdict %d", v)
	}
	return verdicts[v]
}

// maxTries bounds how often a statement is sent.
const maxTries = 2

// change calls a function that returns a verdict.
func (s *Store) change(ctx context.Context, sql string, args ...any) error {
	var v int16
	if err := s.write(ctx, sql, args, &v); err != nil {
		return err
	}
	return verdict(v)
}

// write runs a statement that changes records, and scans the row that it returns. It returns pgx.ErrNoRows if there is none.
func (s *Store) write(ctx context.Context, sql string, args []any, to ...any) error {
	return s.call(ctx, mayRepeatWrite, func(ctx context.Context, c *pgx.Conn) error {
		if len(to) == 0 {
			_, err := c.Exec(ctx, sql, args...)
			return err
		}
		return c.QueryRow(ctx, sql, args...).Scan(to...)
	})
}

// find runs a statement that changes nothing, and scans the row that it returns. It returns storage.ErrNotFound if there is none.
func (s *Store) find(ctx context.Context, sql string, args []any, to ...any) error {
	err := s.call(ctx, mayRepeatRead, func(ctx context.Context, c *pgx.Conn) error {
		return c.QueryRow(ctx, sql, args...).Scan(to...)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return storage.ErrNotFound
	}
	return err
}

// list runs a statement that changes nothing, and calls scan for each row. begin discards the rows of a try that failed.
func (s *Store) list(ctx context.Context, sql string, args []any, begin func(), scan func(r pgx.Rows) error) error {
	var broken error
	err := s.call(ctx, mayRepeatRead, func(ctx context.Context, c *pgx.Conn) error {
		begin()
		found, err := c.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		defer found.Close()
		for broken = nil; found.Next() && broken == nil; {
			broken = scan(found)
		}
		return found.Err()
	})
	return errors.Join(err, broken)
}

// call runs f with a connection, and again if it failed in a way that repeat accepts. The whole takes at most Config.Timeout.
//
// The context of the caller counts until a connection is there. After that a statement runs to its end, also for a caller that has gone
// away: pgx closes the connection of a statement that is interrupted.
func (s *Store) call(ctx context.Context, repeat func(error) bool, f func(ctx context.Context, c *pgx.Conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	running, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.config.Timeout)
	defer cancel()
	for try := 1; ; try++ {
		err := s.try(ctx, running, f)
		if err == nil || errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if ctx.Err() != nil || running.Err() != nil || try == maxTries || !repeat(err) {
			return fault(ctx, err)
		}
		time.Sleep(jitter(10 * time.Millisecond))
	}
}

// try runs f once. It waits for a connection until the context of the caller or of the statement is done.
func (s *Store) try(caller, running context.Context, f func(ctx context.Context, c *pgx.Conn) error) error {
	waiting, cancel := context.WithCancel(running)
	defer cancel()
	defer context.AfterFunc(caller, cancel)()
	c, err := s.pool.Acquire(waiting)
	if err != nil {
		return &connectError{err}
	}
	defer c.Release()
	if err := caller.Err(); err != nil {
		return &connectError{err}
	}
	return f(running, c.Conn())
}

// jitter returns a duration from 0 to most, a different one on each node.
func jitter(most time.Duration) time.Duration {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return time.Duration(binary.BigEndian.Uint64(b[:]) % uint64(most))
}

// connectError is an error before a statement was sent.
type connectError struct{ error }

// Unwrap returns the error of the connection.
func (e *connectError) Unwrap() error { return e.error }

// mayRepeatWrite reports whether a statement has certainly changed nothing: it was not sent, or its transaction was rolled back because of
// another one.
func mayRepeatWrite(err error) bool {
	var unsent *connectError
	var rejected *pgconn.PgError
	switch {
	case errors.As(err, &unsent), pgconn.SafeToRetry(err):
		return true
	case errors.As(err, &rejected):
		return rejected.Code == "40001" || rejected.Code == "40P01" // serialization_failure, deadlock_detected
	}
	return false
}

// mayRepeatRead reports whether the connection or the transaction failed. A statement that takes too long is not repeated.
func mayRepeatRead(err error) bool {
	var rejected *pgconn.PgError
	if errors.As(err, &rejected) {
		return mayRepeatWrite(err) || strings.HasPrefix(rejected.Code, "57P") // the server shuts down or restarts
	}
	return !errors.Is(err, context.DeadlineExceeded)
}

// fault returns the error of a method for an error of pgx.
func fault(ctx context.Context, err error) error {
	var rejected *pgconn.PgError
	var unsent *connectError
	switch {
	case errors.As(err, &unsent) && ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &unsent) || !errors.As(err, &rejected):
		return fmt.Errorf("postgres: %w: %w", portner.ErrUnavailable, err)
	case rejected.Code == "23505": // unique_violation
		return storage.ErrConflict
	}
	switch rejected.Code[:min(2, len(rejected.Code))] {
	case "22", "23", "42", "XX": // a value, a statement or a page of the database is wrong
		return fmt.Errorf("postgres: %w", err)
	}
	return fmt.Errorf("postgres: %w: %w", portner.ErrUnavailable, err)
}
