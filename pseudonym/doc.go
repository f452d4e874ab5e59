// Package pseudonym keeps national identity numbers from those who do not need them.
//
// A client may be a cloud service or an app that has no business knowing who somebody is; the
// API behind it has. ID-porten (this module's idporten chapter 13) has three ways to give a
// client a token without the number, "pid":
//
//  1. a scope with opaque tokens, requested without openid: the token says nothing, the API
//     asks the provider;
//  2. a scope that requires pseudonymous tokens: everything identifying is gone from all the
//     client gets, and only the organisation that owns the scope can resolve the number;
//  3. the retired scope no_pid, which works as 2.
//
// [Decide] says which it is, [Identifying] and [Strip] name and remove claims, [Leaks] checks
// the final bytes, [MayIntrospect], [MayResolve] and [MayReadPID] say who may ask the provider.
// [Pairwise] makes the subjects that take the place of the number.
//
// The caller keeps the decision with the grant, so that a refresh or an exchange cannot undo it, runs [Strip]
// last and [Leaks] on what is about to be sent, and keeps the pairwise key for years. The package keeps
// nothing and reads no clock.
//
// OpenID Connect Core 1.0 sections 8 and 17.3, RFC 7662 section 5, idporten chapters 6.4, 10 and 13,
// security chapter H.
package pseudonym
