package portnertest_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/portnertest"
)

// get opens a page.
func get(t *testing.T, c *http.Client, address string) (int, string) {
	t.Helper()
	resp, err := c.Get(address)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

// TestSeed: with a seed, every run issues the same bytes, and another seed issues others. It is not parallel, because the random numbers of the
// process come from the seed.
func TestSeed(t *testing.T) {
	run := func(seed uint64) (tokens []string) {
		t.Run("", func(t *testing.T) {
			op := portnertest.New(t, portnertest.Config{Seed: seed, FrontchannelLogoutPath: "/frontchannel"})
			require.Equal(t, "https://idporten.example.com", op.Issuer)
			a := newApp(t, op)
			status, _ := get(t, op.Browser(t, portnertest.Login{}), a.url+"/login")
			require.Equal(t, http.StatusOK, status)
			first := op.LogIn(t, portnertest.Login{Scopes: []string{"skatt:les"}})
			op.RotateKeys(t, false)
			mp := portnertest.NewMaskinporten(t, portnertest.Config{Seed: seed})
			tokens = []string{
				first.AccessToken, first.IDToken, first.RefreshToken, op.MintToken(t, portnertest.Token{Claims: map[string]any{"a": 1}}),
				mp.MintToken(t, portnertest.Token{Scopes: []string{"a:b"}}),
			}
		})
		return tokens
	}
	first := run(7)
	require.Equal(t, first, run(7))
	other := run(8)
	for i := range first {
		require.NotEqual(t, first[i], other[i])
	}
}

// TestFail: requests of the app fail as the test asks, and those that follow do not.
func TestFail(t *testing.T) {
	t.Parallel()
	for _, fault := range []portnertest.Fault{portnertest.Unavailable, portnertest.CutResponse, portnertest.LostResponse} {
		t.Run(fault.String(), func(t *testing.T) {
			t.Parallel()
			op := portnertest.New(t, portnertest.Config{})
			a := newApp(t, op)
			browser := op.Browser(t, portnertest.Login{})
			op.Fail("token", 1, fault)
			status, _ := get(t, browser, a.url+"/login")
			require.Equal(t, http.StatusBadGateway, status)
			failed := requests(op, "token")
			require.Len(t, failed, 1)
			require.Equal(t, fault, failed[0].Fault)
			status, page := get(t, browser, a.url+"/login")
			require.Equal(t, http.StatusOK, status)
			require.Contains(t, page, "Logged in as 21879498012")
			require.Len(t, requests(op, "token"), 2)
		})
	}
}

// TestSlow: a slow answer does not come before the client gives up.
func TestSlow(t *testing.T) {
	t.Parallel()
	op := portnertest.New(t, portnertest.Config{})
	op.Fail("jwks", 1, portnertest.Slow)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, op.Issuer+"/jwks.json", nil)
	require.NoError(t, err)
	_, err = op.HTTP.Do(r)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	status, _ := get(t, op.HTTP, op.Issuer+"/jwks.json")
	require.Equal(t, http.StatusOK, status)
}

func requests(op *portnertest.Provider, endpoint string) (found []portnertest.Request) {
	for _, r := range op.Requests() {
		if r.Endpoint == endpoint {
			found = append(found, r)
		}
	}
	return found
}

// TestRequests: what the app sent is recorded without secrets, and without the requests of probes and of this package.
func TestRequests(t *testing.T) {
	t.Parallel()
	op := portnertest.New(t, portnertest.Config{})
	a := newApp(t, op)
	op.LogIn(t, portnertest.Login{})
	require.Empty(t, op.Requests())
	get(t, op.Browser(t, portnertest.Login{}), a.url+"/login")
	var endpoints []string
	for _, r := range op.Requests() {
		if r.Endpoint != "jwks" {
			endpoints = append(endpoints, r.Endpoint)
			require.Equal(t, op.Now(), r.Time)
		}
	}
	require.Equal(t, []string{"authorize", "token", "userinfo"}, endpoints)
	sent := requests(op, "token")[0]
	require.Equal(t, http.MethodPost, sent.Method)
	require.Equal(t, portnertest.ClientID, sent.ClientID)
	require.Equal(t, http.StatusOK, sent.Status)
	require.Equal(t, "REDACTED", sent.Parameters.Get("code"))
	require.Equal(t, "REDACTED", sent.Parameters.Get("code_verifier"))
	require.Equal(t, a.url+"/callback", sent.Parameters.Get("redirect_uri"))

	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"unknown"}}
	r, err := http.NewRequest(http.MethodPost, op.Issuer+"/token", strings.NewReader(form.Encode()))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(portnertest.ClientID, portnertest.ClientSecret)
	resp, err := op.HTTP.Do(r)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, "invalid_grant", requests(op, "token")[1].Error)
}

// TestCancel: the app learns that the user cancelled.
func TestCancel(t *testing.T) {
	t.Parallel()
	op := portnertest.New(t, portnertest.Config{Lenient: true})
	a := newApp(t, op)
	status, _ := get(t, op.Browser(t, portnertest.Login{Cancel: true}), a.url+"/login")
	require.Equal(t, http.StatusBadGateway, status)
	require.Equal(t, "access_denied", requests(op, "authorize")[0].Error)
}

// TestAppLogsOut: a logout that the app begins loads the frames of the other app, and leads back.
func TestAppLogsOut(t *testing.T) {
	t.Parallel()
	op := portnertest.New(t, portnertest.Config{FrontchannelLogoutPath: "/frontchannel"})
	a := newApp(t, op)
	browser := op.Browser(t, portnertest.Login{User: "ola"})
	_, page := get(t, browser, a.url+"/login")
	require.Contains(t, page, "Logged in as 45840375084")
	status, page := get(t, browser, a.url+"/logout")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, page, "Welcome")
	require.Equal(t, http.StatusOK, requests(op, "logout")[0].Status)
}

// TestSSO: a second login in the same browser needs no page, and another browser is logged in by itself.
func TestSSO(t *testing.T) {
	t.Parallel()
	op := portnertest.New(t, portnertest.Config{FrontchannelLogoutPath: "/frontchannel"})
	a := newApp(t, op)
	first, second := op.Browser(t, portnertest.Login{}), op.Browser(t, portnertest.Login{User: "ola"})
	for _, b := range []*http.Client{first, second, first} {
		status, _ := get(t, b, a.url+"/login")
		require.Equal(t, http.StatusOK, status)
	}
	op.EndSession(t, "ola")
	status, _ := get(t, first, a.url+"/profile")
	require.Equal(t, http.StatusOK, status)
	status, _ = get(t, second, a.url+"/profile")
	require.Equal(t, http.StatusUnauthorized, status)
}

// TestRotateKeys: tokens have the new key at once, and a withdrawn key verifies nothing.
func TestRotateKeys(t *testing.T) {
	t.Parallel()
	op := portnertest.New(t, portnertest.Config{})
	jwks := func() string { _, doc := get(t, op.HTTP, op.Issuer+"/jwks.json"); return doc }
	first, old := jwks(), op.LogIn(t, portnertest.Login{}).IDToken
	op.RotateKeys(t, false)
	require.NotEqual(t, first, jwks())
	require.Equal(t, 2, strings.Count(jwks(), `"kid"`))
	require.NotEqual(t, strings.Split(old, ".")[0], strings.Split(op.LogIn(t, portnertest.Login{}).IDToken, ".")[0])
	op.RotateKeys(t, true)
	require.Equal(t, 1, strings.Count(jwks(), `"kid"`))
	op.LogIn(t, portnertest.Login{})
}

// TestProviders: each service starts with TLS, and only its own client trusts it. Its clock is its own.
func TestProviders(t *testing.T) {
	t.Parallel()
	for name, s := range services() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := s.start(t, portnertest.Config{})
			require.True(t, strings.HasPrefix(p.Issuer, "https://127.0.0.1:"), p.Issuer)
			_, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(p.Issuer)
			var untrusted *tls.CertificateVerificationError
			require.True(t, errors.As(err, &untrusted), err)
		})
	}
}

// TestNothingIsLeft: a provider leaves no goroutine behind when its test has ended.
func TestNothingIsLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("", func(t *testing.T) {
		op := portnertest.New(t, portnertest.Config{FrontchannelLogoutPath: "/frontchannel"})
		a := newApp(t, op)
		get(t, op.Browser(t, portnertest.Login{}), a.url+"/login")
		op.EndSession(t, "kari")
		portnertest.NewMaskinporten(t, portnertest.Config{}).MintToken(t, portnertest.Token{Scopes: []string{"a:b"}})
	})
	ended := func() bool { return runtime.NumGoroutine() <= before+1 } // Eventually has one
	if !assert.Eventually(t, ended, time.Minute, time.Millisecond) {   // connections end in goroutines of net/http, which need a moment
		buf := make([]byte, 1<<20)
		t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
	}
}

// TestParallel: many tests at the same time share nothing.
func TestParallel(t *testing.T) {
	t.Parallel()
	for i := range 200 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			op := portnertest.New(t, portnertest.Config{Lenient: true, Users: map[string]portnertest.User{"kari": {PID: "21879498012", Claims: map[string]any{"n": i}}}})
			op.Advance(time.Duration(i) * time.Second)
			tokens := op.LogIn(t, portnertest.Login{})
			require.Equal(t, op.Issuer, tokens.Claims["iss"])
			require.InDelta(t, op.Now().Unix(), tokens.Claims["iat"], 0)
			require.Empty(t, op.Requests())
		})
	}
}

// TestLogInComparesState: LogIn accepts no response with another state than that of its request.
func TestLogInComparesState(t *testing.T) {
	t.Parallel()
	r := &reports{TB: t}
	op := portnertest.New(r, portnertest.Config{})
	require.Panics(t, func() {
		op.LogIn(r, portnertest.Login{Parameters: map[string]string{"state": "of-another-request-0123456789"}})
	})
	require.Len(t, r.fatal, 1)
	require.Contains(t, r.fatal[0], "the state of the response is not that of the request")
	require.NotEmpty(t, op.LogIn(r, portnertest.Login{}).AccessToken)
}
