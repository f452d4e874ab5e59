package session_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

var epoch = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

func TestLimitsState(t *testing.T) {
	t.Parallel()
	limits := session.Limits{Max: 120 * time.Minute, Idle: 30 * time.Minute}
	tests := []struct {
		name string
		last time.Duration // last request, after the start
		at   time.Duration // the state is examined, after the start
		want session.State
	}{
		{"just started", 0, 0, session.Active},
		{"29 minutes", 0, 29 * time.Minute, session.Active},
		{"one nanosecond before idle", 0, 30*time.Minute - 1, session.Active},
		{"30 minutes", 0, 30 * time.Minute, session.Idle},
		{"one nanosecond after idle", 0, 30*time.Minute + 1, session.Idle},
		{"slid", 29 * time.Minute, 58 * time.Minute, session.Active},
		{"119:59, active", 110 * time.Minute, 120*time.Minute - time.Second, session.Active},
		{"one nanosecond before the maximum", 110 * time.Minute, 120*time.Minute - 1, session.Active},
		{"120 minutes, though active", 119 * time.Minute, 120 * time.Minute, session.Expired},
		{"both passed", 0, 121 * time.Minute, session.Expired},
		{"a clock that runs 5 s behind", 0, -5 * time.Second, session.Active},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := session.Times{StartedAt: epoch, LastRequestAt: epoch.Add(tt.last)}
			now := epoch.Add(tt.at)
			require.Equal(t, tt.want, limits.State(s, now))
			require.Equal(t, tt.want, session.Limits{}.State(s, now), "the zero value has these limits")
		})
	}
}

// TestLimitsStateFailsClosed: the zero State is Expired, and so are sessions without times or from the future.
func TestLimitsStateFailsClosed(t *testing.T) {
	t.Parallel()
	require.Equal(t, session.Expired, *new(session.State))
	future := epoch.Add(time.Minute + 1)
	for name, times := range map[string]session.Times{
		"no times":                 {},
		"no last request":          {StartedAt: epoch},
		"no start":                 {LastRequestAt: epoch},
		"start in the future":      {StartedAt: future, LastRequestAt: epoch},
		"last use in the future":   {StartedAt: epoch, LastRequestAt: future},
		"everything in the future": {StartedAt: future, LastRequestAt: future},
	} {
		require.Equal(t, session.Expired, session.Limits{}.State(times, epoch), name)
		require.Equal(t, session.Expired, session.Limits{Max: 1 << 62, Idle: 1 << 62}.State(times, epoch), name)
	}
}

// TestNegativeLimits: a negative limit is not the default.
func TestNegativeLimits(t *testing.T) {
	t.Parallel()
	times := session.Times{StartedAt: epoch, LastRequestAt: epoch}
	require.Equal(t, session.Active, session.Limits{}.State(times, epoch))
	for _, l := range []session.Limits{{Max: -1}, {Idle: -1}, {Max: -time.Hour, Idle: time.Hour}} {
		require.Equal(t, session.Expired, l.State(times, epoch), l)
	}
}

func TestLimitsCustom(t *testing.T) {
	t.Parallel()
	l := session.Limits{Max: time.Hour, Idle: 2 * time.Hour}
	require.Equal(t, session.Expired, l.State(session.Times{StartedAt: epoch, LastRequestAt: epoch.Add(time.Minute)}, epoch.Add(time.Hour)), "idle cannot outlast max")
}

func TestPolicyAllocatesNothing(t *testing.T) {
	s := &storage.Session{StartedAt: epoch, LastRequestAt: epoch, Circles: []storage.Circle{
		{Name: "isolated", ACR: "idporten-loa-high", AuthTime: epoch},
		{Name: "", ACR: "idporten-loa-high", AMR: []string{"BankID"}, AuthTime: epoch},
	}}
	times := session.Times{StartedAt: epoch, LastRequestAt: epoch}
	now := epoch.Add(time.Minute)
	req := session.Request{At: now, HasMaxAge: true, MaxAge: time.Hour, Sufficient: func(acr string) bool { return acr != "" }}
	require.Zero(t, slow.Allocations(t, 100, func() {
		if (session.Limits{}).State(times, now) != session.Active {
			panic("not active")
		}
		if auth, reason := (session.Rules{}).Decide(s, req, now); auth == nil {
			panic(reason)
		}
	}))
}

func BenchmarkLimitsState(b *testing.B) {
	b.ReportAllocs()
	s := session.Times{StartedAt: epoch, LastRequestAt: epoch}
	now := epoch.Add(time.Minute)
	l := session.Limits{Max: session.DefaultMax, Idle: session.DefaultIdle}
	for b.Loop() {
		if l.State(s, now) != session.Active {
			b.Fatal("not active")
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	b.ReportAllocs()
	s := &storage.Session{StartedAt: epoch, LastRequestAt: epoch, Circles: []storage.Circle{
		{ACR: "idporten-loa-high", AMR: []string{"BankID"}, AuthTime: epoch},
	}}
	now := epoch.Add(time.Minute)
	req := session.Request{At: now, Sufficient: func(acr string) bool { return acr == "idporten-loa-high" }}
	for b.Loop() {
		if auth, reason := (session.Rules{}).Decide(s, req, now); auth == nil {
			b.Fatal(reason)
		}
	}
}
