package token_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// assertionKey returns a function that signs claims with a new ES256 key, and the JWKS of the key.
func assertionKey(t *testing.T) (sign func(claims map[string]any) string, jwks json.RawMessage) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	encode := base64.RawURLEncoding.EncodeToString
	point, err := k.PublicKey.Bytes()
	require.NoError(t, err)
	jwks, err = json.Marshal(map[string]any{"keys": []any{map[string]any{
		"kty": "EC", "crv": "P-256", "x": encode(point[1:33]), "y": encode(point[33:]), "kid": "k1", "alg": "ES256", "use": "sig",
	}}})
	require.NoError(t, err)
	return func(claims map[string]any) string {
		head, err := json.Marshal(map[string]any{"alg": "ES256", "kid": "k1"})
		require.NoError(t, err)
		body, err := json.Marshal(claims)
		require.NoError(t, err)
		signed := encode(head) + "." + encode(body)
		sum := sha256.Sum256([]byte(signed))
		r, s, err := ecdsa.Sign(rand.Reader, k, sum[:])
		require.NoError(t, err)
		sig := make([]byte, 64)
		r.FillBytes(sig[:32])
		s.FillBytes(sig[32:])
		return signed + "." + encode(sig)
	}, jwks
}
