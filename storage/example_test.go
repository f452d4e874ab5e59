package storage_test

import (
	"errors"
	"fmt"

	"github.com/portner-go/portner/storage"
)

// A store can add context to a verdict. Callers compare with errors.Is.
func Example() {
	err := fmt.Errorf("table code, row 7: %w", storage.ErrConsumed)
	switch {
	case errors.Is(err, storage.ErrConsumed):
		fmt.Println("the code was redeemed before")
	case err != nil:
		fmt.Println("a fault of the store")
	}
	// Output: the code was redeemed before
}

func ExampleRevocation_Validate() {
	user := storage.HashOf("keyed hash of the user")
	fmt.Println(storage.Revocation{GrantID: "g-1"}.Validate())
	fmt.Println(storage.Revocation{Authorization: storage.ConsentKey{UserKey: user, ClientID: "web"}}.Validate())
	fmt.Println(storage.Revocation{}.Validate())
	// Output:
	// <nil>
	// <nil>
	// storage: revocation: set GrantID, or Authorization with UserKey and ClientID
}
