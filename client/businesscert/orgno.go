package businesscert

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"

	"github.com/portner-go/portner/norway"
)

// Attributes of a subject that can hold the organisation number (docs/spec/maskinporten.md §1.13).
var (
	oidOrganizationIdentifier = asn1.ObjectIdentifier{2, 5, 4, 97} // SEID 2: NTRNO-991825827
	oidSerialNumber           = asn1.ObjectIdentifier{2, 5, 4, 5}  // SEID 1: 991825827
	oidCommonName             = asn1.ObjectIdentifier{2, 5, 4, 3}  // old certificates: 991825827
)

// registryPrefix begins the identifiers of the Norwegian entity register (ETSI EN 319 412-1 §5.1.4).
const registryPrefix = "NTRNO-"

// orgno returns the organisation number of a subject.
//
// The organizationIdentifier has precedence. The serialNumber beside it can be unrelated; if it is an organisation number, the
// two must be equal.
func (v *Verifier) orgno(subject []pkix.AttributeTypeAndValue) (string, error) {
	identifier, n := attribute(subject, oidOrganizationIdentifier)
	serial, m := attribute(subject, oidSerialNumber)
	name, k := attribute(subject, oidCommonName)
	switch {
	case n > 1 || m > 1:
		return "", reject(ErrOrgno, "an attribute of the subject has several values")
	case n == 1:
		number, ok := v.fromIdentifier(identifier)
		if !ok {
			return "", reject(ErrOrgno, "organizationIdentifier has no number of the Norwegian entity register")
		}
		if v.valid(serial) && serial != number {
			return "", reject(ErrOrgno, "organizationIdentifier and serialNumber differ")
		}
		return number, nil
	case m == 1 && v.valid(serial):
		return serial, nil
	case m == 0 && k == 1 && v.cfg.AllowCommonName && v.valid(name):
		return name, nil
	}
	return "", reject(ErrOrgno, "the subject has no organisation number")
}

// attribute returns the last value of an attribute and the number of its values. A value that is not text is "".
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

// schemed reports whether an identifier begins with the name of a register: three letters, or two and a colon, for the kind,
// two letters for the country, and a hyphen.
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

// lastNine returns the last nine bytes of s. It reports false if a tenth digit precedes them.
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
