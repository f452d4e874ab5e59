package session_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// browser keeps the session cookie as a browser does, and checks every Set-Cookie it is sent
// (security row G8).
type browser struct {
	*testing.T
	keeper *session.Keeper
	value  string
}

func (b *browser) request() *http.Request {
	r := httptest.NewRequestWithContext(b.Context(), "GET", "https://op.example/authorize", nil)
	if b.value != "" {
		r.AddCookie(&http.Cookie{Name: session.DefaultCookieName, Value: b.value})
	}
	return r
}

func (b *browser) take(w *httptest.ResponseRecorder) {
	b.Helper()
	for _, c := range w.Result().Cookies() {
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
	w := httptest.NewRecorder()
	s, err := b.keeper.Current(b.Context(), b.request().Header, w.Header(), now)
	require.NoError(b, err)
	b.take(w)
	return s
}

// login authenticates the subject at the level, for the circle, in this browser.
func (b *browser) login(subject, acr, circle string, now time.Time) *storage.Session {
	b.Helper()
	w := httptest.NewRecorder()
	s, err := b.keeper.LogIn(b.Context(), w.Header(), b.current(now), session.Authentication{
		Identity: session.Identity{Subject: subject}, ACR: acr, AMR: []string{"BankID"},
	}, circle, now)
	require.NoError(b, err)
	b.take(w)
	require.Equal(b, storage.HashOf(b.value), s.Hash)
	return s
}

// visit is a whole authorization request: SSO if the rules allow it.
func (b *browser) visit(clientID string, req session.Request, now time.Time) session.Verdict {
	b.Helper()
	s := b.current(now)
	_, v := b.keeper.Decide(s, req, now)
	if v == session.Use {
		_, err := b.keeper.Touch(b.Context(), s, clientID, now)
		require.NoError(b, err)
	}
	return v
}

func (b *browser) logout(now time.Time) (storage.Session, error) {
	b.Helper()
	s := b.current(now)
	require.NotNil(b, s)
	w := httptest.NewRecorder()
	ended, err := b.keeper.End(b.Context(), w.Header(), s, now)
	b.take(w)
	return ended, err
}

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
			r := httptest.NewRequest("GET", "https://op.example/authorize?"+session.DefaultCookieName+"="+good, nil)
			r.Header.Set("Cookie", tt.header)
			w := httptest.NewRecorder()
			s, err := k.Current(t.Context(), r.Header, w.Header(), epoch)
			require.NoError(t, err)
			require.Equal(t, tt.found, s != nil)
			require.Equal(t, tt.event, ev.words())
			if tt.cleared {
				require.Equal(t, []string{session.DefaultCookieName + "=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"}, w.Header()["Set-Cookie"])
			} else {
				require.Empty(t, w.Header())
			}
		})
	}
}

// TestCookieOnePerResponse: a second change in one response takes the place of the first, and other
// cookies stay.
func TestCookieOnePerResponse(t *testing.T) {
	t.Parallel()
	k, _ := testKeeper(t, newStore(), func(c *session.Config) { c.AllowCrossSiteCookie = true })
	w := httptest.NewRecorder()
	w.Header().Add("Set-Cookie", "lang=nb")
	w.Header().Add("Set-Cookie", session.DefaultCookieName+"-other=1")
	s, err := k.LogIn(t.Context(), w.Header(), nil, session.Authentication{Identity: session.Identity{Subject: "u"}}, "", epoch)
	require.NoError(t, err)
	_, err = k.End(t.Context(), w.Header(), s, epoch)
	require.NoError(t, err)
	require.Equal(t, []string{
		"lang=nb", session.DefaultCookieName + "-other=1",
		session.DefaultCookieName + "=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=None",
	}, w.Header()["Set-Cookie"])
}

func TestNewReportsAllProblems(t *testing.T) {
	t.Parallel()
	_, err := session.New(session.Config{MaxPerPerson: -1, CookieName: "__Secure-s", Rules: session.Rules{Limits: session.Limits{Idle: -1}}})
	for _, field := range []string{"Store", "Vault", "MaxPerPerson", "CookieName", "Limits"} {
		require.ErrorContains(t, err, "Config."+map[bool]string{true: "Rules.", false: ""}[field == "Limits"]+field)
	}
	_, err = session.New(session.Config{Store: newStore(), Vault: testVault(t), CookieName: "__Host-a b"})
	require.ErrorContains(t, err, "CookieName")
}
