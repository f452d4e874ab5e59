package demo

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// provider answers every request of a service without a network. It calls seen first.
type provider struct{ seen func() }

const issuer = "https://op.example.no"

func (p provider) RoundTrip(r *http.Request) (*http.Response, error) {
	p.seen()
	body, err := json.Marshal(map[string]string{
		"issuer": issuer, "authorization_endpoint": issuer + "/authorize", "token_endpoint": issuer + "/token", "jwks_uri": issuer + "/jwks",
		"access_token": "access-2", "refresh_token": "refresh-2", "token_type": "Bearer",
	})
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(string(body))), Request: r}, err
}

// open returns a service with one story, and its pages.
func open(p provider) (*Service, http.Handler) {
	s := NewService(ServiceConfig{
		Base: "https://app.example.no", Issuer: issuer, API: "https://api.example.no", ClientID: "app", Secret: "of the app", Stories: []Story{{Name: "login", Scopes: []string{"openid"}}},
		HTTP: &http.Client{Transport: p}, Log: slog.New(slog.DiscardHandler),
	})
	return s, s.Handler(http.NotFoundHandler())
}

func post(h http.Handler, path, cookie string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(url.Values{"story": {"login"}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.AddCookie(&http.Cookie{Name: "app-session", Value: cookie})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// The number of pending logins is bounded. A login beyond it is rejected, and no other one is lost. Expired ones make room.
func TestPendingLoginsAreBounded(t *testing.T) {
	t.Parallel()
	s, h := open(provider{func() {}})
	now := time.Now()
	for i := range maxPending {
		require.True(t, s.remember(strconv.Itoa(i), pendingLogin{at: now}))
	}
	w := post(h, "/login", "")
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Contains(t, w.Body.String(), "For mange innlogginger")
	require.Empty(t, w.Header().Get("Set-Cookie"))
	require.Len(t, s.pending, maxPending)

	p := s.pending["0"]
	p.at = now.Add(-pendingLife - time.Second)
	s.pending["0"] = p
	require.Equal(t, http.StatusSeeOther, post(h, "/login", "").Code)
	require.Len(t, s.pending, maxPending)
	require.NotContains(t, s.pending, "0")
}

// A pending login that has expired cannot be completed.
func TestPendingLoginExpires(t *testing.T) {
	t.Parallel()
	for _, age := range []time.Duration{0, pendingLife + time.Second} {
		s, h := open(provider{func() {}})
		require.True(t, s.remember("state", pendingLogin{browser: "b", at: time.Now().Add(-age)}))
		r := httptest.NewRequest(http.MethodGet, "/callback?state=state&error=access_denied&iss="+url.QueryEscape(issuer), nil)
		r.AddCookie(&http.Cookie{Name: "app-session-login", Value: "b"})
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		want := http.StatusOK
		if age > 0 {
			want = http.StatusBadRequest
		}
		require.Equal(t, want, w.Code, age)
	}
}

// No lock is held while the service waits for another server: discovery, an API, a refresh.
func TestNoLockDuringRequests(t *testing.T) {
	t.Parallel()
	free := 0
	var s *Service
	l := &local{token: &oauth2.Token{AccessToken: "access-1", RefreshToken: "refresh-1"}}
	s, h := open(provider{func() {
		require.True(t, s.mu.TryLock(), "the service is locked")
		s.mu.Unlock()
		require.True(t, l.mu.TryLock(), "the session is locked")
		l.mu.Unlock()
		free++
	}})
	s.sessions["s"] = l
	require.Equal(t, http.StatusSeeOther, post(h, "/login", "s").Code)
	require.Equal(t, http.StatusSeeOther, post(h, "/api", "s").Code)
	require.Equal(t, http.StatusSeeOther, post(h, "/refresh", "s").Code)
	require.Equal(t, 3, free)
	require.Equal(t, "refresh-2", l.token.RefreshToken)
	require.Equal(t, 1, l.refreshed)

	l.renewing = true
	require.Equal(t, http.StatusSeeOther, post(h, "/refresh", "s").Code)
	require.Equal(t, 3, free, "a refresh token is used once")
}

// TestInstantsAreReadable: seconds since 1970 are shown with the time of day, other numbers without.
func TestInstantsAreReadable(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 2, 8, 30, 15, 0, time.Local)
	got := list(map[string]any{"exp": float64(at.Unix()), "size": float64(7)})
	require.Equal(t, []claim{{"exp", strconv.FormatInt(at.Unix(), 10) + " (kl. 08:30:15)"}, {"size", "7"}}, got)
}
