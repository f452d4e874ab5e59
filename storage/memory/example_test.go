package memory_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
)

func Example() {
	ctx, now := context.Background(), time.Now()
	store, err := memory.NewWith(memory.Config{MaxReplays: 1})
	if err != nil {
		fmt.Println(err)
		return
	}

	err = store.ConsumeJTI(ctx, "client", storage.HashOf("assertion 1"), now.Add(time.Minute), now)
	fmt.Println(err)
	err = store.ConsumeJTI(ctx, "client", storage.HashOf("assertion 1"), now.Add(time.Minute), now)
	fmt.Println(errors.Is(err, storage.ErrConsumed))
	err = store.ConsumeJTI(ctx, "client", storage.HashOf("assertion 2"), now.Add(time.Minute), now)
	fmt.Println(errors.Is(err, storage.ErrFull))

	removed, _ := store.Sweep(ctx, now.Add(time.Hour))
	fmt.Println(removed, store.Stats().Replays)
	// Output:
	// <nil>
	// true
	// true
	// 1 0
}
