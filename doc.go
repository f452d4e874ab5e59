// Package portner holds what the packages of this module share: protocol errors, configuration errors, replies, secrets and
// events.
//
// The module provides building blocks for OpenID Connect and OAuth 2.0 providers in the style of ID-porten, the national login
// of Norway. A portner is a gatekeeper.
//
// Policies decide from plain values, and can be imported alone:
//
//   - pkce validates Proof Key for Code Exchange;
//   - scope decides which requested scopes are granted;
//   - acr compares levels of assurance;
//   - pseudonym removes identifying claims and derives pairwise subjects;
//   - norway parses national identity numbers and organisation numbers.
//
// State and keys:
//
//   - session keeps single sign-on sessions;
//   - client validates registrations and authenticates clients;
//   - keyset holds and rotates signing keys;
//   - rar validates authorization_details;
//   - dpop checks DPoP proofs and makes their nonces;
//   - storage defines the records, storage/memory stores them in memory, storage/storagetest tests other stores.
//
// Endpoints. The first three have functions that take and return plain values, and an http.Handler that calls them:
//
//   - authorize is the authorization endpoint and the pushed authorization request endpoint;
//   - token is the token, userinfo, introspection and revocation endpoint;
//   - logout is the end session endpoint with front-channel and back-channel logout;
//   - discovery serves the metadata and the keys;
//   - exchange is the grant handler of token exchange, for the token endpoint.
//
// Package provider connects them to a complete provider. Package resource protects an API that accepts the tokens. The packages
// below digdir implement the services of the Norwegian Digitalisation Agency: Maskinporten, Ansattporten, Altinn's token
// exchange and the authorizations API.
//
// # Errors
//
// An [Error] is a protocol error: it is safe to send to the peer. Every other error is a fault: it is logged, and the peer
// receives server_error or temporarily_unavailable. [ErrorReply] makes the response for both.
//
// The New functions that take a configuration validate all of it and return every problem as a [FieldError]. The policies have
// errors of their own and import no other package, except for scope.
package portner
