package jose_test

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/jose"
)

// TestRawECDSA compares numbers of every length with math/big. RFC 7518 §3.4: both are padded to the length of the order.
func TestRawECDSA(t *testing.T) {
	t.Parallel()
	const size = 32
	one := big.NewInt(1)
	for bits := range uint(8*size + 9) {
		for _, n := range []*big.Int{new(big.Int).Lsh(one, bits), new(big.Int).Sub(new(big.Int).Lsh(one, bits), one), new(big.Int).Neg(one)} {
			for _, pair := range [][2]*big.Int{{n, one}, {one, n}} {
				der, err := asn1.Marshal(struct{ R, S *big.Int }{pair[0], pair[1]})
				require.NoError(t, err)
				got, err := jose.RawECDSA(der, size)
				if n.Sign() <= 0 || n.BitLen() > 8*size {
					require.ErrorContains(t, err, "out of range", n)
					continue
				}
				require.NoError(t, err, n)
				require.Equal(t, append(pair[0].FillBytes(make([]byte, size)), pair[1].FillBytes(make([]byte, size))...), got)
			}
		}
	}
}

func TestRawECDSARejectsOtherASN1(t *testing.T) {
	t.Parallel()
	good, err := asn1.Marshal(struct{ R, S int }{1, 2})
	require.NoError(t, err)
	octets, err := asn1.Marshal(struct{ R, S []byte }{[]byte{1}, []byte{2}})
	require.NoError(t, err)
	for name, der := range map[string][]byte{
		"empty": nil, "cut": good[:len(good)-1], "more": append(good[:len(good):len(good)], 0), "octet strings": octets,
		"no digits": {0x30, 4, 2, 0, 2, 0}, "raw": make([]byte, 64), "more inside": {0x30, 9, 2, 1, 1, 2, 1, 2, 2, 1, 3},
		"a long form of a short length": {0x30, 0x81, 6, 2, 1, 1, 2, 1, 2}, "no length": {0x30, 0x81}, "indefinite": {0x30, 0x80, 2, 1, 1, 2, 1, 2, 0, 0},
		"a length of two octets": {0x30, 0x82, 0, 6, 2, 1, 1, 2, 1, 2}, "one number": {0x30, 3, 2, 1, 1}, "a set": {0x31, 6, 2, 1, 1, 2, 1, 2},
	} {
		_, err := jose.RawECDSA(der, 32)
		require.Error(t, err, name)
	}
}

// TestDERECDSA compares with encoding/asn1, for numbers of every length and zero, and reverses it.
func TestDERECDSA(t *testing.T) {
	t.Parallel()
	one := big.NewInt(1)
	for _, size := range []int{32, 48, 66} {
		for bits := range uint(8 * size) {
			for _, n := range []*big.Int{new(big.Int).Lsh(one, bits), new(big.Int).Sub(new(big.Int).Lsh(one, bits), one)} {
				for _, pair := range [][2]*big.Int{{n, one}, {one, n}, {n, n}} {
					want, err := asn1.Marshal(struct{ R, S *big.Int }{pair[0], pair[1]})
					require.NoError(t, err)
					raw := append(pair[0].FillBytes(make([]byte, size)), pair[1].FillBytes(make([]byte, size))...)
					require.Equal(t, want, jose.DERECDSA(nil, raw))
					require.LessOrEqual(t, len(want), jose.MaxDER)
					if n.Sign() > 0 {
						back, err := jose.RawECDSA(want, size)
						require.NoError(t, err)
						require.Equal(t, raw, back)
					}
				}
			}
		}
	}
}

// TestECDSAInASN1: a signature has one form and one length, and numbers beyond the order are refused.
func TestECDSAInASN1(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{"ES256", "ES384", "ES512"} {
		token := signed(t, alg, `{"alg":"`+alg+`","kid":"k"}`, `{}`)
		verify := func(sig []byte) error {
			text := token[:strings.LastIndexByte(token, '.')+1] + base64.RawURLEncoding.EncodeToString(sig)
			_, err := jose.VerifyAny(text, jose.MaxToken, allAlgs, []jose.PublicKey{public(alg)})
			return err
		}
		sig, err := base64.RawURLEncoding.DecodeString(token[strings.LastIndexByte(token, '.')+1:])
		require.NoError(t, err)
		require.NoError(t, verify(sig))
		half := len(sig) / 2
		order := keyFor(alg).Public().(*ecdsa.PublicKey).Params().N
		beyond := new(big.Int).Add(order, new(big.Int).SetBytes(sig[half:]))
		for name, other := range map[string][]byte{
			"ASN.1": jose.DERECDSA(nil, sig), "longer numbers": slices.Concat([]byte{0}, sig[:half], []byte{0}, sig[half:]), "shorter": sig[:len(sig)-2],
			"zero r": slices.Concat(make([]byte, half), sig[half:]), "zero s": slices.Concat(sig[:half], make([]byte, half)), "zero": make([]byte, len(sig)),
			"r and s": slices.Concat(sig[half:], sig[:half]), "r is the order": slices.Concat(order.FillBytes(make([]byte, half)), sig[half:]),
			"s is the order": slices.Concat(sig[:half], order.FillBytes(make([]byte, half))), "one byte": {1}, "most": bytes.Repeat([]byte{0xff}, len(sig)),
		} {
			require.ErrorIs(t, verify(other), jose.ErrSignature, "%s: %s", alg, name)
		}
		if beyond.BitLen() <= 8*half {
			require.ErrorIs(t, verify(slices.Concat(sig[:half], beyond.FillBytes(make([]byte, half)))), jose.ErrSignature, "%s: s and the order", alg)
		}
	}
}
