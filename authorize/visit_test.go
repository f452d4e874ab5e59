package authorize_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// TestVisit: a request that leads to a code changes the session with the code. The client is recorded, open if it learns who the user is,
// and the session is kept until the last login-only grant ends.
func TestVisit(t *testing.T) {
	t.Parallel()
	const lifetime = 3 * session.DefaultMax // of a grant
	w := newWorld(t, func(c *authorize.Config) { c.AuthorizationLifetime = lifetime })
	b := w.browser()
	stored := func() storage.Session {
		t.Helper()
		s, err := w.store.Session(t.Context(), storage.HashOf(b.cookies[session.DefaultCookieName]), w.clock())
		require.NoError(t, err)
		return s
	}
	requireCode(t, b.loginAs(b.authorize(params("web", "scope", "openid test:plain")), "kari"))
	first := stored()
	require.Equal(t, epoch.Add(session.DefaultMax).UTC(), first.ExpiresAt, "a grant for more than login does not prolong the session")
	require.Len(t, first.Clients, 1)
	require.True(t, first.Clients[0].Open)

	w.sleep(time.Minute)
	requireCode(t, b.authorize(params("silent", "scope", "openid test:pseudo")))
	requireCode(t, b.authorize(params("sidtaker")))
	now, s := w.clock().UTC(), stored()
	require.Equal(t, now.Add(lifetime), s.ExpiresAt, "the end of a login-only grant")
	require.Equal(t, now, s.LastRequestAt)
	require.Equal(t, first.Version+2, s.Version, "one change for each request")
	require.Len(t, s.Clients, 3)
	for i, want := range []storage.SessionClient{
		{ClientID: "web", LoginAt: epoch.UTC(), Open: true}, {ClientID: "silent", LoginAt: now}, {ClientID: "sidtaker", LoginAt: now, Open: true},
	} {
		want.SID = w.sessions.SID(&s, want.ClientID)
		require.Equal(t, want, s.Clients[i])
	}
}
