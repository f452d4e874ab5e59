// Package store shows two methods of a store over a database, each as one transaction of guarded statements. It leaves out the
// conditions for expiry, revocation and live sessions, the visit of a session, and the rotation that renews a token or has no successor.
package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
)

// Store implements provider.Store.
type Store struct {
	provider.Store // stands for the ten methods that are not shown; a store over a database has none
	db             *sql.DB
}

var _ provider.Store = (*Store)(nil)

// FinishRequest inserts the outcome with its code, the approved consents and the withdrawals in one transaction.
func (s *Store) FinishRequest(ctx context.Context, o storage.Outcome, _ time.Time) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		n, err := exec(tx, `insert into request (id, hash, code, retain_to) values (?, ?, ?, ?) on conflict (id) do nothing`,
			o.RequestID, codeHash(o), record(o.Code), o.RetainTo)
		if err == nil && n == 0 {
			return sameOutcome(tx, o)
		}
		user, c := o.Consents.UserKey[:], o.Consents
		for _, name := range o.Declined {
			_, e := exec(tx, `delete from consent where user_key = ? and client = ? and customer = ? and scope = ?`, user, c.ClientID, c.Customer, name)
			err = errors.Join(err, e)
		}
		for _, g := range o.Granted {
			_, e := exec(tx, `insert into consent values (?, ?, ?, ?, ?, ?, ?) on conflict (user_key, client, customer, scope) do update
				set granted_at = case when excluded.version = consent.version then consent.granted_at else excluded.granted_at end,
				version = excluded.version, expires_at = excluded.expires_at
				where excluded.version <> consent.version or excluded.expires_at > consent.expires_at`,
				user, c.ClientID, c.Customer, g.Scope, g.Version, g.GrantedAt, g.ExpiresAt)
			err = errors.Join(err, e)
		}
		return err
	})
}

// RotateRefreshToken is one guarded update. A retry within grace inserts the access token only.
func (s *Store) RotateRefreshToken(ctx context.Context, hash storage.Hash, i *storage.Issuance, grace time.Duration, now time.Time) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		n, err := exec(tx, `update refresh set consumed_at = ?, successor = ? where hash = ? and consumed_at is null`, now, i.Refresh.Hash[:], hash[:])
		if err != nil {
			return err
		}
		if n == 1 {
			_, err = exec(tx, `update refresh set successor_used = true where successor = ?`, hash[:])
			return errors.Join(err, insert(tx, "access", i.Access.Hash, i.Access), insert(tx, "refresh", i.Refresh.Hash, i.Refresh))
		}
		// This update locks the row and changes nothing.
		n, err = exec(tx, `update refresh set successor = successor where hash = ? and successor = ? and consumed_at > ? and not successor_used`,
			hash[:], i.Refresh.Hash[:], now.Add(-grace))
		if err == nil && n == 0 {
			err = storage.ErrConsumed
		}
		if err != nil {
			return err
		}
		return insert(tx, "access", i.Access.Hash, i.Access)
	})
}

func (s *Store) inTx(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func exec(tx *sql.Tx, statement string, args ...any) (rows int64, err error) {
	res, err := tx.Exec(statement, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// sameOutcome returns the verdict for a request that has an outcome.
func sameOutcome(tx *sql.Tx, o storage.Outcome) error {
	var same, consumed bool
	err := tx.QueryRow(`select hash = ?, consumed_at is not null from request where id = ?`, codeHash(o), o.RequestID).Scan(&same, &consumed)
	switch {
	case err == nil && !same:
		return storage.ErrConflict
	case err == nil && consumed:
		return storage.ErrConsumed
	}
	return err
}

// codeHash returns the hash of the code of an outcome, and an empty value for a denial.
func codeHash(o storage.Outcome) []byte {
	if o.Code == nil {
		return []byte{}
	}
	return o.Code.Hash[:]
}

func insert(tx *sql.Tx, table string, hash storage.Hash, v any) error {
	n, err := exec(tx, `insert into `+table+` (hash, record) values (?, ?) on conflict (hash) do nothing`, hash[:], record(v))
	if err == nil && n == 0 {
		return storage.ErrConflict
	}
	return err
}

func record(v any) string {
	text, _ := json.Marshal(v) // records have no value that does not encode
	return string(text)
}
