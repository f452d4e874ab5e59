package client_test

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
)

var (
	oidCN    = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidC     = asn1.ObjectIdentifier{2, 5, 4, 6}
	oidO     = asn1.ObjectIdentifier{2, 5, 4, 10}
	oidOU    = asn1.ObjectIdentifier{2, 5, 4, 11}
	oidOrgID = asn1.ObjectIdentifier{2, 5, 4, 97}
)

type rdn = pkix.RelativeDistinguishedNameSET

// dn returns the DER of a name with these relative names, the first one first.
func dn(t testing.TB, relatives ...rdn) []byte {
	t.Helper()
	der, err := asn1.Marshal(pkix.RDNSequence(relatives))
	require.NoError(t, err)
	return der
}

// oneRDN returns a relative name with one attribute.
func oneRDN(oid asn1.ObjectIdentifier, value any) rdn { return rdn{{Type: oid, Value: value}} }

func tagged(tag int, octets string) asn1.RawValue {
	return asn1.RawValue{Tag: tag, Bytes: []byte(octets)}
}

// TestDNMatches: the texts of RFC 4514 that name the subject of a certificate.
func TestDNMatches(t *testing.T) {
	t.Parallel()
	example := dn(t, oneRDN(oidC, "NO"), oneRDN(oidO, "Eksempel, Ås"), oneRDN(oidCN, "client"))
	for name, tt := range map[string]struct {
		text    string
		subject []byte
	}{
		"a backslash and the character":     {`CN=client,O=Eksempel\, Ås,C=NO`, example},
		"types in another case":             {`cn=client,o=Eksempel\, Ås,c=NO`, example},
		"long types":                        {`commonName=client,organizationName=Eksempel\, Ås,countryName=NO`, example},
		"octets in hexadecimal":             {`CN=\63lient,O=Eksempel\2C \c3\85s,C=N\4f`, example},
		"object identifiers":                {`2.5.4.3=client,2.5.4.10=Eksempel\, Ås,2.5.4.6=NO`, example},
		"DER in hexadecimal":                {`2.5.4.3=#0C06636c69656E74,O=Eksempel\, Ås,C=NO`, example},
		"DER of another string type":        {`2.5.4.3=#1306636C69656E74,O=Eksempel\, Ås,C=NO`, example},
		"organizationIdentifier":            {`organizationIdentifier=NTRNO-991825827`, dn(t, oneRDN(oidOrgID, "NTRNO-991825827"))},
		"every escape":                      {`CN=\ \#\"\+\,\;\<\>\\\=\ `, dn(t, oneRDN(oidCN, ` #"+,;<>\= `))},
		"characters that need no escape":    {`CN=a = b # c@*(/)`, dn(t, oneRDN(oidCN, "a = b # c@*(/)"))},
		"a set":                             {`CN=a+OU=b,C=NO`, dn(t, oneRDN(oidC, "NO"), rdn{{Type: oidCN, Value: "a"}, {Type: oidOU, Value: "b"}})},
		"a set in another order":            {`OU=b+CN=a,C=NO`, dn(t, oneRDN(oidC, "NO"), rdn{{Type: oidCN, Value: "a"}, {Type: oidOU, Value: "b"}})},
		"the same type twice":               {`OU=b,OU=a`, dn(t, oneRDN(oidOU, "a"), oneRDN(oidOU, "b"))},
		"BMPString":                         {`CN=Ås`, dn(t, oneRDN(oidCN, tagged(asn1.TagBMPString, "\x00\xc5\x00s")))},
		"TeletexString of ASCII":            {`CN=abc`, dn(t, oneRDN(oidCN, tagged(asn1.TagT61String, "abc")))},
		"IA5String":                         {`emailAddress=a@b.no`, dn(t, oneRDN(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, tagged(asn1.TagIA5String, "a@b.no")))},
		"DER of a value that is not a text": {`CN=#020105`, dn(t, oneRDN(oidCN, 5))},
	} {
		parsed, err := client.ParseDN(tt.text)
		require.NoError(t, err, name)
		subject, ok := client.SubjectOf(tt.subject)
		require.True(t, ok, name)
		require.True(t, parsed.Equal(subject), name)
	}
}

// TestDNDiffers: names that look like the registered one and are others.
func TestDNDiffers(t *testing.T) {
	t.Parallel()
	const registered = `CN=client,OU=a,O=Example,C=NO`
	o, c, ou, cn := oneRDN(oidO, "Example"), oneRDN(oidC, "NO"), oneRDN(oidOU, "a"), oneRDN(oidCN, "client")
	want, err := client.ParseDN(registered)
	require.NoError(t, err)
	same, _ := client.SubjectOf(dn(t, c, o, ou, cn))
	require.True(t, want.Equal(same))
	for name, subject := range map[string][]byte{
		"another order":              dn(t, c, ou, o, cn),
		"the reverse order":          dn(t, cn, ou, o, c),
		"one relative name more":     dn(t, c, o, ou, cn, oneRDN(oidCN, "client")),
		"one more at the root":       dn(t, oneRDN(oidO, "Evil"), c, o, ou, cn),
		"one relative name less":     dn(t, c, o, cn),
		"two in one set":             dn(t, c, o, rdn{ou[0], cn[0]}),
		"an attribute more in a set": dn(t, c, o, ou, rdn{cn[0], {Type: oidOU, Value: "b"}}),
		"all in one set":             dn(t, rdn{c[0], o[0], ou[0], cn[0]}),
		"separators inside a value":  dn(t, c, o, oneRDN(oidCN, "client,OU=a")),
		"the whole text as a value":  dn(t, oneRDN(oidCN, registered)),
		"NUL at the end":             dn(t, c, o, ou, oneRDN(oidCN, tagged(asn1.TagUTF8String, "client\x00"))),
		"NUL and more":               dn(t, c, o, ou, oneRDN(oidCN, tagged(asn1.TagUTF8String, "client\x00.evil"))),
		"a space at the end":         dn(t, c, o, ou, oneRDN(oidCN, "client ")),
		"another case":               dn(t, c, o, ou, oneRDN(oidCN, "Client")),
		"a look-alike":               dn(t, c, o, ou, oneRDN(oidCN, "clіent")), // Cyrillic i
		"another type":               dn(t, c, o, ou, oneRDN(oidO, "client")),
		"octets of another type":     dn(t, c, o, ou, oneRDN(oidCN, []byte("client"))),
		"TeletexString":              dn(t, c, o, ou, oneRDN(oidCN, tagged(asn1.TagT61String, "client\xc5"))),
		"UniversalString":            dn(t, c, o, ou, oneRDN(oidCN, tagged(28, "\x00\x00\x00c"))),
		"BMPString of odd length":    dn(t, c, o, ou, oneRDN(oidCN, tagged(asn1.TagBMPString, "\x00c\x00"))),
		"an empty name":              dn(t),
		"an empty set":               dn(t, c, o, ou, rdn{}),
	} {
		got, ok := client.SubjectOf(subject)
		require.True(t, ok, name)
		require.False(t, want.Equal(got), name)
		require.False(t, got.Equal(want), name)
	}
	ordered, err := client.ParseDN(`OU=a,CN=client,O=Example`) // in the order of a set
	require.NoError(t, err)
	set, _ := client.SubjectOf(dn(t, o, rdn{ou[0], cn[0]}))
	require.False(t, ordered.Equal(set))
	for name, der := range map[string][]byte{
		"bytes after the name": append(dn(t, c, o, ou, cn), 0), "no sequence": {0x30, 0x03, 0x02, 0x01, 0x05}, "nothing": nil,
	} {
		_, ok := client.SubjectOf(der)
		require.False(t, ok, name)
	}
}

// TestDNRejected: texts that are no name in the form of RFC 4514, or could be read in two ways.
func TestDNRejected(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"empty": "", "no equals sign": "CN", "no type": "=a", "no value": "CN=", "no value before a comma": "CN=,C=NO", "a comma at the end": "CN=a,", "a comma first": ",CN=a",
		"a plus sign at the end": "CN=a+", "two commas": "CN=a,,C=NO", "a space after the comma": "CN=a, C=NO", "a space before the comma": "CN=a ,C=NO", "a space first": " CN=a",
		"a space at the end": "CN=a ", "a space before the value": "CN= a", "a space before the equals sign": "CN =a",
		"an unknown type": "XX=a", "a type with OID.": "OID.2.5.4.3=a", "one arc": "2=a", "an arc with a zero": "2.05.4.3=a", "an empty arc": "2..4=a", "a sign": "2.-5=a",
		"an arc that no certificate has": "0.0.2200000000=a", "a second arc that no certificate has": "2.2147483568=a", "a first arc that is not defined": "3.1=a", "a second arc that is not defined": "1.40=a",
		"quotes": `CN="a"`, "a quote inside": `CN=a"b`, "semicolon": "CN=a;C=NO", "angle": "CN=a<b", "a number sign first": "CN=#a", "an escape at the end": `CN=a\`,
		"half an escape": `CN=a\4`, "an unknown escape": `CN=a\zz`, "an escape of no need": `CN=\a`, "NUL": `CN=a\00`, "a control character": "CN=a\n", "an escaped control character": `CN=a\0a`,
		"DEL": `CN=\7f`, "a control character of ISO 6429": `CN=\c2\80`, "half a character": `CN=\c3`, "not UTF-8": "CN=\xff", "the same type twice in a set": "CN=a+cn=b", "and as an identifier": "CN=a+2.5.4.3=b",
		"hexadecimal of odd length": "CN=#0c016", "empty hexadecimal": "CN=#", "truncated DER": "CN=#0c0261", "bytes after the DER": "CN=#0c016100",
		"NUL in DER": "CN=#0c026100", "empty text in DER": "CN=#0c00", "1,025 bytes": "CN=" + strings.Repeat("a", 1022),
		"the form of OpenSSL": "/C=NO/CN=a", "the form of LDAPv2": "CN=a;C=NO",
	} {
		_, err := client.ParseDN(text)
		require.Error(t, err, name)
	}
	for _, text := range []string{"CN=" + strings.Repeat("a", 1021), "0.39.2147483647=a", "2.2147483567=a", "1.39=a"} {
		parsed, err := client.ParseDN(text)
		require.NoError(t, err, text)
		der, ok := parsed.DER()
		require.True(t, ok, text)
		subject, ok := client.SubjectOf(der)
		require.True(t, ok && parsed.Equal(subject), text)
	}
}

// FuzzParseDN: a name that is parsed can be written, and is then the same one, as text and as DER. Nothing else is equal to it.
func FuzzParseDN(f *testing.F) {
	for _, seed := range []string{
		`CN=client,O=Eksempel\, Ås,C=NO`, `OU=b+CN=a,C=NO`, `CN=\ \#\"\+\,\;\<\>\\\=\ `, `2.5.4.3=#0C06636c69656E74`, `CN=#020105`, `CN=a\00`, "CN=a, C=NO", `1.2.840.113549.1.9.1=a@b`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := client.ParseDN(text)
		if err != nil {
			return
		}
		require.True(t, parsed.Equal(parsed))
		if written := parsed.Text(); len(written) <= 1024 {
			again, err := client.ParseDN(written)
			require.NoError(t, err)
			require.True(t, parsed.Equal(again))
		}
		longer, err := client.ParseDN("C=NO," + text)
		require.True(t, err != nil || !parsed.Equal(longer))
		if der, ok := parsed.DER(); ok {
			subject, ok := client.SubjectOf(der)
			require.True(t, ok)
			require.True(t, parsed.Equal(subject), "%q %x", text, der)
		}
	})
}

// FuzzSubjectDN: the text that the standard library writes for a subject names this subject, and no other one.
func FuzzSubjectDN(f *testing.F) {
	f.Add("client", "Eksempel, Ås", "a", true)
	f.Add(" #a ", `a"+,;<>\=`, "x=y", false)
	f.Add("client\x00", "O", "client,O=O", true)
	f.Fuzz(func(t *testing.T, cn, o, ou string, set bool) {
		relatives := []rdn{oneRDN(oidO, o), {{Type: oidCN, Value: cn}, {Type: oidOU, Value: ou}}}
		if !set {
			relatives = []rdn{oneRDN(oidO, o), oneRDN(oidOU, ou), oneRDN(oidCN, cn)}
		}
		for _, value := range []string{cn, o, ou} {
			if value == "" || len(value) > 100 || !utf8.ValidString(value) {
				return
			}
		}
		subject, ok := client.SubjectOf(dn(t, relatives...))
		require.True(t, ok)
		parsed, err := client.ParseDN(pkix.RDNSequence(relatives).String())
		if strings.ContainsFunc(cn+o+ou, unicode.IsControl) {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		require.True(t, parsed.Equal(subject))
		other, ok := client.SubjectOf(dn(t, append(relatives, oneRDN(oidC, "NO"))...))
		require.True(t, ok)
		require.False(t, parsed.Equal(other))
	})
}

// FuzzSubjectDER: the subject of a certificate of any form can be read or not, and is named by at most one text: the text of its parts.
func FuzzSubjectDER(f *testing.F) {
	f.Add(dn(f, oneRDN(oidC, "NO"), oneRDN(oidO, "Example"), rdn{{Type: oidCN, Value: "a"}, {Type: oidOU, Value: "b"}}))
	f.Add(dn(f, oneRDN(oidCN, tagged(asn1.TagBMPString, "\x00\xc5\x00s")), oneRDN(oidCN, 5), rdn{}))
	f.Add([]byte{0x30, 0x80, 0, 0})
	f.Fuzz(func(t *testing.T, der []byte) {
		subject, ok := client.SubjectOf(der)
		if !ok {
			return
		}
		require.True(t, subject.Equal(subject))
		parsed, err := client.ParseDN(subject.Text())
		if err == nil {
			require.True(t, parsed.Equal(subject), "%x %q", der, subject.Text())
		}
	})
}

// TestDNSpaces: the error for a space that other forms of a name have names it.
func TestDNSpaces(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"CN=a, C=NO", "CN=a ,C=NO", " CN=a", "CN=a ", "CN= a", "CN =a", "CN=a + OU=b"} {
		_, err := client.ParseDN(text)
		require.ErrorContains(t, err, "must have no space", text)
	}
}
