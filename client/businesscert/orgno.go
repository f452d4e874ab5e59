package businesscert

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"

	"github.com/portner-go/portner/norway"
)

// Where a subject holds the organisation number, in this order (maskinporten-altinn section 1.13).
var (
	oidOrganizationIdentifier = asn1.ObjectIdentifier{2, 5, 4, 97} // SEID 2: NTRNO-991825827
	oidSerialNumber           = asn1.ObjectIdentifier{2, 5, 4, 5}  // SEID 1: 991825827
	oidCommonName             = asn1.ObjectIdentifier{2, 5, 4, 3}  // very old: 991825827
)

// registryPrefix says that the rest is a number of the Norwegian entity register (ETSI EN 319 412-1
// section 5.1.4: NTR, the country, a hyphen).
const registryPrefix = "NTRNO-"

// orgno finds the one organisation number of a subject. The subject, never the issuer: an authority is an
// organisation as well.
//
// An organizationIdentifier decides alone. The serialNumber beside it may hold something unrelated, so it
// is looked at only where it is an organisation number itself: then the two must agree (security row E7).
func (v *Verifier) orgno(subject []pkix.AttributeTypeAndValue) (string, error) {
	identifier, n := attribute(subject, oidOrganizationIdentifier)
	serial, m := attribute(subject, oidSerialNumber)
	name, k := attribute(subject, oidCommonName)
	switch {
	case n > 1 || m > 1:
		return "", refuse(ErrOrgno, "an attribute of the subject has two values")
	case n == 1:
		number, ok := v.fromIdentifier(identifier)
		if !ok {
			return "", refuse(ErrOrgno, "organizationIdentifier is not of the Norwegian entity register")
		}
		if v.valid(serial) && serial != number {
			return "", refuse(ErrOrgno, "organizationIdentifier and serialNumber are two organisations")
		}
		return number, nil
	case m == 1 && v.valid(serial):
		return serial, nil
	case m == 0 && k == 1 && v.cfg.AllowCommonName && v.valid(name):
		return name, nil
	}
	return "", refuse(ErrOrgno, "the subject has no organisation number")
}

// attribute returns a value and how many there are. A value that is no text counts, as "".
func attribute(subject []pkix.AttributeTypeAndValue, oid asn1.ObjectIdentifier) (value string, n int) {
	for _, a := range subject {
		if a.Type.Equal(oid) {
			value, _ = a.Value.(string)
			n++
		}
	}
	return value, n
}

func (v *Verifier) fromIdentifier(identifier string) (number string, ok bool) {
	number, ok = strings.CutPrefix(identifier, registryPrefix)
	if v.cfg.Lenient && (ok || !schemed(identifier)) {
		number, ok = lastNine(identifier)
	}
	return number, ok && v.valid(number)
}

// schemed reports whether an identifier says by its form which register it is from: three letters for the
// kind or two and a colon, two for the country, a hyphen.
func schemed(identifier string) bool {
	if len(identifier) < 6 || identifier[5] != '-' {
		return false
	}
	for i, c := range []byte(identifier[:5]) {
		if !('A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || i == 2 && c == ':') {
			return false
		}
	}
	return true
}

// lastNine returns nine digits at the end that have no tenth before them.
func lastNine(s string) (string, bool) {
	i := len(s) - 9
	if i < 0 || i > 0 && '0' <= s[i-1] && s[i-1] <= '9' {
		return "", false
	}
	return s[i:], true
}

func (v *Verifier) valid(number string) bool {
	if !v.cfg.AllowAnyCheckDigit {
		o, err := norway.ParseOrgno(number)
		return err == nil && o.String() == number
	}
	return len(number) == 9 && strings.Trim(number, "0123456789") == ""
}
