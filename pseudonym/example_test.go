package pseudonym_test

import (
	"encoding/json"
	"fmt"

	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/pseudonym"
)

// claimsFor encodes the claims of a token for a client.
func claimsFor(p pseudonym.Protection, pairwise *pseudonym.Pairwise, clientID string, pid norway.PID, claims map[string]any) ([]byte, error) {
	id, err := pseudonym.NewIdentifier("pid", pid.Reveal())
	if err != nil {
		return nil, err
	}
	if claims["sub"], err = pairwise.Subject(p, clientID, id); err != nil {
		return nil, err
	}
	if p != pseudonym.Open { // the zero value is the strictest
		return pseudonym.Encode(claims, id)
	}
	claims["pid"] = pid.Reveal()
	return json.Marshal(claims)
}

func Example() {
	pairwise, _ := pseudonym.NewPairwise([]byte("a secret of 32 bytes or more, kept for years"))
	pid, _ := norway.ParsePID("21879498012") // synthetic
	claims := func() map[string]any {
		return map[string]any{"acr": "idporten-loa-high", "given_name": "Kari"}
	}

	// A scope requires pseudonymous tokens.
	protection := pseudonym.Decide(pseudonym.Grant{Prior: pseudonym.Open, RequiresPseudonym: true, IDToken: true})
	out, err := claimsFor(protection, pairwise, "my-client", pid, claims())
	fmt.Println(protection, string(out), err)

	// A claims function put the number into a claim of another name.
	c := claims()
	c["note"] = "case of 218794 98012"
	_, err = claimsFor(protection, pairwise, "my-client", pid, c)
	fmt.Println(err)
	// Output:
	// pseudonymous {"acr":"idporten-loa-high","sub":"fQdDYStYRFvMNprBQrFpGOXQUQ0sIZwrHbYtHGKa2QI"} <nil>
	// pseudonym: encoded claims contain an identifier
}

// A refresh or an exchange passes the stored protection and does not weaken it.
func ExampleDecide() {
	granted := pseudonym.Decide(pseudonym.Grant{Prior: pseudonym.Open, OpaqueTokens: true})
	fmt.Println(granted)
	fmt.Println(pseudonym.Decide(pseudonym.Grant{Prior: granted, IDToken: true}))
	// Output:
	// by_reference
	// by_reference
}

// The organisation that owns the scopes receives the national identity number behind a pseudonymous token.
func ExampleMayResolve() {
	scopes := []pseudonym.TokenScope{{OwnerOrgno: "974761076"}}
	owner := pseudonym.Resolver{ClientID: "api", Orgno: "974761076", Authenticated: true, Introspects: true}
	other := pseudonym.Resolver{ClientID: "app", Orgno: "991825827", Authenticated: true, Introspects: true}
	fmt.Println(pseudonym.MayResolve(owner, scopes), pseudonym.MayResolve(other, scopes))
	// Output: true false
}
