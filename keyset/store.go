package keyset

import (
	"context"

	"github.com/portner-go/portner/storage"
)

// Store keeps the keys of Shared. The rules of package storage apply to each method. Package storagetest checks an implementation, and
// package memory is one.
type Store interface {
	// SigningKeys returns the keys of a set by Number, also those that were deleted: they have an empty Key. A call that starts after
	// InsertSigningKey or DeleteSigningKey returned, also on another node, sees the change.
	SigningKeys(ctx context.Context, set string) ([]storage.SigningKey, error)

	// InsertSigningKey inserts a key, whose Key is not empty. It returns storage.ErrConflict if the set has, or had, a key with its
	// Number or its KID.
	InsertSigningKey(ctx context.Context, k storage.SigningKey) error

	// DeleteSigningKey removes the Key of a record. The other fields stay, and Number and KID stay taken. It returns nil for a key
	// that was deleted before, or that is unknown.
	DeleteSigningKey(ctx context.Context, set, kid string) error
}
