package provider_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
)

// TestOpenIDLifetimes: in the OpenID Connect profile tokens live an hour, a refresh token that is not used 30 days, and a grant that
// outlives the session 90 days.
func TestOpenIDLifetimes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	op := optest.New(t, optest.Options{
		Change: func(c *provider.Config) {
			c.Profile, c.Now = provider.OpenIDConnect(), func() time.Time { return now }
		},
	})
	r := op.Request("tjeneste", "openid test:api")
	login := func() optest.Answer {
		a := op.Exchange(t, r, op.Browser().Login(t, r, "kari").Code(t))
		require.InDelta(t, 3600, a.JSON["expires_in"], 0)
		return a
	}
	a, start := login(), now
	for now.Sub(start) < 87*24*time.Hour {
		now = now.Add(29 * 24 * time.Hour)
		a = op.Refresh(t, "tjeneste", a.String("refresh_token"))
		require.Equal(t, 200, a.Status, "%v after %v", a.JSON, now.Sub(start))
	}
	now = start.Add(90 * 24 * time.Hour)
	require.Equal(t, 400, op.Refresh(t, "tjeneste", a.String("refresh_token")).Status, "the grant has expired")
	a = login()
	now = now.Add(30 * 24 * time.Hour)
	require.Equal(t, 400, op.Refresh(t, "tjeneste", a.String("refresh_token")).Status, "idle for 30 days")
}
