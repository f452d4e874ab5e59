package businesscert

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
)

// list is a complete revocation list.
type list struct {
	*x509.RevocationList
	scope   scope
	point   string          // DER of the scope
	revoked map[string]bool // by serial number

	signed sync.Map // hash of an issuer's DER -> whether it signed the list; verifying a large list is slow
}

// scope is the issuingDistributionPoint extension: the certificates that a list covers (RFC 5280 §5.2.5). The zero value covers
// all certificates of the issuer.
type scope struct {
	Point struct {
		FullName     []asn1.RawValue  `asn1:"optional,tag:0"`
		RelativeName pkix.RDNSequence `asn1:"optional,tag:1"`
	} `asn1:"optional,tag:0"`
	OnlyUsers      bool           `asn1:"optional,tag:1"`
	OnlyCAs        bool           `asn1:"optional,tag:2"`
	OnlyReasons    asn1.BitString `asn1:"optional,tag:3"`
	Indirect       bool           `asn1:"optional,tag:4"`
	OnlyAttributes bool           `asn1:"optional,tag:5"`
}

var (
	oidIssuingDistributionPoint = asn1.ObjectIdentifier{2, 5, 29, 28}
	oidReasonCode               = asn1.ObjectIdentifier{2, 5, 29, 21}
)

// readLists reads the lists of a file in DER or PEM.
func readLists(path string) ([]*list, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parseLists(data)
}

func parseLists(data []byte) ([]*list, error) {
	if !bytes.Contains(data, []byte("-----BEGIN")) {
		l, err := parseList(data)
		return []*list{l}, err
	}
	var lists []*list
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != "X509 CRL" {
			return nil, errors.New("the file has a PEM block of another type than X509 CRL")
		}
		l, err := parseList(block.Bytes)
		if err != nil {
			return nil, err
		}
		lists = append(lists, l)
	}
	if len(lists) == 0 {
		return nil, errors.New("the file has no revocation list")
	}
	return lists, nil
}

// parseList parses a list. It rejects lists that do not cover every reason or that cover certificates of other issuers, delta
// lists (RFC 5280 §5.2.4, §5.2.5), and unknown critical extensions.
func parseList(der []byte) (*list, error) {
	parsed, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, fmt.Errorf("not a revocation list: %w", err)
	}
	if len(parsed.Raw) != len(der) {
		return nil, errors.New("data after the revocation list")
	}
	l := &list{RevocationList: parsed, revoked: make(map[string]bool, len(parsed.RevokedCertificateEntries))}
	if parsed.NextUpdate.IsZero() {
		return nil, errors.New("no nextUpdate")
	}
	if !slices.Contains(signatures, parsed.SignatureAlgorithm) {
		return nil, fmt.Errorf("signature algorithm %s", parsed.SignatureAlgorithm)
	}
	for _, e := range parsed.Extensions {
		if err := l.extension(e); err != nil {
			return nil, err
		}
	}
	for _, entry := range parsed.RevokedCertificateEntries {
		for _, e := range entry.Extensions {
			if e.Critical && !e.Id.Equal(oidReasonCode) {
				return nil, fmt.Errorf("an entry with the critical extension %s", e.Id)
			}
		}
		l.revoked[entry.SerialNumber.String()] = true
	}
	return l, nil
}

func (l *list) extension(e pkix.Extension) error {
	if !e.Id.Equal(oidIssuingDistributionPoint) {
		if e.Critical {
			return fmt.Errorf("unknown critical extension %s", e.Id)
		}
		return nil
	}
	l.point = string(e.Value)
	rest, err := asn1.Unmarshal(e.Value, &l.scope)
	switch s := l.scope; {
	case err != nil || len(rest) > 0:
		return errors.New("issuingDistributionPoint is malformed")
	case s.Indirect || s.OnlyAttributes || s.OnlyReasons.BitLength > 0 || len(s.Point.RelativeName) > 0:
		return errors.New("the list is indirect, for some reasons, or for attribute certificates")
	}
	return nil
}

// covers reports whether the list covers a certificate of its issuer. A partitioned list has a distribution point of the
// certificate (RFC 5280 §6.3.3, step b).
func (l *list) covers(c *x509.Certificate) bool {
	if l.scope.OnlyUsers && c.IsCA || l.scope.OnlyCAs && !c.IsCA {
		return false
	}
	if len(l.scope.Point.FullName) == 0 {
		return true
	}
	const uri = 6 // GeneralName, uniformResourceIdentifier
	return slices.ContainsFunc(l.scope.Point.FullName, func(name asn1.RawValue) bool {
		return name.Class == asn1.ClassContextSpecific && name.Tag == uri && slices.Contains(c.CRLDistributionPoints, string(name.Bytes))
	})
}

// olderThan reports whether the issuer issued l before other, a list with the same scope. A later list has a greater number
// (RFC 5280 §5.2.3), which tells lists of the same second apart.
func (l *list) olderThan(other *list) bool {
	if c := l.ThisUpdate.Compare(other.ThisUpdate); c != 0 {
		return c < 0
	}
	return l.Number != nil && other.Number != nil && l.Number.Cmp(other.Number) < 0
}

// signedBy reports whether the issuer signed the list. It verifies the signature once for each issuer.
func (l *list) signedBy(issuer *x509.Certificate) bool {
	id := sha256.Sum256(issuer.Raw)
	if ok, found := l.signed.Load(id); found {
		return ok == true
	}
	ok := l.CheckSignatureFrom(issuer) == nil
	l.signed.Store(id, ok)
	return ok
}
