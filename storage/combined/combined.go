// Package combined makes one store of two: the sessions are in one store, and the codes, grants, tokens and consents in another one. Use
// it if the two need different durability: sessions in Redis, where each authorization request changes one and where losing them means
// that users log in again, and grants in PostgreSQL, which must not forget a revocation. If one store can hold both, use that one alone:
// it makes fewer round trips, and an operation is one transaction.
//
//	store, err := combined.New(sessions, grants) // both are whole stores, of which sessions holds sessions only
//
// The other interfaces, such as token.GrantStore, client.ReplayStore and authorize.PushedRequestStore, are not combined: hand over the
// store that is to hold those records. A token.GrantStore must be that of the grants. Each of the two removes its own expired records (Run),
// and a node is ready if Ping of both succeeds.
//
// # How it works
//
// The store of grants has a stub of each session: the ID, the user, the start and the end, and the cookie hashes under which the session
// may be found, without identities and clients. A session is live if both stores have it. So the store of grants decides which codes and
// grants are admitted, and the end of a session is one step there: it ends the stub, consumes the codes and revokes the login-only grants.
// The record in the store of sessions is removed afterwards.
//
// # What a crash leaves
//
// A call that is interrupted between the two stores returns an error, or the process is gone. Then
//
//   - a session that was to be inserted is in the store of sessions alone: it is not live, and inserting it again completes it;
//   - a session that was ended, switched away or beyond a limit is in the store of sessions alone: it is not live, its codes are consumed,
//     and its login-only grants are revoked. Its clients are not notified. The record is removed when it would have expired;
//   - a session that was to be replaced or rotated is as it was before;
//   - a code was inserted, and the session lacks the visit: the code was not sent, and finishing the request again applies the visit.
//
// No login-only grant is live of a session that has ended, in any order of failures, because the store of grants changes first when a session
// ends. If the store of sessions loses sessions, these users log in again, and their login-only grants remain until they expire.
//
// # What differs from one store
//
//   - A logout whose cookie is replaced by a login at the same time may end the session under its new cookie, too. It passes
//     storagetest.Run, but not the histories of storagetest.RunNodes, because of such a logout.
//   - Session makes two calls, one to each store. FinishRequest with a visit writes to both stores, and to insert or to end a session
//     writes to both.
//   - The sessions that a limit ended are returned if the store of sessions is available.
package combined

import (
	"context"
	"errors"
	"time"

	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
)

// SessionStore is the part of provider.Store that holds the sessions. FinishRequest inserts no code that anyone has: it finds a session by
// its ID, and applies a visit.
type SessionStore interface {
	// The contract of each method is that of the method of provider.Store with the same name.
	Session(ctx context.Context, hash storage.Hash, now time.Time) (storage.Session, error)
	ReplaceSession(ctx context.Context, old storage.Hash, next storage.Session, limit int, now time.Time) (ended []storage.Session, err error)
	EndSession(ctx context.Context, hash storage.Hash, now time.Time) (storage.Session, error)
	FinishRequest(ctx context.Context, o storage.Outcome, now time.Time) error
}

// Store is a store whose sessions are in a store of their own. Use New to make one.
type Store struct {
	grants   // and the stubs of the sessions
	sessions SessionStore
}

// grants is an embedded field that other packages cannot replace: a Store with another store of grants would not see the stubs.
type grants = provider.Store

var _ provider.Store = (*Store)(nil)

// New returns a store with the sessions in one store and everything else in another. They must not be the same store.
func New(sessions SessionStore, rest provider.Store) (*Store, error) {
	switch {
	case fields.IsNil(sessions):
		return nil, errors.New("combined: sessions: required")
	case fields.IsNil(rest):
		return nil, errors.New("combined: rest: required")
	case any(sessions) == any(rest):
		return nil, errors.New("combined: rest: must be another store than that of the sessions")
	}
	return &Store{grants: rest, sessions: sessions}, nil
}

// Session implements provider.Store.
func (s *Store) Session(ctx context.Context, hash storage.Hash, now time.Time) (storage.Session, error) {
	found, _, err := s.find(ctx, hash, now)
	return found, err
}

// find returns a live session and its stub.
func (s *Store) find(ctx context.Context, hash storage.Hash, now time.Time) (found, stub storage.Session, err error) {
	if found, err = s.sessions.Session(ctx, hash, now); err != nil {
		return storage.Session{}, stub, err
	}
	stub, err = s.grants.Session(ctx, stubHash(found.ID), now)
	if err == nil && (stub.ID != found.ID || stub.UserKey != found.UserKey) {
		err = storage.ErrNotFound
	}
	if err != nil {
		return storage.Session{}, storage.Session{}, err
	}
	return found, stub, nil
}

// ReplaceSession implements provider.Store.
func (s *Store) ReplaceSession(ctx context.Context, old storage.Hash, next storage.Session, limit int, now time.Time) ([]storage.Session, error) {
	if old == (storage.Hash{}) {
		return s.insert(ctx, storage.Session{}, next, limit, now)
	}
	found, stub, err := s.find(ctx, old, now)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil, s.verdictOnRetry(ctx, old, next, now)
	case err != nil:
		return nil, err
	case found.ID != next.ID:
		return s.insert(ctx, found, next, limit, now)
	}
	return s.replace(ctx, found, stub, next, limit, now)
}

// verdictOnRetry returns nil if next exists, and ErrNotFound otherwise, because old is not live.
func (s *Store) verdictOnRetry(ctx context.Context, old storage.Hash, next storage.Session, now time.Time) error {
	if next.Hash == old {
		return storage.ErrNotFound
	}
	found, _, err := s.find(ctx, next.Hash, now)
	if err == nil && (found.ID != next.ID || found.UserKey != next.UserKey) {
		err = storage.ErrNotFound
	}
	return err
}

// insert inserts a session, and ends old, which may be none. The stub is inserted last: it makes the session live and ends old in one step.
func (s *Store) insert(ctx context.Context, old, next storage.Session, limit int, now time.Time) ([]storage.Session, error) {
	if _, err := s.sessions.ReplaceSession(ctx, storage.Hash{}, next, 0, now); err != nil {
		return nil, err
	}
	var from storage.Hash
	if old.ID != "" {
		from = stubHash(old.ID)
	}
	stubs, err := s.grants.ReplaceSession(ctx, from, newStub(&next), limit, now)
	ctx = context.WithoutCancel(ctx) // what has ended is removed even if the caller has left
	if errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrConflict) {
		s.discard(ctx, next.Hash, next.ID, now)
	}
	if err != nil {
		return nil, err
	}
	return s.remove(ctx, stubs, now), nil
}

// replace stores next in the place of found, which has the same ID. The store of sessions compares the versions.
func (s *Store) replace(ctx context.Context, found, stub, next storage.Session, limit int, now time.Time) ([]storage.Session, error) {
	if found.Version != next.Version || found.UserKey != next.UserKey {
		return nil, storage.ErrConflict
	}
	moves, shortens := next.Hash != found.Hash, next.ExpiresAt.Before(found.ExpiresAt)
	if moves || next.ExpiresAt.After(stub.ExpiresAt) { // the stub first: it is not older than the session, nor without its hash
		_, err := s.changeStub(ctx, next.ID, 0, now, func(stub *storage.Session) {
			addHash(stub, next.Hash)
			if stub.ExpiresAt.Before(next.ExpiresAt) {
				stub.ExpiresAt = next.ExpiresAt
			}
		})
		if err != nil {
			return nil, err
		}
	}
	if _, err := s.sessions.ReplaceSession(ctx, found.Hash, next, 0, now); err != nil {
		return nil, err
	}
	if limit < 1 && !shortens {
		return nil, nil
	}
	ctx = context.WithoutCancel(ctx) // the session is replaced
	stubs, err := s.changeStub(ctx, next.ID, limit, now, func(stub *storage.Session) {
		if shortens {
			stub.ExpiresAt = next.ExpiresAt
		}
	})
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return nil, err
	}
	return s.remove(ctx, stubs, now), nil
}

// EndSession implements provider.Store.
func (s *Store) EndSession(ctx context.Context, hash storage.Hash, now time.Time) (storage.Session, error) {
	found, err := s.sessions.Session(ctx, hash, now)
	if err != nil {
		return storage.Session{}, err
	}
	stub, err := s.grants.EndSession(ctx, stubHash(found.ID), now)
	ctx = context.WithoutCancel(ctx) // what has ended is removed even if the caller has left
	switch {
	case errors.Is(err, storage.ErrNotFound):
		s.discard(ctx, hash, found.ID, now)
		return storage.Session{}, err
	case err != nil:
		return storage.Session{}, err
	}
	if last, ok := s.take(ctx, &stub, now); ok {
		return last, nil
	}
	return found, nil
}

// FinishRequest implements provider.Store.
func (s *Store) FinishRequest(ctx context.Context, o storage.Outcome, now time.Time) error {
	visit := o.Visit
	if o.Visit = nil; visit == nil || o.Code == nil || o.Code.Grant.SessionID == "" {
		return s.grants.FinishRequest(ctx, o, now)
	}
	g := &o.Code.Grant
	if !visit.Until.IsZero() {
		o.Visit = &storage.Visit{Session: stubHash(g.SessionID), Until: visit.Until}
	}
	if err := s.grants.FinishRequest(ctx, o, now); err != nil {
		return err
	}
	return s.visit(context.WithoutCancel(ctx), g, visit, now)
}

// visit applies a visit in the store of sessions.
func (s *Store) visit(ctx context.Context, g *storage.Grant, v *storage.Visit, now time.Time) error {
	end := now.Add(carrierLifetime)
	id := newID()
	return s.sessions.FinishRequest(ctx, storage.Outcome{
		RequestID: id, RetainTo: end, Visit: v, Code: &storage.AuthorizationCode{
			Hash: storage.HashOf(id), ExpiresAt: end,
			Grant: storage.Grant{ID: id, ClientID: g.ClientID, UserKey: g.UserKey, SessionID: g.SessionID, CreatedAt: now, ExpiresAt: end},
		},
	}, now)
}

// carrierLifetime is how long the store of sessions keeps the record that carries a visit. Its code is never sent.
const carrierLifetime = time.Second
