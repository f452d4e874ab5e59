package provider_test

import (
	"encoding/json"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
)

// claimsOf verifies a token of the provider and returns its claims.
func claimsOf(t *testing.T, op *optest.OP, token string) map[string]any {
	t.Helper()
	payload, _ := optest.Verified(t, op.Keys, token, time.Now())
	var m map[string]any
	require.NoError(t, json.Unmarshal(payload, &m))
	return m
}

func authTime(t *testing.T, op *optest.OP, a optest.Answer) time.Time {
	t.Helper()
	return time.Unix(int64(claimsOf(t, op, a.String("id_token"))["auth_time"].(float64)), 0).UTC()
}

// TestVirtualDay follows one user for a day under the clock of a synctest bubble: the provider reads the time from Config.Now only,
// whose default is time.Now.
func TestVirtualDay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		key, err := keyset.Generate(keyset.ES256)
		require.NoError(t, err)
		keys, err := keyset.New(keyset.Config{Keys: []keyset.Key{key}, Rotation: keyset.Rotation{PublishLead: keyset.MinPublishLead, Keep: time.Hour}})
		require.NoError(t, err)
		op := optest.New(t, optest.Options{Keys: keys, Change: func(c *provider.Config) {
			c.Clients = lifetimes(t, client.Client{RefreshTokenLifetime: 1200, AuthorizationLifetime: 4 * 3600})
		}})
		b := op.Browser()
		morning := time.Now().UTC()
		at := func(d time.Duration) { time.Sleep(time.Until(morning.Add(d))) }
		login := func(r optest.Request, user string) optest.Answer {
			t.Helper()
			a := op.Exchange(t, r, b.Login(t, r, user).Code(t))
			require.Equal(t, 200, a.Status, "%v", a.JSON)
			return a
		}

		// 00:00 login with MinID.
		r := op.Request("tjeneste", "openid profile")
		page := b.Get(t, r.URL())
		require.Equal(t, "login", page.Step())
		require.Equal(t, "no_session", page.Reason())
		first := op.Exchange(t, r, b.Post(t, page, url.Values{"user": {"kari-minid"}}).Code(t))
		require.Equal(t, morning, authTime(t, op, first))

		// 00:29 SSO into another service: no page, same auth_time, another subject.
		at(29 * time.Minute)
		r = op.Request("annen", "openid profile")
		page = b.Get(t, r.URL())
		require.Empty(t, page.Step(), "SSO at 29 minutes")
		second := op.Exchange(t, r, page.Code(t))
		require.Equal(t, morning, authTime(t, op, second), "auth_time does not move under SSO")
		require.NotEqual(t, claimsOf(t, op, first.String("id_token"))["sub"], claimsOf(t, op, second.String("id_token"))["sub"])

		// 00:58:59.999 the 30 minutes count from the last request; one nanosecond before they end is in time.
		at(59*time.Minute - time.Nanosecond)
		require.Empty(t, b.Get(t, op.Request("tjeneste", "openid").URL()).Step())

		// 01:28:59.999 idle expiry at exactly 30 minutes.
		at(89*time.Minute - time.Nanosecond)
		page = b.Get(t, op.Request("tjeneste", "openid").URL())
		require.Equal(t, "login", page.Step(), "idle for exactly 30 minutes")
		noon := time.Now().UTC()
		require.NotNil(t, b.Post(t, page, url.Values{"user": {"kari-minid"}}).Left)
		noonAt := func(d time.Duration) { time.Sleep(time.Until(noon.Add(d))) }

		// A client that asks for the high level lifts the session, under a new identifier.
		noonAt(20 * time.Minute)
		before := b.Cookies()["__Host-portner-session"]
		page = b.Get(t, op.Request("annen", "openid", "acr_values", acr.High).URL())
		require.Equal(t, "step_up", page.Reason())
		require.NotNil(t, b.Post(t, page, url.Values{"user": {"kari"}}).Left)
		require.NotEqual(t, before, b.Cookies()["__Host-portner-session"], "step-up rotates the identifier")
		high := login(op.Request("tjeneste", "openid"), "nobody is asked")
		require.Equal(t, acr.High, claimsOf(t, op, high.String("id_token"))["acr"])

		// An isolated client has SSO with itself only.
		page = b.Get(t, op.Request("isolated", "openid").URL())
		require.Equal(t, "other_circle", page.Reason())
		require.NotNil(t, b.Post(t, page, url.Values{"user": {"kari"}}).Left)
		require.Empty(t, b.Get(t, op.Request("isolated", "openid").URL()).Step())

		// Busy every 25 minutes, the session still ends 120 minutes after its first authentication.
		for m := 45; m < 120; m += 25 {
			noonAt(time.Duration(m) * time.Minute)
			require.Empty(t, b.Get(t, op.Request("tjeneste", "openid").URL()).Step(), "minute %d", m)
		}
		noonAt(2*time.Hour - time.Nanosecond)
		require.Empty(t, b.Get(t, op.Request("tjeneste", "openid").URL()).Step())
		noonAt(2 * time.Hour)
		require.Equal(t, "login", b.Get(t, op.Request("tjeneste", "openid").URL()).Step(), "the maximum, though active")

		consentExpires(t, op)
		rotateKeys(t, op)
		refreshUntilTheEnd(t, op)
	})
}

// lifetimes returns the test clients with the lifetimes of l.
func lifetimes(t *testing.T, l client.Client) *client.Registry {
	t.Helper()
	clients := optest.Clients(t)
	for i := range clients {
		clients[i].AccessTokenLifetime, clients[i].RefreshTokenLifetime, clients[i].AuthorizationLifetime = l.AccessTokenLifetime, l.RefreshTokenLifetime, l.AuthorizationLifetime
	}
	reg, err := client.NewRegistry(client.Environment{}, clients...)
	require.NoError(t, err)
	return reg
}

// consentExpires: the consent page is shown once, and again after the largest lifetime of the scope (an hour).
func consentExpires(t *testing.T, op *optest.OP) {
	t.Helper()
	b := op.Browser()
	r := op.Request("tjeneste", "openid test:consent")
	page := b.Login(t, r, "ola")
	require.Equal(t, "consent", page.Step())
	given := time.Now()
	a := op.Exchange(t, r, b.Post(t, page, url.Values{"scope": {"test:consent"}}).Code(t))
	require.Equal(t, "openid test:consent", a.String("scope"))

	ask := func() string { return b.Get(t, op.Request("tjeneste", "openid test:consent").URL()).Step() }
	for time.Since(given) < 40*time.Minute {
		time.Sleep(20 * time.Minute)
		require.Empty(t, ask(), "remembered")
	}
	time.Sleep(time.Until(given.Add(time.Hour - time.Nanosecond)))
	require.Empty(t, ask(), "remembered to the last nanosecond")
}

// rotateKeys: a new key is published before it signs, and tokens of the old one are valid until they expire.
func rotateKeys(t *testing.T, op *optest.OP) {
	t.Helper()
	now := time.Now()
	next, err := keyset.Generate(keyset.ES256)
	require.NoError(t, err)
	next.ActiveFrom = now.Add(2 * time.Hour)
	require.NoError(t, op.Keys.Add(next, 0, now))
	published, _ := op.Keys.JWKS(now)
	require.Contains(t, string(published), kidOf(t, op, next), "published before use")

	b := op.Browser()
	sign := func() string {
		r := op.Request("tjeneste", "openid")
		return op.Exchange(t, r, b.Login(t, r, "ola").Code(t)).String("id_token")
	}
	time.Sleep(2*time.Hour - time.Second)
	old := sign()
	time.Sleep(time.Second)
	young := sign()
	require.NotEqual(t, header(t, old)["kid"], header(t, young)["kid"])
	require.Equal(t, kidOf(t, op, next), header(t, young)["kid"])
	time.Sleep(120 * time.Second)
	claimsOf(t, op, old) // still verifies at the end of its life
}

// refreshUntilTheEnd: rotation extends the idle lifetime of a grant, but not its absolute end.
func refreshUntilTheEnd(t *testing.T, op *optest.OP) {
	t.Helper()
	b := op.Browser()
	r := op.Request("tjeneste", "openid test:api")
	a := op.Exchange(t, r, b.Login(t, r, "ola").Code(t))
	start := time.Now()
	loggedIn := authTime(t, op, a)
	rounds := 0
	for {
		time.Sleep(19 * time.Minute)
		next := op.Refresh(t, "tjeneste", a.String("refresh_token"))
		if next.Status != 200 {
			require.Equal(t, "invalid_grant", next.String("error"))
			break
		}
		rounds++
		a = next
		require.LessOrEqual(t, time.Duration(a.JSON["expires_in"].(float64))*time.Second, time.Until(start.Add(4*time.Hour)))
	}
	require.Equal(t, 12, rounds, "12 × 19 minutes fit into the four hours")
	require.GreaterOrEqual(t, time.Since(start), 4*time.Hour)
	require.WithinDuration(t, start, loggedIn, time.Second)
}

func kidOf(t *testing.T, op *optest.OP, k keyset.Key) string {
	t.Helper()
	one, err := keyset.New(keyset.Config{Keys: []keyset.Key{{Alg: k.Alg, Signer: k.Signer}}})
	require.NoError(t, err)
	return one.States()[0].KID
}
