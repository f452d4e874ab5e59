package testpki_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/testpki"
)

// TestAuthoritiesAreForBusinesses: the authorities of a set issue certificates of businesses, and none that a client accepts from a server.
func TestAuthoritiesAreForBusinesses(t *testing.T) {
	t.Parallel()
	now := time.Now()
	newKey := func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }
	set, err := testpki.NewSet(testpki.Options{Orgno: "991825827", Name: "En", OtherOrgno: "910753614", OtherName: "To", Now: now, NewKey: newKey})
	require.NoError(t, err)
	above := x509.NewCertPool()
	above.AddCert(set.Issuing.Certificate)
	verify := func(c *x509.Certificate, use x509.ExtKeyUsage) error {
		_, err := c.Verify(x509.VerifyOptions{Roots: set.Roots(), Intermediates: above, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{use}})
		return err
	}
	require.NoError(t, verify(set.Certificates[testpki.NameSEID2].Certificate, x509.ExtKeyUsageClientAuth))
	key, err := newKey()
	require.NoError(t, err)
	for _, authority := range []*testpki.Authority{set.Issuing, set.Root} {
		server, err := authority.Issue(testpki.Seal{Orgno: "991825827", Name: "bank.example", Key: key.Public(), Validity: testpki.Validity{From: now, To: now.Add(time.Hour)}},
			func(c *x509.Certificate) {
				c.DNSNames, c.ExtKeyUsage = []string{"bank.example"}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
			})
		require.NoError(t, err)
		require.ErrorContains(t, verify(server, x509.ExtKeyUsageServerAuth), "incompatible key usage")
	}
}
