package redis_test

import (
	"context"
	"log"

	goredis "github.com/redis/go-redis/v9"

	"github.com/portner-go/portner/storage/redis"
)

// The store is the Store, PushedRequests, Replay and History of a provider.Config, and the Store of a keyset.Shared. The client must not
// ignore deadlines.
func Example() {
	ctx := context.Background()
	client := goredis.NewUniversalClient(&goredis.UniversalOptions{Addrs: []string{"redis.example.no:6379"}, ContextTimeoutEnabled: true})
	store, err := redis.New(ctx, client, redis.Config{WaitReplicas: 1})
	if err != nil {
		log.Fatal(err)
	}
	go store.Run(ctx) // removes members of lists whose record Redis has collected
}
