// Package norway parses the identifiers of Norwegian persons and organisations: national identity
// numbers ([PID]), organisation numbers ([ValidOrgno]) and the ISO 6523 form in which claims carry the
// latter ([Identifier]).
//
// A [PID] is personal data that must not be spread. It shows its digits to nobody who does not call
// [PID.Reveal].
package norway
