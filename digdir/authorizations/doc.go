// Package authorizations lets people, the organisations they gave access to and the owners of APIs see
// what was granted and end it, and shows people's login history (idporten chapter 17).
//
// An [API] answers the endpoints of ID-porten's authorizations API. Its core, [API.OfPerson] and
// [API.Revoke], is what a host's own page for people calls.
//
// The host mounts [API.Handler] beside its provider, over the same store and session.Vault, and gives
// callers the scopes below. It owns no records: grants are the token endpoint's, and login history is
// recorded by the authorization endpoint.
package authorizations
