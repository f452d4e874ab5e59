package client

import (
	"context"
	"time"

	"github.com/portner-go/portner/storage"
)

// Source finds registered clients. Lookups are on the path of every request: a source
// over a database caches.
type Source interface {
	// Client returns the registration, or an error that wraps storage.ErrNotFound. The caller
	// does not change what it gets.
	Client(ctx context.Context, clientID string) (*Client, error)
}

// ReplayStore remembers used assertions (RFC 7523 section 3: jti).
type ReplayStore interface {
	// ConsumeJTI remembers key until expiresAt at least. Exactly one call for a key gets nil, later
	// ones storage.ErrConsumed; a full store answers storage.ErrFull and remembers nothing. What
	// cannot be remembered because it has expired at now is ErrConsumed too: expiresAt is when the
	// assertion stops being accepted, tolerance for clocks included.
	ConsumeJTI(ctx context.Context, key storage.Hash, expiresAt, now time.Time) error
}
