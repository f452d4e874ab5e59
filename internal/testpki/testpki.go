// Package testpki creates certificate authorities and certificates in the form of Norwegian business certificates
// (docs/spec/maskinporten.md §1.13), for tests and for the example servers.
package testpki

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"math/big"
	"time"
)

// The attribute types, extensions and policies of the profiles.
var (
	OrganizationIdentifier = asn1.ObjectIdentifier{2, 5, 4, 97}
	SerialNumber           = asn1.ObjectIdentifier{2, 5, 4, 5}
	CommonName             = asn1.ObjectIdentifier{2, 5, 4, 3}

	qcStatements = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 3}
	qcCompliance = asn1.ObjectIdentifier{0, 4, 0, 1862, 1, 1}
	qcType       = asn1.ObjectIdentifier{0, 4, 0, 1862, 1, 6}
	qcTypeSeal   = asn1.ObjectIdentifier{0, 4, 0, 1862, 1, 6, 2}

	// SoftCertificate is Buypass' policy for business certificates in software.
	SoftCertificate = policy("2.16.578.1.26.1.3.2")
)

func policy(text string) x509.OID {
	oid, err := x509.ParseOID(text)
	if err != nil {
		panic(err)
	}
	return oid
}

// Authority signs certificates and revocation lists.
type Authority struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
}

// Validity is the period of a certificate or a list, both ends included.
type Validity struct{ From, To time.Time }

// Change alters a certificate before it is signed.
type Change func(*x509.Certificate)

// NewRoot creates a self-signed authority. orgno is the organisation number in the name of the authority.
func NewRoot(name, orgno string, key crypto.Signer, v Validity, changes ...Change) (*Authority, error) {
	return (&Authority{Key: key}).NewAuthority(name, orgno, key, v, changes...)
}

// NewAuthority creates a subordinate authority.
func (a *Authority) NewAuthority(name, orgno string, key crypto.Signer, v Validity, changes ...Change) (*Authority, error) {
	template := &x509.Certificate{
		Subject: subject(name, "Portner Test AS",
			pkix.AttributeTypeAndValue{Type: OrganizationIdentifier, Value: "NTRNO-" + orgno}),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	c, err := a.sign(template, key.Public(), v, changes)
	return &Authority{c, key}, err
}

// Generation is the profile of a business certificate.
type Generation int

// Generations of certificates.
const (
	SEID1 Generation = 1 // serialNumber: 991825827
	SEID2 Generation = 2 // organizationIdentifier: NTRNO-991825827
)

// Seal describes a business certificate.
type Seal struct {
	Orgno      string
	Name       string
	Generation Generation
	ESeal      bool             // say in QCStatements that it is for electronic seals
	Qualified  bool             // say there that it is qualified
	Key        crypto.PublicKey // RSA for Maskinporten
	Validity   Validity
	CRL        string // CRL distribution point; none if empty
}

// Issue creates a business certificate for authentication: key usage digitalSignature.
func (a *Authority) Issue(s Seal, changes ...Change) (*x509.Certificate, error) {
	number := pkix.AttributeTypeAndValue{Type: OrganizationIdentifier, Value: "NTRNO-" + s.Orgno}
	if s.Generation == SEID1 {
		number = pkix.AttributeTypeAndValue{Type: SerialNumber, Value: s.Orgno}
	}
	template := &x509.Certificate{
		Subject:               subject(s.Name, s.Name, number),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageEmailProtection},
		Policies:              []x509.OID{SoftCertificate},
		BasicConstraintsValid: true,
	}
	if s.CRL != "" {
		template.CRLDistributionPoints = []string{s.CRL}
	}
	if s.ESeal || s.Qualified {
		e, err := statements(s.ESeal, s.Qualified)
		if err != nil {
			return nil, err
		}
		template.ExtraExtensions = append(template.ExtraExtensions, e)
	}
	return a.sign(template, s.Key, s.Validity, changes)
}

func (a *Authority) sign(template *x509.Certificate, key crypto.PublicKey, v Validity, changes []Change) (*x509.Certificate, error) {
	template.NotBefore, template.NotAfter = v.From, v.To
	for _, change := range changes {
		change(template)
	}
	parent := a.Certificate
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, a.Key)
	if err != nil {
		return nil, fmt.Errorf("testpki: signing a certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

func subject(commonName, organization string, more ...pkix.AttributeTypeAndValue) pkix.Name {
	return pkix.Name{CommonName: commonName, Organization: []string{organization}, Country: []string{"NO"}, ExtraNames: more}
}

// statements is the QCStatements extension (ETSI EN 319 412-5).
func statements(seal, qualified bool) (pkix.Extension, error) {
	type statement struct {
		ID    asn1.ObjectIdentifier
		Types []asn1.ObjectIdentifier `asn1:"optional,omitempty"`
	}
	var list []statement
	if qualified {
		list = append(list, statement{ID: qcCompliance})
	}
	if seal {
		list = append(list, statement{qcType, []asn1.ObjectIdentifier{qcTypeSeal}})
	}
	der, err := asn1.Marshal(list)
	return pkix.Extension{Id: qcStatements, Value: der}, err
}

// RevocationList returns a list of the revoked certificates of the authority, in DER.
func (a *Authority) RevocationList(v Validity, extensions []pkix.Extension, revoked ...*x509.Certificate) ([]byte, error) {
	template := &x509.RevocationList{
		Number: big.NewInt(v.From.Unix()), ThisUpdate: v.From, NextUpdate: v.To, ExtraExtensions: extensions,
	}
	for _, c := range revoked {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: v.From})
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, a.Certificate, a.Key)
	if err != nil {
		return nil, fmt.Errorf("testpki: signing a revocation list: %w", err)
	}
	return der, nil
}

// Chain returns the DER of certificates.
func Chain(certs ...*x509.Certificate) [][]byte {
	chain := make([][]byte, len(certs))
	for i, c := range certs {
		chain[i] = c.Raw
	}
	return chain
}

// X5C returns certificates in the form of the header x5c.
func X5C(certs ...*x509.Certificate) []string {
	list := make([]string, len(certs))
	for i, c := range certs {
		list[i] = base64.StdEncoding.EncodeToString(c.Raw)
	}
	return list
}
