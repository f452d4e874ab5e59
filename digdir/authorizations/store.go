package authorizations

import (
	"context"
	"time"

	"github.com/portner-go/portner/storage"
)

// Store finds and ends what people have granted. A token.Store has the last method already.
type Store interface {
	// GrantsOf returns the live grants of a person whose code was redeemed, newest first.
	GrantsOf(ctx context.Context, userKey storage.Hash, now time.Time) ([]storage.Grant, error)
	// Grant returns one live grant, or ErrNotFound.
	Grant(ctx context.Context, grantID string, now time.Time) (storage.Grant, error)
	// RevokeGrant is token.Store's.
	RevokeGrant(ctx context.Context, grantID string, now time.Time) error
}

// HistoryStore finds login history. What is in it authorize.HistoryStore recorded.
type HistoryStore interface {
	// Logins returns a person's logins that are still remembered, newest first.
	Logins(ctx context.Context, userKey storage.Hash, now time.Time) ([]storage.Login, error)
}
