// Package dpop checks DPoP proofs (RFC 9449 §4.3): signed JWTs with which a client proves, for one request, that it holds the private key
// that its access token is bound to. Policy holds the rules, Request is what a proof must fit, and Nonces makes and checks nonces without
// state (RFC 9449 §8 and §9).
//
// An API calls [Policy.Verify] with the access token and its confirmation cnf.jkt. An authorization server calls [Policy.Check] before it
// authenticates the client, and [Policy.Consume] after, so that a request that is not authenticated writes nothing.
//
// The package reads no header field, no clock and no configuration: the caller gives the values of DPoP, the public URL of its endpoint,
// and one time for the whole request.
package dpop
