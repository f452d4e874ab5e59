package client

import (
	"context"
	"time"

	"github.com/portner-go/portner/storage"
)

// Source finds registrations. The returned client must not change.
type Source interface {
	// Client returns the registration with this client_id, or an error that wraps storage.ErrNotFound. It is called for
	// every request; wrap a source over a database with Cache.
	Client(ctx context.Context, clientID string) (*Client, error)
}

// ReplayStore remembers used assertions by their jti (RFC 7523 §3).
type ReplayStore interface {
	// ConsumeJTI remembers key until expiresAt or longer. The first call for a key returns nil; later calls return
	// storage.ErrConsumed, and so does a call whose expiresAt is not after now. If the store is full, or clientID has more
	// keys than its part of the store, ConsumeJTI returns storage.ErrFull and remembers nothing. expiresAt includes the
	// tolerance for clocks. clientID is the authenticated client, and no part of the key: key is different for each client.
	//
	// now can be earlier than that of a previous call, because the clocks of nodes differ. A store must not delete a key as soon
	// as a now has passed its expiresAt, and accept it at an earlier now: it deletes keys at least a minute later
	// (session.MaxSkew), or rejects every key whose expiresAt is not after that of a deleted one.
	ConsumeJTI(ctx context.Context, clientID string, key storage.Hash, expiresAt, now time.Time) error
}
