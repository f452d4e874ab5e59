// Package norway parses identifiers of Norwegian persons and organisations: national identity numbers ([PID]), organisation
// numbers ([Orgno]), and the ISO 6523 form of organisation numbers in claims ([Identifier]).
//
// A [PID] redacts itself when it is printed or logged, and cannot be marshalled. Call [PID.Reveal] where the digits are needed.
//
// The package validates form and check digits. A valid number is not necessarily assigned to a person or organisation.
//
// References: Skatteetaten: Fødselsnummer, Brønnøysundregistrene: Organisasjonsnummeret, ISO/IEC 6523, Peppol Policy for use of
// Identifiers.
package norway
