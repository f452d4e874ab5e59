package pkce_test

import (
	"fmt"
	"net/url"

	"github.com/portner-go/portner/pkce"
)

// acceptChallenge is part of an authorization endpoint: it rejects the request, or returns the challenge to store with the code.
func acceptChallenge(query url.Values, confidentialOptOut bool) (stored string, err error) {
	policy := pkce.Policy{Optional: confidentialOptOut}
	challenge := query.Get("code_challenge")
	return challenge, policy.CheckRequest(challenge, query.Get("code_challenge_method"))
}

func Example() {
	// The client keeps the verifier and sends its challenge.
	verifier := pkce.NewVerifier()
	query := url.Values{"code_challenge": {pkce.Challenge(verifier)}, "code_challenge_method": {pkce.S256}}

	// Authorization endpoint.
	stored, err := acceptChallenge(query, false)
	fmt.Println(err)
	query.Set("code_challenge_method", "plain")
	_, err = acceptChallenge(query, false)
	fmt.Println(err)

	// Token endpoint. The zero policy requires a challenge, so a request from which it was removed is an error.
	fmt.Println(pkce.Policy{}.Verify(stored, verifier))
	fmt.Println(pkce.Policy{}.Verify(stored, pkce.NewVerifier()))
	fmt.Println(pkce.Policy{}.Verify("", ""))
	// Output:
	// <nil>
	// pkce: code_challenge_method must be S256
	// <nil>
	// pkce: code_verifier does not match
	// pkce: code_challenge required
}
