package provider_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/logout"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/session"
)

// receivers stand for the clients that receive logout tokens.
type receivers struct {
	mu     sync.Mutex
	tokens []map[string]any
	events []string
	decode func(token string) map[string]any
	do     func(ctx context.Context, clientID string) error // what a client does; nil to accept
}

func (r *receivers) Send(ctx context.Context, _, token string) error {
	claims := r.decode(token)
	r.mu.Lock()
	r.tokens = append(r.tokens, claims)
	r.mu.Unlock()
	if r.do == nil {
		return nil
	}
	return r.do(ctx, claims["aud"].(string))
}

func (r *receivers) event(_ context.Context, e portner.Event) {
	switch e.Name {
	case portner.EventBackchannel, portner.EventSessionEnded, portner.EventFault:
		r.mu.Lock()
		defer r.mu.Unlock()
		r.events = append(r.events, fmt.Sprint(e.Name, "/", e.Reason, "/", e.ClientID))
	}
}

// received returns the events, sorted, and the tokens since the last call.
func (r *receivers) received() (events []string, tokens []map[string]any) {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	events, tokens = r.events, r.tokens
	r.events, r.tokens = nil, nil
	slices.Sort(events)
	return events, tokens
}

// endedBed is a provider with two clients of the back channel, back and back-too, one of them isolated.
func endedBed(t *testing.T, change func(*provider.Config)) (*optest.OP, *receivers) {
	t.Helper()
	r := &receivers{decode: func(token string) map[string]any { return payload(t, token) }}
	var clients []client.Client
	for _, id := range []string{"back", "back-too"} {
		c := optest.Clients(t)[0]
		c.ClientID, c.RedirectURIs, c.FrontchannelLogoutURI, c.FrontchannelLogoutSessionRequired = id, []string{optest.RedirectURI(id)}, "", false
		c.Scopes = []string{"openid", "profile"}
		c.BackchannelLogoutURI, c.BackchannelLogoutSessionRequired, c.SSODisabled = optest.RedirectURI(id)+"/logout", true, id == "back-too"
		clients = append(clients, c)
	}
	return optest.New(t, optest.Options{Clients: clients, Change: func(c *provider.Config) {
		c.Backchannel, c.OnEvent = r, r.event
		if change != nil {
			change(c)
		}
	}}), r
}

// logIn logs a user in at a client, and returns the id_token.
func logIn(t *testing.T, op *optest.OP, b *optest.Browser, clientID, user string, params ...string) map[string]any {
	t.Helper()
	r := op.Request(clientID, "openid profile", params...)
	p := b.Get(t, r.URL())
	if p.Step() != "" {
		p = b.Post(t, p, url.Values{"user": {user}})
	}
	return payload(t, op.Exchange(t, r, p.Code(t)).String("id_token"))
}

// TestAnotherUserLogsIn: the clients of the session that the login of another user ends receive a logout token for their own session.
func TestAnotherUserLogsIn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		op, r := endedBed(t, nil)
		b := op.Browser()
		want := map[any]map[string]any{}
		for _, id := range []string{"back", "back-too", "tjeneste"} { // tjeneste has a frontchannel_logout_uri only
			want[id] = logIn(t, op, b, id, "kari")
		}
		events, _ := r.received()
		require.Empty(t, events)

		before := time.Now()
		logIn(t, op, b, "back", "ola", "prompt", "login")
		events, tokens := r.received()
		require.Equal(t, []string{
			"logout.backchannel/accepted/back", "logout.backchannel/accepted/back-too", "session.ended/other_user/",
		}, events)
		require.Len(t, tokens, 2)
		for _, token := range tokens {
			login := want[token["aud"]]
			require.Equal(t, []any{login["sid"], login["sub"]}, []any{token["sid"], token["sub"]}, "kari's session at %s", token["aud"])
			require.Equal(t, float64(before.Unix()), token["iat"])
		}
		logIn(t, op, b, "back-too", "ola")
		events, _ = r.received()
		require.Empty(t, events, "the session of the same user continues")
	})
}

// TestTooManySessions: the clients of the session that ends because the user has too many receive a logout token.
func TestTooManySessions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		op, r := endedBed(t, func(c *provider.Config) { c.MaxSessionsPerUser = 2 })
		first := logIn(t, op, op.Browser(), "back", "kari")
		time.Sleep(time.Second)
		logIn(t, op, op.Browser(), "back", "kari")
		time.Sleep(time.Second)
		events, _ := r.received()
		require.Empty(t, events)
		logIn(t, op, op.Browser(), "back", "kari")
		events, tokens := r.received()
		require.Equal(t, []string{"logout.backchannel/accepted/back", "session.ended/too_many/"}, events)
		require.Equal(t, first["sid"], tokens[0]["sid"])
	})
}

// TestLoginDoesNotWaitForClients: a client that is slow, rejects, or whose sender panics, delays no login, and its outcome is logged.
func TestLoginDoesNotWaitForClients(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		do   func(ctx context.Context, clientID string) error
		want string
	}{
		"slow":     {func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }, "timeout"},
		"rejects":  {func(context.Context, string) error { return logout.ErrRejected }, "rejected"},
		"panics":   {func(context.Context, string) error { panic("21879498012") }, "failed"},
		"accepts":  {nil, "accepted"},
		"internal": {func(context.Context, string) error { return logout.ErrAddress }, "address_not_allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				op, r := endedBed(t, nil)
				r.do = tt.do
				b := op.Browser()
				logIn(t, op, b, "back", "kari")
				start := time.Now()
				require.Equal(t, "45840375084", logIn(t, op, b, "back", "ola", "prompt", "login")["pid"])
				require.Zero(t, time.Since(start), "the login does not wait")
				time.Sleep(6 * time.Second)
				events, _ := r.received()
				require.Equal(t, []string{"logout.backchannel/" + tt.want + "/back", "session.ended/other_user/"}, events)
			})
		})
	}
}

// failingClients panics in place of a client that a notification looks up.
type failingClients struct {
	client.Source
	mu   sync.Mutex
	fail bool
}

func (f *failingClients) Client(ctx context.Context, id string) (*client.Client, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail && id == "back-too" {
		panic("21879498012")
	}
	return f.Source.Client(ctx, id)
}

// TestPanicInTheBackground: a panic of the host's code in a notification ends neither the process nor the login, and is logged.
func TestPanicInTheBackground(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		clients := &failingClients{}
		op, r := endedBed(t, func(c *provider.Config) {
			clients.Source = c.Clients
			c.Clients = clients
		})
		b := op.Browser()
		logIn(t, op, b, "back", "kari")
		logIn(t, op, b, "back-too", "kari")
		clients.mu.Lock()
		clients.fail = true
		clients.mu.Unlock()
		logIn(t, op, b, "back", "ola", "prompt", "login")
		events, tokens := r.received()
		require.Equal(t, []string{"logout.backchannel/accepted/back", "session.ended/other_user/", "sys.fault//"}, events)
		require.Len(t, tokens, 1, "the other client is notified")
	})
}

// TestNotificationsAreBounded: a sender that does not return holds a bounded number of notifications, and no login. The clients of
// further sessions are logged.
func TestNotificationsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const bound = 64
		op, r := endedBed(t, func(c *provider.Config) { c.MaxSessionsPerUser = 1000 })
		release := make(chan struct{})
		r.do = func(context.Context, string) error { <-release; return nil }
		b, users := op.Browser(), [2]string{"kari", "ola"}
		logIn(t, op, b, "back", users[1])
		for i := range bound + 3 {
			logIn(t, op, b, "back", users[i%2], "prompt", "login")
		}
		events, tokens := r.received()
		require.Len(t, tokens, bound)
		require.Equal(t, slices.Repeat([]string{"logout.backchannel/notifications_full/back"}, 3), events[:3])
		require.Equal(t, slices.Repeat([]string{"session.ended/other_user/"}, bound+3), events[3:])
		logIn(t, op, b, "back-too", users[(bound+2)%2])
		logIn(t, op, b, "back", users[(bound+3)%2], "prompt", "login")
		events, tokens = r.received()
		require.Len(t, tokens, 1, "the client that does not answer leaves slots to others")
		require.Equal(t, "back-too", tokens[0]["aud"])
		require.Contains(t, events, "logout.backchannel/notifications_full/back")
		close(release)
		events, _ = r.received()
		require.Len(t, events, bound+1)
		logIn(t, op, b, "back", users[bound%2], "prompt", "login")
		events, _ = r.received()
		require.Equal(t, []string{"logout.backchannel/accepted/back", "session.ended/other_user/"}, events, "there is room again")
	})
}

// TestNotificationOutlivesTheRequest: the tokens are sent although the browser of the login has gone.
func TestNotificationOutlivesTheRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		op, r := endedBed(t, nil)
		b := op.Browser()
		logIn(t, op, b, "back", "kari")
		request := http.Header{"Cookie": {session.DefaultCookieName + "=" + b.Cookies()[session.DefaultCookieName]}}
		s, err := op.Sessions.Current(t.Context(), request, http.Header{}, time.Now())
		require.NoError(t, err)
		r.do = func(ctx context.Context, _ string) error {
			time.Sleep(time.Second)
			return ctx.Err()
		}
		ctx, cancel := context.WithCancel(t.Context())
		op.Logout.NotifyEnded(ctx, *s, time.Now())
		cancel()
		time.Sleep(2 * time.Second)
		events, _ := r.received()
		require.Equal(t, []string{"logout.backchannel/accepted/back"}, events)
	})
}
