package maskinporten_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/maskinporten"
	"github.com/portner-go/portner/storage"
)

// ownedReplay remembers the client of the last key.
type ownedReplay struct {
	client.ReplayStore
	clientID string
}

func (o *ownedReplay) ConsumeJTI(ctx context.Context, clientID string, key storage.Hash, expiresAt, now time.Time) error {
	o.clientID = clientID
	return o.ReplayStore.ConsumeJTI(ctx, clientID, key, expiresAt, now)
}

// TestAssertionsCountForTheirClient verifies that a replay store can bound the assertions of each client.
func TestAssertionsCountForTheirClient(t *testing.T) {
	t.Parallel()
	store := &ownedReplay{}
	w := newWorld(t, func(c *maskinporten.Config) { store.ReplayStore, c.Replay = c.Replay, store })
	for _, payload := range []object{v4(), v4().with("jti", nil)} {
		store.clientID = ""
		require.Equal(t, 200, w.send(t, byKey(payload)).status)
		require.Equal(t, payload["iss"], store.clientID)
	}
}
