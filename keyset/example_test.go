package keyset_test

import (
	"context"
	"crypto"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/storage/memory"
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

// The keys of a provider with several nodes, sealed in the store that the nodes share.
func ExampleShared() {
	store := memory.New() // in place of the store that the nodes share
	secrets := []portner.Secret{portner.NewSecret()}
	for range 3 { // nodes
		keys, err := keyset.Shared{Store: store, Set: "https://login.example.no", Secrets: secrets, Alg: keyset.ES256}.Open(context.Background())
		if err != nil {
			fmt.Println(err) // names every invalid field and key
			return
		}
		fmt.Println(keys.Algs(time.Now()), len(keys.States())) // then: go keys.Run(ctx)
	}
	stored, _ := store.SigningKeys(context.Background(), "https://login.example.no")
	fmt.Println("stored:", len(stored))
	// Output:
	// [ES256] 1
	// [ES256] 1
	// [ES256] 1
	// stored: 1
}

// kms is a service that keeps private keys and signs with them. Its keys are crypto.Signer values.
type kms map[string]crypto.Signer

// create makes a key in the service and returns its handle.
func (k kms) create() keyset.Key {
	key, _ := keyset.Generate(keyset.ES256)
	k[key.KID] = key.Signer
	return keyset.Key{Alg: key.Alg, Signer: k[key.KID], KID: key.KID}
}

// load returns the keys that are not removed. Each node calls it about once an hour, and passes the result to Set.Replace.
func (k kms) load(stored []byte, now time.Time) (keys []keyset.Key) {
	var states []keyset.KeyState
	if err := json.Unmarshal(stored, &states); err != nil {
		return nil
	}
	for _, s := range states {
		if s.Phase(now) != keyset.Removed {
			keys = append(keys, keyset.Key{KID: s.KID, Alg: s.Alg, Signer: k[s.KID], Life: s.Life})
		}
	}
	return keys
}

// Keys in a KMS or HSM do not leave it. One job of the host plans each successor and stores the states of all keys, in one step that
// fails if another job stored them meanwhile. Nodes load the states.
func ExampleRotation_Plan() {
	service, now := kms{}, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	states := []keyset.KeyState{service.create().State()} // the first key signs from the start
	stored, _ := json.Marshal(states)
	node, _ := keyset.New(keyset.Config{Keys: service.load(stored, now)})

	states, err := keyset.Rotation{}.Plan(states, service.create().State(), now) // the job, when a successor is due
	if err != nil {
		fmt.Println(err)
		return
	}
	stored, _ = json.Marshal(states)

	for _, day := range []int{1, 3, 4} { // the node
		now = time.Date(2026, 3, day, 0, 0, 0, 0, time.UTC)
		if err := node.Replace(service.load(stored, now)); err != nil {
			fmt.Println(err) // the node keeps the keys that it has
		}
		for _, s := range node.States() {
			fmt.Print(s.Phase(now), " ")
		}
		fmt.Println(now.Format("2 January"))
	}
	// Output:
	// active next 1 March
	// retired active 3 March
	// active 4 March
}
