package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/storage"
)

// table is a table of values by key, whose operations are independent of one another.
type table interface {
	get(ctx context.Context, key string) ([]byte, error) // nil if there is none
	put(ctx context.Context, key string, value []byte) error
	keys(ctx context.Context, prefix string) ([]string, error)
}

// openTable opens the table of the naive store in the database of a URL.
func openTable(ctx context.Context, url string) (table, error) {
	if strings.HasPrefix(url, kindRedis) {
		o, err := redis.ParseURL(url)
		if err != nil {
			return nil, err
		}
		return redisTable{redis.NewClient(o)}, nil
	}
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return nil, err
	}
	_, err = pool.Exec(ctx, `do $$ begin
		perform pg_advisory_xact_lock(4711);
		create table if not exists public.naive (k text collate "C" primary key, v bytea not null);
	end $$`)
	return postgresTable{pool}, err
}

type postgresTable struct{ *pgxpool.Pool }

func (t postgresTable) get(ctx context.Context, key string) (v []byte, err error) {
	err = t.QueryRow(ctx, "select v from public.naive where k = $1", key).Scan(&v)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return v, err
}

func (t postgresTable) put(ctx context.Context, key string, value []byte) error {
	_, err := t.Exec(ctx, "insert into public.naive values ($1, $2) on conflict (k) do update set v = excluded.v", key, value)
	return err
}

func (t postgresTable) keys(ctx context.Context, prefix string) ([]string, error) {
	rows, err := t.Query(ctx, "select k from public.naive where k like $1", prefix+"%")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

type redisTable struct{ *redis.Client }

func (t redisTable) get(ctx context.Context, key string) ([]byte, error) {
	v, err := t.Get(ctx, "naive:"+key).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	return v, err
}

func (t redisTable) put(ctx context.Context, key string, value []byte) error {
	return t.Set(ctx, "naive:"+key, value, 0).Err()
}

func (t redisTable) keys(ctx context.Context, prefix string) (all []string, err error) {
	found, err := t.Keys(ctx, "naive:"+prefix+"*").Result()
	for _, k := range found {
		all = append(all, strings.TrimPrefix(k, "naive:"))
	}
	return all, err
}

// naive keeps codes, tokens and used assertions as a program does that reads a record, decides, and writes it: nothing guards what happens
// between. It is what the experiments must find. Sessions and consents are those of the store below.
type naive struct {
	fullStore
	t table
}

// naiveRecord is a code or a token. Only what it is has a field.
type naiveRecord struct {
	Used    bool
	Revoked bool
	Code    *storage.AuthorizationCode
	Access  *storage.AccessToken
	Refresh *storage.RefreshToken
	Grant   storage.Grant
}

func naiveKey(kind string, hash storage.Hash) string { return kind + "/" + hex.EncodeToString(hash[:]) }

// read returns a record, or ErrNotFound.
func (s naive) read(ctx context.Context, key string) (r naiveRecord, err error) {
	text, err := s.t.get(ctx, key)
	switch {
	case err != nil:
		return r, errors.Join(portner.ErrUnavailable, err)
	case text == nil:
		return r, storage.ErrNotFound
	}
	return r, json.Unmarshal(text, &r)
}

func (s naive) write(ctx context.Context, key string, r naiveRecord) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := s.t.put(ctx, key, text); err != nil {
		return errors.Join(portner.ErrUnavailable, err)
	}
	return nil
}

// FinishRequest implements provider.Store.
func (s naive) FinishRequest(ctx context.Context, o storage.Outcome, now time.Time) error {
	if err := s.fullStore.FinishRequest(ctx, o, now); err != nil || o.Code == nil {
		return err
	}
	return s.write(ctx, naiveKey("code", o.Code.Hash), naiveRecord{Code: o.Code})
}

// Code implements provider.Store.
func (s naive) Code(ctx context.Context, hash storage.Hash, _ time.Time) (storage.AuthorizationCode, error) {
	r, err := s.read(ctx, naiveKey("code", hash))
	if err != nil {
		return storage.AuthorizationCode{}, err
	}
	if r.Used {
		err = storage.ErrConsumed
	}
	return *r.Code, err
}

// RedeemCode implements provider.Store.
func (s naive) RedeemCode(ctx context.Context, hash storage.Hash, i *storage.Issuance, _ time.Time) error {
	r, err := s.read(ctx, naiveKey("code", hash))
	if err != nil {
		return err
	}
	if r.Used {
		return storage.ErrConsumed
	}
	r.Used = true
	if err := s.write(ctx, naiveKey("code", hash), r); err != nil || i == nil {
		return err
	}
	return s.insert(ctx, i, i.Grant)
}

// insert writes the tokens and lists them under their grant.
func (s naive) insert(ctx context.Context, i *storage.Issuance, g storage.Grant) error {
	access := naiveKey("token", i.Access.Hash)
	err := s.write(ctx, access, naiveRecord{Access: &i.Access, Grant: g})
	if err == nil {
		err = s.t.put(ctx, "of/"+g.ID+"/"+access, []byte{1})
	}
	if err == nil && i.Refresh != nil {
		refresh := naiveKey("token", i.Refresh.Hash)
		if err = s.write(ctx, refresh, naiveRecord{Refresh: i.Refresh, Grant: g}); err == nil {
			err = s.t.put(ctx, "of/"+g.ID+"/"+refresh, []byte{1})
		}
	}
	return err
}

// RefreshToken implements provider.Store.
func (s naive) RefreshToken(ctx context.Context, hash storage.Hash, _ time.Time) (storage.RefreshToken, storage.Grant, error) {
	r, err := s.read(ctx, naiveKey("token", hash))
	switch {
	case err != nil:
		return storage.RefreshToken{}, storage.Grant{}, err
	case r.Refresh == nil:
		return storage.RefreshToken{}, storage.Grant{}, storage.ErrNotFound
	case r.Revoked:
		err = storage.ErrRevoked
	case r.Used:
		err = storage.ErrConsumed
	}
	return *r.Refresh, r.Grant, err
}

// RotateRefreshToken implements provider.Store.
func (s naive) RotateRefreshToken(ctx context.Context, hash storage.Hash, i *storage.Issuance, _ time.Duration, now time.Time) error {
	r, err := s.read(ctx, naiveKey("token", hash))
	switch {
	case err != nil:
		return err
	case r.Revoked:
		return storage.ErrRevoked
	case r.Used:
		return storage.ErrConsumed
	}
	r.Used, r.Refresh.ConsumedAt = true, now
	if i.Refresh != nil {
		r.Refresh.Successor = i.Refresh.Hash
	}
	if err := s.write(ctx, naiveKey("token", hash), r); err != nil {
		return err
	}
	return s.insert(ctx, i, r.Grant)
}

// AccessToken implements provider.Store.
func (s naive) AccessToken(ctx context.Context, hash storage.Hash, now time.Time) (storage.AccessToken, storage.Grant, error) {
	r, err := s.read(ctx, naiveKey("token", hash))
	switch {
	case err != nil:
		return storage.AccessToken{}, storage.Grant{}, err
	case r.Access == nil || !now.Before(r.Access.ExpiresAt):
		return storage.AccessToken{}, storage.Grant{}, storage.ErrNotFound
	case r.Revoked:
		err = storage.ErrRevoked
	}
	return *r.Access, r.Grant, err
}

// Revoke implements provider.Store. It revokes the tokens that it finds.
func (s naive) Revoke(ctx context.Context, v storage.Revocation, _ time.Time) error {
	found, err := s.t.keys(ctx, "of/"+v.GrantID)
	if err != nil {
		return errors.Join(portner.ErrUnavailable, err)
	}
	for _, k := range found {
		_, key, _ := strings.Cut(strings.TrimPrefix(k, "of/"), "/")
		r, err := s.read(ctx, key)
		if err != nil {
			return err
		}
		r.Revoked = true
		if err := s.write(ctx, key, r); err != nil {
			return err
		}
	}
	return nil
}

// ConsumeJTI implements client.ReplayStore.
func (s naive) ConsumeJTI(ctx context.Context, _ string, key storage.Hash, _, _ time.Time) error {
	switch _, err := s.read(ctx, naiveKey("jti", key)); {
	case err == nil:
		return storage.ErrConsumed
	case !errors.Is(err, storage.ErrNotFound):
		return err
	}
	return s.write(ctx, naiveKey("jti", key), naiveRecord{Used: true})
}
