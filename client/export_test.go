package client

import (
	"encoding/asn1"
	"encoding/hex"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// DecodeBasic is decodeBasic, for the differential fuzz test.
func DecodeBasic(header string) (id, secret string, ok bool) { return decodeBasic(header) }

// CutPlain is cutPlain, for the differential fuzz test.
func CutPlain(raw string) (u url.URL, ok bool) {
	ok = cutPlain(raw, &u)
	return u, ok
}

// TextRule is textRule.
func TextRule(raw string) string { return textRule(raw) }

// DN is a parsed distinguished name, for the fuzz tests.
type DN struct{ name distinguishedName }

// ParseDN is parseDN.
func ParseDN(text string) (DN, error) {
	name, err := parseDN(text)
	return DN{name}, err
}

// SubjectOf is subjectOf.
func SubjectOf(der []byte) (DN, bool) {
	name, ok := subjectOf(der)
	return DN{name}, ok
}

// Equal compares names as a client with tls_client_auth and its certificate are compared.
func (d DN) Equal(other DN) bool { return d.name.equal(other.name) }

// Text writes the name in the form of RFC 4514, with each octet of a text escaped.
func (d DN) Text() string {
	var relatives []string
	for _, relative := range d.name {
		var set []string
		for _, a := range relative {
			value := "#" + hex.EncodeToString([]byte(a.value))
			if a.text {
				value = ""
				for _, octet := range []byte(a.value) {
					value += `\` + hex.EncodeToString([]byte{octet})
				}
			}
			set = append(set, a.oid+"="+value)
		}
		relatives = append(relatives, strings.Join(set, "+"))
	}
	return strings.Join(relatives, ",")
}

// DER writes the name as that of a certificate. It returns false for a name with an attribute type that cannot be written.
func (d DN) DER() ([]byte, bool) {
	type attributeDER struct {
		Type  asn1.ObjectIdentifier
		Value asn1.RawValue
	}
	type relativeSET []attributeDER
	var sets []relativeSET
	for _, relative := range slices.Backward(d.name) {
		var set relativeSET
		for _, a := range relative {
			var oid asn1.ObjectIdentifier
			for arc := range strings.SplitSeq(a.oid, ".") {
				n, err := strconv.Atoi(arc)
				if err != nil {
					return nil, false
				}
				oid = append(oid, n)
			}
			value := asn1.RawValue{FullBytes: []byte(a.value)}
			if a.text {
				value = asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(a.value)}
			}
			set = append(set, attributeDER{oid, value})
		}
		sets = append(sets, set)
	}
	der, err := asn1.Marshal(sets)
	return der, err == nil
}
