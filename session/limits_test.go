package session_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
		at   time.Duration // asked, after the start
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
		{"clock jumped back before the start", 0, -5 * time.Second, session.Active},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &storage.Session{StartedAt: epoch, LastRequestAt: epoch.Add(tt.last)}
			now := epoch.Add(tt.at)
			require.Equal(t, tt.want, limits.State(s, now))
			require.Equal(t, tt.want, session.Limits{}.State(s, now), "zero limits are ID-porten's")
			require.Equal(t, tt.want == session.Active, now.Before(limits.ExpiresAt(s.StartedAt, s.LastRequestAt)),
				"State and ExpiresAt are one rule")
		})
	}
}

func TestLimitsCustom(t *testing.T) {
	t.Parallel()
	l := session.Limits{Max: time.Hour, Idle: 2 * time.Hour}
	require.Equal(t, epoch.Add(time.Hour), l.ExpiresAt(epoch, epoch.Add(time.Minute)), "idle cannot outlast max")
}

func TestPolicyAllocatesNothing(t *testing.T) {
	s := &storage.Session{StartedAt: epoch, LastRequestAt: epoch, Circles: []storage.Circle{
		{Name: "isolated", ACR: "idporten-loa-high", AuthTime: epoch},
		{Name: "", ACR: "idporten-loa-high", AMR: []string{"BankID"}, AuthTime: epoch},
	}}
	now := epoch.Add(time.Minute)
	req := session.Request{At: now, HasMaxAge: true, MaxAge: time.Hour, Sufficient: func(acr string) bool { return acr != "" }}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if (session.Limits{}).State(s, now) != session.Active {
			panic("not active")
		}
		if _, v := (session.Rules{}).Decide(s, req, now); v != session.Use {
			panic(v.String())
		}
	}))
}

func BenchmarkLimitsState(b *testing.B) {
	b.ReportAllocs()
	s := &storage.Session{StartedAt: epoch, LastRequestAt: epoch}
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
		if _, v := (session.Rules{}).Decide(s, req, now); v != session.Use {
			b.Fatal(v)
		}
	}
}
