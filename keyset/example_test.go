package keyset_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/portner-go/portner/keyset"
)

func Example() {
	old, _ := keyset.Generate(keyset.ES256)
	keys, _ := keyset.New(keyset.Config{Keys: []keyset.Key{old}})
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	token, _ := keys.Sign("", "", []byte(`{"iss":"i","sub":"s","aud":"c","iat":1772323200,"exp":1772323320}`), now)

	next, _ := keyset.Generate(keyset.ES256)
	_ = keys.Add(next, 0, now) // published from now, signs from 3 March

	for _, day := range []int{1, 3, 4} {
		now = time.Date(2026, 3, day, 0, 0, 0, 0, time.UTC)
		_, err := keys.VerifyIDToken(token, now)
		fmt.Println(day, "March:", keys.States()[0].Phase(now), keys.States()[1].Phase(now), err == nil)
	}
	// Output:
	// 1 March: active next true
	// 3 March: retired active true
	// 4 March: removed active false
}

// The keys of a provider, in files that several nodes may share.
func ExampleDirectory() {
	path, _ := os.MkdirTemp("", "keys")
	defer os.RemoveAll(path)
	keys, err := keyset.Directory{Path: path, Alg: keyset.ES256}.Open()
	if err != nil {
		fmt.Println(err) // names every invalid field and file
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	keys.Run(ctx) // a host starts it in a goroutine: go keys.Run(ctx)
	fmt.Println(keys.Algs(time.Now()), len(keys.States()))
	// Output: [ES256] 1
}
