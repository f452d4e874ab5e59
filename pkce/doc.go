// Package pkce validates Proof Key for Code Exchange (RFC 7636). S256 is the only method.
//
// RFC 7636 §4.3 defines that an authorization request without code_challenge_method uses the method plain. A plain
// challenge is the verifier itself and does not protect the code if the authorization request is disclosed, so this package
// rejects both (RFC 9700 §2.1.1).
//
// At the authorization endpoint, call [Policy.CheckRequest] and store the challenge with the authorization code. At the
// token endpoint, call [Policy.Verify] for every code, also if no challenge is stored: this detects an authorization request
// from which an attacker removed the challenge (RFC 9700 §4.8).
package pkce
