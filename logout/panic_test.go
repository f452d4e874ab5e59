package logout_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/logout"
	"github.com/portner-go/portner/session"
)

// badPages panic.
var badPages = logout.Pages{
	Confirm:   func(logout.ConfirmPage) portner.Reply { panic("canary") },
	LoggedOut: func(logout.LoggedOutPage) portner.Reply { panic("canary") },
	Cancelled: func(logout.CancelledPage) portner.Reply { panic("canary") },
	Error:     func(logout.ErrorPage) portner.Reply { panic("canary") },
}

// badClients panics, or returns nil or another client without an error.
type badClients struct{ client.Source }

func (b badClients) Client(ctx context.Context, id string) (*client.Client, error) {
	switch id {
	case "panics":
		panic("canary")
	case "nil":
		return nil, nil
	case "other":
		return b.Source.Client(ctx, "a")
	}
	return b.Source.Client(ctx, id)
}

// TestPanics: a panic of the host before the end of the session leads to an error page, and the user stays logged in.
func TestPanics(t *testing.T) {
	t.Parallel()
	isFault := func(a answer) {
		t.Helper()
		require.Contains(t, []int{500, 503}, a.code)
		require.Contains(t, a.body, "NOT logged out")
		require.NotContains(t, a.body, "canary")
	}
	b := newWorld(t, func(c *logout.Config) { c.Pages = badPages }).login("kari", "a")
	isFault(b.get("client_id", "a"))
	isFault(b.get("state", "\u00e6"))
	require.True(t, b.alive())
	require.Contains(t, strings.Join(b.events(), " "), "sys.fault")
	a := b.get("id_token_hint", b.idToken("a")) // the session ends before the page is rendered
	require.Equal(t, http.StatusInternalServerError, a.code)
	require.NotContains(t, a.body, "NOT logged out")
	require.Empty(t, b.cookie)
	require.False(t, b.alive())

	b = newWorld(t, func(c *logout.Config) { c.Clients = badClients{c.Clients} }).login("kari", "a")
	for _, id := range []string{"panics", "nil", "other"} {
		isFault(b.get("client_id", id))
		require.True(t, b.alive(), id)
	}

	b = newWorld(t, func(c *logout.Config) {
		c.Subject = func(*client.Client, *session.Identity, bool) (string, error) { panic("canary") }
	}).login("kari", "a")
	isFault(b.get("id_token_hint", b.sign("", map[string]any{"iss": issuer, "aud": "a", "sub": "x", "iat": b.now.Unix(), "exp": b.now.Unix()})))
	require.True(t, b.alive())
	r := httptest.NewRequest(http.MethodGet, endpoint, nil).WithContext(t.Context())
	require.Equal(t, http.StatusOK, b.do(r).code, "the endpoint still works")
}

// TestPanickingListener: a panic of OnEvent in a goroutine does not end the process.
func TestPanickingListener(t *testing.T) {
	t.Parallel()
	b := newWorld(t, func(c *logout.Config) {
		c.Backchannel = sendFunc(func(context.Context, string, string) error { return nil })
		c.OnEvent = func(context.Context, portner.Event) { panic("canary") }
	}).login("kari", "direct", "a")
	b.get("id_token_hint", b.idToken("a")).isLoggedOut()
	require.False(t, b.alive())
}

type sendFunc func(ctx context.Context, uri, token string) error

func (f sendFunc) Send(ctx context.Context, uri, token string) error { return f(ctx, uri, token) }
