//go:build unix

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/portner-go/portner/examples/internal/browsertest"
	"github.com/portner-go/portner/internal/localdb"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/internal/standin"
)

func TestMain(m *testing.M) { browsertest.Main(m) }

// startCluster starts a cluster until the end of the test. Without PostgreSQL the test is skipped, and fails in CI.
func startCluster(t *testing.T, more ...object) *cluster {
	t.Helper()
	clients, users, err := (&replay{}).objects()
	require.NoError(t, err)
	c, err := newCluster(t.Context(), options{addr: "localhost:0", nodes: 3, more: append(clients, more...), users: users}, &bytes.Buffer{}, t.Output())
	if errors.Is(err, localdb.ErrNotInstalled) && os.Getenv("CI") != "true" {
		t.Skip("SKIPPED: " + err.Error())
	}
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
		require.NoError(t, c.close())
	})
	return c
}

// TestLoginSurvivesDeaths kills one node after another, each between two steps of a login, and none is missed.
func TestLoginSurvivesDeaths(t *testing.T) {
	slow.Test(t)
	broker := browsertest.NewBroker(t, "")
	const clientSecret = "G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U"
	c := startCluster(t, object{
		"client_id": "egen", "client_secret": clientSecret, "client_name": "Egen", "client_orgno": serviceOrg, "integration_type": "api_klient",
		"grant_types": []string{"authorization_code", "refresh_token"}, "redirect_uris": []string{broker.Base + "/cb"}, "scopes": []string{"openid", "profile"},
	})
	issuer, first, second := c.sites[0].Base, c.sites[1].Base, c.sites[2].Base
	b := browsertest.New(t, "")
	deaths := make([]int, len(c.nodes))
	dead := -1
	death := func() { // of the next node, after the one before is back
		t.Helper()
		if dead >= 0 {
			require.NoError(t, c.nodes[dead].start(t.Context()))
		}
		dead = (dead + 1) % len(c.nodes)
		c.nodes[dead].kill()
		deaths[dead]++
	}

	// A service of the demo: login, consent, API, refresh, single sign-on.
	b.Open(first, "#story-deling")
	death()
	b.Click("#story-deling", "#login-form")
	b.Fill("#username", "kari")
	b.Fill("#password", "passord")
	death()
	b.Click("#login-submit", "#consent-form")
	death()
	b.Click("#consent-approve", "#logged-in")
	require.Equal(t, "openid profile "+readIncome, b.Text("#granted-scope"))
	death()
	b.Click("#call-api", "#api-answer")
	require.Contains(t, b.Text("#api-answer"), "21879498012")
	death()
	b.Click("#refresh", "#refreshed")
	b.Open(second, "#story-login")
	death()
	b.Click("#story-login", "#logged-in")

	// A client of its own: the code, the tokens and userinfo.
	ctx := oidc.ClientContext(t.Context(), standin.TLS{}.Outgoing())
	provider, err := oidc.NewProvider(ctx, issuer)
	require.NoError(t, err)
	conf := oauth2.Config{ClientID: "egen", ClientSecret: clientSecret, Endpoint: provider.Endpoint(), RedirectURL: broker.Base + "/cb", Scopes: []string{"openid", "profile"}}
	conf.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	verifier, state := oauth2.GenerateVerifier(), rand.Text()
	death()
	b.Open(conf.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier), oidc.Nonce(rand.Text())), "#service")
	answer := b.Arrived()
	require.Equal(t, state, answer.Get("state"))
	death()
	tok, err := conf.Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(verifier))
	require.NoError(t, err)
	death()
	info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(tok))
	require.NoError(t, err)
	require.NotEmpty(t, info.Subject)
	death()
	idToken, err := provider.Verifier(&oidc.Config{ClientID: "egen"}).Verify(ctx, tok.Extra("id_token").(string))
	require.NoError(t, err, "the keys are those of every node")
	require.Equal(t, info.Subject, idToken.Subject)
	_, err = conf.TokenSource(ctx, &oauth2.Token{RefreshToken: tok.RefreshToken}).Token()
	require.NoError(t, err)

	// Logout, which every node knows.
	b.Open(first, "#logout")
	death()
	b.Click("#logout", "#rp-notice")
	death()
	b.Open(second, "#story-login")
	require.False(t, b.Has("#logged-in"), "the single logout")
	b.Click("#story-login", "#login-form")
	for i, n := range deaths {
		require.GreaterOrEqual(t, n, 3, "deaths of node %d", i+1)
	}

	// A part of the record day: 3 s at 9 o'clock, when all nodes are back.
	require.NoError(t, c.nodes[dead].start(t.Context()))
	day := &replay{issuer: issuer, speed: 100, sample: 5000, from: 9 - 1.0/12, to: 9}
	day.run(t.Context())
	var out bytes.Buffer
	require.NoError(t, day.report(&out))
	require.Regexp(t, `^replayed: speed=100 sample=5000 logins=17 failed=0 per_second_max=[1-9]\d* p50=`, out.String())
}

// TestCurve: the record day has 2.5 million logins and 300 a second at its peak.
func TestCurve(t *testing.T) {
	t.Parallel()
	require.InEpsilon(t, 2_500_000, loginsUntil(24), 0.01)
	require.InDelta(t, 300, (loginsUntil(9) - loginsUntil(9-1.0/3600)), 0.2)
	require.InDelta(t, 3*3600, loginsUntil(1), 1e-6)
	require.Zero(t, loginsUntil(0))
}

// TestReplayCountsWaiting: the time of a login counts from when it was due, also while it waits for others. 100 logins are due a second for ten
// seconds, and take ten seconds each.
func TestReplayCountsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &replay{speed: 100, sample: 3, to: 1000.0 / 3600, test: func(context.Context, http.RoundTripper, string) error {
			time.Sleep(10 * time.Second)
			return nil
		}}
		p.run(t.Context())
		require.InDelta(t, 1000, len(p.took), 1)
		slices.Sort(p.took)
		require.InDelta(t, 17.44, p.took[500].Seconds(), 0.1, "a login of the second 256, which wait for 7.44 s")
	})
}

// TestReplayReportsFailures: a login that fails is an error, and so is a day without a login.
func TestReplayReportsFailures(t *testing.T) {
	t.Parallel()
	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	t.Cleanup(down.Close)
	p := &replay{issuer: down.URL, speed: 3600, sample: 100_000, from: 8, to: 9}
	p.run(t.Context())
	require.EqualError(t, p.report(io.Discard), "6 logins failed, the first one: GET /authorize: 503 Service Unavailable")
	p = &replay{issuer: down.URL, speed: 3600, sample: 1e6, from: 0, to: 0.01}
	p.run(t.Context())
	require.EqualError(t, p.report(io.Discard), "no login took place")
}

// TestProxy: a request that may have changed something is sent once, unless no connection was made.
func TestProxy(t *testing.T) {
	t.Parallel()
	var dropped, answered atomic.Int32
	drops := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		dropped.Add(1)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}))
	answers := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answered.Add(1)
		_ = r.ParseForm()
		_, _ = w.Write([]byte(r.Host + " " + r.PostForm.Get("a")))
	}))
	t.Cleanup(drops.Close)
	t.Cleanup(answers.Close)
	none, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, none.Close())
	for _, c := range []struct {
		name, method string
		nodes        []string // in the order of the attempts
		status       int
		dropped      int32
		answered     int32
	}{
		{"POST that was not sent", http.MethodPost, []string{"http://" + none.Addr().String(), answers.URL}, http.StatusOK, 0, 1},
		{"POST without an answer", http.MethodPost, []string{drops.URL, answers.URL}, http.StatusBadGateway, 1, 0},
		{"GET without an answer", http.MethodGet, []string{drops.URL, answers.URL}, http.StatusOK, 1, 1},
		{"no node", http.MethodGet, []string{"http://" + none.Addr().String(), "http://" + none.Addr().String()}, http.StatusBadGateway, 0, 0},
	} {
		dropped.Store(0)
		answered.Store(0)
		var nodes []*node
		for _, base := range c.nodes {
			u, err := url.Parse(base)
			require.NoError(t, err)
			nodes = append(nodes, &node{base: base, url: u})
		}
		p := newProxy(nodes, standin.Logger(&bytes.Buffer{}, 0))
		p.next.Store(uint64(len(nodes) - 1)) // the first node is the next
		r := httptest.NewRequestWithContext(t.Context(), c.method, "http://login.example.no/token", strings.NewReader("a=b"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		require.Equal(t, c.status, w.Code, c.name)
		require.Equal(t, c.dropped, dropped.Load(), c.name)
		require.Equal(t, c.answered, answered.Load(), c.name)
		if c.status == http.StatusOK && c.method == http.MethodPost {
			require.Equal(t, "login.example.no b", w.Body.String())
		}
	}
}

// TestFlags: what cannot be used is refused.
func TestFlags(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{
		{"-nodes=1", "at least 2"},
		{"-kill-every=-1s", "must not be negative"},
		{"-addr=localhost", "-addr"},
		{"-replay=-1", "-replay must be"},
		{"-replay=NaN", "-replay must be"},
		{"-sample=3", "only with -replay"},
		{"-replay=1 -sample=0.5", "-sample must be"},
		{"-replay=1 -kill-every=1s", "cannot be given with -replay"},
		{"-addr=0.0.0.0:0", "is not on loopback"},
	} {
		var out, errs bytes.Buffer
		require.Equal(t, 1, run(t.Context(), strings.Fields(c[0]), &out, &errs))
		require.Contains(t, errs.String(), c[1])
	}
	var out, errs bytes.Buffer
	require.Zero(t, run(t.Context(), []string{"-h"}, &out, &errs))
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for _, flag := range []string{"-addr", "-nodes", "-kill-every", "-store", "-replay", "-sample"} {
		require.Contains(t, out.String(), flag)
		require.Contains(t, string(readme), "`"+flag+"`")
	}
}
