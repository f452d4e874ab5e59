package provider

import (
	"context"
	"time"

	"github.com/portner-go/portner/storage"
)

// Store keeps sessions, grants, tokens and consents. The rules of package storage apply to every method: each is atomic,
// the argument now is the clock, a record is live if now is before its ExpiresAt, and inserting never overwrites. The errors
// ErrNotFound, ErrConsumed, ErrRevoked and ErrConflict are those of package storage; a method that returns an error has changed
// nothing, unless its context ended meanwhile. Package storagetest checks an implementation, and package memory is one.
type Store interface {
	// Session returns the live session whose cookie hashes to hash, or ErrNotFound.
	Session(ctx context.Context, hash storage.Hash, now time.Time) (storage.Session, error)

	// ReplaceSession inserts, replaces or rotates a session. It returns the sessions that it ended, as EndSession does
	// for each of them: the one of old first, then the others, oldest first.
	//
	//   - If old is zero, it inserts next.
	//   - If next has the ID of old, next takes the place of old and is stored with Version+1. next.Hash may differ: old
	//     is then unknown from the same instant. It returns ErrConflict if the version of old is not next.Version, or the user
	//     differs.
	//   - If next has another ID, which may be the session of another user, old ends and next is inserted.
	//
	// If the user then has more than limit live sessions, the oldest ones by StartedAt end in the same step, but not
	// next. A limit below 1 is no limit. A store may return ErrFull if a user would then have more than 1,000 live sessions.
	//
	// It returns ErrNotFound if old is not zero and not live, and ErrConflict if next.Hash, or the ID of an inserted session,
	// exists. A retry is no error: if next.Hash is not old, and a live session of the same user has its Hash and ID,
	// ReplaceSession returns nil and changes nothing.
	ReplaceSession(ctx context.Context, old storage.Hash, next storage.Session, limit int, now time.Time) (ended []storage.Session, err error)

	// EndSession ends the session, consumes its unused codes, and revokes its grants that are LoginOnly. It returns the
	// session as it was, or ErrNotFound. No code and no grant can be inserted in the session afterwards, because
	// FinishRequest and token.GrantStore's InsertGrant accept the IDs of live sessions only.
	//
	// The store reserves the Hash and the ID that the session had until it would have expired: for ReplaceSession they
	// exist, also for other users. It may reserve those of the 16 sessions of a user that ended last, and forget the
	// others.
	EndSession(ctx context.Context, hash storage.Hash, now time.Time) (storage.Session, error)

	// Consents returns the live consents of a user to a client for a customer, in any order.
	Consents(ctx context.Context, key storage.ConsentKey, now time.Time) ([]storage.Consent, error)

	// FinishRequest inserts the code, if any, withdraws the declined consents and remembers the granted ones. A live
	// consent that is granted again for the same version of its scope keeps its GrantedAt, and ends at the later ExpiresAt
	// of both; a consent for another version replaces the remembered one.
	//
	// A RequestID has one outcome, which the store recognises until RetainTo or the ExpiresAt of the code, whichever is
	// later. If the RequestID has an outcome, nothing changes: FinishRequest returns nil if the outcome is equal (a
	// code with the same Hash that can be redeemed, or no code), ErrConsumed if the code is the same but cannot be
	// redeemed any more, and ErrConflict otherwise.
	//
	// Whenever it returns nil, it has applied the visit, if any, to the session of the code (storage.Visit's Apply). Others may
	// read the code before the visit, until it returns. The SessionID of the grant names the session, whose Hash may have
	// changed since the visit was made. A store may apply the visit of an equal outcome again, or leave it out. Without a code, or without a SessionID, a visit changes nothing.
	//
	// It returns ErrRevoked if the code has a SessionID that is not the ID of a live session with the UserKey of its
	// grant, also for a RequestID that has an outcome: the session is unknown, has expired or ended, or is that of
	// another user. It returns ErrConflict if Hash or Grant.ID exists.
	FinishRequest(ctx context.Context, o storage.Outcome, now time.Time) error

	// Code returns a code as it was inserted. It returns a consumed code with ErrConsumed until the RetainTo of its outcome;
	// for an unknown or expired one Code returns ErrNotFound.
	Code(ctx context.Context, hash storage.Hash, now time.Time) (storage.AuthorizationCode, error)

	// RedeemCode consumes the code and inserts the grant and the tokens of i. The grant of i replaces that of the code,
	// which Code still returns. A nil i only consumes the code. It returns ErrNotFound if the code is unknown or expired,
	// ErrConsumed if it was consumed, and ErrConflict if a key of i exists, a token of i belongs to another grant, or
	// the grant of i differs from that of the code in ID, UserKey, ClientID, Customer or SessionID.
	RedeemCode(ctx context.Context, hash storage.Hash, i *storage.Issuance, now time.Time) error

	// RefreshToken returns a refresh token and its grant. It returns ErrNotFound if the token is unknown, if its grant has
	// expired, or if the token has expired and was not rotated before; revocation does not change that. Otherwise it
	// returns a token of a revoked grant with ErrRevoked, and a rotated token with ErrConsumed. A rotated token is recognised
	// until its grant expires.
	RefreshToken(ctx context.Context, hash storage.Hash, now time.Time) (storage.RefreshToken, storage.Grant, error)

	// RotateRefreshToken consumes the token and inserts i.Access and i.Refresh. It does not write i.Grant. If i.Refresh
	// is nil, the token has no successor. If i.Refresh has the hash of the token, the token is renewed instead: it
	// takes the Generation and ExpiresAt of i.Refresh and stays live.
	//
	// A retry inserts i.Access only: the token was consumed less than grace ago, its successor has the hash of
	// i.Refresh, and the successor is live and was neither rotated nor renewed.
	//
	// It returns ErrNotFound, ErrRevoked or ErrConsumed as RefreshToken does, and ErrConflict if a key of i exists or a token of
	// i belongs to another grant.
	RotateRefreshToken(ctx context.Context, hash storage.Hash, i *storage.Issuance, grace time.Duration, now time.Time) error

	// AccessToken returns a live access token and its live grant. It returns ErrNotFound if either is unknown or expired;
	// otherwise it returns a token of a revoked grant with ErrRevoked.
	AccessToken(ctx context.Context, hash storage.Hash, now time.Time) (storage.AccessToken, storage.Grant, error)

	// Revoke ends a grant, or every grant and consent of a user at a client for a customer. When it returns nil, no
	// token of the grants is or becomes live, and their unused codes are consumed. Revoking twice, or a grant that is
	// unknown, is no error. A revocation that is not valid (see its Validate) is an error.
	Revoke(ctx context.Context, r storage.Revocation, now time.Time) error

	// Grants returns live grants of a user. Codes that were not redeemed are no grants. A query that is not valid (see its Validate) is
	// an error.
	//
	//   - With q.ID, it returns the live grant with this ID alone, or ErrNotFound if the user has none.
	//   - Otherwise it returns at most q.Limit live grants, newest first by CreatedAt and then by ID, from the one after the grant
	//     whose ID is q.After; "" starts with the newest. Fewer than q.Limit are the last ones. It returns ErrNotFound if q.After is
	//     not the ID of a grant of the user that has not expired; a revoked grant is accepted.
	Grants(ctx context.Context, q storage.GrantQuery, now time.Time) ([]storage.Grant, error)
}
