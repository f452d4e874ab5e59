package combined

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"github.com/portner-go/portner/storage"
)

// A stub is a session in the store of grants. Its Hash derives from the ID, so that rotation does not change it, and its circles are the
// cookie hashes under which the session may be found, oldest first.

// stubHash returns the Hash of the stub of a session.
func stubHash(id string) storage.Hash { return storage.HashOf("stub of the session " + id) }

func newStub(s *storage.Session) storage.Session {
	stub := storage.Session{Hash: stubHash(s.ID), ID: s.ID, UserKey: s.UserKey, StartedAt: s.StartedAt, ExpiresAt: s.ExpiresAt}
	addHash(&stub, s.Hash)
	return stub
}

// maxHashes bounds the hashes of a stub: rotations that fail leave one each. The session has one of the newest.
const maxHashes = 16

// addHash adds a hash under which the session may be found, once.
func addHash(stub *storage.Session, hash storage.Hash) {
	if slices.Contains(hashesOf(stub), hash) {
		return
	}
	stub.Circles = append(slices.Clone(stub.Circles), storage.Circle{Identity: slices.Clone(hash[:])})
	stub.Circles = stub.Circles[max(0, len(stub.Circles)-maxHashes):]
}

func hashesOf(stub *storage.Session) (all []storage.Hash) {
	for i := range stub.Circles {
		if len(stub.Circles[i].Identity) == len(storage.Hash{}) {
			all = append(all, storage.Hash(stub.Circles[i].Identity))
		}
	}
	return all
}

// attempts bounds how often a stub is read again because another call has changed it.
const attempts = 32

// changeStub changes the stub of a session, and ends the sessions of the user beyond limit. It returns their stubs.
func (s *Store) changeStub(ctx context.Context, id string, limit int, now time.Time, change func(*storage.Session)) (ended []storage.Session, err error) {
	for range attempts {
		stub, err := s.grants.Session(ctx, stubHash(id), now)
		if err != nil {
			return nil, err
		}
		change(&stub)
		ended, err = s.grants.ReplaceSession(ctx, stub.Hash, stub, limit, now)
		if !errors.Is(err, storage.ErrConflict) {
			return ended, err
		}
	}
	return nil, storage.ErrConflict
}

// remove removes sessions that have ended in the store of grants from the store of sessions, and returns them. It leaves out those that
// are not found there.
func (s *Store) remove(ctx context.Context, stubs []storage.Session, now time.Time) (ended []storage.Session) {
	for i := range stubs {
		if last, ok := s.take(ctx, &stubs[i], now); ok {
			ended = append(ended, last)
		}
	}
	return ended
}

// take removes a session from the store of sessions, and returns it as it was. A rotation moves a session to a hash that the stub already
// has, behind the one that it moves from, so that no rotation escapes a search from the oldest to the newest.
func (s *Store) take(ctx context.Context, stub *storage.Session, now time.Time) (storage.Session, bool) {
	for _, hash := range hashesOf(stub) {
		if last, ok := s.discard(ctx, hash, stub.ID, now); ok {
			return last, true
		}
	}
	return storage.Session{}, false
}

// discard removes a session that is not live from the store of sessions. A failure leaves a record that no method returns: it expires.
func (s *Store) discard(ctx context.Context, hash storage.Hash, id string, now time.Time) (storage.Session, bool) {
	if found, err := s.sessions.Session(ctx, hash, now); err != nil || found.ID != id {
		return storage.Session{}, false
	}
	last, err := s.sessions.EndSession(ctx, hash, now)
	return last, err == nil
}

// newID returns a random identifier.
func newID() string { return "visit " + rand.Text() }
