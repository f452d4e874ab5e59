package token

import (
	"context"
	"time"

	"github.com/portner-go/portner/storage"
)

// Store keeps codes, grants and tokens for the token endpoint.
type Store interface {
	// Code returns an authorization code, as it was created, without changing anything. A used one
	// comes with ErrConsumed until its RetainUntil; an unknown or expired one is ErrNotFound.
	Code(ctx context.Context, hash storage.Hash, now time.Time) (storage.AuthorizationCode, error)

	// RedeemCode consumes the code and inserts the grant, the access token and the refresh token
	// of issue, in one step. A nil issue only consumes the code. ErrNotFound if the code is unknown
	// or expired, ErrConsumed if it was used or its grant revoked, ErrConflict if an inserted key
	// exists or issue speaks of another grant than the code; then nothing has changed.
	RedeemCode(ctx context.Context, hash storage.Hash, issue *storage.Issue, now time.Time) error

	// RefreshToken returns a refresh token and its grant without changing anything. One of a revoked
	// grant comes with ErrRevoked, else a rotated one with ErrConsumed, until the grant ends and even
	// past its own ExpiresAt; unknown, expired, or of an expired grant is ErrNotFound.
	RefreshToken(ctx context.Context, hash storage.Hash, now time.Time) (storage.RefreshToken, storage.Grant, error)

	// RotateRefreshToken consumes the refresh token and inserts issue.Access and issue.Refresh,
	// in one step, if the token and its grant are live. If issue.Refresh has the presented hash
	// the token is renewed in place instead (refresh_token_usage REUSE): it takes the Generation
	// and ExpiresAt of issue.Refresh. issue is not nil; issue.Grant is not written. ErrNotFound,
	// ErrConsumed, ErrRevoked as RefreshToken, ErrConflict as RedeemCode; then nothing has changed.
	RotateRefreshToken(ctx context.Context, hash storage.Hash, issue *storage.Issue, now time.Time) error

	// AccessToken returns a live access token and its live grant. One of a revoked grant comes with
	// ErrRevoked; it is ErrNotFound if either is unknown or expired.
	AccessToken(ctx context.Context, hash storage.Hash, now time.Time) (storage.AccessToken, storage.Grant, error)

	// RevokeGrant ends a grant and with it all its tokens. When it has returned no token of the
	// grant is or becomes live; a code not redeemed yet is consumed by it. Revoking twice, or a
	// grant that is gone, is no error.
	RevokeGrant(ctx context.Context, grantID string, now time.Time) error
}

// GrantStore inserts grants that consume nothing presented: those of a token exchange. Grant types that
// need it take it in their own configuration.
type GrantStore interface {
	// InsertGrant inserts the grant, the access token and the refresh token of issue, in one step. An
	// existing Grant.ID or Hash is ErrConflict; then nothing has changed. The grant is then as one whose
	// code was redeemed.
	InsertGrant(ctx context.Context, issue *storage.Issue, now time.Time) error
}
