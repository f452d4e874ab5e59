package authorize

import (
	"context"
	"time"

	"github.com/portner-go/portner/storage"
)

// Store keeps the codes the authorization endpoint issues.
type Store interface {
	// CreateCode inserts a code. An existing Hash or Grant.ID, or a code with the same RequestID,
	// is ErrConflict: a code, used or not, is remembered until the later of its ExpiresAt and
	// RetainUntil. ErrRevoked if the session it is given in (Grant.SessionID) was ended: a login
	// that was on its way when its person logged out gives no tokens. A SessionID the store does
	// not know is no obstacle.
	CreateCode(ctx context.Context, code storage.AuthorizationCode, now time.Time) error
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

// ConsentStore remembers what a person said yes to.
type ConsentStore interface {
	// Consents returns the live consents of one person to one client, in any order.
	Consents(ctx context.Context, userKey storage.Hash, clientID string, now time.Time) ([]storage.Consent, error)

	// GrantConsents remembers consents, all or none. Of one that is remembered already and the new
	// one the one that expires later stays whole, GrantedAt included. A full store answers ErrFull.
	GrantConsents(ctx context.Context, consents []storage.Consent, now time.Time) error

	// WithdrawConsents forgets the consents of one person to one client.
	WithdrawConsents(ctx context.Context, userKey storage.Hash, clientID string, now time.Time) error
}

// HistoryStore remembers logins, for people to look at (idporten section 17.2).
type HistoryStore interface {
	// RecordLogin adds an entry to a person's history.
	RecordLogin(ctx context.Context, l storage.Login, now time.Time) error
}
