package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/portner-go/portner/internal/record"
	"github.com/portner-go/portner/storage"
)

// sessionRow is a row of a session. Its fields are nil if there is none.
type sessionRow struct {
	id                    *string
	hash, user            []byte
	version               *int64
	started, last, end    *int64
	clientIDs, clientSIDs []string
	clientLogins          []int64
	clientOpen            []bool
	data                  []byte
}

// to returns where the columns of sessionColumns are scanned to.
func (r *sessionRow) to(before ...any) []any {
	return append(before, &r.id, &r.hash, &r.user, &r.version, &r.started, &r.last, &r.end, &r.clientIDs, &r.clientSIDs, &r.clientLogins, &r.clientOpen, &r.data)
}

// session returns the record of the row.
func (r *sessionRow) session() (storage.Session, error) {
	s, err := record.DecodeSession(r.data)
	if err != nil {
		return storage.Session{}, fmt.Errorf("postgres: %w", err)
	}
	if n := len(r.clientIDs); len(r.clientSIDs) != n || len(r.clientLogins) != n || len(r.clientOpen) != n {
		return storage.Session{}, errors.New("postgres: the clients of a session are of different number")
	}
	if err := errors.Join(toHash(&s.Hash, r.hash), toHash(&s.UserKey, r.user)); err != nil {
		return storage.Session{}, err
	}
	s.ID, s.Version = fromText(*r.id), *r.version
	s.StartedAt, s.LastRequestAt, s.ExpiresAt = record.Time(*r.started), record.Time(*r.last), record.Time(*r.end)
	for i, id := range r.clientIDs {
		s.Clients = append(s.Clients, storage.SessionClient{
			ClientID: fromText(id), SID: fromText(r.clientSIDs[i]), LoginAt: record.Time(r.clientLogins[i]), Open: r.clientOpen[i],
		})
	}
	return s, nil
}

// sessionArgs returns the arguments of replace_session for a record.
func sessionArgs(s *storage.Session) []any {
	n := len(s.Clients)
	ids, sids, logins, open := make([]string, n), make([]string, n), make([]int64, n), make([]bool, n)
	for i := range s.Clients {
		c := &s.Clients[i]
		ids[i], sids[i], logins[i], open[i] = text(c.ClientID), text(c.SID), nanos(c.LoginAt), c.Open
	}
	rest := storage.Session{Circles: s.Circles}
	return []any{
		text(s.ID), s.Hash[:], s.UserKey[:], s.Version, nanos(s.StartedAt), nanos(s.LastRequestAt), nanos(s.ExpiresAt),
		ids, sids, logins, open, record.EncodeSession(&rest),
	}
}

// Session implements provider.Store.
func (s *Store) Session(ctx context.Context, hash storage.Hash, now time.Time) (storage.Session, error) {
	var row sessionRow
	if err := s.find(ctx, sqlSession, []any{hash[:], nanos(now)}, row.to()...); err != nil {
		return storage.Session{}, err
	}
	return row.session()
}

// ReplaceSession implements provider.Store.
func (s *Store) ReplaceSession(ctx context.Context, old storage.Hash, next storage.Session, limit int, now time.Time) (ended []storage.Session, err error) {
	args := append([]any{hashArg(&old), nanos(now), int64(limit), int64(maxUserSessions)}, sessionArgs(&next)...)
	var result int16
	var rows []sessionRow
	err = s.call(ctx, mayRepeatWrite, func(ctx context.Context, c *pgx.Conn) error {
		rows = rows[:0]
		found, err := c.Query(ctx, sqlReplaceSession, args...)
		if err != nil {
			return err
		}
		defer found.Close()
		for found.Next() {
			var row sessionRow
			if err := found.Scan(row.to(&result)...); err != nil {
				return err
			}
			rows = append(rows, row)
		}
		return found.Err()
	})
	if err == nil && len(rows) == 0 {
		err = errors.New("postgres: replace_session returned no verdict")
	}
	if err == nil {
		err = verdict(result)
	}
	if err != nil {
		return nil, err
	}
	for i := range rows[1:] {
		one, err := rows[1+i].session()
		if err != nil {
			return nil, err
		}
		ended = append(ended, one)
	}
	return ended, nil
}

// EndSession implements provider.Store.
func (s *Store) EndSession(ctx context.Context, hash storage.Hash, now time.Time) (storage.Session, error) {
	var row sessionRow
	err := s.write(ctx, sqlEndSession, []any{hash[:], nanos(now)}, row.to()...)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return storage.Session{}, storage.ErrNotFound
	case err != nil:
		return storage.Session{}, err
	}
	return row.session()
}
