// Package pseudonym keeps identifying claims from clients that may not learn them.
//
// A client can be a service that does not need the identity of its users, while the API behind it does. There are two ways to
// give such a client a token (docs.digdir.no: oidc_func_nopid):
//
//   - an opaque token without id_token and userinfo: the API introspects the token and receives the identity;
//   - a pseudonymous grant: no token or response to the client contains an identifying claim, and only the organisation that
//     owns a pseudonymous scope receives the identity at introspection.
//
// [Decide] returns the [Protection] of a grant. [Identifying] and [Strip] find and remove identifying claims, [Leaks] checks
// encoded claims, and [Encode] strips, encodes and checks a map of claims. [MayIntrospect], [MaySeeScope] and [MayReadPID] decide what
// a resource server receives at introspection. [Pairwise] derives the subject identifiers of OIDC Core §8.1.
//
// The caller stores the protection with the grant, so that a refresh or an exchange does not weaken it, and keeps the key of
// Pairwise unchanged for years. The package has no storage and uses no clock.
package pseudonym
