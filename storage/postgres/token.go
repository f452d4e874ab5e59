package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/portner-go/portner/internal/record"
	"github.com/portner-go/portner/storage"
)

// encodeAccess returns the fields of a that have no column.
func encodeAccess(a *storage.AccessToken) []byte {
	rest := *a
	rest.Hash, rest.GrantID, rest.ExpiresAt = storage.Hash{}, "", time.Time{}
	return record.EncodeAccess(&rest)
}

// RefreshToken implements provider.Store.
func (s *Store) RefreshToken(ctx context.Context, hash storage.Hash, now time.Time) (storage.RefreshToken, storage.Grant, error) {
	var generation, end int64
	var consumedAt *int64
	var successor []byte
	var used bool
	var row grantRow
	err := s.find(ctx, sqlRefreshToken, []any{hash[:]}, row.to(&generation, &end, &consumedAt, &successor, &used)...)
	if err != nil {
		return storage.RefreshToken{}, storage.Grant{}, err
	}
	var state error
	switch n := nanos(now); {
	case n >= row.end || consumedAt == nil && n >= end:
		return storage.RefreshToken{}, storage.Grant{}, storage.ErrNotFound
	case row.revoked:
		state = storage.ErrRevoked
	case consumedAt != nil:
		state = storage.ErrConsumed
	}
	g, err := row.grant()
	if err != nil {
		return storage.RefreshToken{}, storage.Grant{}, err
	}
	t := storage.RefreshToken{
		Hash: hash, GrantID: g.ID, Generation: int(generation), ExpiresAt: record.Time(end),
		ConsumedAt: instant(consumedAt), SuccessorUsed: used,
	}
	if successor != nil {
		if err := toHash(&t.Successor, successor); err != nil {
			return storage.RefreshToken{}, storage.Grant{}, err
		}
	}
	return t, g, state
}

// RotateRefreshToken implements provider.Store.
func (s *Store) RotateRefreshToken(ctx context.Context, hash storage.Hash, i *storage.Issuance, grace time.Duration, now time.Time) error {
	args := []any{
		hash[:], nanos(now), int64(grace),
		i.Access.Hash[:], text(i.Access.GrantID), nanos(i.Access.ExpiresAt), encodeAccess(&i.Access),
	}
	if r := i.Refresh; r != nil {
		args = append(args, r.Hash[:], text(r.GrantID), int64(r.Generation), nanos(r.ExpiresAt))
	} else {
		args = append(args, nil, nil, nil, nil)
	}
	return s.change(ctx, sqlRotateRefreshToken, args...)
}

// AccessToken implements provider.Store.
func (s *Store) AccessToken(ctx context.Context, hash storage.Hash, now time.Time) (storage.AccessToken, storage.Grant, error) {
	var end int64
	var data []byte
	var row grantRow
	if err := s.find(ctx, sqlAccessToken, []any{hash[:]}, row.to(&end, &data)...); err != nil {
		return storage.AccessToken{}, storage.Grant{}, err
	}
	if n := nanos(now); n >= row.end || n >= end {
		return storage.AccessToken{}, storage.Grant{}, storage.ErrNotFound
	}
	g, err := row.grant()
	if err != nil {
		return storage.AccessToken{}, storage.Grant{}, err
	}
	a, err := record.DecodeAccess(data)
	if err != nil {
		return storage.AccessToken{}, storage.Grant{}, fmt.Errorf("postgres: %w", err)
	}
	a.Hash, a.GrantID, a.ExpiresAt = hash, g.ID, record.Time(end)
	if row.revoked {
		return a, g, storage.ErrRevoked
	}
	return a, g, nil
}
