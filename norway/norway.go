// Package norway parses the identifiers of Norwegian persons and organisations.
package norway

// PID is a national identity number (fødselsnummer or D-number). It redacts itself wherever it is
// printed, logged or marshalled; Reveal gives the digits.
type PID struct{ digits string }

// ParsePID checks the form, the date and both check digits.
func ParsePID(s string) (PID, error) { panic("stub") }

// Reveal returns the eleven digits, "" for the zero PID.
func (p PID) Reveal() string { return p.digits }

// IsZero reports whether there is no number.
func (p PID) IsZero() bool { return p.digits == "" }

// Identifier is an ISO 6523 organisation identifier as in the consumer claim.
type Identifier struct {
	Authority string `json:"authority"`
	ID        string `json:"ID"`
}

// ValidOrgno reports whether s is a nine-digit organisation number with the right check digit.
func ValidOrgno(s string) bool { panic("stub") }

// OrgIdentifier returns the ISO 6523 form of an organisation number: 0192:<orgno>.
func OrgIdentifier(orgno string) Identifier {
	return Identifier{Authority: "iso6523-actorid-upis", ID: "0192:" + orgno}
}
