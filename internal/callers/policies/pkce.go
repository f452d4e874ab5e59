// Package policies shows each policy package alone: it takes values and returns a decision.
package policies

import "github.com/portner-go/portner/pkce"

// acceptChallenge decides an authorization request: it returns an error, or the challenge to store with the code.
func acceptChallenge(query map[string]string, confidentialOptOut bool) (stored string, err error) {
	policy := pkce.Policy{Optional: confidentialOptOut}
	challenge := query["code_challenge"]
	return challenge, policy.CheckRequest(challenge, query["code_challenge_method"])
}

// redeem decides a token request. The zero policy requires a challenge: a request from which it was removed is rejected.
func redeem(storedChallenge, verifier string) error {
	return pkce.Policy{}.Verify(storedChallenge, verifier)
}
