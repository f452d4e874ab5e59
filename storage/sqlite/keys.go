package sqlite

import (
	"context"

	"github.com/ncruces/go-sqlite3"

	"github.com/portner-go/portner/storage"
)

// SigningKeys implements keyset.Store.
func (s *Store) SigningKeys(ctx context.Context, set string) (out []storage.SigningKey, err error) {
	err = s.read(ctx, func(c *conn) error {
		return c.each(func(st *sqlite3.Stmt) error {
			out = append(out, storage.SigningKey{
				Set: set, Number: st.ColumnInt64(0), KID: st.ColumnText(1), Alg: st.ColumnText(2),
				CreatedAt: timeAt(st, 3), ActiveFrom: timeAt(st, 4), Key: st.ColumnBlob(5, nil),
			})
			return nil
		}, "SELECT number, kid, alg, created_at, active_from, key FROM signing_keys WHERE key_set = ?1 ORDER BY number", set)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// InsertSigningKey implements keyset.Store.
func (s *Store) InsertSigningKey(ctx context.Context, k storage.SigningKey) error {
	return s.write(ctx, func(c *conn) error {
		return c.insert("INSERT INTO signing_keys (key_set, number, kid, alg, created_at, active_from, key) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
			k.Set, k.Number, k.KID, k.Alg, k.CreatedAt, k.ActiveFrom, k.Key)
	})
}

// DeleteSigningKey implements keyset.Store.
func (s *Store) DeleteSigningKey(ctx context.Context, set, kid string) error {
	return s.write(ctx, func(c *conn) error {
		_, err := c.exec("UPDATE signing_keys SET key = NULL WHERE key_set = ?1 AND kid = ?2", set, kid)
		return err
	})
}
