package sqlite_test

import (
	"context"
	"log"
	"time"

	"github.com/portner-go/portner/storage/sqlite"
)

// The store is the Store, PushedRequests, Replay and History of a provider.Config, and the Store of a keyset.Shared.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	store, err := sqlite.Open(ctx, "/var/lib/login/portner.db", sqlite.Config{Timeout: 2 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	go store.Run(ctx) // removes expired records
}
