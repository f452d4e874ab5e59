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

// PushedRequestStore keeps pushed authorization requests (RFC 9126).
type PushedRequestStore interface {
	// PushRequest inserts a pushed request; an existing Hash is ErrConflict, more than the
	// store's cap for one client ErrFull.
	PushRequest(ctx context.Context, p storage.PushedRequest, now time.Time) error

	// PushedRequest returns a request that was neither consumed nor expired, or ErrNotFound.
	PushedRequest(ctx context.Context, hash storage.Hash, now time.Time) (storage.PushedRequest, error)

	// ConsumePushedRequest makes the request unusable. Exactly one call gets nil, later ones
	// ErrConsumed or ErrNotFound; an unknown or expired one is ErrNotFound. Its Hash stays taken
	// until it expires.
	ConsumePushedRequest(ctx context.Context, hash storage.Hash, now time.Time) error
}

// HistoryStore remembers logins, for people to look at (idporten section 17.2).
type HistoryStore interface {
	// RecordLogin adds an entry to a person's history.
	RecordLogin(ctx context.Context, l storage.Login, now time.Time) error
}
