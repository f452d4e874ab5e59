package session_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
)

var _ session.Store = (*memory.Store)(nil)

// TestWithMemoryStore uses a real store: SSO, step-up, an isolated client, another user, logout.
func TestWithMemoryStore(t *testing.T) {
	t.Parallel()
	k, ev := testKeeper(t, memory.New())
	b := &browser{T: t, keeper: k}
	b.login("kari", "idporten-loa-substantial", "", epoch)
	require.Equal(t, session.Reason(""), b.visit("a", session.Request{}, epoch.Add(29*time.Minute)))
	require.Equal(t, session.StepUp, b.visit("b", session.Request{Sufficient: isHigh}, epoch.Add(30*time.Minute)))
	b.login("kari", "idporten-loa-high", "", epoch.Add(30*time.Minute))
	require.Equal(t, session.Reason(""), b.visit("b", session.Request{Sufficient: isHigh}, epoch.Add(30*time.Minute)))
	b.login("kari", "idporten-loa-high", "x", epoch.Add(31*time.Minute))
	require.Equal(t, session.Reason(""), b.visit("x", session.Request{Circle: "x"}, epoch.Add(31*time.Minute)))
	s := b.current(epoch.Add(31 * time.Minute))
	require.Len(t, s.Clients, 3)
	id, err := k.Identity(s, "")
	require.NoError(t, err)
	require.Equal(t, "kari", id.Subject)
	b.login("ola", "idporten-loa-high", "", epoch.Add(32*time.Minute))
	ended, err := b.logout(epoch.Add(33 * time.Minute))
	require.NoError(t, err)
	require.Empty(t, ended.Clients)
	require.Equal(t, []string{
		"session.started/login", "session.rotated/other_level", "session.rotated/further_circle",
		"session.ended/other_user", "session.started/login", "session.ended/logout",
	}, ev.words())
}

// TestMemoryStoreRotationRace: of two logins and a request at the same time, one login continues the session.
func TestMemoryStoreRotationRace(t *testing.T) {
	t.Parallel()
	k, _ := testKeeper(t, memory.New())
	for i := range rounds {
		who := fmt.Sprint("person ", i)
		b := &browser{T: t, keeper: k}
		first := b.login(who, "substantial", "", epoch)
		one, two, three := b.current(epoch), b.current(epoch), b.current(epoch)
		var ids [2]string
		var wg sync.WaitGroup
		for i, s := range []*storage.Session{one, two} {
			wg.Go(func() {
				got, err := k.LogIn(t.Context(), http.Header{}, s, session.Authentication{
					Identity: session.Identity{Subject: who}, ACR: "high",
				}, "", epoch)
				if err != nil {
					t.Error(err)
					return
				}
				ids[i] = got.ID
			})
		}
		wg.Go(func() { _ = finish(t.Context(), k, three, session.ClientLogin{ClientID: "a", Open: true}, epoch) })
		wg.Wait()
		require.True(t, (ids[0] == first.ID) != (ids[1] == first.ID), "exactly one continues the session")
		require.Nil(t, b.current(epoch))
	}
}

func BenchmarkCurrentAndVisit(b *testing.B) {
	b.ReportAllocs()
	k, _ := testKeeper(b, memory.New())
	response := http.Header{}
	_, err := k.LogIn(b.Context(), response, nil, session.Authentication{Identity: session.Identity{Subject: "kari"}, ACR: "high", AMR: []string{"BankID"}}, "", epoch)
	require.NoError(b, err)
	cookie, _, _ := strings.Cut(response.Get("Set-Cookie"), ";")
	request := http.Header{"Cookie": {cookie}}
	for b.Loop() {
		s, err := k.Current(b.Context(), request, response, epoch)
		if err != nil || s == nil {
			b.Fatal(err)
		}
		if err := finish(b.Context(), k, s, session.ClientLogin{ClientID: "a", Open: true}, epoch); err != nil {
			b.Fatal(err)
		}
	}
}
