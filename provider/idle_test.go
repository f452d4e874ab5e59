package provider_test

import (
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/session"
)

// TestSessionBeyondItsLimitsEnds: a session that is idle or older than its maximum still ends for its clients when the next login
// replaces its cookie, or when the user logs out: its login-only grants are revoked, and its clients receive a logout token.
func TestSessionBeyondItsLimitsEnds(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{session.DefaultIdle, session.DefaultMax, session.DefaultMax + time.Hour} {
		for name, next := range map[string]func(*testing.T, *optest.OP, *optest.Browser, string){
			"another user logs in": func(t *testing.T, op *optest.OP, b *optest.Browser, _ string) {
				logIn(t, op, b, "tjeneste", "ola")
			},
			"the user logs in again": func(t *testing.T, op *optest.OP, b *optest.Browser, _ string) {
				logIn(t, op, b, "tjeneste", "kari")
			},
			"logout": func(t *testing.T, _ *optest.OP, b *optest.Browser, hint string) {
				b.Get(t, optest.Issuer+"/logout?"+url.Values{"id_token_hint": {hint}}.Encode())
			},
		} {
			t.Run(after.String()+" "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					op, r := endedBed(t, func(cfg *provider.Config) { cfg.Lifetimes.Authorization = 4 * time.Hour })
					b := op.Browser()
					req := op.Request("back", "openid profile")
					got := op.Exchange(t, req, b.Login(t, req, "kari").Code(t))
					refresh := got.String("refresh_token")
					for start := time.Now(); time.Since(start) < after; { // the client keeps its grant
						time.Sleep(5 * time.Minute)
						a := op.Refresh(t, "back", refresh)
						require.Equal(t, 200, a.Status, a.JSON)
						refresh = a.String("refresh_token")
					}
					_, tokens := r.received()
					require.Empty(t, tokens, "reaching a limit ends nothing by itself")

					next(t, op, b, got.String("id_token"))
					_, tokens = r.received()
					require.Len(t, tokens, 1)
					require.Equal(t, "back", tokens[0]["aud"])
					require.Equal(t, "invalid_grant", op.Refresh(t, "back", refresh).String("error"))
				})
			})
		}
	}
}
