package pkce_test

import (
	"fmt"

	"github.com/portner-go/portner/pkce"
)

func Example() {
	// The client keeps the verifier and sends its challenge in the authorization request.
	verifier := pkce.NewVerifier()
	challenge := pkce.Challenge(verifier)

	// The authorization endpoint.
	fmt.Println(pkce.Policy{}.CheckRequest(challenge, "S256"))
	fmt.Println(pkce.Policy{}.CheckRequest(challenge, "plain"))

	// The token endpoint, with the challenge stored beside the code.
	fmt.Println(pkce.Verify(pkce.S256, challenge, verifier))
	fmt.Println(pkce.Verify(pkce.S256, challenge, pkce.NewVerifier()))
	// Output:
	// <nil>
	// pkce: code_challenge_method must be S256
	// <nil>
	// pkce: code_verifier does not match
}
