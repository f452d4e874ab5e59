// Package maskinporten issues tokens to machines as Maskinporten does: a client posts a JWT that it signed
// with its organisation's business certificate or a registered key, and gets an access token that names
// the organisation (RFC 7523 section 2.1; maskinporten-altinn chapter 1).
//
// New is the whole service: POST /token, GET /jwk and the metadata of RFC 8414. NewGrant is the grant
// alone, for a token endpoint that has others too; give [Claims] to its machine clients.
//
// There is no person, no refresh token, no introspection and no revocation. All that is stored is which
// assertions have been used.
//
// The parameters that others call scope, resource and authorization_details are claims of the assertion.
// Its form has grant_type and assertion only.
package maskinporten
