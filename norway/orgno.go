package norway

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Authority is the coding of organisation identifiers in use today.
const Authority = "iso6523-actorid-upis"

// icdNorway is the International Code Designator of the Norwegian entity register. 9908 is a legacy
// code for the same numbers and is not trusted.
const icdNorway = "0192"

const orgnoLength = 9

// ErrIdentifier is what every error of [ParseIdentifier] is.
var ErrIdentifier = errors.New("norway: not an ISO 6523 identifier")

// ValidOrgno reports whether s is a nine-digit organisation number with the right check digit.
// Synthetic numbers of the test environments pass as well. The first digit is never 0.
func ValidOrgno(s string) bool {
	d, ok := digits(s, orgnoLength)
	if !ok || d[0] == 0 {
		return false
	}
	k, ok := mod11(d[:8], 3, 2, 7, 6, 5, 4, 3, 2)
	return ok && d[8] == k
}

// Identifier is an ISO 6523 organisation identifier as in the consumer claim.
type Identifier struct {
	// Authority names the coding; only [Authority] is trusted here.
	Authority string `json:"authority"`
	// ID is two to four parts with colons between: the designator of a register (0192), the number in
	// it, and in a pilot a sub-entity and its source.
	ID string `json:"ID"`
}

// OrgIdentifier returns the ISO 6523 form of an organisation number: 0192:<orgno>.
func OrgIdentifier(orgno string) Identifier {
	return Identifier{Authority: Authority, ID: icdNorway + ":" + orgno}
}

// ParseIdentifier reads an ID such as "0192:991825827" or "0192:991825827:ER//987464291:1". Other
// registers than the Norwegian one are tolerated; [Identifier.Orgno] does not trust them.
func ParseIdentifier(id string) (Identifier, error) {
	if err := checkID(id); err != nil {
		return Identifier{}, err
	}
	return Identifier{Authority: Authority, ID: id}, nil
}

// Orgno returns the organisation number, false unless the authority is known, the ID is well formed
// and the register is the Norwegian one. A sub-entity belongs to the organisation it stands under.
// The check digit is not looked at: the sender issued the number, and its own test samples have
// wrong ones. [ValidOrgno] does.
func (i Identifier) Orgno() (string, bool) {
	if i.Authority != Authority || checkID(i.ID) != nil {
		return "", false
	}
	icd, rest, _ := strings.Cut(i.ID, ":")
	orgno, _, _ := strings.Cut(rest, ":")
	return orgno, icd == icdNorway
}

// checkID checks the form of an ID and, in the Norwegian register, the form of the number.
func checkID(id string) error {
	parts := strings.Split(id, ":")
	if len(parts) < 2 || len(parts) > 4 {
		return fmt.Errorf("%w: want two to four parts", ErrIdentifier)
	}
	if _, ok := digits(parts[0], 4); !ok {
		return fmt.Errorf("%w: want a register of four digits", ErrIdentifier)
	}
	if _, ok := digits(parts[1], orgnoLength); !ok && parts[0] == icdNorway {
		return fmt.Errorf("%w: want an organisation number of nine digits", ErrIdentifier)
	}
	for _, part := range parts[1:] {
		if !validPart(part) {
			return fmt.Errorf("%w: want parts of 1 to 35 printable characters", ErrIdentifier)
		}
	}
	return nil
}

// validPart bounds a part to the 35 characters of ISO 6523 and keeps out what would not survive a log
// line or a comparison.
func validPart(part string) bool {
	n := utf8.RuneCountInString(part)
	return n >= 1 && n <= 35 && utf8.ValidString(part) &&
		!strings.ContainsFunc(part, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) })
}
