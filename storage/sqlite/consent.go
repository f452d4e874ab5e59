package sqlite

import (
	"context"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/portner-go/portner/storage"
)

// Consents implements provider.Store.
func (s *Store) Consents(ctx context.Context, key storage.ConsentKey, now time.Time) (out []storage.Consent, err error) {
	err = s.read(ctx, func(c *conn) error {
		return c.each(func(st *sqlite3.Stmt) error {
			out = append(out, storage.Consent{Scope: st.ColumnText(0), Version: st.ColumnText(1), GrantedAt: timeAt(st, 2), ExpiresAt: timeAt(st, 3)})
			return nil
		}, "SELECT scope, version, granted_at, expires_at FROM consents WHERE user_key = ?1 AND client_id = ?2 AND customer = ?3 AND expires_at > ?4",
			key.UserKey, key.ClientID, key.Customer, now)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// answer remembers the granted consents of an outcome and withdraws the declined ones.
func (c *conn) answer(o *storage.Outcome, now time.Time) error {
	key := &o.Consents
	for i := range o.Granted {
		in := &o.Granted[i]
		_, err := c.exec(`INSERT INTO consents VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
			ON CONFLICT DO UPDATE SET version = excluded.version, expires_at = excluded.expires_at,
				granted_at = CASE WHEN version = excluded.version AND expires_at > ?8 THEN granted_at ELSE excluded.granted_at END
			WHERE version <> excluded.version OR expires_at < excluded.expires_at`,
			key.UserKey, key.ClientID, key.Customer, in.Scope, in.Version, in.GrantedAt, in.ExpiresAt, now)
		if err != nil {
			return err
		}
	}
	for _, scope := range o.Declined {
		_, err := c.exec("DELETE FROM consents WHERE user_key = ?1 AND client_id = ?2 AND customer = ?3 AND scope = ?4",
			key.UserKey, key.ClientID, key.Customer, scope)
		if err != nil {
			return err
		}
	}
	return nil
}
