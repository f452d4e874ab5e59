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

// The organisation that owns the pseudonymous scope receives the national identity number behind a token, and no other one.
func ExampleMayReadPID() {
	health, orders := pseudonym.TokenScope{OwnerOrgno: "974761076", Pseudonymous: true}, pseudonym.TokenScope{OwnerOrgno: "910753614"}
	both := []pseudonym.TokenScope{health, orders}
	token := pseudonym.Token{ClientID: "app", Organisations: []string{"991825827"}, Scopes: both, Granted: both}
	for _, orgno := range []string{"974761076", "910753614", "991825827"} {
		api := pseudonym.Resolver{ClientID: "api", Orgno: orgno, Authenticated: true, Introspects: true}
		fmt.Println(pseudonym.MayIntrospect(api, token), pseudonym.MayReadPID(pseudonym.Pseudonymous, api, token))
	}
	// Output:
	// true true
	// true false
	// false false
}
