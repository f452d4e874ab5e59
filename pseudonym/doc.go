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
package pseudonym
