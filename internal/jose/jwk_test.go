package jose_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/jose"
)

// TestThumbprintOfRFC7638 has the example of RFC 7638 §3.1.
func TestThumbprintOfRFC7638(t *testing.T) {
	t.Parallel()
	const set = `{"keys":[{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}]}`
	keys, err := jose.ParseJWKS([]byte(set))
	require.NoError(t, err)
	got, err := jose.Thumbprint(keys[0].Key)
	require.NoError(t, err)
	require.Equal(t, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", got)
}

func TestThumbprintsOfJWX(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{"RS256", "ES256", "ES384", "ES512", "EdDSA"} {
		k, err := jwk.FromRaw(keyFor(alg).Public())
		require.NoError(t, err)
		want, err := k.Thumbprint(crypto.SHA256)
		require.NoError(t, err)
		got, err := jose.Thumbprint(keyFor(alg).Public())
		require.NoError(t, err)
		require.Equal(t, base64.RawURLEncoding.EncodeToString(want), got, alg)
	}
	_, err := jose.Thumbprint("no key")
	require.ErrorIs(t, err, jose.ErrKey)
}

func TestJWKRoundTrip(t *testing.T) {
	t.Parallel()
	for _, alg := range allAlgs {
		raw, err := jose.MarshalJWK(public(alg))
		require.NoError(t, err)
		got, err := jose.ParseJWKS([]byte(`{"keys":[` + string(raw) + `]}`))
		require.NoError(t, err)
		require.Equal(t, []jose.PublicKey{public(alg)}, got)

		theirs, err := jwk.ParseKey(raw)
		require.NoError(t, err)
		var key any
		require.NoError(t, theirs.Raw(&key))
		require.True(t, public(alg).Key.(interface{ Equal(crypto.PublicKey) bool }).Equal(key), "jwx reads the same key")
		require.Equal(t, "k", theirs.KeyID())
		require.Equal(t, "sig", theirs.KeyUsage())
	}
}

func members(t *testing.T, k jose.PublicKey, change map[string]any) string {
	t.Helper()
	raw, err := jose.MarshalJWK(k)
	require.NoError(t, err)
	m := map[string]any{}
	require.NoError(t, json.Unmarshal(raw, &m))
	for name, v := range change {
		if m[name] = v; v == nil {
			delete(m, name)
		}
	}
	raw, err = json.Marshal(m)
	require.NoError(t, err)
	return string(raw)
}

func TestParseJWKSRejects(t *testing.T) {
	t.Parallel()
	ec := func(change map[string]any) string { return members(t, public("ES256"), change) }
	rs := func(change map[string]any) string { return members(t, public("RS256"), change) }
	ed := func(change map[string]any) string { return members(t, public("EdDSA"), change) }
	num := func(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.Bytes()) }
	n := keys().rsa.N
	zero := base64.RawURLEncoding.EncodeToString(append([]byte{0}, n.Bytes()...))
	for name, list := range map[string]string{
		"private EC":             ec(map[string]any{"d": "AAAA"}),
		"private RSA exponent":   rs(map[string]any{"d": "AQAB"}),
		"private RSA prime":      rs(map[string]any{"p": "AQAB"}),
		"private RSA, multi":     rs(map[string]any{"oth": []any{}}),
		"private Ed25519":        ed(map[string]any{"d": "AAAA"}),
		"private member null":    `{"kty":"RSA","d":null,"n":"` + num(n) + `","e":"AQAB"}`,
		"symmetric":              `{"kty":"oct","k":"AAAA","kid":"k"}`,
		"symmetric without k":    `{"kty":"oct","kid":"k"}`,
		"no kty":                 ec(map[string]any{"kty": nil}),
		"kty in another case":    ec(map[string]any{"kty": "ec"}),
		"kty of another":         ec(map[string]any{"kty": "RSA"}),
		"secp256k1":              ec(map[string]any{"crv": "secp256k1"}),
		"no curve":               ec(map[string]any{"crv": nil}),
		"another curve":          ec(map[string]any{"crv": "P-384"}),
		"not on the curve":       ec(map[string]any{"x": base64.RawURLEncoding.EncodeToString(make([]byte, 32))}),
		"short coordinate":       ec(map[string]any{"x": "AAAA"}),
		"X25519":                 ed(map[string]any{"crv": "X25519"}),
		"short Ed25519":          ed(map[string]any{"x": "AAAA"}),
		"no x":                   ed(map[string]any{"x": nil}),
		"padded base64url":       ed(map[string]any{"x": base64.URLEncoding.EncodeToString(make([]byte, 32))}),
		"RSA 1024":               rs(map[string]any{"n": num(keys().weakRSAPublic.N)}),
		"RSA 8193":               rs(map[string]any{"n": num(new(big.Int).SetBit(big.NewInt(1), 8192, 1))}),
		"RSA even":               rs(map[string]any{"n": num(new(big.Int).Add(n, big.NewInt(1)))}),
		"RSA n with zero octet":  rs(map[string]any{"n": zero}),
		"RSA e of 1":             rs(map[string]any{"e": "AQ"}),
		"RSA e even":             rs(map[string]any{"e": num(big.NewInt(65536))}),
		"RSA e huge":             rs(map[string]any{"e": num(new(big.Int).SetBit(big.NewInt(1), 32, 1))}),
		"RSA e empty":            rs(map[string]any{"e": ""}),
		"alg of another type":    ec(map[string]any{"alg": "RS256"}),
		"alg of another curve":   ec(map[string]any{"alg": "ES384"}),
		"alg symmetric":          rs(map[string]any{"alg": "HS256"}),
		"alg none":               rs(map[string]any{"alg": "none"}),
		"alg empty":              rs(map[string]any{"alg": ""}),
		"alg not text":           rs(map[string]any{"alg": 1}),
		"use unknown":            ec(map[string]any{"use": "tls"}),
		"use empty":              ec(map[string]any{"use": ""}),
		"key_ops without verify": ec(map[string]any{"key_ops": []string{"encrypt"}}),
		"key_ops not a list":     ec(map[string]any{"key_ops": "verify"}),
		"kid empty":              ec(map[string]any{"kid": ""}),
		"kid path":               ec(map[string]any{"kid": "../../etc"}),
		"kid not text":           ec(map[string]any{"kid": 1}),
		"kid long":               ec(map[string]any{"kid": strings.Repeat("k", 129)}),
		"x5c no certificate":     ec(map[string]any{"x5c": []string{"AAAA"}}),
		"several without kid":    ec(nil) + "," + rs(map[string]any{"kid": nil}),
		"not an object":          `"key"`,
	} {
		_, err := jose.ParseJWKS([]byte(`{"keys":[` + list + `]}`))
		require.Error(t, err, name)
		require.True(t, anyIs(err, jose.ErrKey, jose.ErrAlgorithm, jose.ErrMalformed), "%s: %v", name, err)
	}
	for _, doc := range []string{``, `[]`, `{}`, `{"keys":{}}`, `{"Keys":[]}`, ec(nil)} {
		_, err := jose.ParseJWKS([]byte(doc))
		require.Error(t, err, doc)
	}
}

func anyIs(err error, targets ...error) bool {
	for _, target := range targets {
		if isErr(err, target) {
			return true
		}
	}
	return false
}

func TestParseJWKSAccepts(t *testing.T) {
	t.Parallel()
	ec := members(t, public("ES256"), map[string]any{"alg": nil, "use": nil, "kid": nil, "key_ops": []string{"verify"}, "note": map[string]any{"d": 1}})
	got, err := jose.ParseJWKS([]byte(`{"keys":[` + ec + `],"more":1}`))
	require.NoError(t, err)
	require.Equal(t, []jose.PublicKey{{Key: keys().p256.Public()}}, got)

	enc := members(t, public("RS256"), map[string]any{"alg": "RSA-OAEP-256", "use": "enc", "kid": "e"})
	got, err = jose.ParseJWKS([]byte(`{"keys":[` + enc + `]}`))
	require.NoError(t, err)
	require.Equal(t, "enc", got[0].Use)

	got, err = jose.ParseJWKS([]byte(`{"keys":[` + members(t, public("ES256"), nil) + `,` + members(t, public("RS256"), nil) + `]}`))
	require.NoError(t, err, "a kid need not be unique")
	require.Equal(t, []jose.PublicKey{public("ES256"), public("RS256")}, got)

	got, err = jose.ParseJWKS([]byte(`{"keys":[]}`))
	require.NoError(t, err)
	require.Empty(t, got)
}

// certificate returns a self-signed certificate of the key for alg.
func certificate(t testing.TB, alg string) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, keyFor(alg).Public(), keyFor(alg))
	require.NoError(t, err)
	return der
}

// TestX5CMustCertifyTheKey: RFC 7517 §4.7: the first certificate has the key.
func TestX5CMustCertifyTheKey(t *testing.T) {
	t.Parallel()
	k := public("ES256")
	k.X5C = [][]byte{certificate(t, "ES256")}
	raw, err := jose.MarshalJWK(k)
	require.NoError(t, err)
	got, err := jose.ParseJWKS([]byte(`{"keys":[` + string(raw) + `]}`))
	require.NoError(t, err)
	require.Equal(t, k, got[0])

	other := []string{base64.StdEncoding.EncodeToString(certificate(t, "EdDSA"))}
	_, err = jose.ParseJWKS([]byte(`{"keys":[` + members(t, public("ES256"), map[string]any{"x5c": other}) + `]}`))
	require.ErrorIs(t, err, jose.ErrKey)
	k.X5C = [][]byte{certificate(t, "EdDSA")}
	_, err = jose.MarshalJWK(k)
	require.ErrorIs(t, err, jose.ErrKey)
}

// FuzzJWKS: accepted keys are public and strong, jwx parses the same key, and encoding returns the same key.
func FuzzJWKS(f *testing.F) {
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		raw, err := jose.MarshalJWK(public(alg))
		require.NoError(f, err)
		f.Add([]byte(fmt.Sprintf(`{"keys":[%s]}`, raw)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := jose.ParseJWKS(data)
		if err != nil {
			return
		}
		for _, k := range list {
			if r, ok := k.Key.(*rsa.PublicKey); ok {
				require.GreaterOrEqual(t, r.N.BitLen(), jose.MinRSABits)
			}
			if k.Use == "enc" {
				continue
			}
			raw, err := jose.MarshalJWK(k)
			require.NoError(t, err)
			theirs, err := jwk.ParseKey(raw)
			require.NoError(t, err)
			again, err := jose.ParseJWKS([]byte(`{"keys":[` + string(raw) + `]}`))
			require.NoError(t, err)
			require.Equal(t, k.Key, again[0].Key)
			require.Equal(t, k.KID, theirs.KeyID())
		}
	})
}
