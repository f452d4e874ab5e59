package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/portner-go/portner/internal/record"
	"github.com/portner-go/portner/storage"
)

// Consents implements provider.Store.
func (s *Store) Consents(ctx context.Context, key storage.ConsentKey, now time.Time) ([]storage.Consent, error) {
	var out []storage.Consent
	args := []any{key.UserKey[:], text(key.ClientID), text(key.Customer), nanos(now)}
	err := s.list(ctx, sqlConsents, args, func() { out = nil }, func(r pgx.Rows) error {
		var scope, version string
		var granted, until int64
		err := r.Scan(&scope, &version, &granted, &until)
		out = append(out, storage.Consent{Scope: fromText(scope), Version: fromText(version), GrantedAt: record.Time(granted), ExpiresAt: record.Time(until)})
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// PushRequest implements authorize.PushedRequestStore.
func (s *Store) PushRequest(ctx context.Context, p storage.PushedRequest, now time.Time) error {
	most := s.config.MaxPushedRequestsPerClient
	if p.Source != p.ClientID {
		most = s.config.MaxPushedRequestsPerAddress
	}
	params := p.Params
	if params == nil {
		params = []byte{} // NULL is a request that was consumed
	}
	return s.change(ctx, sqlPushRequest, p.Hash[:], text(p.ClientID), text(p.Source), params, nanos(p.ExpiresAt), nanos(now), int64(most))
}

// PushedRequest implements authorize.PushedRequestStore.
func (s *Store) PushedRequest(ctx context.Context, hash storage.Hash, now time.Time) (storage.PushedRequest, error) {
	var client, source string
	var end int64
	p := storage.PushedRequest{Hash: hash}
	if err := s.find(ctx, sqlPushedRequest, []any{hash[:], nanos(now)}, &client, &source, &p.Params, &end); err != nil {
		return storage.PushedRequest{}, err
	}
	p.ClientID, p.Source, p.ExpiresAt = fromText(client), fromText(source), record.Time(end)
	return p, nil
}

// ConsumePushedRequest implements authorize.PushedRequestStore.
func (s *Store) ConsumePushedRequest(ctx context.Context, hash storage.Hash, now time.Time) error {
	return s.change(ctx, sqlConsumePushedRequest, hash[:], nanos(now))
}

// RecordLogin implements authorize.HistoryStore.
func (s *Store) RecordLogin(ctx context.Context, l storage.Login, now time.Time) error {
	return s.write(ctx, sqlRecordLogin, []any{
		l.UserKey[:], text(l.ID), text(l.ClientID), text(l.Orgno), text(l.Service), text(l.Method), l.Withheld,
		nanos(l.At), nanos(l.ExpiresAt), nanos(now), int64(maxLogins),
	})
}

// Logins implements authorizations.HistoryStore.
func (s *Store) Logins(ctx context.Context, userKey storage.Hash, now time.Time) ([]storage.Login, error) {
	var out []storage.Login
	err := s.list(ctx, sqlLogins, []any{userKey[:], nanos(now)}, func() { out = nil }, func(r pgx.Rows) error {
		var id, client, orgno, service, method string
		var hidden bool
		var at, end int64
		err := r.Scan(&id, &client, &orgno, &service, &method, &hidden, &at, &end)
		out = append(out, storage.Login{
			ID: fromText(id), UserKey: userKey, ClientID: fromText(client), Orgno: fromText(orgno), Service: fromText(service),
			Method: fromText(method), Withheld: hidden, At: record.Time(at), ExpiresAt: record.Time(end),
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// ConsumeJTI implements client.ReplayStore and dpop.ReplayStore.
func (s *Store) ConsumeJTI(ctx context.Context, clientID string, key storage.Hash, expiresAt, now time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !now.Before(expiresAt) {
		return storage.ErrConsumed
	}
	var inserted int64
	err := s.call(ctx, mayRepeatWrite, func(ctx context.Context, c *pgx.Conn) error {
		tag, err := c.Exec(ctx, sqlConsumeJTI, key[:], text(clientID), nanos(expiresAt))
		inserted = tag.RowsAffected()
		return err
	})
	if err == nil && inserted == 0 {
		return storage.ErrConsumed
	}
	return err
}

// SigningKeys implements keyset.Store.
func (s *Store) SigningKeys(ctx context.Context, set string) ([]storage.SigningKey, error) {
	var out []storage.SigningKey
	err := s.list(ctx, sqlSigningKeys, []any{text(set)}, func() { out = nil }, func(r pgx.Rows) error {
		k := storage.SigningKey{Set: set}
		var kid, alg string
		var created, active int64
		err := r.Scan(&k.Number, &kid, &alg, &k.Key, &created, &active)
		k.KID, k.Alg, k.CreatedAt, k.ActiveFrom = fromText(kid), fromText(alg), record.Time(created), record.Time(active)
		out = append(out, k)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// InsertSigningKey implements keyset.Store.
func (s *Store) InsertSigningKey(ctx context.Context, k storage.SigningKey) error {
	args := []any{text(k.Set), k.Number, text(k.KID), text(k.Alg), k.Key, nanos(k.CreatedAt), nanos(k.ActiveFrom)}
	return s.write(ctx, sqlInsertSigningKey, args)
}

// DeleteSigningKey implements keyset.Store.
func (s *Store) DeleteSigningKey(ctx context.Context, set, kid string) error {
	return s.write(ctx, sqlDeleteSigningKey, []any{text(set), text(kid)})
}
