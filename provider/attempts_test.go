package provider_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
)

// TestFailuresAreCountedByAddress verifies that wrong secrets are limited by client and address, with equal responses at every endpoint
// that authenticates clients, and that the right secret is not (docs/threat-model.md E13).
func TestFailuresAreCountedByAddress(t *testing.T) {
	t.Parallel()
	op := optest.New(t, optest.Options{})
	call := func(path, addr, secret string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(url.Values{"token": {"x"}, "grant_type": {"x"}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.RemoteAddr = addr
		r.SetBasicAuth("tjeneste", url.QueryEscape(secret))
		w := httptest.NewRecorder()
		op.ServeHTTP(w, r)
		return w
	}
	for range 10 {
		require.Equal(t, http.StatusUnauthorized, call("/tokeninfo", "192.0.2.1:1", "wrong").Code)
	}
	for _, path := range []string{"/token", "/par", "/tokeninfo", "/revoke"} {
		w := call(path, "192.0.2.1:2", "wrong")
		require.Equal(t, http.StatusTooManyRequests, w.Code, path)
		require.NotEmpty(t, w.Header().Get("Retry-After"), path)
		require.Equal(t, http.StatusUnauthorized, call(path, "192.0.2.2:1", "wrong").Code, path)
		for _, addr := range []string{"192.0.2.1:3", "192.0.2.2:3"} {
			require.NotContains(t, []int{http.StatusTooManyRequests, http.StatusUnauthorized}, call(path, addr, optest.Secret).Code, path)
		}
	}
}

// limiter allows every attempt and records the arguments of Wait.
type limiter struct{ waits []string }

func (l *limiter) Wait(_ context.Context, clientID, addr string, _ time.Time) time.Duration {
	l.waits = append(l.waits, clientID+" "+addr)
	return 0
}
func (*limiter) Failed(context.Context, string, string, time.Time) {}

func TestOwnAttemptLimiter(t *testing.T) {
	t.Parallel()
	l := &limiter{}
	op := optest.New(t, optest.Options{Change: func(c *provider.Config) { c.Attempts = l }})
	op.Introspect(t, "owner", "x")
	require.Equal(t, []string{"owner 192.0.2.1:1234"}, l.waits)
}
