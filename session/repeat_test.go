package session_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// A login with a key that is repeated makes one session, whether or not the browser received the response.
func TestRepeatedLogin(t *testing.T) {
	t.Parallel()
	st := newStore()
	k, _ := testKeeper(t, st)
	logIn := func(current *storage.Session, subject, key, acr string) (*storage.Session, string) {
		t.Helper()
		response := http.Header{}
		s, err := k.LogIn(t.Context(), response, current, session.Authentication{
			Identity: session.Identity{Subject: subject}, ACR: acr, Key: key,
		}, "", epoch)
		require.NoError(t, err)
		return s, response.Get("Set-Cookie")
	}
	first, cookie := logIn(nil, "kari", "request", "low")
	second, again := logIn(nil, "kari", "request", "low")
	require.Equal(t, first.ID, second.ID)
	require.Equal(t, cookie, again)
	require.Equal(t, 1, st.size())

	_, other := logIn(nil, "ola", "request", "low")
	require.NotEqual(t, cookie, other, "another user")
	_, other = logIn(nil, "kari", "another request", "low")
	require.NotEqual(t, cookie, other, "another key")
	higher, other := logIn(nil, "kari", "request", "high")
	require.NotEqual(t, cookie, other, "another level")
	require.Equal(t, "high", higher.Circles[0].ACR)
	_, one := logIn(nil, "kari", "", "low")
	_, two := logIn(nil, "kari", "", "low")
	require.NotEqual(t, one, two, "no key")

	size := st.size()
	stepped, cookie := logIn(first, "kari", "step up", "high")
	require.Equal(t, first.ID, stepped.ID)
	lost, again := logIn(nil, "kari", "step up", "high") // the browser presents the cookie that is not valid any more
	require.Equal(t, first.ID, lost.ID)
	require.Equal(t, cookie, again)
	require.Equal(t, "high", lost.Circles[0].ACR)
	late, again := logIn(first, "kari", "step up", "high") // both forms were posted before the first response
	require.Equal(t, first.ID, late.ID)
	require.Equal(t, cookie, again)
	require.Equal(t, size, st.size())

	_, err := k.End(t.Context(), http.Header{}, stepped, epoch.Add(time.Second))
	require.NoError(t, err)
	fresh, _ := logIn(nil, "kari", "step up", "high")
	require.NotEqual(t, first.ID, fresh.ID, "after logout")
}
