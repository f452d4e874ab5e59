package session_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// TestCirclesKeepTheirIdentity: a login for an isolated client does not change whom the common circle vouches for.
func TestCirclesKeepTheirIdentity(t *testing.T) {
	t.Parallel()
	k, _ := testKeeper(t, newStore())
	pid, err := pseudonym.NewIdentifier(session.TypePID, testPID)
	require.NoError(t, err)
	strong := session.Identity{Subject: "kari", Identifiers: []pseudonym.Identifier{pid}, Attributes: map[string]string{"name": "Kari Nordmann"}}
	weak := session.Identity{Subject: "kari", Attributes: map[string]string{"name": "self-registered"}}

	s, err := k.LogIn(t.Context(), http.Header{}, nil, session.Authentication{Identity: strong, ACR: "high"}, "", epoch)
	require.NoError(t, err)
	s, err = k.LogIn(t.Context(), http.Header{}, s, session.Authentication{Identity: weak, ACR: "email"}, "isolated", epoch)
	require.NoError(t, err)

	got, err := k.Identity(s, "")
	require.NoError(t, err)
	requireEqual(t, &strong, &got)
	got, err = k.Identity(s, "isolated")
	require.NoError(t, err)
	requireEqual(t, &weak, &got)
	_, err = k.Identity(s, "another")
	require.ErrorContains(t, err, "no login for this circle")
}

// TestCircleIdentityIsBound: an identity that a store returns for another circle, session or kind of record does not open, and such a
// session is not continued.
func TestCircleIdentityIsBound(t *testing.T) {
	t.Parallel()
	v := testVault(t)
	k, _ := testKeeper(t, newStore())
	login := func(s *storage.Session, circle string) *storage.Session {
		got, err := k.LogIn(t.Context(), http.Header{}, s, session.Authentication{Identity: session.Identity{Subject: "kari"}, ACR: "high"}, circle, epoch)
		require.NoError(t, err)
		return got
	}
	both := login(login(nil, ""), "x")
	other := login(nil, "")
	tests := map[string]func(*storage.Session){
		"of another circle":  func(s *storage.Session) { s.Circles[0].Identity = s.Circles[1].Identity },
		"of another session": func(s *storage.Session) { s.Circles[0].Identity = other.Circles[0].Identity },
		"of a grant":         func(s *storage.Session) { s.Circles[0].Identity = v.Seal(session.Identity{Subject: "kari"}, s.ID) },
		"renamed circle":     func(s *storage.Session) { s.Circles = s.Circles[1:]; s.Circles[0].Name = "" },
		"none":               func(s *storage.Session) { s.Circles[0].Identity = nil },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := *both
			s.Circles = slices.Clone(both.Circles)
			change(&s)
			_, err := k.Identity(&s, "")
			require.Error(t, err)
			next, err := k.LogIn(t.Context(), http.Header{}, &s, session.Authentication{Identity: session.Identity{Subject: "kari"}, ACR: "high", Time: epoch}, "x", epoch.Add(time.Minute))
			require.NoError(t, err)
			require.NotEqual(t, both.ID, next.ID, "a new session")
			require.Len(t, next.Circles, 1)
		})
	}
}
