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
//   - storage defines the records, storage/memory stores them in memory, storage/storagetest tests other stores.
//
// Endpoints, each with a core without transport and an http.Handler:
//
//   - authorize is the authorization endpoint and the pushed authorization request endpoint;
//   - token is the token, userinfo, introspection and revocation endpoint;
//   - logout is the end session endpoint with front-channel and back-channel logout;
//   - discovery serves the metadata and the keys;
//   - exchange is the token exchange grant.
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
// The New functions of the module validate the whole configuration and return all problems as [FieldError]s.
package portner
