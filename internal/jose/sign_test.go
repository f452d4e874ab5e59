package jose_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/jose"

	"github.com/portner-go/portner/internal/slow"
)

func isErr(err, target error) bool { return errors.Is(err, target) }

// TestSignForJWX: jws.Verify of jwx accepts the tokens, for keys in memory and elsewhere.
func TestSignForJWX(t *testing.T) {
	t.Parallel()
	for _, alg := range allAlgs {
		for kind, key := range map[string]crypto.Signer{"raw": keyFor(alg), "opaque": opaque{keyFor(alg)}} {
			s, err := jose.NewSigner(alg, "k", key, nil, "JWT")
			require.NoError(t, err, "%s %s", alg, kind)
			for range 20 { // r and s are short at random
				token, err := s.Sign("JWT", []byte(`{"a":1}`))
				require.NoError(t, err)
				payload, err := jws.Verify([]byte(token), jws.WithKey(jwa.SignatureAlgorithm(alg), keyFor(alg).Public()))
				require.NoError(t, err, "%s %s", alg, kind)
				require.Equal(t, `{"a":1}`, string(payload))
				_, err = jose.VerifyAny(token, jose.MaxToken, []string{alg}, []jose.PublicKey{public(alg)})
				require.NoError(t, err)
				if strings.HasPrefix(alg, "RS") || strings.HasPrefix(alg, "PS") {
					break
				}
			}
		}
	}
}

// TestSignIsJWSSign: for the deterministic algorithms, the bytes are those of jws.Sign.
func TestSignIsJWSSign(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{"RS256", "EdDSA"} {
		h := jws.NewHeaders()
		require.NoError(t, h.Set("kid", "k"))
		require.NoError(t, h.Set("typ", "JWT"))
		want, err := jws.Sign([]byte("{}"), jws.WithKey(jwa.SignatureAlgorithm(alg), keyFor(alg), jws.WithProtectedHeaders(h)))
		require.NoError(t, err)
		s, err := jose.NewSigner(alg, "k", keyFor(alg), nil)
		require.NoError(t, err)
		got, err := s.Sign("JWT", []byte("{}"))
		require.NoError(t, err)
		require.Equal(t, string(want), got)
	}
}

// TestPSSSalt: RFC 7518 §3.5: the salt of PSS is as long as the hash.
func TestPSSSalt(t *testing.T) {
	t.Parallel()
	for _, key := range []crypto.Signer{keys().rsa, opaque{keys().rsa}} {
		s, err := jose.NewSigner("PS256", "k", key, nil)
		require.NoError(t, err)
		token, err := s.Sign("", []byte("{}"))
		require.NoError(t, err)
		i := strings.LastIndexByte(token, '.')
		digest := sha256.Sum256([]byte(token[:i]))
		sig, err := base64.RawURLEncoding.DecodeString(token[i+1:])
		require.NoError(t, err)
		require.NoError(t, rsa.VerifyPSS(&keys().rsa.PublicKey, crypto.SHA256, digest[:], sig, &rsa.PSSOptions{SaltLength: 32}))
	}
}

func TestSignHeaders(t *testing.T) {
	t.Parallel()
	chain := [][]byte{certificate(t, "ES256"), {1, 2, 3}}
	s, err := jose.NewSigner("ES256", "k", keys().p256, chain, "at+jwt")
	require.NoError(t, err)
	for _, typ := range []string{"", "at+jwt", "token-introspection+jwt", `a"b`} {
		token, err := s.Sign(typ, []byte("{}"))
		require.NoError(t, err)
		h, err := jose.ParseHeader(token, jose.MaxTokenX5C)
		require.NoError(t, err)
		require.Equal(t, jose.Header{Alg: "ES256", KID: "k", Typ: typ, X5C: chain}, h)
		head, _, _ := strings.Cut(token, ".")
		raw, err := base64.RawURLEncoding.DecodeString(head)
		require.NoError(t, err)
		var m map[string]any
		require.NoError(t, json.Unmarshal(raw, &m))
		_, hasTyp := m["typ"]
		require.Equal(t, typ != "", hasTyp)
		require.Equal(t, base64.StdEncoding.EncodeToString(chain[0]), m["x5c"].([]any)[0])
	}
}

// wrong signs with another key than Public returns, as a wrongly configured HSM does.
type wrong struct{ crypto.Signer }

func (wrong) Public() crypto.PublicKey { return keys().other.Public() }

// junk is a signer that returns fixed bytes.
type junk struct {
	signature []byte
	err       error
}

func (junk) Public() crypto.PublicKey { return keys().p256.Public() }
func (j junk) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return j.signature, j.err
}

func TestNewSignerRejects(t *testing.T) {
	t.Parallel()
	down := errors.New("HSM is down")
	for name, c := range map[string]struct {
		alg, kid string
		key      crypto.Signer
		want     error
	}{
		"no key":             {"ES256", "k", nil, jose.ErrKey},
		"alg none":           {"none", "k", keys().p256, jose.ErrAlgorithm},
		"alg symmetric":      {"HS256", "k", keys().p256, jose.ErrAlgorithm},
		"alg of another":     {"RS256", "k", keys().p256, jose.ErrAlgorithm},
		"another curve":      {"ES256", "k", keys().p384, jose.ErrAlgorithm},
		"kid":                {"ES256", "a/b", keys().p256, jose.ErrKey},
		"another public key": {"ES256", "k", wrong{keys().p256}, jose.ErrKey},
		"raw signature":      {"ES256", "k", junk{signature: make([]byte, 64)}, nil},
		"zero r and s":       {"ES256", "k", junk{signature: []byte{0x30, 6, 2, 1, 0, 2, 1, 0}}, nil},
		"signer fails":       {"ES256", "k", junk{err: down}, down},
		"short Ed25519 key":  {"EdDSA", "k", shortEd{}, jose.ErrAlgorithm},
	} {
		_, err := jose.NewSigner(c.alg, c.kid, c.key, nil)
		require.Error(t, err, name)
		if c.want != nil {
			require.ErrorIs(t, err, c.want, name)
		}
	}
}

type shortEd struct{ ed25519.PrivateKey }

func (shortEd) Public() crypto.PublicKey { return ed25519.PublicKey{1, 2, 3} }

func TestSignLeavesTheCallersKeyAlone(t *testing.T) {
	t.Parallel()
	bare := &rsa.PrivateKey{PublicKey: keys().rsa.PublicKey, D: keys().rsa.D, Primes: keys().rsa.Primes}
	_, err := jose.NewSigner("RS256", "k", bare, nil)
	require.NoError(t, err)
	require.Nil(t, bare.Precomputed.Dp)
}

// keeper is a key of the host that still holds the messages after it signed them.
type keeper struct {
	ed25519.PrivateKey
	messages [][]byte
}

func (k *keeper) Sign(random io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	k.messages = append(k.messages, message)
	return k.PrivateKey.Sign(random, message, opts)
}

// TestSignDoesNotChangeTheMessageLater: a key of the host may still read a message when Sign has returned.
func TestSignDoesNotChangeTheMessageLater(t *testing.T) {
	t.Parallel()
	key := &keeper{PrivateKey: keys().ed}
	s, err := jose.NewSigner("EdDSA", "k", key, nil)
	require.NoError(t, err)
	key.messages = nil
	for i := range 20 {
		token, err := s.Sign("", fmt.Appendf(nil, `{"i":%d}`, i))
		require.NoError(t, err)
		require.Equal(t, token[:strings.LastIndexByte(token, '.')], string(key.messages[i]))
	}
	for i, message := range key.messages {
		body := strings.Split(string(message), ".")[1]
		payload, err := base64.RawURLEncoding.DecodeString(body)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf(`{"i":%d}`, i), string(payload))
	}
}

// TestSignAllocations bounds the allocations besides the signature.
func TestSignAllocations(t *testing.T) {
	payload := make([]byte, 500)
	for alg, most := range map[string]float64{"ES256": 3, "EdDSA": 1} {
		s, err := jose.NewSigner(alg, "k", keyFor(alg), nil, "JWT")
		require.NoError(t, err)
		bare := slow.Allocations(t, 200, func() { bareSign(alg, payload) })
		ours := slow.Allocations(t, 200, func() {
			if _, err := s.Sign("JWT", payload); err != nil {
				t.Error(err)
			}
		})
		require.LessOrEqual(t, ours-bare, most, "%s: bare %v, ours %v", alg, bare, ours)
	}
}

func bareSign(alg string, message []byte) []byte {
	switch alg {
	case "ES256":
		digest := sha256.Sum256(message)
		return must(ecdsa.SignASN1(rand.Reader, keys().p256, digest[:]))
	case "RS256":
		digest := sha256.Sum256(message)
		return must(rsa.SignPKCS1v15(rand.Reader, keys().rsa, crypto.SHA256, digest[:]))
	}
	return ed25519.Sign(keys().ed, message)
}

func BenchmarkSign(b *testing.B) {
	payload := make([]byte, 600)
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		b.Run(alg+"/bare", func(b *testing.B) {
			b.ReportAllocs()
			message := make([]byte, 900)
			for b.Loop() {
				bareSign(alg, message)
			}
		})
		for kind, key := range map[string]crypto.Signer{"raw": keyFor(alg), "opaque": opaque{keyFor(alg)}} {
			b.Run(alg+"/"+kind, func(b *testing.B) {
				s, err := jose.NewSigner(alg, "k", key, nil, "JWT")
				require.NoError(b, err)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := s.Sign("JWT", payload); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		s, err := jose.NewSigner(alg, "k", keyFor(alg), nil)
		require.NoError(b, err)
		token, err := s.Sign("JWT", []byte(`{"iss":"https://op.example","pad":"`+strings.Repeat("x", 500)+`"}`))
		require.NoError(b, err)
		i := strings.LastIndexByte(token, '.')
		sig, err := base64.RawURLEncoding.DecodeString(token[i+1:])
		require.NoError(b, err)
		b.Run(alg+"/bare", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				digest := sha256.Sum256([]byte(token[:i]))
				switch alg {
				case "RS256":
					err = rsa.VerifyPKCS1v15(&keys().rsa.PublicKey, crypto.SHA256, digest[:], sig)
				case "EdDSA":
					ed25519.Verify(keys().ed.Public().(ed25519.PublicKey), []byte(token[:i]), sig)
				default:
					ecdsa.Verify(&keys().p256.PublicKey, digest[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
				}
			}
		})
		b.Run(alg+"/ours", func(b *testing.B) {
			b.ReportAllocs()
			set := []jose.PublicKey{public(alg)}
			for b.Loop() {
				if _, err := jose.VerifyAny(token, jose.MaxToken, []string{alg}, set); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
