// Package maskinporten issues access tokens to machines, as Maskinporten does: the client posts a JWT signed with a registered
// key or its organisation's business certificate, and receives an access token that names the organisation (RFC 7523 §2.1;
// docs.digdir.no: Maskinporten).
//
// [New] returns the whole service: POST /token, GET /jwk and the metadata of RFC 8414. [NewGrantHandler] returns the grant handler
// alone, for a token endpoint with further grants; add [Claims] to its claims functions.
//
// There are no users, refresh tokens, introspection or revocation. The only stored state is the used assertions.
//
// Scope, resource and authorization_details are claims of the assertion. The form holds grant_type and assertion only.
package maskinporten
