package postgres_test

import (
	"context"
	"log"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/portner-go/portner/storage/postgres"
)

// The store is the Store, PushedRequests, Replay and History of a provider.Config, and the Store of a keyset.Shared. Migrate can also run
// before, as the command portner-postgres with another role.
func Example() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, "postgres://login@db.example.no/login")
	if err != nil {
		log.Fatal(err)
	}
	if err := postgres.Migrate(ctx, pool); err != nil {
		log.Fatal(err)
	}
	store, err := postgres.New(ctx, pool, postgres.Config{})
	if err != nil {
		log.Fatal(err)
	}
	go store.Run(ctx) // removes expired records
}
