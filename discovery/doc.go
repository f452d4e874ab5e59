// Package discovery publishes what a provider is and can: the metadata documents of OpenID Connect
// Discovery 1.0 and RFC 8414, and the JSON Web Key Set.
//
// The documents hold only what is enabled: a member whose value is empty in [Config] is left out, and
// what follows from other members is derived from them. They are encoded once. Every answer is the
// same bytes with a strong ETag, public for an hour, readable from any origin and independent of the
// request, so that a shared cache cannot be poisoned (security row F3); If-None-Match is honoured.
//
// Keys rotate, so [JWKS] asks for the current set at each request.
package discovery
