package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/portner-go/portner/session"
)

const (
	fenceBatch = 1000

	sqlFenceSessions      = `SELECT last, ended FROM portner.fence_sessions_1($1, $2, $3, $4)`
	sqlFenceGrants        = `SELECT last, ended FROM portner.fence_grants_1($1, $2, $3, $4)`
	sqlFenceAccessTokens  = `SELECT last, ended FROM portner.fence_access_tokens_1($1, $2, $3, $4)`
	sqlFenceRefreshTokens = `SELECT last, ended FROM portner.fence_refresh_tokens_1($1, $2, $3, $4)`

	sqlFencePushedRequests = `UPDATE portner.pushed_requests SET consumed_at = $2, params = NULL WHERE pushed_at >= $1 AND consumed_at IS NULL`
)

// FenceAfterFailover ends every session, code, grant and pushed request that was made, redeemed, rotated or otherwise changed at since or
// later, and returns how many sessions, codes and grants these were. Call it once after a standby was promoted that had not received the
// latest transactions, before the nodes serve requests from it: what was consumed, revoked or logged out in the lost transactions is live
// again on the standby.
//
// The standby does not show what the lost transactions changed. What can still be used was touched within its idle lifetime, so since is
// the last moment that is known to be replicated, minus the longest idle lifetime of a session or refresh token. The zero time ends
// everything. Users then log in again. Two things are not recovered: the assertions that were used in the lost transactions are accepted
// once more until they expire, and consents have the state of the standby.
//
// It takes many statements. After an error, call it again.
func (s *Store) FenceAfterFailover(ctx context.Context, since, now time.Time) (ended int, err error) {
	from, at := nanos(since), nanos(now)
	if !since.IsZero() {
		from = nanos(since.Add(-session.MaxSkew)) // of a node whose clock was behind
	}
	for _, step := range []func() (int, error){
		func() (int, error) { return fence(ctx, s, sqlFenceSessions, "", from, at) },
		func() (int, error) { return fence(ctx, s, sqlFenceGrants, "", from, at) },
		func() (int, error) { return fence(ctx, s, sqlFenceAccessTokens, []byte{}, from, at) },
		func() (int, error) { return fence(ctx, s, sqlFenceRefreshTokens, []byte{}, from, at) },
		func() (int, error) { return 0, s.write(ctx, sqlFencePushedRequests, []any{from, at}) },
	} {
		n, err := step()
		ended += n
		if err != nil {
			return ended, err
		}
	}
	return ended, nil
}

// fence goes through one table in the order of its keys, the first of which is after first.
func fence[K string | []byte](ctx context.Context, s *Store, sql string, first K, since, now int64) (ended int, err error) {
	after := &first
	for after != nil {
		var last *K
		var n int64
		err := s.call(ctx, mayRepeatWrite, func(ctx context.Context, c *pgx.Conn) error {
			return c.QueryRow(ctx, sql, *after, since, now, int64(fenceBatch)).Scan(&last, &n)
		})
		if err != nil {
			return ended, err
		}
		ended += int(n)
		after = last
	}
	return ended, nil
}
