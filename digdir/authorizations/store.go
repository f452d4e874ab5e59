package authorizations

import (
	"context"
	"time"

	"github.com/portner-go/portner/storage"
)

// Store is the part of provider.Store that an API calls.
type Store interface {
	// The methods are those of provider.Store.
	Grants(ctx context.Context, userKey storage.Hash, after string, limit int, now time.Time) ([]storage.Grant, error)
	Revoke(ctx context.Context, r storage.Revocation, now time.Time) error
}

// HistoryStore finds login history. What is in it authorize.HistoryStore recorded.
type HistoryStore interface {
	// Logins returns a person's logins that are still remembered, newest first.
	Logins(ctx context.Context, userKey storage.Hash, now time.Time) ([]storage.Login, error)
}
