package session

import (
	"context"
	"time"

	"github.com/portner-go/portner/storage"
)

// Store is the part of provider.Store that a Keeper calls.
type Store interface {
	// The contract of each method is that of the method of provider.Store with the same name.
	Session(ctx context.Context, hash storage.Hash, now time.Time) (storage.Session, error)
	ReplaceSession(ctx context.Context, old storage.Hash, next storage.Session, limit int, now time.Time) (ended []storage.Session, err error)
	EndSession(ctx context.Context, hash storage.Hash, now time.Time) (storage.Session, error)
}
