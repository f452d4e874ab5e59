package sqlite

import (
	"context"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/portner-go/portner/internal/record"
	"github.com/portner-go/portner/storage"
)

// grantColumns are the columns of a grant, for a table with the alias g.
const grantColumns = "g.id, g.client_id, g.user_key, g.customer, g.session_id, g.login_only, g.created_at, g.expires_at, g.revoked, g.record"

// scanGrant reads grantColumns, the first of which is column i.
func scanGrant(st *sqlite3.Stmt, i int) (g storage.Grant, revoked bool, err error) {
	if g, err = record.DecodeGrant(st.ColumnRawBlob(i + 9)); err != nil {
		return storage.Grant{}, false, broken(err)
	}
	g.ID, g.ClientID, g.UserKey = st.ColumnText(i), st.ColumnText(i+1), hashAt(st, i+2)
	g.Customer, g.SessionID, g.LoginOnly = st.ColumnText(i+3), st.ColumnText(i+4), st.ColumnBool(i+5)
	g.CreatedAt, g.ExpiresAt = timeAt(st, i+6), timeAt(st, i+7)
	return g, st.ColumnBool(i + 8), nil
}

// withoutColumns returns a grant without the fields that have a column in each table with grants.
func withoutColumns(g storage.Grant) storage.Grant {
	g.ID, g.ClientID, g.UserKey, g.Customer, g.SessionID = "", "", storage.Hash{}, "", ""
	return g
}

// isMachine reports whether Grants does not list the grant.
func isMachine(g *storage.Grant) bool { return g.UserKey == storage.Hash{} && g.SessionID == "" }

// insertGrant inserts a grant. It returns ErrConflict if a grant has its ID.
func (c *conn) insertGrant(g *storage.Grant) error {
	rest := withoutColumns(*g)
	rest.LoginOnly, rest.CreatedAt, rest.ExpiresAt = false, time.Time{}, time.Time{}
	var user any = g.UserKey
	if isMachine(g) {
		user = nil
	}
	return c.insert(`INSERT INTO grants (id, client_id, user_key, customer, session_id, login_only, created_at, expires_at, record)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING`,
		g.ID, g.ClientID, user, g.Customer, g.SessionID, g.LoginOnly, g.CreatedAt, g.ExpiresAt, record.EncodeGrant(&rest))
}

// InsertGrant implements token.GrantStore.
func (s *Store) InsertGrant(ctx context.Context, i *storage.Issuance, now time.Time) error {
	return s.write(ctx, func(c *conn) error {
		if err := c.admit(&i.Grant, now); err != nil {
			return err
		}
		taken, err := c.exists("SELECT 1 FROM codes WHERE grant_id = ?1", i.Grant.ID)
		if err != nil {
			return err
		}
		if taken {
			return storage.ErrConflict
		}
		if err := c.insertGrant(&i.Grant); err != nil {
			return err
		}
		return c.insertTokens(i.Grant.ID, &i.Access, i.Refresh)
	})
}

// Revoke implements provider.Store.
func (s *Store) Revoke(ctx context.Context, r storage.Revocation, now time.Time) error {
	if err := r.Validate(); err != nil {
		return err
	}
	return s.write(ctx, func(c *conn) error {
		if r.GrantID != "" {
			return c.all([]any{r.GrantID},
				"UPDATE codes SET consumed = 1 WHERE grant_id = ?1",
				"UPDATE grants SET revoked = 1 WHERE id = ?1")
		}
		a := r.Authorization
		return c.all([]any{a.UserKey, a.ClientID, a.Customer},
			"UPDATE codes SET consumed = 1 WHERE user_key = ?1 AND client_id = ?2 AND customer = ?3 AND consumed = 0",
			"UPDATE grants SET revoked = 1 WHERE user_key = ?1 AND client_id = ?2 AND customer = ?3 AND revoked = 0 AND user_key IS NOT NULL",
			"DELETE FROM consents WHERE user_key = ?1 AND client_id = ?2 AND customer = ?3")
	})
}

// all executes statements with the same arguments.
func (c *conn) all(args []any, statements ...string) error {
	for _, sql := range statements {
		if _, err := c.exec(sql, args...); err != nil {
			return err
		}
	}
	return nil
}

// Grants implements provider.Store.
func (s *Store) Grants(ctx context.Context, q storage.GrantQuery, now time.Time) (out []storage.Grant, err error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	err = s.read(ctx, func(c *conn) error {
		if q.ID != "" {
			out, err = c.oneGrant(q, now)
		} else {
			out, err = c.pageOfGrants(q, now)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// grants returns the grants that match the rest of a query.
func (c *conn) grants(rest string, args ...any) (out []storage.Grant, err error) {
	err = c.each(func(st *sqlite3.Stmt) error {
		g, _, err := scanGrant(st, 0)
		out = append(out, g)
		return err
	}, "SELECT "+grantColumns+" FROM grants g WHERE "+rest, args...)
	return out, err
}

func (c *conn) oneGrant(q storage.GrantQuery, now time.Time) ([]storage.Grant, error) {
	found, err := c.grants("id = ?1 AND user_key = ?2 AND revoked = 0 AND expires_at > ?3", q.ID, q.UserKey, now)
	if err == nil && len(found) == 0 {
		return nil, storage.ErrNotFound
	}
	return found, err
}

func (c *conn) pageOfGrants(q storage.GrantQuery, now time.Time) ([]storage.Grant, error) {
	if q.After == "" {
		return c.grants("user_key = ?1 AND revoked = 0 AND expires_at > ?2 ORDER BY created_at DESC, id DESC LIMIT ?3", q.UserKey, now, q.Limit)
	}
	var createdAt int64 // it never changes, so that the two queries need no transaction
	known, err := c.row(func(st *sqlite3.Stmt) error { createdAt = st.ColumnInt64(0); return nil },
		"SELECT created_at FROM grants WHERE id = ?1 AND user_key = ?2 AND expires_at > ?3", q.After, q.UserKey, now)
	if err != nil {
		return nil, err
	}
	if !known {
		return nil, storage.ErrNotFound
	}
	return c.grants(`user_key = ?1 AND revoked = 0 AND expires_at > ?2 AND (created_at, id) < (?4, ?5)
		ORDER BY created_at DESC, id DESC LIMIT ?3`, q.UserKey, now, q.Limit, createdAt, q.After)
}
