package session_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

var rounds = slow.Rounds(500)

// TestParallelVisits: two requests at the same time record both clients.
func TestParallelVisits(t *testing.T) {
	t.Parallel()
	k, _ := testKeeper(t, newStore())
	for range rounds {
		b := &browser{T: t, keeper: k}
		b.login("kari", "high", "", epoch)
		var wg sync.WaitGroup
		for i := range 2 {
			s := b.current(epoch)
			wg.Go(func() {
				login := session.ClientLogin{ClientID: fmt.Sprint("client-", i), Open: true}
				if err := finish(t.Context(), k, s, login, epoch.Add(time.Second)); err != nil {
					t.Errorf("visit: %v", err)
				}
			})
		}
		wg.Wait()
		require.Len(t, b.current(epoch).Clients, 2)
	}
}

// TestParallelRotation: of several logins with one cookie, one continues the session. The others get new sessions, and the old
// cookie is invalid.
func TestParallelRotation(t *testing.T) {
	t.Parallel()
	for range rounds {
		st := newStore()
		k, ev := testKeeper(t, st)
		b := &browser{T: t, keeper: k}
		first := b.login("kari", "substantial", "", epoch)
		ev.words()
		const callers = 3
		got := make([]*storage.Session, callers)
		current := make([]*storage.Session, callers)
		for i := range callers {
			current[i] = b.current(epoch)
		}
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				s, err := k.LogIn(t.Context(), http.Header{}, current[i], session.Authentication{
					Identity: session.Identity{Subject: "kari"}, ACR: "high",
				}, "", epoch)
				if err != nil {
					t.Error(err)
					return
				}
				got[i] = s
			})
		}
		wg.Wait()
		carried := 0
		for _, s := range got {
			if s.ID == first.ID {
				carried++
			}
		}
		require.Equal(t, 1, carried)
		require.Equal(t, callers, st.size())
		require.Nil(t, b.current(epoch), "the old cookie is invalid")
	}
}

// TestRotationAgainstLogout: in every order, the old cookie is invalid afterwards, and a visit is applied to the session under its new cookie, or rejected.
func TestRotationAgainstLogout(t *testing.T) {
	t.Parallel()
	for range rounds {
		st := newStore()
		k, _ := testKeeper(t, st)
		b := &browser{T: t, keeper: k}
		s := b.login("kari", "substantial", "", epoch)
		one, two, three := *s, *s, *s
		var wg sync.WaitGroup
		wg.Go(func() {
			_, _ = k.LogIn(t.Context(), http.Header{}, &one, session.Authentication{
				Identity: session.Identity{Subject: "kari"}, ACR: "high",
			}, "", epoch)
		})
		wg.Go(func() { _, _ = k.End(t.Context(), http.Header{}, &two, epoch) })
		wg.Go(func() { _ = finish(t.Context(), k, &three, session.ClientLogin{ClientID: "a", Open: true}, epoch) })
		wg.Wait()
		require.Nil(t, b.current(epoch))
		require.Equal(t, 1, st.size(), "only the new session")
	}
}
