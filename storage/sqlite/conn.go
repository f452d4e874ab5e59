package sqlite

import (
	"errors"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/record"
	"github.com/portner-go/portner/storage"
)

// conn is one connection with its prepared statements. One goroutine uses it at a time.
type conn struct {
	db         *sqlite3.Conn
	statements map[string]*sqlite3.Stmt
}

func (c *conn) close() error {
	for _, st := range c.statements {
		_ = st.Close() // an error repeats that of the last step
	}
	return c.db.Close()
}

// prepare returns the statement with the arguments, which are int, int64, bool, string, []byte, storage.Hash, time.Time or nil.
func (c *conn) prepare(sql string, args []any) (*sqlite3.Stmt, error) {
	st := c.statements[sql]
	if st == nil {
		var err error
		if st, _, err = c.db.PrepareFlags(sql, sqlite3.PREPARE_PERSISTENT); err != nil {
			return nil, err
		}
		c.statements[sql] = st
	}
	for i, arg := range args {
		if err := bind(st, i+1, arg); err != nil {
			return nil, err
		}
	}
	return st, nil
}

func bind(st *sqlite3.Stmt, i int, arg any) error {
	switch v := arg.(type) {
	case nil:
		return st.BindNull(i)
	case int:
		return st.BindInt(i, v)
	case int64:
		return st.BindInt64(i, v)
	case bool:
		return st.BindBool(i, v)
	case string:
		return st.BindText(i, v)
	case []byte:
		return st.BindBlob(i, v)
	case storage.Hash:
		return st.BindBlob(i, v[:])
	case time.Time:
		return st.BindInt64(i, record.Nanos(v))
	}
	return fmt.Errorf("an argument of type %T", arg)
}

// exec executes a statement and returns how many rows it changed.
func (c *conn) exec(sql string, args ...any) (int64, error) {
	st, err := c.prepare(sql, args)
	if err != nil {
		return 0, fault(err)
	}
	if err := st.Exec(); err != nil {
		return 0, fault(err)
	}
	return c.db.Changes(), nil
}

// each calls scan for each row.
func (c *conn) each(scan func(*sqlite3.Stmt) error, sql string, args ...any) (err error) {
	st, err := c.prepare(sql, args)
	if err != nil {
		return fault(err)
	}
	defer func() { // Reset repeats the error of the last step
		if failed := st.Reset(); err == nil && failed != nil {
			err = fault(failed)
		}
	}()
	for st.Step() {
		if err := scan(st); err != nil {
			return err
		}
	}
	if err := st.Err(); err != nil {
		return fault(err)
	}
	return nil
}

// row calls scan for the only row, and reports whether there is one.
func (c *conn) row(scan func(*sqlite3.Stmt) error, sql string, args ...any) (found bool, err error) {
	err = c.each(func(st *sqlite3.Stmt) error { found = true; return scan(st) }, sql, args...)
	return found, err
}

// exists reports whether there is a row.
func (c *conn) exists(sql string, args ...any) (bool, error) {
	return c.row(func(*sqlite3.Stmt) error { return nil }, sql, args...)
}

// number returns the number in the only row, or 0 if there is none.
func (c *conn) number(sql string, args ...any) (n int64, err error) {
	_, err = c.row(func(st *sqlite3.Stmt) error { n = st.ColumnInt64(0); return nil }, sql, args...)
	return n, err
}

// hashAt returns the hash in a column, or the zero hash for NULL.
func hashAt(st *sqlite3.Stmt, column int) (h storage.Hash) {
	copy(h[:], st.ColumnRawBlob(column))
	return h
}

func timeAt(st *sqlite3.Stmt, column int) time.Time { return record.Time(st.ColumnInt64(column)) }

// fault returns an error of the driver as one of the store. It is never a verdict. If the file or the disk is the cause, it wraps
// portner.ErrUnavailable.
func fault(err error) error {
	switch {
	case errors.Is(err, sqlite3.FULL):
		return fmt.Errorf("sqlite: %w: %w", err, storage.ErrFull)
	case errors.Is(err, sqlite3.CONSTRAINT), errors.Is(err, sqlite3.ERROR), errors.Is(err, sqlite3.MISMATCH), errors.Is(err, sqlite3.MISUSE),
		errors.Is(err, sqlite3.RANGE), errors.Is(err, sqlite3.TOOBIG):
		return fmt.Errorf("sqlite: %w", err)
	}
	return fmt.Errorf("sqlite: %w: %w", err, portner.ErrUnavailable)
}

// broken reports a record that this version cannot read.
func broken(err error) error { return fmt.Errorf("sqlite: %w", err) }
