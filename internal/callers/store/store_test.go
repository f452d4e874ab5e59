package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/storage"
)

// script is a driver.Connector that records statements by their first words. Statements in none affect no row, and queries
// return row.
type script struct {
	none map[string]bool
	row  []driver.Value
	ran  []string
}

func (s *script) Connect(context.Context) (driver.Conn, error) { return s, nil }
func (s *script) Driver() driver.Driver                        { return nil }
func (s *script) Close() error                                 { return nil }
func (s *script) Begin() (driver.Tx, error)                    { return s, nil }
func (s *script) Commit() error                                { return s.end("commit") }
func (s *script) Rollback() error                              { return s.end("rollback") }
func (s *script) Prepare(query string) (driver.Stmt, error)    { return stmt{s, query}, nil }

func (s *script) end(how string) error {
	s.ran = append(s.ran, how)
	return nil
}

type stmt struct {
	*script
	query string
}

func (s stmt) NumInput() int { return strings.Count(s.query, "?") }

func (s stmt) Exec([]driver.Value) (driver.Result, error) {
	words := strings.Join(strings.Fields(s.query)[:4], " ")
	s.ran = append(s.ran, words)
	if s.none[words] {
		return driver.RowsAffected(0), nil
	}
	return driver.RowsAffected(1), nil
}

func (s stmt) Query([]driver.Value) (driver.Rows, error) { return &rows{s.row}, nil }

type rows struct{ row []driver.Value }

func (*rows) Columns() []string { return []string{"same", "consumed"} }
func (*rows) Close() error      { return nil }
func (r *rows) Next(dest []driver.Value) error {
	if r.row == nil {
		return io.EOF
	}
	copy(dest, r.row)
	r.row = nil
	return nil
}

func run(s *script, do func(*Store) error) ([]string, error) {
	err := do(&Store{db: sql.OpenDB(s)})
	return s.ran, err
}

var now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestFinishRequest(t *testing.T) {
	t.Parallel()
	finish := func(s *Store) error {
		return s.FinishRequest(t.Context(), storage.Outcome{
			RequestID: "r1", Code: &storage.AuthorizationCode{}, Declined: []string{"a"}, Granted: []storage.Consent{{Scope: "b"}},
		}, now)
	}
	const first = "insert into request (id,"
	ran, err := run(&script{}, finish)
	require.NoError(t, err)
	require.Equal(t, []string{first, "delete from consent where", "insert into consent values", "commit"}, ran)
	for name, tt := range map[string]struct {
		row  []driver.Value
		want error
		end  string
	}{
		"the same code": {[]driver.Value{true, false}, nil, "commit"},
		"redeemed":      {[]driver.Value{true, true}, storage.ErrConsumed, "rollback"},
		"another code":  {[]driver.Value{false, false}, storage.ErrConflict, "rollback"},
	} {
		ran, err = run(&script{none: map[string]bool{first: true}, row: tt.row}, finish)
		require.True(t, errors.Is(err, tt.want), "%s: %v", name, err)
		require.Equal(t, []string{first, tt.end}, ran, name)
	}
}

func TestRotateRefreshToken(t *testing.T) {
	t.Parallel()
	rotate := func(s *Store) error {
		return s.RotateRefreshToken(t.Context(), storage.Hash{1}, &storage.Issuance{Refresh: &storage.RefreshToken{}}, time.Minute, now)
	}
	const (
		consume, retry, used = "update refresh set consumed_at", "update refresh set successor", "update refresh set successor_used"
		access, refresh      = "insert into access (hash,", "insert into refresh (hash,"
	)
	ran, err := run(&script{}, rotate)
	require.NoError(t, err)
	require.Equal(t, []string{consume, used, access, refresh, "commit"}, ran)
	ran, err = run(&script{none: map[string]bool{consume: true}}, rotate)
	require.NoError(t, err)
	require.Equal(t, []string{consume, retry, access, "commit"}, ran)
	ran, err = run(&script{none: map[string]bool{consume: true, retry: true}}, rotate)
	require.ErrorIs(t, err, storage.ErrConsumed)
	require.Equal(t, []string{consume, retry, "rollback"}, ran)
	ran, err = run(&script{none: map[string]bool{access: true}}, rotate)
	require.ErrorIs(t, err, storage.ErrConflict)
	require.Equal(t, "rollback", ran[len(ran)-1])
}
