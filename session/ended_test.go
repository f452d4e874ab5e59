package session_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
)

// TestLoginEndsThePresentedSession: a login ends the session whose cookie it replaces, also one that has reached its limits, and
// OnEnded receives it with its clients. A session that still answers requests of the same user continues.
func TestLoginEndsThePresentedSession(t *testing.T) {
	t.Parallel()
	const lifetime = 3 * time.Hour // of a login-only grant
	for _, tt := range []struct {
		name, user string
		after      time.Duration
		reason     string // "" if the session does not end
	}{
		{"active, the same user", "kari", session.DefaultIdle - 1, ""},
		{"active, another user", "ola", session.DefaultIdle - 1, "other_user"},
		{"idle, the same user", "kari", session.DefaultIdle, "idle_reached"},
		{"idle, another user", "ola", session.DefaultIdle, "other_user"},
		{"expired, the same user", "kari", session.DefaultMax, "max_reached"},
		{"expired, another user", "ola", session.DefaultMax, "other_user"},
		{"expired, until the last login-only grant ends", "kari", lifetime - 1, "max_reached"},
		{"no grant is left", "kari", lifetime, ""},
		{"the clock was set back", "kari", -2 * session.MaxSkew, "max_reached"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var ended []storage.Session
			k, ev := testKeeper(t, memory.New(), func(c *session.Config) {
				c.OnEnded = func(_ context.Context, s storage.Session, _ time.Time) { ended = append(ended, s) }
			})
			b := &browser{T: t, keeper: k}
			first := b.login("kari", "high", "", epoch)
			require.NoError(t, finish(t.Context(), k, first, session.ClientLogin{ClientID: "a", Open: true, Until: epoch.Add(lifetime)}, epoch))
			// A grant that is not login-only shortens nothing.
			require.NoError(t, finish(t.Context(), k, first, session.ClientLogin{ClientID: "b", Open: true}, epoch))
			ev.words()

			now := epoch.Add(tt.after)
			b.login(tt.user, "high", "", now)
			require.NotNil(t, b.current(now))
			if tt.reason == "" {
				require.Empty(t, ended)
				return
			}
			require.Equal(t, []string{"session.ended/" + tt.reason, "session.started/login"}, ev.words())
			require.Len(t, ended, 1)
			require.Equal(t, first.ID, ended[0].ID)
			require.Len(t, ended[0].Clients, 2)
		})
	}
}
