package authorize

import (
	"context"
	"time"

	"github.com/portner-go/portner/storage"
)

// Store is the part of provider.Store that an Endpoint calls.
type Store interface {
	// The methods are those of provider.Store.
	Consents(ctx context.Context, key storage.ConsentKey, now time.Time) ([]storage.Consent, error)
	FinishRequest(ctx context.Context, o storage.Outcome, now time.Time) error
}

// PushedRequestStore stores pushed authorization requests (RFC 9126).
type PushedRequestStore interface {
	// PushRequest inserts a pushed request. It returns storage.ErrConflict if the Hash exists, and storage.ErrFull if the
	// Source has too many requests, or the store. Anyone can push requests of a public client: a store bounds the
	// requests of each Source, so that one caller does not keep other callers from the client, and those of each
	// ClientID by what is free, so that the callers of one client do not keep other clients from the store.
	PushRequest(ctx context.Context, p storage.PushedRequest, now time.Time) error

	// PushedRequest returns a request that is neither consumed nor expired. For other requests it returns storage.ErrNotFound.
	PushedRequest(ctx context.Context, hash storage.Hash, now time.Time) (storage.PushedRequest, error)

	// ConsumePushedRequest consumes the request. The first call returns nil; later calls return storage.ErrConsumed or
	// storage.ErrNotFound. It returns storage.ErrNotFound for an unknown or expired request. The Hash stays in use until the
	// request expires.
	ConsumePushedRequest(ctx context.Context, hash storage.Hash, now time.Time) error
}

// HistoryStore remembers logins, for lists of logins that users see.
type HistoryStore interface {
	// RecordLogin adds a login to the history of a user. If the user has an entry with the ID that has not expired, RecordLogin
	// changes nothing and returns nil: a form that is posted twice is one login.
	RecordLogin(ctx context.Context, l storage.Login, now time.Time) error
}
