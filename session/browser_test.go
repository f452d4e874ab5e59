package session_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// browser keeps the session cookie as a browser does, and checks the attributes of every Set-Cookie.
type browser struct {
	*testing.T
	keeper *session.Keeper
	value  string
}

// request returns the header of a request.
func (b *browser) request() http.Header {
	h := http.Header{}
	if b.value != "" {
		h.Set("Cookie", session.DefaultCookieName+"="+b.value)
	}
	return h
}

// take stores the cookies of a response.
func (b *browser) take(response http.Header) {
	b.Helper()
	for _, c := range (&http.Response{Header: response}).Cookies() {
		require.Equal(b, session.DefaultCookieName, c.Name)
		require.True(b, c.Secure && c.HttpOnly && c.Path == "/" && c.Domain == "" && c.SameSite == http.SameSiteLaxMode, c.Raw)
		require.Zero(b, c.Expires)
		require.Less(b, len(c.Raw), 200)
		if c.MaxAge < 0 {
			require.Empty(b, c.Value)
		} else {
			require.Zero(b, c.MaxAge, "the cookie ends with the browser")
			require.Len(b, c.Value, 43)
			require.NotEqual(b, b.value, c.Value, "rotated")
		}
		b.value = c.Value
	}
}

func (b *browser) current(now time.Time) *storage.Session {
	b.Helper()
	response := http.Header{}
	s, err := b.keeper.Current(b.Context(), b.request(), response, now)
	require.NoError(b, err)
	b.take(response)
	return s
}

// presented returns the session that the cookie names, also one that has reached its limits.
func (b *browser) presented(now time.Time) *storage.Session {
	b.Helper()
	response := http.Header{}
	s, err := b.keeper.Presented(b.Context(), b.request(), response, now)
	require.NoError(b, err)
	b.take(response)
	return s
}

// login logs in the subject with a level, for a circle.
func (b *browser) login(subject, acr, circle string, now time.Time) *storage.Session {
	b.Helper()
	response := http.Header{}
	s, err := b.keeper.LogIn(b.Context(), response, b.presented(now), session.Authentication{
		Identity: session.Identity{Subject: subject}, ACR: acr, AMR: []string{"BankID"},
	}, circle, now)
	require.NoError(b, err)
	b.take(response)
	require.Equal(b, storage.HashOf(b.value), s.Hash)
	return s
}

// visit is a whole authorization request, answered from the session if the rules allow it. It returns the reason to show a
// login page, or "".
func (b *browser) visit(clientID string, req session.Request, now time.Time) session.Reason {
	b.Helper()
	s := b.current(now)
	auth, reason := b.keeper.Decide(s, req, now)
	require.Equal(b, auth != nil, reason == "")
	if auth != nil {
		require.NoError(b, finish(b.Context(), b.keeper, s, session.ClientLogin{ClientID: clientID, Open: true}, now))
	}
	return reason
}

func (b *browser) logout(now time.Time) (storage.Session, error) {
	b.Helper()
	s := b.current(now)
	require.NotNil(b, s)
	response := http.Header{}
	ended, err := b.keeper.End(b.Context(), response, s, now)
	b.take(response)
	return ended, err
}

// TestCookieNeverAdopted: a cookie value that the provider did not generate never becomes a session.
func TestCookieNeverAdopted(t *testing.T) {
	t.Parallel()
	st := newStore()
	k, ev := testKeeper(t, st)
	b := &browser{T: t, keeper: k}
	b.login("kari", "high", "", epoch)
	good := b.value
	ev.words()
	tests := []struct {
		name, header string
		found        bool
		event        []string
		cleared      bool
	}{
		{"ours", session.DefaultCookieName + "=" + good, true, nil, false},
		{"among others", "a=b; " + session.DefaultCookieName + "=" + good + "; c=d", true, nil, false},
		{"none", "a=b", false, nil, false},
		{"empty", session.DefaultCookieName + "=", false, nil, false},
		{"preset", session.DefaultCookieName + "=" + strings.Repeat("A", 43), false, nil, false},
		{"too short", session.DefaultCookieName + "=" + good[:42], false, nil, false},
		{"too long", session.DefaultCookieName + "=" + good + "A", false, nil, false},
		{"quoted", session.DefaultCookieName + `="` + good + `"`, false, nil, false},
		{"giant", session.DefaultCookieName + "=" + strings.Repeat("A", 9000), false, nil, false},
		{"without the prefix", "portner-session=" + good, false, nil, false},
		{"other case", strings.ToLower(session.DefaultCookieName) + "=" + good, false, nil, false},
		{
			"twice", session.DefaultCookieName + "=" + good + "; " + session.DefaultCookieName + "=" + strings.Repeat("A", 43),
			false,
			[]string{"sec.cookie_dup/cleared"},
			true,
		},
		{
			"twice the same", session.DefaultCookieName + "=" + good + "; " + session.DefaultCookieName + "=" + good,
			false,
			[]string{"sec.cookie_dup/cleared"},
			true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response := http.Header{}
			s, err := k.Current(t.Context(), http.Header{"Cookie": {tt.header}}, response, epoch)
			require.NoError(t, err)
			require.Equal(t, tt.found, s != nil)
			require.Equal(t, tt.event, ev.words())
			if tt.cleared {
				require.Equal(t, []string{session.DefaultCookieName + "=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"}, response["Set-Cookie"])
			} else {
				require.Empty(t, response)
			}
		})
	}
}

// TestCookieOnePerResponse: a second change in one response replaces the first, and other cookies are kept.
func TestCookieOnePerResponse(t *testing.T) {
	t.Parallel()
	k, _ := testKeeper(t, newStore(), func(c *session.Config) { c.AllowCrossSiteCookie = true })
	response := http.Header{"Set-Cookie": {"lang=nb", session.DefaultCookieName + "-other=1"}}
	s, err := k.LogIn(t.Context(), response, nil, session.Authentication{Identity: session.Identity{Subject: "u"}}, "", epoch)
	require.NoError(t, err)
	_, err = k.End(t.Context(), response, s, epoch)
	require.NoError(t, err)
	require.Equal(t, []string{
		"lang=nb", session.DefaultCookieName + "-other=1",
		session.DefaultCookieName + "=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=None",
	}, response["Set-Cookie"])
}

// TestCookieAttributes: https has a Secure cookie with the prefix __Host-, plain http on loopback neither, and each port and path has a
// name of its own.
func TestCookieAttributes(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"": "__Host-portner-session", "https://login.example.no": "__Host-portner-session", "https://login.example.no/a": "__Host-portner-session.a",
		"https://login.example.no:8443": "__Host-portner-session-8443", "http://localhost:8080": "portner-session-8080", "http://127.0.0.1/b": "portner-session.b",
	} {
		k, _ := testKeeper(t, newStore(), func(c *session.Config) { c.URL = base })
		response := http.Header{}
		s, err := k.LogIn(t.Context(), response, nil, session.Authentication{Identity: session.Identity{Subject: "u"}}, "", epoch)
		require.NoError(t, err)
		c := (&http.Response{Header: response}).Cookies()[0]
		require.Equal(t, want, c.Name, base)
		require.True(t, c.HttpOnly && c.Path == "/" && c.Domain == "" && c.SameSite == http.SameSiteLaxMode, c.Raw)
		require.Equal(t, !strings.HasPrefix(base, "http:"), c.Secure, c.Raw)
		request := http.Header{"Cookie": {c.Name + "=" + c.Value}}
		found, err := k.Current(t.Context(), request, http.Header{}, epoch)
		require.NoError(t, err)
		require.Equal(t, s.ID, found.ID)
		for _, other := range []string{"https://login.example.no/other", "http://localhost:1"} {
			k, _ := testKeeper(t, newStore(), func(c *session.Config) { c.URL = other })
			require.False(t, k.HasCookie(request), "the cookie of another provider on the host")
		}
	}
}

// TestRemember: the cookie of a login with Remember outlives the browser, until the session reaches Limits.Max. Another login decides
// anew, and no login prolongs the session.
func TestRemember(t *testing.T) {
	t.Parallel()
	const month = 30 * 24 * time.Hour
	k, _ := testKeeper(t, newStore(), func(c *session.Config) { c.Rules.Limits = session.Limits{Max: month, Idle: month} })
	login := func(current *storage.Session, remember bool, now time.Time) (*storage.Session, *http.Cookie) {
		response := http.Header{}
		s, err := k.LogIn(t.Context(), response, current, session.Authentication{Identity: session.Identity{Subject: "u"}, Remember: remember}, "", now)
		require.NoError(t, err)
		return s, (&http.Response{Header: response}).Cookies()[0]
	}
	s, c := login(nil, true, epoch)
	require.Equal(t, int(month/time.Second), c.MaxAge)
	request := http.Header{"Cookie": {c.Name + "=" + c.Value}}
	for after, live := range map[time.Duration]bool{month - time.Second: true, month: false} {
		found, err := k.Current(t.Context(), request, http.Header{}, epoch.Add(after))
		require.NoError(t, err)
		require.Equal(t, live, found != nil, "%s", after)
	}
	s, c = login(s, true, epoch.Add(month-time.Hour))
	require.Equal(t, 3600, c.MaxAge, "the session ends as before")
	_, c = login(s, false, epoch.Add(month-time.Hour))
	require.Zero(t, c.MaxAge)
}

// TestNew breaks each field, then all of them.
func TestNew(t *testing.T) {
	t.Parallel()
	valid := session.Config{Store: newStore(), Vault: testVault(t)}
	_, err := session.New(valid)
	require.NoError(t, err)
	broken := map[string]func(*session.Config){
		"Store":             func(c *session.Config) { c.Store = nil },
		"Vault":             func(c *session.Config) { c.Vault = nil },
		"MaxPerUser":        func(c *session.Config) { c.MaxPerUser = -1 },
		"URL":               func(c *session.Config) { c.URL = "http://login.example.no" },
		"Rules.Limits.Max":  func(c *session.Config) { c.Rules.Limits.Max = -1 },
		"Rules.Limits.Idle": func(c *session.Config) { c.Rules.Limits.Idle = -1 },
	}
	all := valid
	for field, damage := range broken {
		cfg := valid
		damage(&cfg)
		damage(&all)
		_, err := session.New(cfg)
		require.Equal(t, []string{field}, fieldsOf(err))
	}
	for perUser, want := range map[int][]string{1000: nil, 1001: {"MaxPerUser"}} {
		cfg := valid
		cfg.MaxPerUser = perUser
		_, err = session.New(cfg)
		require.Equal(t, want, fieldsOf(err))
	}
	_, err = session.New(all)
	require.ElementsMatch(t, slices.Collect(maps.Keys(broken)), fieldsOf(err))
	_, err = session.New(session.Config{Store: newStore(), Vault: testVault(t), URL: "http://localhost", AllowCrossSiteCookie: true})
	require.Equal(t, []string{"AllowCrossSiteCookie"}, fieldsOf(err), "browsers drop SameSite=None without Secure")
}

func fieldsOf(err error) (names []string) {
	for _, e := range portner.FieldErrors(err) {
		names = append(names, e.Field)
	}
	return names
}
