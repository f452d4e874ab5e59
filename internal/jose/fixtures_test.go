package jose_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/jose"
)

// The keys of these tests. The RSA key is in a file, because generating one is slow.
var keys = sync.OnceValue(func() (k struct {
	rsa           *rsa.PrivateKey
	p256, other   *ecdsa.PrivateKey
	p384, p521    *ecdsa.PrivateKey
	ed            ed25519.PrivateKey
	weakRSAPublic *rsa.PublicKey
},
) {
	k.rsa = must(x509.ParsePKCS8PrivateKey(readPEM("testdata/rsa2048.pem"))).(*rsa.PrivateKey)
	k.weakRSAPublic = must(x509.ParsePKIXPublicKey(readPEM("testdata/rsa1024.pub.pem"))).(*rsa.PublicKey)
	k.p256 = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	k.other = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	k.p384 = must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	k.p521 = must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))
	_, k.ed = must2(ed25519.GenerateKey(rand.Reader))
	return k
})

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func must2[T, U any](v T, u U, err error) (T, U) {
	if err != nil {
		panic(err)
	}
	return v, u
}

func readPEM(path string) []byte {
	block, _ := pem.Decode(must(os.ReadFile(path)))
	return block.Bytes
}

var allAlgs = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// keyFor returns a private key for alg.
func keyFor(alg string) crypto.Signer {
	switch {
	case strings.HasPrefix(alg, "RS"), strings.HasPrefix(alg, "PS"):
		return keys().rsa
	case alg == "ES256":
		return keys().p256
	case alg == "ES384":
		return keys().p384
	case alg == "ES512":
		return keys().p521
	}
	return keys().ed
}

// opaque hides the type of a key, as the Signer of an HSM or KMS does.
type opaque struct{ key crypto.Signer }

func (o opaque) Public() crypto.PublicKey { return o.key.Public() }
func (o opaque) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return o.key.Sign(r, digest, opts)
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// signed returns a token with any header and a valid signature of alg.
func signed(t testing.TB, alg, header, payload string) string {
	t.Helper()
	s, err := jose.NewSigner(alg, "", keyFor(alg), nil)
	require.NoError(t, err)
	return s.SignSegments(t, b64(header), b64(payload))
}

// public returns the key of the peer for alg, with the kid "k".
func public(alg string) jose.PublicKey {
	return jose.PublicKey{KID: "k", Alg: alg, Use: "sig", Key: keyFor(alg).Public()}
}
