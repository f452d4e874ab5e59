package sqlite

import (
	"context"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/portner-go/portner/internal/record"
	"github.com/portner-go/portner/storage"
)

// insertTokens inserts the tokens of a grant; refresh may be nil.
func (c *conn) insertTokens(grantID string, access *storage.AccessToken, refresh *storage.RefreshToken) error {
	if access.GrantID != grantID || refresh != nil && refresh.GrantID != grantID {
		return storage.ErrConflict
	}
	rest := *access
	rest.Hash, rest.GrantID, rest.ExpiresAt = storage.Hash{}, "", time.Time{}
	err := c.insert("INSERT INTO access_tokens (hash, grant_id, expires_at, record) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
		access.Hash, grantID, access.ExpiresAt, record.EncodeAccess(&rest))
	if err != nil || refresh == nil {
		return err
	}
	return c.insert("INSERT INTO refresh_tokens (hash, grant_id, generation, expires_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
		refresh.Hash, grantID, refresh.Generation, refresh.ExpiresAt)
}

// refreshToken returns a refresh token and its grant with the verdict on the token.
func (c *conn) refreshToken(hash storage.Hash, now time.Time) (t storage.RefreshToken, g storage.Grant, err error) {
	var revoked bool
	found, err := c.row(func(st *sqlite3.Stmt) (err error) {
		if g, revoked, err = scanGrant(st, 5); err != nil {
			return err
		}
		t = storage.RefreshToken{Hash: hash, GrantID: g.ID, Generation: st.ColumnInt(0), ExpiresAt: timeAt(st, 1), Successor: hashAt(st, 3), SuccessorUsed: st.ColumnBool(4)}
		if st.ColumnType(2) != sqlite3.NULL {
			t.ConsumedAt = timeAt(st, 2)
		}
		return nil
	}, "SELECT r.generation, r.expires_at, r.consumed_at, r.successor, (SELECT used FROM refresh_tokens WHERE hash = r.successor), "+
		grantColumns+" FROM refresh_tokens r JOIN grants g ON g.id = r.grant_id WHERE r.hash = ?1", hash)
	switch {
	case err != nil:
		return storage.RefreshToken{}, storage.Grant{}, err
	case !found, !now.Before(g.ExpiresAt), t.ConsumedAt.IsZero() && !now.Before(t.ExpiresAt):
		return storage.RefreshToken{}, storage.Grant{}, storage.ErrNotFound
	case revoked:
		return t, g, storage.ErrRevoked
	case !t.ConsumedAt.IsZero():
		return t, g, storage.ErrConsumed
	}
	return t, g, nil
}

// RefreshToken implements provider.Store.
func (s *Store) RefreshToken(ctx context.Context, hash storage.Hash, now time.Time) (t storage.RefreshToken, g storage.Grant, err error) {
	err = s.read(ctx, func(c *conn) error {
		t, g, err = c.refreshToken(hash, now)
		return err
	})
	return t, g, err
}

// RotateRefreshToken implements provider.Store.
func (s *Store) RotateRefreshToken(ctx context.Context, hash storage.Hash, i *storage.Issuance, grace time.Duration, now time.Time) error {
	return s.write(ctx, func(c *conn) error {
		t, g, err := c.refreshToken(hash, now)
		retry := false
		if err == storage.ErrConsumed {
			if retry, err = c.mayRetry(&t, i, grace, now); err == nil && !retry {
				err = storage.ErrConsumed
			}
		}
		if err != nil {
			return err
		}
		next := i.Refresh
		if next != nil && next.GrantID != g.ID {
			return storage.ErrConflict
		}
		renewed := next != nil && next.Hash == hash
		if retry || renewed {
			err = c.insertTokens(g.ID, &i.Access, nil)
		} else {
			err = c.insertTokens(g.ID, &i.Access, next)
		}
		switch {
		case err != nil || retry:
			return err
		case renewed:
			_, err = c.exec("UPDATE refresh_tokens SET generation = ?2, expires_at = ?3, used = 1 WHERE hash = ?1", hash, next.Generation, next.ExpiresAt)
			return err
		}
		var successor any
		if next != nil {
			successor = next.Hash
		}
		_, err = c.exec("UPDATE refresh_tokens SET consumed_at = ?2, successor = ?3, used = 1 WHERE hash = ?1", hash, now, successor)
		return err
	})
}

// mayRetry reports whether t, which is consumed, was rotated less than grace ago to the refresh token of i, which is live and unused.
func (c *conn) mayRetry(t *storage.RefreshToken, i *storage.Issuance, grace time.Duration, now time.Time) (bool, error) {
	if i.Refresh == nil || t.Successor != i.Refresh.Hash || t.Successor == (storage.Hash{}) || t.SuccessorUsed || grace <= 0 || now.Sub(t.ConsumedAt) >= grace {
		return false, nil
	}
	return c.exists("SELECT 1 FROM refresh_tokens WHERE hash = ?1 AND consumed_at IS NULL AND expires_at > ?2", t.Successor, now)
}

// AccessToken implements provider.Store.
func (s *Store) AccessToken(ctx context.Context, hash storage.Hash, now time.Time) (a storage.AccessToken, g storage.Grant, err error) {
	err = s.read(ctx, func(c *conn) error {
		a, g, err = c.accessToken(hash, now)
		return err
	})
	return a, g, err
}

func (c *conn) accessToken(hash storage.Hash, now time.Time) (a storage.AccessToken, g storage.Grant, err error) {
	var revoked bool
	found, err := c.row(func(st *sqlite3.Stmt) (err error) {
		if a, err = record.DecodeAccess(st.ColumnRawBlob(1)); err != nil {
			return broken(err)
		}
		a.Hash, a.ExpiresAt = hash, timeAt(st, 0)
		g, revoked, err = scanGrant(st, 2)
		a.GrantID = g.ID
		return err
	}, "SELECT a.expires_at, a.record, "+grantColumns+" FROM access_tokens a JOIN grants g ON g.id = a.grant_id WHERE a.hash = ?1", hash)
	switch {
	case err != nil:
		return storage.AccessToken{}, storage.Grant{}, err
	case !found, !now.Before(a.ExpiresAt), !now.Before(g.ExpiresAt):
		return storage.AccessToken{}, storage.Grant{}, storage.ErrNotFound
	case revoked:
		return a, g, storage.ErrRevoked
	}
	return a, g, nil
}
