// Package scope decides what of a request for scopes is granted, and on which conditions.
//
// A scope is a name like "nav:trygdeopplysninger.read" with a record that its owner keeps: who
// may use it, whether the person is asked, how long tokens live, what they look like
// ([Scope]). A [Source] finds records; [Registry] is one over fixed records.
//
// [Parse] splits the scope parameter, [Evaluate] answers an authorization request, [Narrow]
// answers at the token endpoint, where the same rules are asked again, and [Expiry] computes
// lifetimes. All are pure: plain values in, a decision out, no clock, no storage, no HTTP.
//
// What the caller does: answer invalid_scope for a malformed parameter or a refusal, log in
// the person (again, if the plan says so), show the consent page, and remember the answer.
//
// The rules are those of RFC 6749 section 3.3, OpenID Connect Core 1.0 sections 5.4 and 11, and
// of ID-porten (this module's idporten chapter 12).
package scope
