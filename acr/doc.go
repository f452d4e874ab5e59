// Package acr orders levels of assurance (the acr_values and the acr claim of OpenID Connect) and
// answers whether one is enough.
//
// Requested values are minimum levels: a login satisfies a request if it is at least as strong as the
// weakest value asked for. Levels of equal rank stand for one another, whatever legal framework they
// come from. A value nobody knows counts for nothing: as a request it is ignored, as an achievement
// it satisfies no request, so it can never raise a level.
//
// [IDPorten] and [Ansattporten] are the two sets in use; [New] makes another.
//
// The caller keeps what a login achieved and what was asked for; this package keeps nothing, reads no clock
// and calls nobody. Treat what clients send as text of a stranger until [Levels.Normalize] has seen it.
//
// OpenID Connect Core 1.0 sections 2 and 3.1.2.1 (acr, acr_values), RFC 9470 section 4, idporten section 3.4.
package acr
