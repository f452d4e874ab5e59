package keyset_test

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"io"
	"math/big"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/keyset"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func generate(t testing.TB, alg string) keyset.Key {
	t.Helper()
	k, err := keyset.Generate(alg)
	require.NoError(t, err)
	return k
}

// fixture returns the RSA key of these tests, because generating one is slow.
func fixture(t testing.TB, alg string) keyset.Key {
	t.Helper()
	data, err := os.ReadFile("testdata/rsa2048.pem")
	require.NoError(t, err)
	k, err := keyset.ParsePEM(data, alg)
	require.NoError(t, err)
	return k
}

func newSet(t testing.TB, keys ...keyset.Key) *keyset.Set {
	t.Helper()
	s, err := keyset.New(keyset.Config{Keys: keys})
	require.NoError(t, err)
	return s
}

// idToken is the payload of signed tokens.
const idToken = `{"iss":"i","sub":"s","aud":"a","iat":1,"exp":2}`

func sign(t testing.TB, s *keyset.Set, alg, typ string, now time.Time) string {
	t.Helper()
	token, err := s.Sign(alg, typ, []byte(idToken), now)
	require.NoError(t, err)
	return token
}

// published returns the kids in the JWKS, as a client reads it.
func published(t testing.TB, s *keyset.Set, now time.Time) []string {
	t.Helper()
	doc, _ := s.JWKS(now)
	var set struct{ Keys []struct{ KID string } }
	require.NoError(t, json.Unmarshal(doc, &set))
	kids := []string{}
	for _, k := range set.Keys {
		kids = append(kids, k.KID)
	}
	return kids
}

// opaque hides the type of a key, as the Signer of an HSM or KMS does.
type opaque struct{ crypto.Signer }

// wrong signs with another key than Public returns.
type wrong struct {
	crypto.Signer
	public crypto.PublicKey
}

func (w wrong) Public() crypto.PublicKey { return w.public }

// failing returns an error from Sign while err is set.
type failing struct {
	crypto.Signer
	err *error
}

func (f failing) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if *f.err != nil {
		return nil, *f.err
	}
	return f.Signer.Sign(r, digest, opts)
}

func certify(t testing.TB, k keyset.Key) keyset.Key {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: epoch, NotAfter: epoch.AddDate(10, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Signer.Public(), k.Signer)
	require.NoError(t, err)
	k.X5C = [][]byte{der}
	return k
}
