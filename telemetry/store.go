package telemetry

import (
	"context"
	"time"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// The wrappers are one for each field of a configuration that takes a store: a wrapper of several interfaces would have methods that the
// store behind it lacks. Each returns nil for nil, because a field that is nil turns its feature off.

// Store returns a store that measures each call of s, and starts a span for it. If s is nil, so is the result.
func (t *Telemetry) Store(s provider.Store) provider.Store {
	if s == nil {
		return nil
	}
	return mainStore{t, s}
}

type mainStore struct {
	t *Telemetry
	s provider.Store
}

// Session implements provider.Store.
func (w mainStore) Session(ctx context.Context, hash storage.Hash, now time.Time) (v storage.Session, err error) {
	ctx, c := w.t.begin(ctx, "Session", &err)
	defer c.end(&err)
	return w.s.Session(ctx, hash, now)
}

// ReplaceSession implements provider.Store.
func (w mainStore) ReplaceSession(ctx context.Context, old storage.Hash, next storage.Session, limit int, now time.Time) (v []storage.Session, err error) {
	ctx, c := w.t.begin(ctx, "ReplaceSession", &err)
	defer c.end(&err)
	return w.s.ReplaceSession(ctx, old, next, limit, now)
}

// EndSession implements provider.Store.
func (w mainStore) EndSession(ctx context.Context, hash storage.Hash, now time.Time) (v storage.Session, err error) {
	ctx, c := w.t.begin(ctx, "EndSession", &err)
	defer c.end(&err)
	return w.s.EndSession(ctx, hash, now)
}

// Consents implements provider.Store.
func (w mainStore) Consents(ctx context.Context, key storage.ConsentKey, now time.Time) (v []storage.Consent, err error) {
	ctx, c := w.t.begin(ctx, "Consents", &err)
	defer c.end(&err)
	return w.s.Consents(ctx, key, now)
}

// FinishRequest implements provider.Store.
func (w mainStore) FinishRequest(ctx context.Context, o storage.Outcome, now time.Time) (err error) {
	ctx, c := w.t.begin(ctx, "FinishRequest", &err)
	defer c.end(&err)
	return w.s.FinishRequest(ctx, o, now)
}

// Code implements provider.Store.
func (w mainStore) Code(ctx context.Context, hash storage.Hash, now time.Time) (v storage.AuthorizationCode, err error) {
	ctx, c := w.t.begin(ctx, "Code", &err)
	defer c.end(&err)
	return w.s.Code(ctx, hash, now)
}

// RedeemCode implements provider.Store.
func (w mainStore) RedeemCode(ctx context.Context, hash storage.Hash, i *storage.Issuance, now time.Time) (err error) {
	ctx, c := w.t.begin(ctx, "RedeemCode", &err)
	defer c.end(&err)
	return w.s.RedeemCode(ctx, hash, i, now)
}

// RefreshToken implements provider.Store.
func (w mainStore) RefreshToken(ctx context.Context, hash storage.Hash, now time.Time) (v storage.RefreshToken, g storage.Grant, err error) {
	ctx, c := w.t.begin(ctx, "RefreshToken", &err)
	defer c.end(&err)
	return w.s.RefreshToken(ctx, hash, now)
}

// RotateRefreshToken implements provider.Store.
func (w mainStore) RotateRefreshToken(ctx context.Context, hash storage.Hash, i *storage.Issuance, grace time.Duration, now time.Time) (err error) {
	ctx, c := w.t.begin(ctx, "RotateRefreshToken", &err)
	defer c.end(&err)
	return w.s.RotateRefreshToken(ctx, hash, i, grace, now)
}

// AccessToken implements provider.Store.
func (w mainStore) AccessToken(ctx context.Context, hash storage.Hash, now time.Time) (v storage.AccessToken, g storage.Grant, err error) {
	ctx, c := w.t.begin(ctx, "AccessToken", &err)
	defer c.end(&err)
	return w.s.AccessToken(ctx, hash, now)
}

// Revoke implements provider.Store.
func (w mainStore) Revoke(ctx context.Context, r storage.Revocation, now time.Time) (err error) {
	ctx, c := w.t.begin(ctx, "Revoke", &err)
	defer c.end(&err)
	return w.s.Revoke(ctx, r, now)
}

// Grants implements provider.Store.
func (w mainStore) Grants(ctx context.Context, q storage.GrantQuery, now time.Time) (v []storage.Grant, err error) {
	ctx, c := w.t.begin(ctx, "Grants", &err)
	defer c.end(&err)
	return w.s.Grants(ctx, q, now)
}

// PushedRequests returns a store that measures each call of s, and starts a span for it: the store of pushed requests. If s is nil, so is the result.
func (t *Telemetry) PushedRequests(s authorize.PushedRequestStore) authorize.PushedRequestStore {
	if s == nil {
		return nil
	}
	return pushedRequests{t, s}
}

type pushedRequests struct {
	t *Telemetry
	s authorize.PushedRequestStore
}

// PushRequest implements authorize.PushedRequestStore.
func (w pushedRequests) PushRequest(ctx context.Context, p storage.PushedRequest, now time.Time) (err error) {
	ctx, c := w.t.begin(ctx, "PushRequest", &err)
	defer c.end(&err)
	return w.s.PushRequest(ctx, p, now)
}

// PushedRequest implements authorize.PushedRequestStore.
func (w pushedRequests) PushedRequest(ctx context.Context, hash storage.Hash, now time.Time) (v storage.PushedRequest, err error) {
	ctx, c := w.t.begin(ctx, "PushedRequest", &err)
	defer c.end(&err)
	return w.s.PushedRequest(ctx, hash, now)
}

// ConsumePushedRequest implements authorize.PushedRequestStore.
func (w pushedRequests) ConsumePushedRequest(ctx context.Context, hash storage.Hash, now time.Time) (err error) {
	ctx, c := w.t.begin(ctx, "ConsumePushedRequest", &err)
	defer c.end(&err)
	return w.s.ConsumePushedRequest(ctx, hash, now)
}

// Replay returns a store that measures each call of s, and starts a span for it: the store of used assertions and proofs, which is also a dpop.ReplayStore. If s is nil, so is the result.
func (t *Telemetry) Replay(s client.ReplayStore) client.ReplayStore {
	if s == nil {
		return nil
	}
	return replays{t, s}
}

type replays struct {
	t *Telemetry
	s client.ReplayStore
}

// ConsumeJTI implements client.ReplayStore.
func (w replays) ConsumeJTI(ctx context.Context, clientID string, key storage.Hash, expiresAt, now time.Time) (err error) {
	ctx, c := w.t.begin(ctx, "ConsumeJTI", &err)
	defer c.end(&err)
	return w.s.ConsumeJTI(ctx, clientID, key, expiresAt, now)
}

// History returns a store that measures each call of s, and starts a span for it: the login history. If s is nil, so is the result.
func (t *Telemetry) History(s authorize.HistoryStore) authorize.HistoryStore {
	if s == nil {
		return nil
	}
	return history{t, s}
}

type history struct {
	t *Telemetry
	s authorize.HistoryStore
}

// RecordLogin implements authorize.HistoryStore.
func (w history) RecordLogin(ctx context.Context, l storage.Login, now time.Time) (err error) {
	ctx, c := w.t.begin(ctx, "RecordLogin", &err)
	defer c.end(&err)
	return w.s.RecordLogin(ctx, l, now)
}

// Logins returns a store that measures each call of s, and starts a span for it: the part of the login history that package authorizations reads. If s is nil, so is the result.
func (t *Telemetry) Logins(s authorizations.HistoryStore) authorizations.HistoryStore {
	if s == nil {
		return nil
	}
	return logins{t, s}
}

type logins struct {
	t *Telemetry
	s authorizations.HistoryStore
}

// Logins implements authorizations.HistoryStore.
func (w logins) Logins(ctx context.Context, userKey storage.Hash, now time.Time) (v []storage.Login, err error) {
	ctx, c := w.t.begin(ctx, "Logins", &err)
	defer c.end(&err)
	return w.s.Logins(ctx, userKey, now)
}

// Grants returns a store that measures each call of s, and starts a span for it: the store of grant handlers. If s is nil, so is the result.
func (t *Telemetry) Grants(s token.GrantStore) token.GrantStore {
	if s == nil {
		return nil
	}
	return grants{t, s}
}

type grants struct {
	t *Telemetry
	s token.GrantStore
}

// InsertGrant implements token.GrantStore.
func (w grants) InsertGrant(ctx context.Context, i *storage.Issuance, now time.Time) (err error) {
	ctx, c := w.t.begin(ctx, "InsertGrant", &err)
	defer c.end(&err)
	return w.s.InsertGrant(ctx, i, now)
}

// SigningKeys returns a store that measures each call of s, and starts a span for it: the store of signing keys. If s is nil, so is the result.
func (t *Telemetry) SigningKeys(s keyset.Store) keyset.Store {
	if s == nil {
		return nil
	}
	return signingKeys{t, s}
}

type signingKeys struct {
	t *Telemetry
	s keyset.Store
}

// SigningKeys implements keyset.Store.
func (w signingKeys) SigningKeys(ctx context.Context, set string) (v []storage.SigningKey, err error) {
	ctx, c := w.t.begin(ctx, "SigningKeys", &err)
	defer c.end(&err)
	return w.s.SigningKeys(ctx, set)
}

// InsertSigningKey implements keyset.Store.
func (w signingKeys) InsertSigningKey(ctx context.Context, k storage.SigningKey) (err error) {
	ctx, c := w.t.begin(ctx, "InsertSigningKey", &err)
	defer c.end(&err)
	return w.s.InsertSigningKey(ctx, k)
}

// DeleteSigningKey implements keyset.Store.
func (w signingKeys) DeleteSigningKey(ctx context.Context, set, kid string) (err error) {
	ctx, c := w.t.begin(ctx, "DeleteSigningKey", &err)
	defer c.end(&err)
	return w.s.DeleteSigningKey(ctx, set, kid)
}
