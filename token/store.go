package token

import (
	"context"
	"time"

	"github.com/portner-go/portner/storage"
)

// Store is the part of provider.Store that an Endpoint calls.
type Store interface {
	// The methods are those of provider.Store.
	Consents(ctx context.Context, key storage.ConsentKey, now time.Time) ([]storage.Consent, error)
	Code(ctx context.Context, hash storage.Hash, now time.Time) (storage.AuthorizationCode, error)
	RedeemCode(ctx context.Context, hash storage.Hash, i *storage.Issuance, now time.Time) error
	RefreshToken(ctx context.Context, hash storage.Hash, now time.Time) (storage.RefreshToken, storage.Grant, error)
	RotateRefreshToken(ctx context.Context, hash storage.Hash, i *storage.Issuance, grace time.Duration, now time.Time) error
	AccessToken(ctx context.Context, hash storage.Hash, now time.Time) (storage.AccessToken, storage.Grant, error)
	Revoke(ctx context.Context, r storage.Revocation, now time.Time) error
}

// GrantStore inserts grants that do not come from an authorization code. It is for grant handlers, which have it in their own
// configuration.
type GrantStore interface {
	// InsertGrant inserts the grant and the tokens of i, in one step. The store then treats the grant like one whose code was
	// redeemed. It returns storage.ErrConflict if a key of i exists or a token of i belongs to another grant, and
	// storage.ErrRevoked if Grant.SessionID is not empty and not the ID of a live session with the UserKey of the grant.
	InsertGrant(ctx context.Context, i *storage.Issuance, now time.Time) error
}
