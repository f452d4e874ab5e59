package session

import (
	"context"
	"time"

	"github.com/portner-go/portner/storage"
)

// Store keeps SSO sessions.
type Store interface {
	// Session returns the live session whose cookie hashes to hash, or ErrNotFound.
	Session(ctx context.Context, hash storage.Hash, now time.Time) (storage.Session, error)

	// CreateSession inserts a new session with the Version it comes with; an existing Hash or ID
	// is ErrConflict. If the person (UserKey) then has more than limit live sessions, the oldest of
	// the others (by StartedAt) are ended in the same step, exactly as EndSession would, and
	// returned, oldest first. A limit below 1 is no limit.
	CreateSession(ctx context.Context, s storage.Session, limit int, now time.Time) (ended []storage.Session, err error)

	// ReplaceSession puts next in the place of the live session old, if that one's Version is
	// still next.Version, and stores it with Version+1. next.Hash may differ from old (rotation):
	// the old hash is then dead from the same instant. ID and UserKey stay: another person is
	// another session. It is ErrNotFound if old is gone and ErrConflict if its version moved on,
	// the new hash exists, or next has another ID or UserKey; then nothing has changed.
	ReplaceSession(ctx context.Context, old storage.Hash, next storage.Session, now time.Time) error

	// EndSession deletes the session, deletes the unused codes given in it, and revokes every
	// grant given in it that is LoginOnly, in one step. It returns the session as it was, or
	// ErrNotFound. The store remembers the session's ID until its ExpiresAt: no code can be
	// created in it any more.
	EndSession(ctx context.Context, hash storage.Hash, now time.Time) (storage.Session, error)
}
