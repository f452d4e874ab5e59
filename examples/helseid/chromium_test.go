package main

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/examples/internal/browsertest"
	"github.com/portner-go/portner/examples/internal/programs"
	"github.com/portner-go/portner/internal/canary"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/internal/standin/helseid"
	"github.com/portner-go/portner/internal/standin/standintest"
)

func TestMain(m *testing.M) { browsertest.Main(m) }

// recorder keeps what a server logs.
type recorder struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (r *recorder) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(b)
}

func (r *recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.String()
}

// shownByClient is what the client of the demo shows or sends.
var shownByClient = []canary.Allowance{
	{Channel: canary.URL, Kind: canary.Cookie, Parameter: "state", Why: "the client keeps state in a cookie, which a browser sends to every port of the host"},
	{Channel: canary.ClientPage, Kind: canary.RequestURI, Why: "the pages of the client show its authorization request, after its end"},
}

// start starts the server on free ports until the end of the test. The log must not have an identity number or a token.
func start(t *testing.T, args ...string) *helseid.Server {
	t.Helper()
	log := &recorder{}
	watch := canary.Watch(t, shownByClient...)
	prepared, err := standintest.PrepareWith(t, watch, programs.HelseID().Command(), slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}), append([]string{"-addr", "localhost:0", "-demo"}, args...)...)
	require.NoError(t, err)
	s := prepared.(*helseid.Server)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
		for _, u := range s.Config.Users {
			require.NotContains(t, log.String(), u.PID, "the log has an identity number")
		}
		require.NotContains(t, log.String(), "eyJ", "the log has a token")
	})
	return s
}

// TestWalk plays every story in headless Chromium: a login with a pushed request and a key, the token of a machine, calls of the API that
// are rejected without a proof, the nonce, and an exchange.
func TestWalk(t *testing.T) {
	slow.Test(t)
	s := start(t)
	b := browsertest.New(t, "helseid-")
	b.Open(s.Sites[1].Base, "#story-person")
	b.Look("home")

	b.Click("#story-person", "#login-form")
	require.False(t, b.Has("#user-ola"), "level 3 does not satisfy Level4")
	b.Look("login")
	b.Click("#user-kari", "#told-person")
	require.True(t, b.Has("#done"), b.Text("main"))
	for step, want := range map[browsertest.CSS]string{
		"#step-0 .response": `"request_uri"`, "#step-3 .response": `"use_dpop_nonce"`, "#step-4 .response": `"token_type": "DPoP"`,
		"#step-5 .response": "401 Unauthorized", "#step-6 .response": "401 Unauthorized", "#step-7 .response": `"hpr_number": "565500001"`,
	} {
		require.Contains(t, b.Text(step), want)
	}
	claim := func(name string) string {
		return b.Text(browsertest.CSS(`[data-token="Tokenet fra HelseID"] > table [data-claim="` + name + `"] > code`))
	}
	require.Equal(t, "4", claim("helseid://claims/identity/security_level"))
	require.Equal(t, helseid.Hospital, claim("helseid://claims/client/claims/orgnr_parent"))
	require.Equal(t, helseid.Ward, claim("helseid://claims/client/claims/orgnr_child"))
	require.Equal(t, helseid.AudienceJournal, claim("aud"))
	b.Look("person")

	b.Click("#story-maskin", "#told-maskin")
	require.True(t, b.Has("#done"), b.Text("main"))
	require.Equal(t, helseid.Customer, claim("helseid://claims/client/claims/orgnr_parent"))
	b.Look("maskin")

	b.Click("#story-nei", "#told-nei")
	require.Contains(t, b.Text("#expected"), "HID-1001")

	b.Click("#story-veksling", "#told-veksling")
	require.True(t, b.Has("#done"), b.Text("main"))
	require.Contains(t, b.Text(`[data-token="Tokenet til neste API"] > table [data-claim="act"] > code`), helseid.JournalAPI)
	require.NotContains(t, b.Text("main"), "passord")

	b.Open(s.Issuer+"/", "#home-page")
	b.Look("issuer")
	require.True(t, strings.HasPrefix(b.Text("h1"), "Lokal HelseID"))
}
