package authorize_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/storage/memory"
)

// TestPushedFlood verifies that anonymous requests of a public client from one address take the room of this address only, and from
// any number of addresses the room of this client only (docs/threat-model.md J16).
func TestPushedFlood(t *testing.T) {
	t.Parallel()
	const max = 300
	flooded := func(addr func(n int) string) *world {
		w := newWorld(t, func(c *authorize.Config) {
			c.PushedRequests = must(memory.NewWith(memory.Config{MaxPushedRequests: max}))
		})
		full := 0
		for n := range 2 * max {
			if w.push(params("spa"), from(addr(n))).StatusCode == http.StatusServiceUnavailable {
				full++
			}
		}
		require.GreaterOrEqual(t, full, max, "the flood was not bounded")
		return w
	}
	for name, tt := range map[string]struct {
		addr     func(n int) string
		sameOpen bool // other callers of the client find room
	}{
		"one address":            {func(int) string { return "198.51.100.7:1234" }, true},
		"ports of one address":   {func(n int) string { return fmt.Sprintf("198.51.100.7:%d", n+1) }, true},
		"hosts of one network":   {func(n int) string { return fmt.Sprintf("[2001:db8:0:1::%x]:443", n) }, true},
		"any number of networks": {func(n int) string { return fmt.Sprintf("[2001:db8:0:%x::1]:443", n) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := flooded(tt.addr)
			same := w.push(params("spa"), from("192.0.2.9:1")).StatusCode
			if tt.sameOpen {
				require.Equal(t, http.StatusCreated, same, "another caller of the client")
			}
			public := params("app", "redirect_uri", "no.example.app:/cb", "scope", "openid")
			for range 20 {
				require.Equal(t, http.StatusCreated, w.push(public, from("192.0.2.9:1")).StatusCode, "another public client")
				require.Equal(t, http.StatusCreated, w.push(params("pushing"), from("192.0.2.9:1")).StatusCode, "a confidential client")
			}
		})
	}
}

// from sets the address of the peer.
func from(addr string) func(*http.Request) { return func(r *http.Request) { r.RemoteAddr = addr } }

// The store bounds the requests of a confidential client, of which the address may be that of a proxy, by client.
func TestPushedOfConfidentialClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *authorize.Config) {
		c.PushedRequests = must(memory.NewWith(memory.Config{MaxPushedRequestsPerClient: 30}))
	})
	for n := range 40 {
		want := http.StatusCreated
		if n >= 30 {
			want = http.StatusServiceUnavailable
		}
		require.Equal(t, want, w.push(params("pushing"), from(fmt.Sprintf("192.0.2.%d:1", n))).StatusCode)
	}
}
