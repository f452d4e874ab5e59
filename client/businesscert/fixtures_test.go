package businesscert_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/portner-go/portner/client/businesscert"
	"github.com/portner-go/portner/internal/testpki"
	"github.com/stretchr/testify/require"
)

const (
	digdir  = "991825827"
	another = "910753614"
)

var (
	now   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	years = testpki.Validity{From: now.AddDate(-1, 0, 0), To: now.AddDate(2, 0, 0)}
	long  = testpki.Validity{From: now.AddDate(-5, 0, 0), To: now.AddDate(10, 0, 0)}
)

// Keys of all tests, one for each role.
var (
	rootKey    = newEC(elliptic.P256())
	issuingKey = newEC(elliptic.P256())
	leafKey    = newEC(elliptic.P256())
	strangeKey = newEC(elliptic.P256())
	rsaKey     = sync.OnceValue(func() *rsa.PrivateKey {
		raw, err := os.ReadFile("../testdata/rsa2048.pem")
		if err != nil {
			panic(err)
		}
		block, _ := pem.Decode(raw)
		key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			panic(err)
		}
		return key
	})
)

func newEC(curve elliptic.Curve) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

// world is one environment: a root, and an issuing authority below it.
type world struct {
	testing.TB
	root, issuing *testpki.Authority
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{TB: t}
	w.root = w.newRoot("Test Root", rootKey)
	w.issuing = w.under(w.root, "Test Business CA", issuingKey)
	return w
}

func (w *world) newRoot(name string, key crypto.Signer, changes ...testpki.Change) *testpki.Authority {
	w.Helper()
	a, err := testpki.NewRoot(name, testpki.AuthorityOrgno, key, long, changes...)
	require.NoError(w, err)
	return a
}

func (w *world) under(a *testpki.Authority, name string, key crypto.Signer, changes ...testpki.Change) *testpki.Authority {
	w.Helper()
	sub, err := a.NewAuthority(name, testpki.AuthorityOrgno, key, long, changes...)
	require.NoError(w, err)
	return sub
}

// seal issues a valid certificate with changes.
func (w *world) seal(a *testpki.Authority, changes ...testpki.Change) *x509.Certificate {
	w.Helper()
	return w.sealOf(testpki.Seal{Orgno: digdir, Name: "DIGITALISERINGSDIREKTORATET", Generation: testpki.SEID2, Key: leafKey.Public()}, a, changes...)
}

func (w *world) sealOf(s testpki.Seal, a *testpki.Authority, changes ...testpki.Change) *x509.Certificate {
	w.Helper()
	if s.Validity == (testpki.Validity{}) {
		s.Validity = years
	}
	c, err := a.Issue(s, changes...)
	require.NoError(w, err)
	return c
}

// chain returns a valid chain with changes to its leaf.
func (w *world) chain(changes ...testpki.Change) [][]byte {
	w.Helper()
	return testpki.Chain(w.seal(w.issuing, changes...), w.issuing.Certificate)
}

func pool(certs ...*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range certs {
		p.AddCert(c)
	}
	return p
}

func (w *world) verifier(change func(*businesscert.Config)) *businesscert.Verifier {
	w.Helper()
	cfg := businesscert.Config{Roots: pool(w.root.Certificate), Revocation: businesscert.InsecureNoRevocation{}}
	if change != nil {
		change(&cfg)
	}
	v, err := businesscert.New(cfg)
	require.NoError(w, err)
	return v
}

// subject replaces the attributes of the subject that hold numbers or names.
func subject(values ...pkix.AttributeTypeAndValue) testpki.Change {
	return func(c *x509.Certificate) {
		c.Subject = pkix.Name{Organization: []string{"DIGITALISERINGSDIREKTORATET"}, Country: []string{"NO"}, ExtraNames: values}
	}
}

func identifier(s string) pkix.AttributeTypeAndValue {
	return pkix.AttributeTypeAndValue{Type: testpki.OrganizationIdentifier, Value: s}
}

func serial(s string) pkix.AttributeTypeAndValue {
	return pkix.AttributeTypeAndValue{Type: testpki.SerialNumber, Value: s}
}

func commonName(s string) pkix.AttributeTypeAndValue {
	return pkix.AttributeTypeAndValue{Type: testpki.CommonName, Value: s}
}

func usage(u x509.KeyUsage) testpki.Change { return func(c *x509.Certificate) { c.KeyUsage = u } }

func extended(known []x509.ExtKeyUsage, others ...asn1.ObjectIdentifier) testpki.Change {
	return func(c *x509.Certificate) { c.ExtKeyUsage, c.UnknownExtKeyUsage = known, others }
}

func valid(from, to time.Time) testpki.Change {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = from, to }
}

// Signature algorithms that crypto/x509 does not sign with.
var (
	md5WithRSA  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 4}
	sha1WithRSA = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 5}
)

// resign signs a certificate again with an RSA key and an insecure hash.
func resign(t testing.TB, c *x509.Certificate, algorithm asn1.ObjectIdentifier, hash crypto.Hash, key *rsa.PrivateKey) *x509.Certificate {
	t.Helper()
	var tbs struct {
		Version    int `asn1:"explicit,tag:0"`
		Serial     *big.Int
		Algorithm  pkix.AlgorithmIdentifier
		Issuer     asn1.RawValue
		Validity   asn1.RawValue
		Subject    asn1.RawValue
		PublicKey  asn1.RawValue
		Extensions asn1.RawValue
	}
	_, err := asn1.Unmarshal(c.RawTBSCertificate, &tbs)
	require.NoError(t, err)
	tbs.Algorithm = pkix.AlgorithmIdentifier{Algorithm: algorithm, Parameters: asn1.NullRawValue}
	der, err := asn1.Marshal(tbs)
	require.NoError(t, err)
	h := hash.New()
	h.Write(der)
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, hash, h.Sum(nil))
	require.NoError(t, err)
	der, err = asn1.Marshal(struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: der}, tbs.Algorithm, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}})
	require.NoError(t, err)
	weak, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return weak
}

// rsaOf returns a public key of any size without a private key.
func rsaOf(bits int) *rsa.PublicKey {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), uint(bits-1)))
	if err != nil {
		panic(err)
	}
	n.SetBit(n, bits-1, 1)
	return &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 65537}
}

// withKey returns an authority with a public key that signs nothing.
func (w *world) withKey(a *testpki.Authority, key crypto.PublicKey) *x509.Certificate {
	w.Helper()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		Subject: pkix.Name{CommonName: "CA of another key"}, NotBefore: long.From, NotAfter: long.To,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, BasicConstraintsValid: true, IsCA: true,
	}, a.Certificate, key, a.Key)
	require.NoError(w, err)
	c, err := x509.ParseCertificate(der)
	require.NoError(w, err)
	return c
}

// revocation holds the status of certificates by serial number.
type revocation map[string]error

func (r revocation) Check(ctx context.Context, leaf, _ *x509.Certificate, _ time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return r[leaf.SerialNumber.String()]
}

// testKey returns a key for certificates that sign nothing.
func testKey() (crypto.Signer, error) { return leafKey, nil }
