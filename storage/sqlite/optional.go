package sqlite

import (
	"context"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/portner-go/portner/internal/record"
	"github.com/portner-go/portner/storage"
)

// PushRequest implements authorize.PushedRequestStore.
func (s *Store) PushRequest(ctx context.Context, p storage.PushedRequest, now time.Time) error {
	most := s.config.MaxPushedRequestsPerClient
	if p.Source != p.ClientID {
		most = s.config.MaxPushedRequestsPerAddress
	}
	return s.write(ctx, func(c *conn) error {
		open, err := c.number(`SELECT count(*) FROM (SELECT 1 FROM pushed_requests WHERE client_id = ?1 AND source = ?2 AND consumed = 0
			AND expires_at > ?3 LIMIT ?4)`, p.ClientID, p.Source, now, most)
		if err != nil {
			return err
		}
		if open >= int64(most) {
			return storage.ErrFull
		}
		if err := c.room("pushed_requests", p.ClientID, s.config.MaxPushedRequests, now); err != nil {
			return err
		}
		return c.insert("INSERT INTO pushed_requests (hash, client_id, source, expires_at, params) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
			p.Hash, p.ClientID, p.Source, p.ExpiresAt, p.Params)
	})
}

// room returns ErrFull if a client has as many rows of a table as are free. Before that it removes expired rows.
func (c *conn) room(table, clientID string, most int, now time.Time) error {
	for range 2 {
		held, err := c.number("SELECT n FROM usage WHERE name = ?1 AND client_id = ?2", table, "c"+clientID)
		if err != nil {
			return err
		}
		all, err := c.number("SELECT n FROM usage WHERE name = ?1 AND client_id = ''", table)
		if err != nil {
			return err
		}
		if held < int64(most)-all {
			return nil
		}
		if n, err := c.sweep(table, now); err != nil || n == 0 {
			return or(err, storage.ErrFull)
		}
	}
	return storage.ErrFull
}

func or(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// PushedRequest implements authorize.PushedRequestStore.
func (s *Store) PushedRequest(ctx context.Context, hash storage.Hash, now time.Time) (p storage.PushedRequest, err error) {
	err = s.read(ctx, func(c *conn) error {
		found, err := c.row(func(st *sqlite3.Stmt) error {
			p = storage.PushedRequest{Hash: hash, ClientID: st.ColumnText(0), Source: st.ColumnText(1), ExpiresAt: timeAt(st, 2), Params: st.ColumnBlob(3, nil)}
			return nil
		}, "SELECT client_id, source, expires_at, params FROM pushed_requests WHERE hash = ?1 AND consumed = 0 AND expires_at > ?2", hash, now)
		if err == nil && !found {
			return storage.ErrNotFound
		}
		return err
	})
	return p, err
}

// ConsumePushedRequest implements authorize.PushedRequestStore.
func (s *Store) ConsumePushedRequest(ctx context.Context, hash storage.Hash, now time.Time) error {
	return s.write(ctx, func(c *conn) error {
		n, err := c.exec("UPDATE pushed_requests SET consumed = 1, params = NULL WHERE hash = ?1 AND consumed = 0 AND expires_at > ?2", hash, now)
		if n == 1 || err != nil {
			return err
		}
		used, err := c.exists("SELECT 1 FROM pushed_requests WHERE hash = ?1 AND consumed = 1 AND expires_at > ?2", hash, now)
		if used {
			return storage.ErrConsumed
		}
		return or(err, storage.ErrNotFound)
	})
}

// ConsumeJTI implements client.ReplayStore and dpop.ReplayStore.
func (s *Store) ConsumeJTI(ctx context.Context, clientID string, key storage.Hash, expiresAt, now time.Time) error {
	return s.write(ctx, func(c *conn) error {
		if record.Nanos(expiresAt) <= record.Nanos(now) {
			return storage.ErrConsumed
		}
		used, err := c.exists("SELECT 1 FROM replays WHERE key = ?1", key)
		if err != nil {
			return err
		}
		if used {
			return storage.ErrConsumed
		}
		if err := c.room("replays", clientID, s.config.MaxReplays, now); err != nil {
			return err
		}
		_, err = c.exec("INSERT INTO replays VALUES (?1, ?2, ?3)", key, clientID, expiresAt)
		return err
	})
}

// maxLogins bounds the entries of one user. The oldest ones are removed when there are more.
const maxLogins = 200

// RecordLogin implements authorize.HistoryStore.
func (s *Store) RecordLogin(ctx context.Context, l storage.Login, now time.Time) error {
	return s.write(ctx, func(c *conn) error {
		known, err := c.exists("SELECT 1 FROM logins WHERE user_key = ?1 AND id = ?2 AND expires_at > ?3", l.UserKey, l.ID, now)
		if known || err != nil {
			return err
		}
		if _, err := c.exec(`INSERT OR REPLACE INTO logins (user_key, id, client_id, orgno, service, method, hidden, at, expires_at)
			VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)`,
			l.UserKey, l.ID, l.ClientID, l.Orgno, l.Service, l.Method, l.Withheld, l.At, l.ExpiresAt); err != nil {
			return err
		}
		_, err = c.exec(`DELETE FROM logins WHERE number IN
			(SELECT number FROM logins WHERE user_key = ?1 ORDER BY number DESC LIMIT -1 OFFSET ?2)`, l.UserKey, maxLogins)
		return err
	})
}

// Logins implements authorizations.HistoryStore.
func (s *Store) Logins(ctx context.Context, userKey storage.Hash, now time.Time) (out []storage.Login, err error) {
	err = s.read(ctx, func(c *conn) error {
		return c.each(func(st *sqlite3.Stmt) error {
			out = append(out, storage.Login{
				UserKey: userKey, ID: st.ColumnText(0), ClientID: st.ColumnText(1), Orgno: st.ColumnText(2), Service: st.ColumnText(3),
				Method: st.ColumnText(4), Withheld: st.ColumnBool(5), At: timeAt(st, 6), ExpiresAt: timeAt(st, 7),
			})
			return nil
		}, "SELECT id, client_id, orgno, service, method, hidden, at, expires_at FROM logins WHERE user_key = ?1 AND expires_at > ?2 ORDER BY number DESC",
			userKey, now)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
