package norway

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Authority is the coding of organisation identifiers that ID-porten and Maskinporten use.
const Authority = "iso6523-actorid-upis"

// icdNorway is the International Code Designator of the Norwegian register of legal entities. The legacy designator 9908 for
// the same numbers is not accepted.
const icdNorway = "0192"

const orgnoLength = 9

// ErrOrgno is the error of [ParseOrgno].
var ErrOrgno = errors.New("norway: not an organisation number: nine digits with a valid check digit are required")

// Orgno is a validated organisation number. The zero value is no organisation.
type Orgno struct{ digits string }

// ParseOrgno parses nine digits or the ISO 6523 form 0192:nine digits, and validates the check digit. It accepts the synthetic
// numbers of test environments.
func ParseOrgno(s string) (Orgno, error) {
	s = strings.TrimPrefix(s, icdNorway+":")
	d, ok := digits(s, orgnoLength)
	if !ok || d[0] == 0 {
		return Orgno{}, ErrOrgno
	}
	k, ok := mod11(d[:8], 3, 2, 7, 6, 5, 4, 3, 2)
	if !ok || d[8] != k {
		return Orgno{}, ErrOrgno
	}
	return Orgno{s}, nil
}

// String returns the nine digits, "" for the zero value.
func (o Orgno) String() string { return o.digits }

// IsZero reports whether o is no organisation.
func (o Orgno) IsZero() bool { return o == Orgno{} }

// Identifier is an organisation identifier in the ISO 6523 form, as in the claims consumer and supplier.
type Identifier struct {
	// Authority is the coding of ID. Only the constant [Authority] is accepted.
	Authority string `json:"authority"`
	// ID consists of two to four parts with colons between them: the designator of a register ("0192"), the number in that
	// register, and optionally a sub-entity and its source.
	ID string `json:"ID"`
}

// OrgIdentifier returns the ISO 6523 form of an organisation number.
func OrgIdentifier(orgno string) Identifier {
	return Identifier{Authority: Authority, ID: icdNorway + ":" + orgno}
}

// Number returns the organisation number. It returns false unless the authority is [Authority], the ID is well formed and the
// register is the Norwegian one. The number of a sub-entity is that of its organisation.
//
// Number does not validate the check digit: the identifier comes from a trusted issuer, and published examples have wrong check
// digits. [ParseOrgno] validates it.
func (i Identifier) Number() (string, bool) {
	parts := strings.Split(i.ID, ":")
	if i.Authority != Authority || len(parts) < 2 || len(parts) > 4 || parts[0] != icdNorway {
		return "", false
	}
	if _, ok := digits(parts[1], orgnoLength); !ok {
		return "", false
	}
	for _, part := range parts[2:] {
		if !validPart(part) {
			return "", false
		}
	}
	return parts[1], true
}

// validPart reports whether a part has 1 to 35 graphic characters without spaces, the limit of ISO 6523.
func validPart(part string) bool {
	n := utf8.RuneCountInString(part)
	return n >= 1 && n <= 35 && utf8.ValidString(part) &&
		!strings.ContainsFunc(part, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) })
}
