package pseudonym_test

import (
	"encoding/json"
	"fmt"

	"github.com/portner-go/portner/pseudonym"
)

func Example() {
	pairwise, _ := pseudonym.NewPairwise([]byte("a secret of 32 bytes or more, kept for years"))
	const pid = "01818012345"
	id, _ := pseudonym.NewIdentifier("pid", pid)
	sub, _ := pairwise.Subject("my-client", id)
	claims := map[string]any{"sub": sub, "pid": pid, "acr": "idporten-loa-high"}

	if pseudonym.Decide(pseudonym.Request{Scope: true, OpenID: true}) == pseudonym.Pseudonymous {
		pseudonym.Strip(claims)
	}
	payload, _ := json.Marshal(claims)
	fmt.Println(string(payload), pseudonym.Leaks(payload, pid))
	// Output: {"acr":"idporten-loa-high","sub":"QeAGOi4Q3xLQBUQKhaxGFm09ZICALBnMSf3QtYGD6nE"} false
}

// Who learns the number behind a pseudonymous token: the organisation that owns the scope.
func ExampleMayResolve() {
	scopes := []pseudonym.TokenScope{{OwnerOrgno: "974761076"}}
	owner := pseudonym.Resolver{ClientID: "api", Orgno: "974761076", Authenticated: true, Introspects: true}
	other := pseudonym.Resolver{ClientID: "app", Orgno: "991825827", Authenticated: true, Introspects: true}
	fmt.Println(pseudonym.MayResolve(owner, scopes), pseudonym.MayResolve(other, scopes))
	// Output: true false
}
