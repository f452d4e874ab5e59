package sqlite

import (
	"context"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/portner-go/portner/internal/record"
	"github.com/portner-go/portner/storage"
)

// maxUserSessions bounds the live sessions of one user.
const maxUserSessions = 1000

const sessionColumns = "SELECT hash, id, user_key, version, started_at, last_request_at, expires_at, record FROM sessions "

func scanSession(st *sqlite3.Stmt) (storage.Session, error) {
	s, err := record.DecodeSession(st.ColumnRawBlob(7))
	if err != nil {
		return storage.Session{}, broken(err)
	}
	s.Hash, s.ID, s.UserKey, s.Version = hashAt(st, 0), st.ColumnText(1), hashAt(st, 2), st.ColumnInt64(3)
	s.StartedAt, s.LastRequestAt, s.ExpiresAt = timeAt(st, 4), timeAt(st, 5), timeAt(st, 6)
	return s, nil
}

// sessionRecord encodes the fields that have no column.
func sessionRecord(s *storage.Session) []byte {
	return record.EncodeSession(&storage.Session{Circles: s.Circles, Clients: s.Clients})
}

// sessions returns the sessions that match the rest of a query.
func (c *conn) sessions(rest string, args ...any) (out []storage.Session, err error) {
	err = c.each(func(st *sqlite3.Stmt) error {
		s, err := scanSession(st)
		out = append(out, s)
		return err
	}, sessionColumns+rest, args...)
	return out, err
}

// session returns the live session that matches a condition, or ErrNotFound.
func (c *conn) session(condition string, key any, now time.Time) (storage.Session, error) {
	found, err := c.sessions("WHERE "+condition+" = ?1 AND ended = 0 AND expires_at > ?2", key, now)
	if err != nil {
		return storage.Session{}, err
	}
	if len(found) == 0 {
		return storage.Session{}, storage.ErrNotFound
	}
	return found[0], nil
}

// Session implements provider.Store.
func (s *Store) Session(ctx context.Context, hash storage.Hash, now time.Time) (out storage.Session, err error) {
	err = s.read(ctx, func(c *conn) error {
		out, err = c.session("hash", hash, now)
		return err
	})
	return out, err
}

// ReplaceSession implements provider.Store.
func (s *Store) ReplaceSession(ctx context.Context, old storage.Hash, next storage.Session, limit int, now time.Time) (ended []storage.Session, err error) {
	err = s.write(ctx, func(c *conn) (err error) {
		ended, err = c.replaceSession(old, next, limit, now)
		return err
	})
	if err != nil {
		return nil, err
	}
	return ended, nil
}

func (c *conn) replaceSession(old storage.Hash, next storage.Session, limit int, now time.Time) ([]storage.Session, error) {
	if next.Hash != old {
		retry, err := c.exists("SELECT 1 FROM sessions WHERE hash = ?1 AND id = ?2 AND user_key = ?3 AND ended = 0 AND expires_at > ?4",
			next.Hash, next.ID, next.UserKey, now)
		if retry || err != nil {
			return nil, err
		}
	}
	var from *storage.Session
	if old != (storage.Hash{}) {
		found, err := c.session("hash", old, now)
		if err != nil {
			return nil, err
		}
		if found.ID == next.ID {
			if err := c.rotateSession(&found, &next); err != nil {
				return nil, err
			}
			return c.endBeyondLimit(&next, limit, now)
		}
		from = &found
	}
	if err := c.insertSession(&next, from, limit, now); err != nil {
		return nil, err
	}
	var ended []storage.Session
	if from != nil {
		if err := c.endSession(from.ID); err != nil {
			return nil, err
		}
		ended = append(ended, *from)
	}
	others, err := c.endBeyondLimit(&next, limit, now)
	return append(ended, others...), err
}

// insertSession inserts next, in the place of from, which may be nil.
func (c *conn) insertSession(next, from *storage.Session, limit int, now time.Time) error {
	if limit < 1 || limit > maxUserSessions {
		n, err := c.number("SELECT count(*) FROM (SELECT 1 FROM sessions WHERE user_key = ?1 AND ended = 0 AND expires_at > ?2 LIMIT ?3)",
			next.UserKey, now, maxUserSessions+1)
		if err != nil {
			return err
		}
		if from != nil && from.UserKey == next.UserKey {
			n--
		}
		if n >= maxUserSessions {
			return storage.ErrFull
		}
	}
	return c.insert(`INSERT INTO sessions (hash, id, user_key, version, started_at, last_request_at, expires_at, record)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING`,
		next.Hash, next.ID, next.UserKey, next.Version, next.StartedAt, next.LastRequestAt, next.ExpiresAt, sessionRecord(next))
}

// insert executes a statement that inserts one row or, if a key of it exists, none: then it returns ErrConflict.
func (c *conn) insert(sql string, args ...any) error {
	n, err := c.exec(sql, args...)
	if err == nil && n == 0 {
		return storage.ErrConflict
	}
	return err
}

// rotateSession puts next in the place of from, which has the same ID.
func (c *conn) rotateSession(from, next *storage.Session) error {
	if from.Version != next.Version || from.UserKey != next.UserKey {
		return storage.ErrConflict
	}
	return c.insert(`UPDATE OR IGNORE sessions SET hash = ?2, version = ?3, started_at = ?4, last_request_at = ?5, expires_at = ?6, record = ?7
		WHERE id = ?1`, next.ID, next.Hash, next.Version+1, next.StartedAt, next.LastRequestAt, next.ExpiresAt, sessionRecord(next))
}

// endBeyondLimit ends the oldest live sessions of the user of next, but not next, and returns them as they were.
func (c *conn) endBeyondLimit(next *storage.Session, limit int, now time.Time) ([]storage.Session, error) {
	if limit < 1 {
		return nil, nil
	}
	others, err := c.sessions("WHERE user_key = ?1 AND ended = 0 AND expires_at > ?2 AND id <> ?3 ORDER BY started_at DESC, number DESC LIMIT -1 OFFSET ?4",
		next.UserKey, now, next.ID, limit-1)
	if err != nil {
		return nil, err
	}
	var oldest []storage.Session
	for i := range others {
		one := others[len(others)-1-i]
		if err := c.endSession(one.ID); err != nil {
			return nil, err
		}
		oldest = append(oldest, one)
	}
	return oldest, nil
}

// EndSession implements provider.Store.
func (s *Store) EndSession(ctx context.Context, hash storage.Hash, now time.Time) (out storage.Session, err error) {
	err = s.write(ctx, func(c *conn) (err error) {
		if out, err = c.session("hash", hash, now); err != nil {
			return err
		}
		return c.endSession(out.ID)
	})
	if err != nil {
		return storage.Session{}, err
	}
	return out, nil
}

// endSession ends a live session, its unused codes and its grants that are LoginOnly.
func (c *conn) endSession(id string) error {
	for _, sql := range []string{
		"UPDATE sessions SET ended = 1, record = x'' WHERE id = ?1",
		"UPDATE codes SET consumed = 1 WHERE session_id = ?1 AND consumed = 0 AND session_id <> ''",
		"UPDATE grants SET revoked = 1 WHERE session_id = ?1 AND revoked = 0 AND login_only = 1 AND session_id <> ''",
	} {
		if _, err := c.exec(sql, id); err != nil {
			return err
		}
	}
	return nil
}

// admit returns ErrRevoked if a grant names a session that is not a live session of its user.
func (c *conn) admit(g *storage.Grant, now time.Time) error {
	if g.SessionID == "" {
		return nil
	}
	live, err := c.exists("SELECT 1 FROM sessions WHERE id = ?1 AND user_key = ?2 AND ended = 0 AND expires_at > ?3", g.SessionID, g.UserKey, now)
	if err == nil && !live {
		return storage.ErrRevoked
	}
	return err
}

// visit changes the live session with the ID.
func (c *conn) visit(id string, v *storage.Visit, now time.Time) error {
	s, err := c.session("id", id, now)
	if err != nil {
		return err
	}
	v.Apply(&s)
	_, err = c.exec("UPDATE sessions SET version = ?2, last_request_at = ?3, expires_at = ?4, record = ?5 WHERE id = ?1",
		id, s.Version, s.LastRequestAt, s.ExpiresAt, sessionRecord(&s))
	return err
}
