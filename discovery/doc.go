// Package discovery publishes the metadata of a provider (OIDC Discovery, RFC 8414) and its JSON Web Key Set.
//
// A member whose value is empty in [Config] is left out of the document, and members that follow from other values are added. A
// document is encoded once. Every response has the same bytes and a strong ETag, may be cached for an hour, and may be read from
// every origin. It does not depend on the request, so a request cannot poison a shared cache. If-None-Match is supported.
//
// [JWKS] loads the set for each request, because keys rotate.
package discovery
