package token

import (
	"context"
	"time"

	"github.com/portner-go/portner/storage"
)

// Store keeps codes, grants and tokens for the token endpoint.
type Store interface {
	// Code returns an authorization code without changing anything. A used one comes with
	// ErrConsumed, an unknown or expired one is ErrNotFound.
	Code(ctx context.Context, hash storage.Hash, now time.Time) (storage.AuthorizationCode, error)

	// RedeemCode consumes the code and inserts the grant, the access token and the refresh token
	// of issue, in one step. A nil issue only consumes the code. ErrNotFound if the code is unknown
	// or expired, ErrConsumed if it was used, ErrConflict if an inserted key exists; then nothing
	// has changed.
	RedeemCode(ctx context.Context, hash storage.Hash, issue *storage.Issue, now time.Time) error

	// RefreshToken returns a refresh token and its grant without changing anything. A rotated one
	// comes with ErrConsumed, one of a revoked grant with ErrRevoked; unknown, expired, or of an
	// expired grant is ErrNotFound.
	RefreshToken(ctx context.Context, hash storage.Hash, now time.Time) (storage.RefreshToken, storage.Grant, error)

	// RotateRefreshToken consumes the refresh token and inserts issue.Access and issue.Refresh,
	// in one step, if the token and its grant are live. If issue.Refresh has the presented hash
	// the token is renewed in place instead (refresh_token_usage REUSE). issue.Grant is not written.
	// ErrNotFound, ErrConsumed, ErrRevoked, ErrConflict; then nothing has changed.
	RotateRefreshToken(ctx context.Context, hash storage.Hash, issue *storage.Issue, now time.Time) error

	// AccessToken returns a live access token and its live grant. ErrRevoked if the grant was
	// revoked, ErrNotFound if either is unknown or expired.
	AccessToken(ctx context.Context, hash storage.Hash, now time.Time) (storage.AccessToken, storage.Grant, error)

	// RevokeGrant ends a grant and with it all its tokens. When it has returned no token of the
	// grant is or becomes live. Revoking twice, or a grant that is gone, is no error.
	RevokeGrant(ctx context.Context, grantID string, now time.Time) error
}
