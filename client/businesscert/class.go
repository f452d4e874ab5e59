package businesscert

import (
	"crypto/x509"
	"encoding/asn1"
	"slices"
)

// Classes of certificates: values of client_amr (docs.digdir.no: Maskinporten, client_amr).
const (
	Business   = "virksomhetssertifikat" // a business certificate of the national profile
	QCForESeal = "QCForESeal"            // a qualified certificate for electronic seals (eIDAS)
	CForESeal  = "CForESeal"             // a certificate for electronic seals that is not qualified
)

var (
	oidQCStatements = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 3} // RFC 3739 §3.2.6
	oidQCCompliance = asn1.ObjectIdentifier{0, 4, 0, 1862, 1, 1}       // ETSI EN 319 412-5 §4.2.1
	oidQCType       = asn1.ObjectIdentifier{0, 4, 0, 1862, 1, 6}       // ETSI EN 319 412-5 §4.2.3
	oidQCTypeSeal   = asn1.ObjectIdentifier{0, 4, 0, 1862, 1, 6, 2}    // for electronic seals
)

// qcStatement is one statement with its optional details.
type qcStatement struct {
	ID   asn1.ObjectIdentifier
	Info asn1.RawValue `asn1:"optional"`
}

// classify returns the class of a leaf from its QCStatements. A leaf with malformed QCStatements is rejected.
func classify(leaf *x509.Certificate) (string, error) {
	seal, qualified := false, false
	for _, e := range leaf.Extensions {
		if !e.Id.Equal(oidQCStatements) {
			continue
		}
		var statements []qcStatement
		if rest, err := asn1.Unmarshal(e.Value, &statements); err != nil || len(rest) > 0 {
			return "", reject(ErrMalformed, "QCStatements")
		}
		for _, s := range statements {
			switch {
			case s.ID.Equal(oidQCCompliance):
				qualified = true
			case s.ID.Equal(oidQCType):
				var types []asn1.ObjectIdentifier
				if rest, err := asn1.Unmarshal(s.Info.FullBytes, &types); err != nil || len(rest) > 0 {
					return "", reject(ErrMalformed, "QCStatements")
				}
				seal = slices.ContainsFunc(types, oidQCTypeSeal.Equal)
			}
		}
	}
	switch {
	case seal && qualified:
		return QCForESeal, nil
	case seal:
		return CForESeal, nil
	}
	return Business, nil
}
