package memory_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
)

// A method that found a session by its hash and waits for its lock meanwhile, does not find it if it was rotated, or ended.
func TestSessionRotatesBeforeItsLock(t *testing.T) {
	t.Parallel()
	s, in := memory.New(), newSession(1)
	_, err := s.ReplaceSession(t.Context(), none, in, 0, epoch)
	require.NoError(t, err)
	next := in
	next.Hash = storage.HashOf("rotated")

	live := s.Found(in.Hash)
	require.True(t, live(epoch))
	_, err = s.ReplaceSession(t.Context(), in.Hash, next, 0, epoch)
	require.NoError(t, err)
	require.False(t, live(epoch), "rotated since")

	live = s.Found(next.Hash)
	require.True(t, live(epoch))
	_, err = s.EndSession(t.Context(), next.Hash, epoch)
	require.NoError(t, err)
	require.False(t, live(epoch), "ended since")
}

// A session admits the codes and grants of its user alone, also if another user has the same lock.
func TestSessionOfAnotherUserOfTheStripe(t *testing.T) {
	t.Parallel()
	s, in := memory.New(), newSession(0)
	_, err := s.ReplaceSession(t.Context(), none, in, 0, epoch)
	require.NoError(t, err)
	other := 1
	for !s.InOneStripe(in.UserKey, newSession(other).UserKey) {
		other++
	}
	c := newCode(other)
	c.Grant.SessionID = in.ID
	require.ErrorIs(t, s.FinishRequest(t.Context(), outcomeOf(1, c), epoch), storage.ErrRevoked)
	require.ErrorIs(t, s.InsertGrant(t.Context(), newIssuance(1, 0, c.Grant), epoch), storage.ErrRevoked)

	c.Grant.UserKey = in.UserKey
	require.NoError(t, s.FinishRequest(t.Context(), outcomeOf(1, c), epoch), "of its user")
}
