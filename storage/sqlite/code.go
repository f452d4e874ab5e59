package sqlite

import (
	"context"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/portner-go/portner/internal/record"
	"github.com/portner-go/portner/storage"
)

// FinishRequest implements provider.Store.
func (s *Store) FinishRequest(ctx context.Context, o storage.Outcome, now time.Time) error {
	return s.write(ctx, func(c *conn) error {
		if o.Code != nil {
			if err := c.admit(&o.Code.Grant, now); err != nil {
				return err
			}
		}
		if known, err := c.compareOutcome(&o, now); known || err != nil {
			return err
		}
		if err := c.insertOutcome(&o); err != nil {
			return err
		}
		if o.Code != nil && o.Visit != nil && o.Code.Grant.SessionID != "" {
			if err := c.visit(o.Code.Grant.SessionID, o.Visit, now); err != nil {
				return err
			}
		}
		return c.answer(&o, now)
	})
}

// compareOutcome returns the verdict on a second outcome of a request. It reports whether the request has one.
func (c *conn) compareOutcome(o *storage.Outcome, now time.Time) (known bool, err error) {
	var hash storage.Hash // zero: denied
	var redeemable bool
	known, err = c.row(func(st *sqlite3.Stmt) error {
		hash = hashAt(st, 0)
		redeemable = !st.ColumnBool(1) && now.Before(timeAt(st, 2))
		return nil
	}, "SELECT hash, consumed, expires_at FROM codes WHERE request_id = ?1", o.RequestID)
	if !known || err != nil {
		return false, err
	}
	var second storage.Hash
	if o.Code != nil {
		second = o.Code.Hash
	}
	switch {
	case hash != second:
		return true, storage.ErrConflict
	case o.Code != nil && !redeemable:
		return true, storage.ErrConsumed
	}
	return true, nil
}

// insertOutcome inserts an outcome, and the code if there is one.
func (c *conn) insertOutcome(o *storage.Outcome) error {
	if o.Code == nil {
		return c.insert(`INSERT INTO codes (request_id, client_id, user_key, customer, session_id, expires_at, retain_to, record)
			VALUES (?1, '', x'', '', '', ?2, ?2, x'') ON CONFLICT DO NOTHING`, o.RequestID, o.RetainTo)
	}
	code, g := *o.Code, &o.Code.Grant
	code.Hash, code.ExpiresAt, code.Grant = storage.Hash{}, time.Time{}, withoutColumns(*g)
	return c.insert(`INSERT INTO codes (request_id, hash, grant_id, client_id, user_key, customer, session_id, expires_at, retain_to, record)
		SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 WHERE NOT EXISTS (SELECT 1 FROM grants WHERE id = ?3) ON CONFLICT DO NOTHING`,
		o.RequestID, o.Code.Hash, g.ID, g.ClientID, g.UserKey, g.Customer, g.SessionID, o.Code.ExpiresAt,
		max(record.Nanos(o.RetainTo), record.Nanos(o.Code.ExpiresAt)), record.EncodeCode(&code))
}

// code returns a code with the verdict on it.
func (c *conn) code(hash storage.Hash, now time.Time) (code storage.AuthorizationCode, err error) {
	var consumed bool
	var retainTo time.Time
	found, err := c.row(func(st *sqlite3.Stmt) (err error) {
		if code, err = record.DecodeCode(st.ColumnRawBlob(8)); err != nil {
			return broken(err)
		}
		g := &code.Grant
		g.ID, g.ClientID, g.UserKey, g.Customer, g.SessionID = st.ColumnText(0), st.ColumnText(1), hashAt(st, 2), st.ColumnText(3), st.ColumnText(4)
		code.Hash, code.ExpiresAt = hash, timeAt(st, 5)
		retainTo, consumed = timeAt(st, 6), st.ColumnBool(7)
		return nil
	}, "SELECT grant_id, client_id, user_key, customer, session_id, expires_at, retain_to, consumed, record FROM codes WHERE hash = ?1", hash)
	switch {
	case err != nil:
		return storage.AuthorizationCode{}, err
	case !found, !now.Before(retainTo), !consumed && !now.Before(code.ExpiresAt):
		return storage.AuthorizationCode{}, storage.ErrNotFound
	case consumed:
		return code, storage.ErrConsumed
	}
	return code, nil
}

// Code implements provider.Store.
func (s *Store) Code(ctx context.Context, hash storage.Hash, now time.Time) (code storage.AuthorizationCode, err error) {
	err = s.read(ctx, func(c *conn) error {
		code, err = c.code(hash, now)
		return err
	})
	return code, err
}

// RedeemCode implements provider.Store.
func (s *Store) RedeemCode(ctx context.Context, hash storage.Hash, i *storage.Issuance, now time.Time) error {
	return s.write(ctx, func(c *conn) error {
		code, err := c.code(hash, now)
		if err != nil {
			return err
		}
		if _, err := c.exec("UPDATE codes SET consumed = 1 WHERE hash = ?1", hash); err != nil || i == nil {
			return err
		}
		a, b := &code.Grant, &i.Grant
		if a.ID != b.ID || a.UserKey != b.UserKey || a.ClientID != b.ClientID || a.Customer != b.Customer || a.SessionID != b.SessionID {
			return storage.ErrConflict
		}
		if err := c.insertGrant(b); err != nil {
			return err
		}
		return c.insertTokens(b.ID, &i.Access, i.Refresh)
	})
}
