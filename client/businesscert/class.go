package businesscert

import (
	"crypto/x509"
	"encoding/asn1"
	"slices"
)

// The classes of certificates, as client_amr says them (maskinporten-altinn section 1.8).
const (
	Business   = "virksomhetssertifikat" // a business certificate of the national profile
	QCForESeal = "QCForESeal"            // a qualified certificate for electronic seals (eIDAS)
	CForESeal  = "CForESeal"             // one for electronic seals that is not qualified
)

var (
	oidQCStatements = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 3} // RFC 3739 section 3.2.6
	oidQCCompliance = asn1.ObjectIdentifier{0, 4, 0, 1862, 1, 1}       // ETSI EN 319 412-5 section 4.2.1
	oidQCType       = asn1.ObjectIdentifier{0, 4, 0, 1862, 1, 6}       // section 4.2.3
	oidQCTypeSeal   = asn1.ObjectIdentifier{0, 4, 0, 1862, 1, 6, 2}    // for electronic seals
)

// qcStatement is one statement: what it states, and sometimes more about it.
type qcStatement struct {
	ID   asn1.ObjectIdentifier
	Info asn1.RawValue `asn1:"optional"`
}

// classify reads the QCStatements of a leaf. One that cannot be read makes no certificate a lesser one:
// it is refused.
func classify(leaf *x509.Certificate) (string, error) {
	seal, qualified := false, false
	for _, e := range leaf.Extensions {
		if !e.Id.Equal(oidQCStatements) {
			continue
		}
		var statements []qcStatement
		if rest, err := asn1.Unmarshal(e.Value, &statements); err != nil || len(rest) > 0 {
			return "", refuse(ErrMalformed, "QCStatements")
		}
		for _, s := range statements {
			switch {
			case s.ID.Equal(oidQCCompliance):
				qualified = true
			case s.ID.Equal(oidQCType):
				var types []asn1.ObjectIdentifier
				if rest, err := asn1.Unmarshal(s.Info.FullBytes, &types); err != nil || len(rest) > 0 {
					return "", refuse(ErrMalformed, "QCStatements")
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
