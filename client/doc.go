// Package client is the registration model of relying parties and their authentication.
//
// A [Client] carries the property names of ID-porten's client registration. [Client.Validate] reports
// everything that is wrong with one, [Client.MatchRedirectURI] compares redirect URIs, and an
// [Authenticator] proves who is calling at the token, PAR, introspection and revocation endpoints.
// A registration without integration_type is a plain OpenID Connect client: the general rules hold,
// ID-porten's tables of allowed combinations do not.
//
// The package owns no registrations: a [Source] of the host's finds them, and [Registry] is one over a fixed
// list. The caller hands [Authenticator.Authenticate] what [CredentialsFrom] found in a request, gives it a
// [ReplayStore] if clients sign assertions, and makes secrets with [GenerateSecret], for a secret that was
// chosen by a person cannot be kept as this package keeps it.
//
// RFC 6749 section 2.3, RFC 7521, RFC 7523 sections 2.2 and 3, RFC 8252 sections 7 and 8, RFC 9700
// sections 2.1 and 4.1, OpenID Connect Core 1.0 section 9 and Dynamic Client Registration 1.0 section 2 (the
// names), idporten chapters 2, 5 and 16.
package client
