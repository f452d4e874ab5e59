// Package acr orders levels of assurance: the values of the parameter acr_values and of the claim acr
// (OIDC Core §2 and §3.1.2.1).
//
// A requested value is a minimum: an achieved level satisfies a request if it is at least as strong as the weakest requested
// value. Levels of equal rank are equally strong, whatever framework defines them. A value that is not in the set is ignored
// in a request and satisfies no request as an achieved level.
//
// [IDPorten] and [Ansattporten] are the sets of these services. [New] makes another set.
//
// Values from a request are untrusted text. [Levels.Known] returns those that may be stored, shown and logged.
package acr
