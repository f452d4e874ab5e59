// Package norway parses the identifiers of Norwegian persons and organisations: national identity
// numbers ([PID]), organisation numbers ([ValidOrgno]) and the ISO 6523 form in which claims carry the
// latter ([Identifier]).
//
// A [PID] is personal data that must not be spread. It shows its digits to nobody who does not call
// [PID.Reveal].
//
// The package keeps nothing and asks no register: a valid number may belong to nobody. The caller calls
// Reveal where a number has to leave, and nowhere else.
//
// The rules are Skatteetaten's and Brønnøysundregistrene's for the numbers, ISO 6523 and Peppol's use of it
// for identifiers, and this module's idporten section 7.2 for the claim.
package norway
