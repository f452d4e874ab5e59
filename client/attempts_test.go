package client_test

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/stretchr/testify/require"
)

func wrongSecret(id, addr string) credentials {
	return credentials{ClientID: id, ClientSecret: "wrong", RemoteAddr: addr}
}

// TestRateLimit: after ten wrong secrets further ones from the address have to wait. The right secret is accepted, unless it can be
// guessed.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	weak, err := client.InsecureSecret("demo", now.Add(time.Hour))
	require.NoError(t, err)
	a, rec := authenticator(t, func(cfg *client.Config) {
		cfg.Attempts = nil
		cfg.Clients.(source)["weak"] = &client.Client{ClientID: "weak", TokenEndpointAuthMethod: client.ClientSecretPost, Secrets: []client.Secret{weak}}
	})
	right := credentials{ClientID: "post", ClientSecret: secretText, RemoteAddr: "192.0.2.1:1000"}
	guessed := credentials{ClientID: "weak", ClientSecret: "demo", RemoteAddr: "192.0.2.1:1000"}
	wrong := wrongSecret("post", "192.0.2.1:1000")
	for i := range 10 {
		for _, id := range []string{"post", "weak", "unknown", "jwt"} {
			_, err := a.Authenticate(t.Context(), wrongSecret(id, fmt.Sprintf("192.0.2.1:%d", 2000+i)), now)
			require.ErrorIs(t, err, portner.InvalidClient)
		}
	}
	later := now.Add(20 * time.Second)
	for name, c := range map[string]credentials{
		"wrong": wrong, "unknown": wrongSecret("unknown", "192.0.2.1:1"), "guessable": guessed, "wrong and guessable": wrongSecret("weak", "192.0.2.1:1"),
		"of another method": wrongSecret("jwt", "192.0.2.1:1"),
	} {
		_, err = a.Authenticate(t.Context(), c, later)
		tooMany, ok := errors.AsType[*client.TooManyAttemptsError](err)
		require.True(t, ok, "%s: %v", name, err)
		require.Equal(t, 40*time.Second, tooMany.RetryAfter)
		require.Equal(t, "attempt_limit", rec.last(t).Reason)
	}
	e, _ := errors.AsType[*portner.Error](err)
	w := httptest.NewRecorder()
	httpx.WriteError(w, e)
	require.Equal(t, http.StatusTooManyRequests, w.Code)
	require.Equal(t, "40", w.Header().Get("Retry-After"))

	for name, c := range map[string]credentials{
		"the right secret":  right,
		"another address":   {ClientID: "weak", ClientSecret: "demo", RemoteAddr: "192.0.2.2:1000"},
		"another client":    {Authorization: basicHeader("basic", secretText), RemoteAddr: "192.0.2.1:1000"},
		"a valid assertion": mechanisms[2].with("jwt"),
	} {
		c.RemoteAddr = cmp.Or(c.RemoteAddr, "192.0.2.1:1000")
		_, err = a.Authenticate(t.Context(), c, later)
		require.NoError(t, err, name)
	}
	_, err = a.Authenticate(t.Context(), guessed, now.Add(time.Minute-1))
	require.Error(t, err)
	_, err = a.Authenticate(t.Context(), guessed, now.Add(time.Minute))
	require.NoError(t, err, "the window has ended")
	_, err = a.Authenticate(t.Context(), wrong, now.Add(time.Minute))
	require.ErrorIs(t, err, portner.InvalidClient)
}

// TestFailedAssertionsAreNoGuesses: assertions that are forged, replayed, expired or not JWTs are not counted, and public clients are not
// limited.
func TestFailedAssertionsAreNoGuesses(t *testing.T) {
	t.Parallel()
	a, _ := authenticator(t, func(cfg *client.Config) { cfg.Attempts = nil })
	used := signJWT(p256Key(), goodHeader, goodClaims("jwt"))
	_, err := a.Authenticate(t.Context(), withAssertion("jwt", used), now)
	require.NoError(t, err)
	for name, assertion := range map[string]string{
		"forged": signJWT(edKey(), goodHeader, goodClaims("jwt")), "replayed": used, "no JWT": "x",
		"expired": signJWT(p256Key(), goodHeader, changed(goodClaims("jwt"), "exp", now.Unix()-100)),
	} {
		for _, id := range []string{"jwt", "post", "unknown", "spa"} {
			for i := range 40 {
				_, err := a.Authenticate(t.Context(), withAssertion(id, assertion), now)
				require.ErrorIs(t, err, portner.InvalidClient, "%s %s %d", name, id, i)
			}
		}
	}
	for range 20 {
		_, err = a.Authenticate(t.Context(), mechanisms[2].with("jwt"), now)
		require.NoError(t, err)
		_, err = a.Authenticate(t.Context(), credentials{ClientID: "post", ClientSecret: secretText}, now)
		require.NoError(t, err)
		_, err = a.Authenticate(t.Context(), credentials{ClientID: "spa"}, now)
		require.NoError(t, err)
	}
	_, err = a.Authenticate(t.Context(), wrongSecret("post", ""), now)
	require.ErrorIs(t, err, portner.InvalidClient, "the first wrong secret")
}

// TestRateLimitSameErrorsForUnknownClients: the limit does not show whether a client is registered.
func TestRateLimitSameErrorsForUnknownClients(t *testing.T) {
	t.Parallel()
	a, _ := authenticator(t, func(cfg *client.Config) { cfg.Attempts = nil })
	for i := range 15 {
		var answers []string
		for _, id := range []string{"post", "basic", "jwt", "spa", "off", "unknown"} {
			_, err := a.Authenticate(t.Context(), wrongSecret(id, "192.0.2.1:1"), now)
			answers = append(answers, body(t, err))
		}
		for _, answer := range answers {
			require.Equal(t, answers[0], answer, "attempt %d", i)
		}
	}
}

func TestRateLimitIgnoresMalformedRequests(t *testing.T) {
	t.Parallel()
	a, _ := authenticator(t, func(cfg *client.Config) { cfg.Attempts = nil })
	c := wrongSecret("post", "192.0.2.1:1")
	c.Authorization = []string{"Basic x"}
	for range 20 {
		_, err := a.Authenticate(t.Context(), c, now)
		require.ErrorIs(t, err, portner.InvalidRequest)
	}
	_, err := a.Authenticate(t.Context(), credentials{ClientID: "post", ClientSecret: secretText, RemoteAddr: "192.0.2.1:1"}, now)
	require.NoError(t, err)
}

func TestAttemptLimiterAddresses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1:1", "192.0.2.1:2", true},
		{"192.0.2.1", "192.0.2.1:2", true},
		{"192.0.2.1:1", "[::ffff:192.0.2.1]:1", true},
		{"192.0.2.1:1", "192.0.2.2:1", false},
		{"[2001:db8::1]:1", "[2001:db8::2]:1", true},
		{"2001:db8::1", "[2001:db8::ffff:1]:9", true},
		{"[2001:db8::1]:1", "[2001:db8:0:1::1]:1", false},
		{"[64:ff9b::192.0.2.1]:1", "[64:ff9b::198.51.100.7]:1", false},
		{"[64:ff9b::192.0.2.1]:1", "192.0.2.1:2", true},
		{"[64:ff9b:1::192.0.2.1]:1", "[64:ff9b:1::198.51.100.7]:1", false},
		{"[2002:c000:201:1::1]:1", "[2002:c000:201:2::2]:1", true},
		{"[2002:c000:201::1]:1", "192.0.2.1:1", true},
		{"[2001:0:4136:e378:8000:63bf:3fff:fdd2]:1", "192.0.2.45:1", true}, // the example of RFC 4380
		{"[2001:0:4136:e378:8000:63bf:3fff:fdd2]:1", "[2001:0:4136:e378:8000:63bf:3fff:fdd1]:1", false},
		{"[fe80::1%eth0]:1", "[fe80::1%eth1]:1", true},
		{"", "", true},
		{"@", "@", true},
		{"@", "x", false},
	} {
		l, err := client.NewAttemptLimiter(1, time.Minute)
		require.NoError(t, err)
		l.Failed(t.Context(), "c", tc.a, now)
		require.Equal(t, tc.same, l.Wait(t.Context(), "c", tc.b, now) > 0, "%s %s", tc.a, tc.b)
		require.Zero(t, l.Wait(t.Context(), "C", tc.a, now))
	}
}

// TestAttemptLimiterClockWasAhead: failures that were counted while the clock was ahead do not limit a pair until that time.
func TestAttemptLimiterClockWasAhead(t *testing.T) {
	t.Parallel()
	l, err := client.NewAttemptLimiter(2, time.Minute)
	require.NoError(t, err)
	fail := func(at time.Time) { l.Failed(t.Context(), "c", "192.0.2.1:1", at) }
	wait := func(at time.Time) time.Duration { return l.Wait(t.Context(), "c", "192.0.2.1:1", at) }
	for range 2 {
		fail(now.Add(24 * time.Hour))
	}
	require.Zero(t, wait(now))
	fail(now)
	require.Zero(t, wait(now), "a new window")
	fail(now)
	require.Equal(t, time.Minute, wait(now))
	fail(now.Add(-time.Second)) // a concurrent request that began earlier
	require.Equal(t, time.Minute, wait(now))
	require.Zero(t, wait(now.Add(time.Minute)))
}

// TestAttemptLimiterIsBounded: random identifiers do not grow the table, do not remove a limited pair, and do not limit other pairs.
func TestAttemptLimiterIsBounded(t *testing.T) {
	l, err := client.NewAttemptLimiter(10, time.Minute)
	require.NoError(t, err)
	for range 10 {
		l.Failed(t.Context(), "victim", "192.0.2.1:1", now)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range 200_000 {
		l.Failed(t.Context(), fmt.Sprint("junk", i), "192.0.2.1:1", now)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	require.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(1<<20))
	require.NotZero(t, l.Wait(t.Context(), "victim", "192.0.2.1:1", now), "forgotten")
	require.Zero(t, l.Wait(t.Context(), "honest", "192.0.2.9:1", now))
}
