package testpki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Names of the certificates of a Set.
const (
	NameSEID1   = "seid1"   // a business certificate of the old profile
	NameSEID2   = "seid2"   // a qualified eSeal of the new one
	NameExpired = "expired" // as seid2, past its time
	NameRevoked = "revoked" // as seid2, on the revocation list
	NameOther   = "other"   // as seid2, of the other organisation
)

// Set holds the certificates of a test environment: a root, an issuing authority with its revocation list, valid and invalid
// certificates.
type Set struct {
	Root, Issuing *Authority
	CRLs          [][]byte // DER; the root's, with nothing on it, and the issuing authority's with NameRevoked
	Certificates  map[string]Issued
}

// Issued is a business certificate with its key.
type Issued struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
}

// Options configure a Set.
type Options struct {
	Orgno, Name           string
	OtherOrgno, OtherName string
	Now                   time.Time // the certificates are good from a day before, for three years
	// NewKey generates the key of each business certificate. If nil, keys are RSA with 2048 bits, as Maskinporten requires.
	NewKey func() (crypto.Signer, error)
}

// AuthorityOrgno is the organisation number in the names of a Set's authorities.
const AuthorityOrgno = "983163327"

// NewSet creates a Set.
func NewSet(o Options) (*Set, error) {
	if o.NewKey == nil {
		o.NewKey = func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) }
	}
	v := Validity{o.Now.AddDate(0, 0, -1), o.Now.AddDate(3, 0, 0)}
	set := &Set{Certificates: map[string]Issued{}}
	if err := set.authorities(Validity{v.From.AddDate(-4, 0, 0), v.To.AddDate(7, 0, 0)}); err != nil {
		return nil, err
	}
	for _, c := range []struct {
		name     string
		seal     Seal
		validity Validity
	}{
		{NameSEID1, Seal{Orgno: o.Orgno, Name: o.Name, Generation: SEID1}, v},
		{NameSEID2, Seal{Orgno: o.Orgno, Name: o.Name, Generation: SEID2, ESeal: true, Qualified: true}, v},
		{NameExpired, Seal{Orgno: o.Orgno, Name: o.Name, Generation: SEID2, ESeal: true, Qualified: true}, Validity{v.From.AddDate(-3, 0, 0), v.From}},
		{NameRevoked, Seal{Orgno: o.Orgno, Name: o.Name, Generation: SEID2, ESeal: true, Qualified: true}, v},
		{NameOther, Seal{Orgno: o.OtherOrgno, Name: o.OtherName, Generation: SEID2, ESeal: true, Qualified: true}, v},
	} {
		key, err := o.NewKey()
		if err != nil {
			return nil, fmt.Errorf("testpki: making a key: %w", err)
		}
		c.seal.Key, c.seal.Validity = key.Public(), c.validity
		cert, err := set.Issuing.Issue(c.seal)
		if err != nil {
			return nil, err
		}
		set.Certificates[c.name] = Issued{cert, key}
	}
	above, err1 := set.Root.RevocationList(v, nil)
	below, err2 := set.Issuing.RevocationList(v, nil, set.Certificates[NameRevoked].Certificate)
	set.CRLs = [][]byte{above, below}
	return set, errors.Join(err1, err2)
}

func (s *Set) authorities(v Validity) error {
	rootKey, err1 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	issuingKey, err2 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	var err error
	if s.Root, err = NewRoot("Portner Test Root CA", AuthorityOrgno, rootKey, v, forBusinesses); err != nil {
		return err
	}
	s.Issuing, err = s.Root.NewAuthority("Portner Test CA Business", AuthorityOrgno, issuingKey, v, forBusinesses,
		func(c *x509.Certificate) { c.MaxPathLenZero = true })
	return err
}

// forBusinesses leaves an authority the uses of business certificates: its key is in a file, and who trusts it must not trust a server that
// has a certificate of it.
func forBusinesses(c *x509.Certificate) {
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageEmailProtection}
}

// Roots returns a pool with the root.
func (s *Set) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.Root.Certificate)
	return pool
}

// Chain returns the chain of a certificate, leaf first, without the root.
func (s *Set) Chain(name string) []*x509.Certificate {
	return []*x509.Certificate{s.Certificates[name].Certificate, s.Issuing.Certificate}
}

// Write writes root.pem, issuing.pem, crl.pem, and for each certificate NAME.pem (the chain) and
// NAME.key.pem (PKCS #8, mode 0600). It does not replace files.
func (s *Set) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	files := []file{
		{"root.pem", 0o644, certificates(s.Root.Certificate)},
		{"issuing.pem", 0o644, certificates(s.Issuing.Certificate)},
		{"crl.pem", 0o644, encode("X509 CRL", s.CRLs)},
	}
	for _, key := range []struct {
		name string
		key  crypto.Signer
	}{{"root", s.Root.Key}, {"issuing", s.Issuing.Key}} {
		f, err := privateKey(key.name, key.key)
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	for name, issued := range s.Certificates {
		f, err := privateKey(name, issued.Key)
		if err != nil {
			return err
		}
		files = append(files, f, file{name + ".pem", 0o644, certificates(s.Chain(name)...)})
	}
	for _, f := range files {
		if err := f.write(dir); err != nil {
			return err
		}
	}
	return nil
}

type file struct {
	name string
	mode fs.FileMode
	data []byte
}

func (f file) write(dir string) error {
	out, err := os.OpenFile(filepath.Join(dir, f.name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, f.mode)
	if err != nil {
		return err
	}
	_, err = out.Write(f.data)
	return errors.Join(err, out.Close())
}

func privateKey(name string, key crypto.Signer) (file, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return file{name + ".key.pem", 0o600, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})}, err
}

func certificates(certs ...*x509.Certificate) []byte { return encode("CERTIFICATE", Chain(certs...)) }

func encode(kind string, ders [][]byte) (out []byte) {
	for _, der := range ders {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})...)
	}
	return out
}
