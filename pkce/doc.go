// Package pkce is Proof Key for Code Exchange (RFC 7636) as a policy: it says whether the
// code_challenge of an authorization request is acceptable, and whether a code_verifier fits the
// challenge that was stored with the authorization code. It keeps nothing and reads no clock.
//
// Only S256 exists here. RFC 7636 section 4.3 lets a missing code_challenge_method mean "plain", and
// plain protects nothing once an authorization request is seen, so both are refused (RFC 9700
// section 2.1.1, security row C2).
//
// At the authorization endpoint call [Policy.CheckRequest] and store the challenge with the code.
// At the token endpoint call [Verify] for every code, also one without a challenge: only then is a
// request from which the challenge was stripped detected (RFC 9700 section 4.8, security row C1).
package pkce
