package client_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/storage"
)

// TestCaller verifies that callers of a public client are different if their addresses are, and callers of other clients are not.
func TestCaller(t *testing.T) {
	t.Parallel()
	public, other := &client.Client{ClientID: "spa", TokenEndpointAuthMethod: client.None}, &client.Client{ClientID: "app", TokenEndpointAuthMethod: client.None}
	web := &client.Client{ClientID: "web"}
	for _, tc := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1:1", "192.0.2.1:2", true},
		{"192.0.2.1", "[::ffff:192.0.2.1]:1", true},
		{"192.0.2.1:1", "192.0.2.2:1", false},
		{"[2001:db8::1]:1", "[2001:db8::2]:1", true},
		{"[2001:db8::1]:1", "[2001:db8:0:1::1]:1", false},
		{"[64:ff9b::192.0.2.1]:1", "[64:ff9b::198.51.100.7]:1", false},
		{"[64:ff9b::192.0.2.1]:1", "192.0.2.1:1", true},
		{"[fe80::1%eth0]:1", "[fe80::1%eth1]:1", true},
		{"@", "x", false},
		{"", "", true},
	} {
		require.Equal(t, tc.same, public.Caller(tc.a) == public.Caller(tc.b), "%s %s", tc.a, tc.b)
		require.NotEqual(t, public.Caller(tc.a), other.Caller(tc.a))
		require.NotEqual(t, "spa", public.Caller(tc.a))
		require.Equal(t, "web", web.Caller(tc.a))
	}
}

// ownedReplay remembers the clients of its keys.
type ownedReplay struct {
	replay
	clients []string
}

func (o *ownedReplay) ConsumeJTI(ctx context.Context, clientID string, key storage.Hash, expiresAt, now time.Time) error {
	o.clients = append(o.clients, clientID)
	return o.replay.ConsumeJTI(ctx, clientID, key, expiresAt, now)
}

// TestAssertionsCountForTheirClient verifies that a replay store can bound the assertions of each client.
func TestAssertionsCountForTheirClient(t *testing.T) {
	t.Parallel()
	store, registered := &ownedReplay{}, registrations(t)
	registered["jwt2"] = &client.Client{ClientID: "jwt2", TokenEndpointAuthMethod: client.PrivateKeyJWT, JWKS: p256JWKS()}
	a, _ := authenticator(t, func(cfg *client.Config) { cfg.Replay, cfg.Clients = store, registered })
	for _, id := range []string{"jwt", "jwt2"} {
		_, err := a.Authenticate(t.Context(), withAssertion(id, signJWT(p256Key(), goodHeader, goodClaims(id))), now)
		require.NoError(t, err)
	}
	forged := withAssertion("jwt", signJWT(edKey(), goodHeader, goodClaims("jwt")))
	_, err := a.Authenticate(t.Context(), forged, now)
	require.Error(t, err)
	require.Equal(t, []string{"jwt", "jwt2"}, store.clients, "an assertion that is not verified is not remembered")
}
