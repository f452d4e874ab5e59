package client

import (
	"cmp"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/portner-go/portner/internal/httpx"
)

// maxDN is the length limit of a registered distinguished name in bytes.
const maxDN = 1024

// distinguishedName is the name of a subject. It has the order of RFC 4514 §2.1, the last relative name of a certificate first; the
// attributes of a relative name are sorted, because they are a set. Two names are equal if all their values are, byte for byte.
type distinguishedName [][]attribute

// attribute is one attribute of a relative distinguished name.
type attribute struct {
	oid   string
	text  bool   // value is text, of any string type of ASN.1
	value string // text in UTF-8, or the DER of another value
}

func (d distinguishedName) equal(other distinguishedName) bool {
	return slices.EqualFunc(d, other, slices.Equal)
}

func sortAttributes(set []attribute) []attribute {
	slices.SortFunc(set, func(a, b attribute) int {
		return cmp.Or(strings.Compare(a.oid, b.oid), strings.Compare(a.value, b.value))
	})
	return set
}

// attributeTypes are the object identifiers of attribute types by their names in lower case (RFC 4519 §2, RFC 2985 §5.2.1; ITU-T X.520
// for organizationIdentifier).
var attributeTypes = map[string]string{
	"cn": "2.5.4.3", "commonname": "2.5.4.3", "sn": "2.5.4.4", "surname": "2.5.4.4", "serialnumber": "2.5.4.5",
	"c": "2.5.4.6", "countryname": "2.5.4.6", "l": "2.5.4.7", "localityname": "2.5.4.7", "st": "2.5.4.8", "stateorprovincename": "2.5.4.8",
	"street": "2.5.4.9", "streetaddress": "2.5.4.9", "o": "2.5.4.10", "organizationname": "2.5.4.10",
	"ou": "2.5.4.11", "organizationalunitname": "2.5.4.11", "title": "2.5.4.12", "businesscategory": "2.5.4.15", "postalcode": "2.5.4.17",
	"givenname": "2.5.4.42", "dnqualifier": "2.5.4.46", "organizationidentifier": "2.5.4.97",
	"uid": "0.9.2342.19200300.100.1.1", "userid": "0.9.2342.19200300.100.1.1", "dc": "0.9.2342.19200300.100.1.25", "domaincomponent": "0.9.2342.19200300.100.1.25",
	"emailaddress": "1.2.840.113549.1.9.1",
}

var (
	errDNForm    = errors.New("must be a distinguished name of at most 1024 bytes in the form of RFC 4514, such as CN=client,O=Example,C=NO")
	errDNType    = errors.New("must have attribute types of RFC 4519, or object identifiers such as 2.5.4.97")
	errDNValue   = errors.New("must have values of printable characters, with the escapes of RFC 4514 §2.4, or of # and DER in hexadecimal")
	errDNSpace   = errors.New("must have no spaces at the ends of types and values; those of a value are escaped: CN=client,O=Example")
	errDNRepeats = errors.New("must not have an attribute type twice in one relative name")
)

// parseDN parses the text of RFC 4514 §3. It rejects what could be read in two ways, such as a space after a comma, and control
// characters, which no legitimate name has.
func parseDN(text string) (distinguishedName, error) {
	if text == "" || len(text) > maxDN || !utf8.ValidString(text) {
		return nil, errDNForm
	}
	var name distinguishedName
	var relative []attribute
	for {
		a, rest, err := cutAttribute(text)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(relative, func(other attribute) bool { return other.oid == a.oid }) {
			return nil, errDNRepeats
		}
		relative = append(relative, a)
		if rest == "" {
			return append(name, sortAttributes(relative)), nil
		}
		if rest[0] == ',' {
			name, relative = append(name, sortAttributes(relative)), nil
		}
		text = rest[1:]
	}
}

// cutAttribute parses the attribute at the beginning of text. rest is empty, or begins with the separator after it.
func cutAttribute(text string) (a attribute, rest string, err error) {
	kind, text, ok := strings.Cut(text, "=")
	if !ok {
		return a, "", errDNForm
	}
	if a.oid, ok = attributeTypes[strings.ToLower(kind)]; !ok {
		switch {
		case kind != strings.Trim(kind, " "):
			return a, "", errDNSpace
		case !isOID(kind):
			return a, "", errDNType
		}
		a.oid = kind
	}
	if encoded, isHex := strings.CutPrefix(text, "#"); isHex {
		a.text, a.value, rest, err = cutHex(encoded)
	} else {
		a.text = true
		a.value, rest, err = cutText(text)
	}
	return a, rest, err
}

// isOID reports whether s is an object identifier in its canonical form that encoding/asn1 can read from a certificate: the first arc is at
// most 2, the second one below 40 unless the first one is 2, and the encoded integers have 31 bits (ITU-T X.690).
func isOID(s string) bool {
	arcs := strings.Split(s, ".")
	first := 0
	for i, arc := range arcs {
		n, err := strconv.ParseInt(arc, 10, 32)
		switch {
		case err != nil || strconv.FormatInt(n, 10) != arc || n < 0:
			return false
		case i == 0:
			first = int(n)
		case i == 1 && (first > 2 || first < 2 && n >= 40 || n > math.MaxInt32-80):
			return false
		}
	}
	return len(arcs) > 1
}

// cutHex decodes a value in hexadecimal up to the next separator.
func cutHex(s string) (text bool, value, rest string, err error) {
	end := strings.IndexAny(s, ",+")
	if end < 0 {
		end = len(s)
	}
	der, err := hex.DecodeString(s[:end])
	var raw asn1.RawValue
	if err != nil || !unmarshalAll(der, &raw) {
		return false, "", "", errDNValue
	}
	text, value = valueOf(raw)
	if text && !isVisible(value) {
		return false, "", "", errDNValue
	}
	return text, value, s[end:], nil
}

// cutText decodes a value with escapes up to the next separator.
func cutText(s string) (value, rest string, err error) {
	var b strings.Builder
	i, spaces := 0, 0 // spaces at the end that are not escaped
	for ; i < len(s) && s[i] != ',' && s[i] != '+'; i++ {
		switch c := s[i]; {
		case c == '\\':
			n, ok := unescape(&b, s[i+1:])
			if !ok {
				return "", "", errDNValue
			}
			i += n
			spaces = 0
			continue
		case c == ' ' && b.Len() == 0:
			return "", "", errDNSpace
		case strings.IndexByte("\"#;<>", c) >= 0 && (c != '#' || b.Len() == 0):
			return "", "", errDNValue
		case c == ' ':
			spaces++
		default:
			spaces = 0
		}
		b.WriteByte(s[i])
	}
	if spaces > 0 {
		return "", "", errDNSpace
	}
	if !isVisible(b.String()) {
		return "", "", errDNValue
	}
	return b.String(), s[i:], nil
}

// unescape writes the character or octet whose escape follows a backslash. It returns the length of the escape.
func unescape(b *strings.Builder, s string) (n int, ok bool) {
	if s != "" && strings.IndexByte(`\"+,;<> #=`, s[0]) >= 0 {
		b.WriteByte(s[0])
		return 1, true
	}
	octet, ok := httpx.HexByte(s)
	b.WriteByte(octet)
	return 2, ok
}

// isVisible reports whether s is text with at least one character and without control characters.
func isVisible(s string) bool {
	return s != "" && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || 0x7f <= r && r < 0xa0 })
}

// subjectOf reads the DER of a name, such as that of the subject of a certificate.
func subjectOf(der []byte) (distinguishedName, bool) {
	type attributeDER struct {
		Type  asn1.ObjectIdentifier
		Value asn1.RawValue
	}
	type relativeSET []attributeDER // the ending makes it a SET
	var sets []relativeSET
	if !unmarshalAll(der, &sets) {
		return nil, false
	}
	name := make(distinguishedName, 0, len(sets))
	for _, set := range slices.Backward(sets) {
		relative := make([]attribute, 0, len(set))
		for _, a := range set {
			text, value := valueOf(a.Value)
			relative = append(relative, attribute{a.Type.String(), text, value})
		}
		name = append(name, sortAttributes(relative))
	}
	return name, true
}

// unmarshalAll decodes DER without trailing bytes.
func unmarshalAll(der []byte, into any) bool {
	rest, err := asn1.Unmarshal(der, into)
	return err == nil && len(rest) == 0
}

// valueOf returns the text of a string, and the DER of every other value. Text that a string type does not define is such a value, and so
// is TeletexString beyond ASCII, which is read in different ways.
func valueOf(v asn1.RawValue) (text bool, value string) {
	if v.Class != asn1.ClassUniversal || v.IsCompound {
		return false, string(v.FullBytes)
	}
	switch v.Tag {
	case asn1.TagUTF8String:
		text = utf8.Valid(v.Bytes)
	case asn1.TagPrintableString, asn1.TagIA5String, asn1.TagNumericString, asn1.TagT61String:
		text = !slices.ContainsFunc(v.Bytes, func(b byte) bool { return b >= utf8.RuneSelf })
	case asn1.TagBMPString:
		if s, ok := decodeBMP(v.Bytes); ok {
			return true, s
		}
	}
	if !text {
		return false, string(v.FullBytes)
	}
	return true, string(v.Bytes)
}

// decodeBMP decodes a BMPString: characters of two octets, without surrogates.
func decodeBMP(octets []byte) (string, bool) {
	if len(octets)%2 != 0 {
		return "", false
	}
	var b strings.Builder
	for i := 0; i < len(octets); i += 2 {
		r := rune(octets[i])<<8 | rune(octets[i+1])
		if utf16.IsSurrogate(r) {
			return "", false
		}
		b.WriteRune(r)
	}
	return b.String(), true
}
