package combined_test

import (
	"context"
	"fmt"
	"time"

	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/combined"
	"github.com/portner-go/portner/storage/memory"
)

// The sessions are in one store, and the grants in another one: provider.Config.Store is the result, and History, PushedRequests and Replay are
// one of the two.
func Example() {
	sessions, grants := memory.New(), memory.New() // for instance storage/redis and storage/postgres
	store, err := combined.New(sessions, grants)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, now := context.Background(), time.Now()
	s := storage.Session{Hash: storage.HashOf("cookie"), ID: "session", ExpiresAt: now.Add(time.Hour)}
	_, err = store.ReplaceSession(ctx, storage.Hash{}, s, 50, now)
	fmt.Println(err)
	_, err = store.EndSession(ctx, s.Hash, now)
	fmt.Println(err)
	_, err = store.Session(ctx, s.Hash, now)
	fmt.Println(err)
	// Output:
	// <nil>
	// <nil>
	// storage: not found
}
