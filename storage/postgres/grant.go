package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/portner-go/portner/internal/record"
	"github.com/portner-go/portner/storage"
)

// grantRow is a row of a grant.
type grantRow struct {
	id, client, customer string
	user                 []byte
	session              *string
	loginOnly            bool
	created, end         int64
	revoked              bool
	data                 []byte
}

// to returns where the columns of grantColumns are scanned to.
func (r *grantRow) to(before ...any) []any {
	return append(before, &r.id, &r.client, &r.customer, &r.user, &r.session, &r.loginOnly, &r.created, &r.end, &r.revoked, &r.data)
}

// grant returns the record of the row.
func (r *grantRow) grant() (storage.Grant, error) {
	g, err := record.DecodeGrant(r.data)
	if err != nil {
		return storage.Grant{}, fmt.Errorf("postgres: %w", err)
	}
	g.ID, g.ClientID, g.Customer, g.SessionID = fromText(r.id), fromText(r.client), fromText(r.customer), fromOptional(r.session)
	g.LoginOnly, g.CreatedAt, g.ExpiresAt = r.loginOnly, record.Time(r.created), record.Time(r.end)
	return g, toHash(&g.UserKey, r.user)
}

// encodeGrant returns the fields of g that have no column.
func encodeGrant(g *storage.Grant) []byte {
	rest := *g
	rest.ID, rest.ClientID, rest.Customer, rest.UserKey, rest.SessionID = "", "", "", storage.Hash{}, ""
	rest.LoginOnly, rest.CreatedAt, rest.ExpiresAt = false, time.Time{}, time.Time{}
	return record.EncodeGrant(&rest)
}

// encodeCode returns the fields of c that have no column. Three of its grant are among them: the columns with their names are those of
// the grant that was issued.
func encodeCode(c *storage.AuthorizationCode) []byte {
	rest := storage.AuthorizationCode{RedirectURI: c.RedirectURI, CodeChallenge: c.CodeChallenge, Nonce: c.Nonce, DPoPKey: c.DPoPKey}
	rest.Grant.LoginOnly, rest.Grant.CreatedAt, rest.Grant.ExpiresAt = c.Grant.LoginOnly, c.Grant.CreatedAt, c.Grant.ExpiresAt
	return record.EncodeCode(&rest)
}

// isListed reports whether Grants lists g: those of machines are not listed.
func isListed(g *storage.Grant) bool { return g.UserKey != storage.Hash{} || g.SessionID != "" }

// lockOf returns the advisory lock of an authorization. The domain keeps it apart from the locks of users.
func lockOf(user storage.Hash, client, customer string) int64 {
	b := append([]byte("portner authorization\x00"), user[:]...)
	b = binary.AppendUvarint(b, uint64(len(client)))
	b = append(append(b, client...), customer...)
	sum := sha256.Sum256(b)
	return int64(binary.BigEndian.Uint64(sum[:8]))
}

// FinishRequest implements provider.Store.
func (s *Store) FinishRequest(ctx context.Context, o storage.Outcome, now time.Time) error {
	key := o.Consents
	lock := lockOf(key.UserKey, key.ClientID, key.Customer)
	var second *int64
	retain := nanos(o.RetainTo)
	code := make([]any, 13)
	if c := o.Code; c != nil {
		g := &c.Grant
		retain = max(retain, nanos(c.ExpiresAt))
		own := lockOf(g.UserKey, g.ClientID, g.Customer)
		switch {
		case len(o.Granted)+len(o.Declined) == 0:
			lock = own
		case own != lock:
			lock, own = min(lock, own), max(lock, own)
			second = &own
		}
		code = []any{
			c.Hash[:], nanos(c.ExpiresAt), encodeCode(c), text(g.ID), text(g.ClientID), text(g.Customer), g.UserKey[:], optional(g.SessionID),
			isListed(g), g.LoginOnly, nanos(g.CreatedAt), nanos(g.ExpiresAt), encodeGrant(g),
		}
	}
	n := len(o.Granted)
	scopes, versions, granted, until := make([]string, n), make([]string, n), make([]int64, n), make([]int64, n)
	for i, c := range o.Granted {
		scopes[i], versions[i], granted[i], until[i] = text(c.Scope), text(c.Version), nanos(c.GrantedAt), nanos(c.ExpiresAt)
	}
	args := append([]any{text(o.RequestID), nanos(now), retain, lock, second}, code...)
	args = append(args, key.UserKey[:], text(key.ClientID), text(key.Customer), scopes, versions, granted, until, texts(o.Declined))
	return s.change(ctx, sqlFinishRequest, append(args, visitArgs(o.Visit)...)...)
}

// visitArgs returns the arguments of finish_request for a visit, which may be nil.
func visitArgs(v *storage.Visit) []any {
	if v == nil {
		return make([]any, 6)
	}
	return []any{nanos(v.At), nanos(v.Until), text(v.Client.ClientID), text(v.Client.SID), nanos(v.Client.LoginAt), v.Client.Open}
}

// Code implements provider.Store.
func (s *Store) Code(ctx context.Context, hash storage.Hash, now time.Time) (storage.AuthorizationCode, error) {
	var row grantRow
	var codeData []byte
	var end, retain int64
	var used bool
	err := s.find(ctx, sqlCode, []any{hash[:]}, &row.id, &row.client, &row.customer, &row.user, &row.session, &end, &retain, &used, &codeData, &row.data)
	if err != nil {
		return storage.AuthorizationCode{}, err
	}
	var state error
	switch n := nanos(now); {
	case n >= retain:
		return storage.AuthorizationCode{}, storage.ErrNotFound
	case used:
		state = storage.ErrConsumed
	case n >= end:
		return storage.AuthorizationCode{}, storage.ErrNotFound
	}
	c, err := record.DecodeCode(codeData)
	if err != nil {
		return storage.AuthorizationCode{}, fmt.Errorf("postgres: %w", err)
	}
	row.loginOnly, row.created, row.end = c.Grant.LoginOnly, nanos(c.Grant.CreatedAt), nanos(c.Grant.ExpiresAt)
	if c.Grant, err = row.grant(); err != nil {
		return storage.AuthorizationCode{}, err
	}
	c.Hash, c.ExpiresAt = hash, record.Time(end)
	return c, state
}

// RedeemCode implements provider.Store.
func (s *Store) RedeemCode(ctx context.Context, hash storage.Hash, i *storage.Issuance, now time.Time) error {
	if i == nil {
		return s.change(ctx, sqlRedeemCode, append([]any{hash[:], nanos(now)}, make([]any, 17)...)...)
	}
	g := &i.Grant
	args := []any{
		hash[:], nanos(now), text(g.ID), text(g.ClientID), text(g.Customer), g.UserKey[:], optional(g.SessionID),
		g.LoginOnly, nanos(g.CreatedAt), nanos(g.ExpiresAt), encodeGrant(g),
		i.Access.Hash[:], text(i.Access.GrantID), nanos(i.Access.ExpiresAt), encodeAccess(&i.Access),
	}
	if r := i.Refresh; r != nil {
		args = append(args, r.Hash[:], text(r.GrantID), int64(r.Generation), nanos(r.ExpiresAt))
	} else {
		args = append(args, nil, nil, nil, nil)
	}
	return s.change(ctx, sqlRedeemCode, args...)
}

// InsertGrant implements token.GrantStore.
func (s *Store) InsertGrant(ctx context.Context, i *storage.Issuance, now time.Time) error {
	g := &i.Grant
	if i.Access.GrantID != g.ID || i.Refresh != nil && i.Refresh.GrantID != g.ID {
		if err := ctx.Err(); err != nil {
			return err
		}
		return storage.ErrConflict
	}
	args := []any{
		nanos(now), lockOf(g.UserKey, g.ClientID, g.Customer), text(g.ID), text(g.ClientID), text(g.Customer), g.UserKey[:], optional(g.SessionID),
		isListed(g), g.LoginOnly, nanos(g.CreatedAt), nanos(g.ExpiresAt), encodeGrant(g),
		i.Access.Hash[:], nanos(i.Access.ExpiresAt), encodeAccess(&i.Access),
	}
	if r := i.Refresh; r != nil {
		args = append(args, r.Hash[:], int64(r.Generation), nanos(r.ExpiresAt))
	} else {
		args = append(args, nil, nil, nil)
	}
	return s.change(ctx, sqlInsertGrant, args...)
}

// Revoke implements provider.Store.
func (s *Store) Revoke(ctx context.Context, r storage.Revocation, now time.Time) error {
	if err := r.Validate(); err != nil {
		return err
	}
	if r.GrantID != "" {
		return s.write(ctx, sqlRevokeGrant, []any{text(r.GrantID), nanos(now)})
	}
	a := r.Authorization
	lock := lockOf(a.UserKey, a.ClientID, a.Customer)
	return s.write(ctx, sqlRevokeAuthorization, []any{lock, a.UserKey[:], text(a.ClientID), text(a.Customer), nanos(now)})
}

// Grants implements provider.Store.
func (s *Store) Grants(ctx context.Context, q storage.GrantQuery, now time.Time) ([]storage.Grant, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	if q.ID != "" {
		return s.oneGrant(ctx, q, now)
	}
	args := []any{q.UserKey[:], optional(q.After), int64(q.Limit), nanos(now)}
	var out []storage.Grant
	var known, headed bool
	err := s.list(ctx, sqlGrants, args, func() { out, headed = nil, false }, func(r pgx.Rows) error {
		if !headed { // the first row has no grant
			headed = true
			return r.Scan(&known, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil)
		}
		var row grantRow
		if err := r.Scan(row.to(&known)...); err != nil {
			return err
		}
		g, err := row.grant()
		out = append(out, g)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case !known:
		return nil, storage.ErrNotFound
	}
	return out, nil
}

// oneGrant returns the live grant that a query names.
func (s *Store) oneGrant(ctx context.Context, q storage.GrantQuery, now time.Time) ([]storage.Grant, error) {
	var row grantRow
	if err := s.find(ctx, sqlGrant, []any{text(q.ID), q.UserKey[:], nanos(now)}, row.to()...); err != nil {
		return nil, err
	}
	g, err := row.grant()
	if err != nil {
		return nil, err
	}
	return []storage.Grant{g}, nil
}
