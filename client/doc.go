// Package client holds client registrations, client authentication, and the requests that clients send directly.
//
// A [Client] has the member names of OpenID Connect Dynamic Client Registration and of ID-porten's client registration.
// [Parse] and [Client.Validate] report every problem of a registration; [Client.MatchRedirectURI] compares redirect URIs. A
// registration without integration_type is a plain OpenID Connect client, to which ID-porten's tables of allowed
// combinations do not apply.
//
// The host stores registrations and implements [Source]; [Registry] is a Source of fixed registrations, and [Cache] keeps
// the registrations of a slow Source in memory. [Lookup] finds an enabled client.
//
// A [Request] is what a client sends to the token, pushed authorization request, introspection, revocation or userinfo
// endpoint. An [Authenticator] authenticates its client: by a secret, by a signed assertion, by an assertion signed with a
// business certificate, or by a TLS certificate. A host whose TLS ends at a proxy supplies a [CertificateFunc].
//
// The package implements RFC 6749 §2.3, RFC 7521, RFC 7523 §2.2 and §3, RFC 8252 §7 and §8, RFC 8705 §2, RFC 9440, RFC 9700 §2.1 and §4.1,
// OIDC Core §9, OIDC Dynamic Client Registration §2.
package client
