package session_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// TestVirtualDay uses sessions until they are idle and until they expire, under a virtual clock.
func TestVirtualDay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k, _ := testKeeper(t, newStore())
		b := &browser{T: t, keeper: k}
		start := time.Now()
		at := func(d time.Duration) time.Time {
			time.Sleep(time.Until(start.Add(d)))
			return time.Now()
		}
		require.Equal(t, session.NoSession, b.visit("a", session.Request{}, at(0)))
		first := b.login("kari", "idporten-loa-substantial", "", time.Now())

		require.Equal(t, session.Reason(""), b.visit("a", session.Request{}, at(29*time.Minute)))
		require.Equal(t, first.Circles[0].AuthTime, b.current(time.Now()).Circles[0].AuthTime, "SSO does not change auth_time")
		require.Equal(t, session.Reason(""), b.visit("b", session.Request{}, at(58*time.Minute)))
		require.Equal(t, session.StepUp, b.visit("b", session.Request{Sufficient: isHigh}, at(80*time.Minute)))
		require.Equal(t, session.Reason(""), b.visit("b", session.Request{}, at(88*time.Minute-1)), "a request that was not answered does not extend the session")
		b.login("kari", "idporten-loa-high", "", at(110*time.Minute))
		require.Equal(t, session.Reason(""), b.visit("b", session.Request{Sufficient: isHigh}, at(119*time.Minute+59*time.Second)))
		require.Equal(t, session.NoSession, b.visit("b", session.Request{}, at(120*time.Minute)), "120 minutes after the first login, although in use")

		b.login("kari", "idporten-loa-substantial", "", time.Now())
		require.Equal(t, session.Reason(""), b.visit("a", session.Request{}, at(150*time.Minute-1)))
		require.Equal(t, session.NoSession, b.visit("a", session.Request{}, at(180*time.Minute-1)), "30 minutes without a request")
	})
}

// TestKeeperAppliesLimits: a record with a later ExpiresAt does not extend a session.
func TestKeeperAppliesLimits(t *testing.T) {
	t.Parallel()
	st := newStore()
	k, _ := testKeeper(t, st)
	b := &browser{T: t, keeper: k}
	s := b.login("kari", "high", "", epoch)
	late := *s
	late.ExpiresAt = epoch.Add(24 * time.Hour)
	_, err := st.ReplaceSession(t.Context(), s.Hash, withVersion(late, 0), 0, epoch)
	require.NoError(t, err)
	require.NotNil(t, b.current(epoch.Add(29*time.Minute)))
	require.Nil(t, b.current(epoch.Add(30*time.Minute)))
}

func withVersion(s storage.Session, v int64) storage.Session { s.Version = v; return s }

// TestIsolatedCircles: of three clients, "x" and "y" are isolated (docs/spec/idporten.md §14.4).
func TestIsolatedCircles(t *testing.T) {
	t.Parallel()
	k, ev := testKeeper(t, newStore())
	b := &browser{T: t, keeper: k}
	x := session.Request{Circle: k.CircleOf("x", true)}
	y := session.Request{Circle: k.CircleOf("y", true)}
	common := session.Request{Circle: k.CircleOf("a", false)}

	b.login("kari", "idporten-loa-high", "", epoch)
	require.Equal(t, session.Reason(""), b.visit("a", common, epoch))
	require.Equal(t, session.OtherCircle, b.visit("x", x, epoch), "first login needs authentication")
	old := b.value
	b.login("kari", "idporten-loa-substantial", "x", epoch.Add(20*time.Minute))
	require.NotEqual(t, old, b.value)
	require.Equal(t, session.Reason(""), b.visit("x", x, epoch.Add(20*time.Minute)))
	require.Equal(t, session.OtherCircle, b.visit("y", y, epoch.Add(20*time.Minute)))
	require.Equal(t, session.Reason(""), b.visit("a", common, epoch.Add(40*time.Minute)), "limits apply to all circles")

	s := b.current(epoch.Add(40 * time.Minute))
	require.Equal(t, "idporten-loa-high", s.Circles[0].ACR, "an isolated login changes no other circle")
	require.Equal(t, []string{"session.started/login", "session.rotated/further_circle"}, ev.words())

	ended, err := b.logout(epoch.Add(41 * time.Minute))
	require.NoError(t, err)
	require.Len(t, ended.Clients, 2)
	require.Equal(t, session.NoSession, b.visit("x", x, epoch.Add(41*time.Minute)), "logout is global")
	require.Equal(t, []string{"session.ended/logout"}, ev.words())
}

func TestIsolatedFirst(t *testing.T) {
	t.Parallel()
	k, _ := testKeeper(t, newStore())
	b := &browser{T: t, keeper: k}
	b.login("kari", "high", "x", epoch)
	require.Equal(t, session.OtherCircle, b.visit("a", session.Request{}, epoch), "an isolated login is not one for the common circle")
}

func TestStepUpRotates(t *testing.T) {
	t.Parallel()
	st := newStore()
	k, ev := testKeeper(t, st)
	b := &browser{T: t, keeper: k}
	first := b.login("kari", "idporten-loa-substantial", "", epoch)
	require.Equal(t, session.Reason(""), b.visit("a", session.Request{}, epoch))
	sid := k.SID(b.current(epoch), "a")
	old := b.value

	now := epoch.Add(10 * time.Minute)
	s := b.login("kari", "idporten-loa-high", "", now)
	require.Equal(t, first.ID, s.ID)
	require.Equal(t, first.StartedAt, s.StartedAt, "StartedAt does not change")
	require.Equal(t, "idporten-loa-high", s.Circles[0].ACR)
	require.Equal(t, now, s.Circles[0].AuthTime)
	require.Equal(t, sid, k.SID(s, "a"), "sid survives rotation")
	require.Equal(t, []string{"session.started/login", "session.rotated/other_level"}, ev.words())
	require.Equal(t, 1, st.size())

	stale := &browser{T: t, keeper: k, value: old}
	require.Nil(t, stale.current(now), "the old cookie is invalid")

	before := *b.current(now)
	given := before
	given.Circles = before.Circles[:1:1]
	_, err := k.LogIn(t.Context(), http.Header{}, &given, session.Authentication{Identity: session.Identity{Subject: "kari"}, ACR: "x"}, "", now)
	require.NoError(t, err)
	require.Equal(t, "idporten-loa-high", before.Circles[0].ACR, "the record of the caller is unchanged")
	b = &browser{T: t, keeper: k}
	ev.words()
	b.login("kari", "idporten-loa-high", "", now)

	s = b.login("kari", "idporten-loa-substantial", "", now.Add(time.Minute))
	require.Equal(t, "idporten-loa-substantial", s.Circles[0].ACR, "the level is that of the last login")
	b.login("kari", "idporten-loa-substantial", "", now.Add(2*time.Minute))
	require.Equal(t, []string{
		"session.started/login",
		"session.rotated/other_level", "session.rotated/reauthentication",
	}, ev.words())
}

// TestAnotherUser: a login of another user ends the session of the first before a new one starts.
func TestAnotherUser(t *testing.T) {
	t.Parallel()
	st := newStore()
	k, ev := testKeeper(t, st)
	b := &browser{T: t, keeper: k}
	b.login("kari", "high", "x", epoch)
	b.visit("x", session.Request{Circle: "x"}, epoch)
	old, kari := b.value, b.current(epoch)
	ev.words()

	var order []string
	st.before = func(verb string) error { order = append(order, verb); return nil }
	s := b.login("ola", "low", "", epoch.Add(time.Minute))
	st.before = nil
	require.Equal(t, []string{"Session", "ReplaceSession"}, order, "in one step")
	require.Equal(t, []string{"session.ended/other_user", "session.started/login"}, ev.words())
	require.NotEqual(t, kari.ID, s.ID)
	require.NotEqual(t, k.SID(kari, "x"), k.SID(s, "x"))
	require.Empty(t, s.Clients)
	require.Len(t, s.Circles, 1)
	require.Equal(t, 1, st.size())
	require.Nil(t, (&browser{T: t, keeper: k, value: old}).current(epoch))
	id, err := k.Identity(s, "")
	require.NoError(t, err)
	require.Equal(t, "ola", id.Subject)
}

// TestAnotherUserStoreFails: there is no new session if that of the other user cannot be ended.
func TestAnotherUserStoreFails(t *testing.T) {
	t.Parallel()
	st := newStore()
	k, _ := testKeeper(t, st)
	b := &browser{T: t, keeper: k}
	kari := b.login("kari", "high", "", epoch)
	boom := errors.New("down")
	st.before = func(verb string) error {
		if verb == "ReplaceSession" {
			return boom
		}
		return nil
	}
	response := http.Header{}
	_, err := k.LogIn(t.Context(), response, kari, session.Authentication{Identity: session.Identity{Subject: "ola"}}, "", epoch)
	require.ErrorIs(t, err, boom)
	require.Empty(t, response["Set-Cookie"])
	require.Equal(t, 1, st.size())
}

func TestMaxPerUser(t *testing.T) {
	t.Parallel()
	st := newStore()
	k, ev := testKeeper(t, st, func(c *session.Config) { c.MaxPerUser = 2 })
	var all []*browser
	for i := range 3 {
		b := &browser{T: t, keeper: k}
		b.login("kari", "high", "", epoch.Add(time.Duration(i)*time.Second))
		all = append(all, b)
	}
	other := &browser{T: t, keeper: k}
	other.login("ola", "high", "", epoch)
	now := epoch.Add(time.Minute)
	require.Nil(t, all[0].current(now), "the oldest ends")
	require.NotNil(t, all[1].current(now))
	require.NotNil(t, all[2].current(now))
	require.Contains(t, ev.words(), "session.ended/too_many")
}

func TestSIDs(t *testing.T) {
	t.Parallel()
	k, _ := testKeeper(t, newStore())
	one, two := &browser{T: t, keeper: k}, &browser{T: t, keeper: k}
	s1, s2 := one.login("kari", "high", "", epoch), two.login("kari", "high", "", epoch)
	require.Len(t, k.SID(s1, "a"), 43)
	require.NotEqual(t, k.SID(s1, "a"), k.SID(s1, "b"), "differs by client")
	require.NotEqual(t, k.SID(s1, "a"), k.SID(s2, "a"), "differs by session")
	want := k.SID(s1, "a")
	require.NoError(t, finish(t.Context(), k, s1, session.ClientLogin{ClientID: "a", Open: true}, epoch))
	require.Equal(t, want, s1.Clients[0].SID)
	require.Equal(t, want, k.SID(s1, "a"))
	s1.Clients[0].SID = "as recorded"
	require.Equal(t, "as recorded", k.SID(s1, "a"), "the recorded value is used")
}

// TestOpenLogins: a client is open as long as each of its logins was.
func TestOpenLogins(t *testing.T) {
	t.Parallel()
	k, _ := testKeeper(t, newStore())
	s := (&browser{T: t, keeper: k}).login("kari", "high", "", epoch)
	for _, open := range []bool{true, true, false, true} {
		before := s.Clients
		was := len(before) == 0 || before[0].Open
		require.NoError(t, finish(t.Context(), k, s, session.ClientLogin{ClientID: "a", Open: open}, epoch))
		require.Equal(t, was && open, s.Clients[0].Open)
		require.Equal(t, was, len(before) == 0 || before[0].Open, "the list that was loaded does not change")
	}
}

func TestVisitAfterTheEnd(t *testing.T) {
	t.Parallel()
	k, _ := testKeeper(t, newStore())
	b := &browser{T: t, keeper: k}
	s := b.login("kari", "high", "", epoch)
	_, err := b.logout(epoch)
	require.NoError(t, err)
	require.ErrorIs(t, finish(t.Context(), k, s, session.ClientLogin{ClientID: "a", Open: true}, epoch), storage.ErrRevoked)
	response := http.Header{}
	_, err = k.End(t.Context(), response, s, epoch)
	require.ErrorIs(t, err, storage.ErrNotFound, "a second logout")
	require.Len(t, response["Set-Cookie"], 1, "the cookie is cleared")
}

// TestClockJumpsBack: a request on a node whose clock is behind does not shorten the session.
func TestClockJumpsBack(t *testing.T) {
	t.Parallel()
	k, _ := testKeeper(t, newStore())
	b := &browser{T: t, keeper: k}
	b.login("kari", "high", "", epoch)
	s := b.current(epoch.Add(-5 * time.Second))
	require.NoError(t, finish(t.Context(), k, s, session.ClientLogin{ClientID: "a", Open: true}, epoch.Add(-5*time.Second)))
	require.Equal(t, epoch, s.LastRequestAt)
}

func TestAuthenticationTime(t *testing.T) {
	t.Parallel()
	k, _ := testKeeper(t, newStore())
	for name, tt := range map[string]struct{ given, want time.Time }{
		"zero":    {time.Time{}, epoch},
		"earlier": {epoch.Add(-time.Hour), epoch.Add(-time.Hour)},
		"future":  {epoch.Add(time.Hour), epoch},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := k.LogIn(t.Context(), http.Header{}, nil, session.Authentication{
				Identity: session.Identity{Subject: "u"}, Time: tt.given,
			}, "", epoch)
			require.NoError(t, err)
			require.Equal(t, tt.want, s.Circles[0].AuthTime)
			require.Equal(t, epoch, s.StartedAt)
		})
	}
	_, err := k.LogIn(t.Context(), http.Header{}, nil, session.Authentication{}, "", epoch)
	require.ErrorContains(t, err, "Identity.Subject")
}

// TestStoreFaults: an error of each verb is returned, and the cookie is unchanged.
func TestStoreFaults(t *testing.T) {
	t.Parallel()
	boom := errors.New("down")
	for _, verb := range []string{"Session", "ReplaceSession", "EndSession"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			st := newStore()
			k, _ := testKeeper(t, st)
			b := &browser{T: t, keeper: k}
			s := b.login("kari", "high", "", epoch)
			st.before = func(v string) error {
				if v == verb {
					return boom
				}
				return nil
			}
			response := http.Header{}
			var err error
			switch verb {
			case "Session":
				_, err = k.Current(t.Context(), b.request(), response, epoch)
			case "ReplaceSession":
				require.ErrorIs(t, k.CountRequest(t.Context(), s, epoch), boom)
				_, err = k.LogIn(t.Context(), response, s, session.Authentication{Identity: session.Identity{Subject: "kari"}}, "", epoch)
				require.ErrorIs(t, err, boom)
				_, err = k.LogIn(t.Context(), response, nil, session.Authentication{Identity: session.Identity{Subject: "kari"}}, "", epoch)
			case "EndSession":
				_, err = k.End(t.Context(), response, s, epoch)
			}
			require.ErrorIs(t, err, boom)
			require.Empty(t, response["Set-Cookie"])
			require.Equal(t, 1, st.size())
		})
	}
}

func TestIDCollision(t *testing.T) {
	t.Parallel()
	st := newStore()
	k, ev := testKeeper(t, st)
	left := 2
	st.before = func(string) error {
		if left--; left >= 0 {
			return storage.ErrConflict
		}
		return nil
	}
	a := session.Authentication{Identity: session.Identity{Subject: "u"}}
	_, err := k.LogIn(t.Context(), http.Header{}, nil, a, "", epoch)
	require.NoError(t, err)
	require.Equal(t, []string{"sys.id_collision/session", "sys.id_collision/session", "session.started/login"}, ev.words())
	left = 99
	_, err = k.LogIn(t.Context(), http.Header{}, nil, a, "", epoch)
	require.Error(t, err, "repeated collisions are an error")
}

// TestCountRequest: a request extends the idle time only. It revives no session that has ended, and does not replace a newer record.
func TestCountRequest(t *testing.T) {
	t.Parallel()
	k, _ := testKeeper(t, newStore())
	b := &browser{T: t, keeper: k}
	s := b.login("kari", "high", "", epoch)
	stale := *s
	require.NoError(t, k.CountRequest(t.Context(), s, epoch.Add(20*time.Minute)))
	after := b.current(epoch.Add(49 * time.Minute))
	require.NotNil(t, after)
	want := *s
	want.LastRequestAt, want.Version = epoch.Add(20*time.Minute), after.Version
	require.Equal(t, want, *after, "nothing else changes")

	require.NoError(t, finish(t.Context(), k, after, session.ClientLogin{ClientID: "a", Open: true}, epoch.Add(21*time.Minute)))
	require.NoError(t, k.CountRequest(t.Context(), &stale, epoch.Add(22*time.Minute)), "another request was faster")
	require.Len(t, b.current(epoch.Add(22*time.Minute)).Clients, 1)

	require.NoError(t, k.CountRequest(t.Context(), after, epoch.Add(-5*time.Second)), "a clock that runs behind")
	require.NotNil(t, b.current(epoch.Add(50*time.Minute)))

	_, err := b.logout(epoch.Add(30 * time.Minute))
	require.NoError(t, err)
	require.NoError(t, k.CountRequest(t.Context(), after, epoch.Add(31*time.Minute)))
	require.Nil(t, b.current(epoch.Add(31*time.Minute)))
}
