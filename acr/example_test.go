package acr_test

import (
	"fmt"
	"strings"

	"github.com/portner-go/portner/acr"
)

// sufficient decides whether a session answers an authorization request, or whether the user must log in with a stronger method.
func sufficient(achieved string, acrValues []string) bool {
	if len(acrValues) == 0 {
		return acr.IDPorten.AtLeast(achieved, acr.Substantial)
	}
	return acr.IDPorten.Satisfies(achieved, acrValues)
}

func Example() {
	fmt.Println(sufficient(acr.Substantial, nil))
	fmt.Println(sufficient(acr.Substantial, strings.Fields("idporten-loa-high eidas-loa-high")))
	fmt.Println(sufficient(acr.High, strings.Fields("idporten-loa-high eidas-loa-high")))
	fmt.Println(sufficient(acr.High, strings.Fields("idporten-loa-hihg"))) // an unknown value: never satisfied
	// Output:
	// true
	// false
	// true
	// false
}

// A provider with levels of its own.
func ExampleNew() {
	levels, err := acr.New(acr.Level{Value: "urn:example:password", Rank: 1}, acr.Level{Value: "urn:example:passkey", Rank: 2})
	fmt.Println(levels.AtLeast("urn:example:passkey", "urn:example:password"), err)

	_, err = acr.New(acr.Level{Value: "a", Rank: 1}, acr.Level{Value: "a", Rank: 2}, acr.Level{Rank: 3})
	fmt.Println(err)
	// Output:
	// true <nil>
	// acr: level 1: "a" is repeated
	// acr: level 2: empty value
}
