// Package discovery publishes the metadata of a provider (OIDC Discovery, RFC 8414) and its JSON Web Key Set.
//
// A document has the members that are enabled: a member whose value is empty in [Config] is left out, and members that follow
// from others are derived. A document is encoded once. Every response is the same bytes with a strong ETag, cacheable for an
// hour, readable from every origin, and independent of the request, so that a shared cache cannot be poisoned. If-None-Match
// is supported.
//
// [JWKS] loads the set for each request, because keys rotate.
package discovery
