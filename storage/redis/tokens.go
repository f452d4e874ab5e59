package redis

import (
	"context"
	"time"

	"github.com/portner-go/portner/internal/record"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// encodeAccess encodes what an access token has besides its fields in Redis.
func encodeAccess(in *storage.AccessToken) []byte {
	a := *in
	a.Hash, a.GrantID, a.ExpiresAt = storage.Hash{}, "", time.Time{}
	return record.EncodeAccess(&a)
}

// AccessToken implements provider.Store.
func (s *Store) AccessToken(ctx context.Context, hash storage.Hash, now time.Time) (storage.AccessToken, storage.Grant, error) {
	v, verdict := s.values(ctx, accessTokenScript, now, []string{s.key("access", name(hash))})
	if len(v) == 0 {
		return storage.AccessToken{}, storage.Grant{}, verdict
	}
	a, err := record.DecodeAccess([]byte(v.list(0).text(1)))
	if err != nil {
		return storage.AccessToken{}, storage.Grant{}, errRecord("access token", err)
	}
	var p parser
	a.Hash, a.ExpiresAt = hash, p.instant(v.list(0).text(0))
	if p.err != nil {
		return storage.AccessToken{}, storage.Grant{}, errRecord("access token", p.err)
	}
	g, err := decodeGrant(v.list(1))
	if err != nil {
		return storage.AccessToken{}, storage.Grant{}, err
	}
	a.GrantID = g.ID
	return a, g, verdict
}

// RefreshToken implements provider.Store.
func (s *Store) RefreshToken(ctx context.Context, hash storage.Hash, now time.Time) (storage.RefreshToken, storage.Grant, error) {
	v, verdict := s.values(ctx, refreshTokenScript, now, []string{s.key("refresh", name(hash))})
	if len(v) == 0 {
		return storage.RefreshToken{}, storage.Grant{}, verdict
	}
	var p parser
	fields := v.list(0)
	t := storage.RefreshToken{
		Hash: hash, ExpiresAt: p.instant(fields.text(0)), Generation: int(p.int64(fields.text(1))), SuccessorUsed: fields.text(4) == "1",
	}
	if consumed := fields.text(2); consumed != "" {
		t.ConsumedAt = p.instant(consumed)
	}
	if successor := fields.text(3); successor != "" {
		t.Successor = p.hash(successor)
	}
	if p.err != nil {
		return storage.RefreshToken{}, storage.Grant{}, errRecord("refresh token", p.err)
	}
	g, err := decodeGrant(v.list(1))
	if err != nil {
		return storage.RefreshToken{}, storage.Grant{}, err
	}
	t.GrantID = g.ID
	return t, g, verdict
}

// RotateRefreshToken implements provider.Store.
func (s *Store) RotateRefreshToken(ctx context.Context, hash storage.Hash, i *storage.Issuance, grace time.Duration, now time.Time) error {
	next, successor, stop, generation := "", s.unused(), "", 0
	id := i.Access.GrantID
	if r := i.Refresh; r != nil {
		next, successor, stop, generation = name(r.Hash), s.key("refresh", name(r.Hash)), instant(r.ExpiresAt), r.Generation
		if r.GrantID != id {
			id = "" // of no grant
		}
	}
	since := "9" // after every instant: no retry
	if grace > 0 {
		since = instant(now.Add(-grace))
	}
	keys := []string{s.key("refresh", name(hash)), s.key("access", name(i.Access.Hash)), successor}
	return s.verdict(ctx, rotateRefreshTokenScript, now, keys, name(hash), since, id, instant(i.Access.ExpiresAt), encodeAccess(&i.Access),
		next, stop, generation)
}

// Revoke implements provider.Store.
func (s *Store) Revoke(ctx context.Context, r storage.Revocation, now time.Time) error {
	if err := r.Validate(); err != nil {
		return err
	}
	if r.GrantID != "" {
		return s.verdict(ctx, revokeGrantScript, now, []string{s.key("grant", r.GrantID)}, r.GrantID)
	}
	of := authorization(&r.Authorization)
	return s.verdict(ctx, revokeAuthorizationScript, now, []string{s.key("authorization", of), s.key("consents", of)})
}

// Grants implements provider.Store.
func (s *Store) Grants(ctx context.Context, q storage.GrantQuery, now time.Time) ([]storage.Grant, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	user := name(q.UserKey)
	v, err := list(nil), error(nil)
	if q.ID != "" {
		v, err = s.values(ctx, grantScript, now, []string{s.key("grant", q.ID)}, user, q.ID)
	} else {
		v, err = s.page(ctx, user, q, now)
	}
	if err != nil {
		return nil, err
	}
	var out []storage.Grant
	for i := range v.list(0) {
		g, err := decodeGrant(v.list(0).list(i))
		if err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	return out, nil
}

// page runs grants.lua until it has not found many grants that have ended.
func (s *Store) page(ctx context.Context, user string, q storage.GrantQuery, now time.Time) (list, error) {
	past := instant(now.Add(-session.MaxSkew))
	for {
		reply, err := s.run(ctx, grantsScript, now, []string{s.key("grants", user)}, user, q.After, q.Limit, past)
		if err != nil {
			return nil, err
		}
		v, _ := reply.([]any)
		if word := list(v).text(0); word != "again" {
			return list(v).after(1), verdictOf(grantsScript.name, word)
		}
	}
}
