package keyset_test

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/keyset"
)

func kidOf(t testing.TB, token string) string {
	t.Helper()
	m, err := jws.Parse([]byte(token))
	require.NoError(t, err)
	return m.Signatures()[0].ProtectedHeaders().KeyID()
}

func TestGenerate(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{keyset.ES256, keyset.EdDSA, keyset.RS256} {
		k := generate(t, alg)
		want, err := jose.Thumbprint(k.Signer.Public())
		require.NoError(t, err)
		require.Equal(t, want, k.KID)
		require.NotEqual(t, k.KID, generate(t, keyset.ES256).KID)
		if r, ok := k.Signer.Public().(*rsa.PublicKey); ok {
			require.Equal(t, 2048, r.N.BitLen())
		}
	}
	_, err := keyset.Generate("HS256")
	require.Error(t, err)
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func TestParsePEM(t *testing.T) {
	t.Parallel()
	pkcs8 := func(key any) string {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		require.NoError(t, err)
		return block("PRIVATE KEY", der)
	}
	es, ed, rs := certify(t, generate(t, keyset.ES256)), generate(t, keyset.EdDSA), fixture(t, "")
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	x25519, err := ecdh.X25519().GenerateKey(rand.Reader)
	require.NoError(t, err)
	sec1, err := x509.MarshalECPrivateKey(es.Signer.(*ecdsa.PrivateKey))
	require.NoError(t, err)
	pkcs1 := x509.MarshalPKCS1PrivateKey(rs.Signer.(*rsa.PrivateKey))
	chain := block("CERTIFICATE", es.X5C[0])

	for name, c := range map[string]struct {
		data, alg string
		want      keyset.Key
	}{
		"PKCS 8 RSA":        {pkcs8(rs.Signer), "", rs},
		"PKCS 8 EC":         {pkcs8(es.Signer), "", es},
		"PKCS 8 Ed25519":    {pkcs8(ed.Signer), keyset.EdDSA, ed},
		"PKCS 1":            {block("RSA PRIVATE KEY", pkcs1), "PS256", rs},
		"SEC 1":             {block("EC PARAMETERS", []byte{6, 1, 1}) + block("EC PRIVATE KEY", sec1), "", es},
		"certificate after": {"text around\n" + pkcs8(es.Signer) + chain, "", es},
		"certificate first": {chain + pkcs8(es.Signer), "", es},
	} {
		k, err := keyset.ParsePEM([]byte(c.data), c.alg)
		require.NoError(t, err, name)
		require.Equal(t, c.want.KID, k.KID, name)
		if strings.HasPrefix(name, "certificate") {
			require.Equal(t, es.X5C, k.X5C)
		}
		newSet(t, k)
	}
	for name, data := range map[string]string{
		"empty":            "",
		"no PEM":           "key",
		"only certificate": chain,
		"two keys":         pkcs8(es.Signer) + pkcs8(ed.Signer),
		"public key":       block("PUBLIC KEY", []byte("x")),
		"encrypted":        block("ENCRYPTED PRIVATE KEY", []byte("x")),
		"broken":           block("PRIVATE KEY", []byte("x")),
		"X25519":           pkcs8(x25519),
	} {
		_, err := keyset.ParsePEM([]byte(data), "")
		require.Error(t, err, name)
	}
	k, err := keyset.ParsePEM([]byte(pkcs8(p384)), "")
	require.NoError(t, err)
	_, err = keyset.New(keyset.Config{Keys: []keyset.Key{k}})
	require.Error(t, err, "ES384 is read and not offered")
}

// TestKIDIsTheThumbprint: the kid of a token is the RFC 7638 thumbprint of its key.
func TestKIDIsTheThumbprint(t *testing.T) {
	t.Parallel()
	s := newSet(t, fixture(t, ""))
	kid := kidOf(t, sign(t, s, "", "", epoch))
	require.Equal(t, s.States()[0].KID, kid)
	raw, err := base64.RawURLEncoding.DecodeString(kid)
	require.NoError(t, err)
	require.Len(t, raw, 32)
}
