package jose_test

import (
	"encoding/asn1"
	"math/big"
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
		"no digits": {0x30, 4, 2, 0, 2, 0}, "raw": make([]byte, 64),
	} {
		_, err := jose.RawECDSA(der, 32)
		require.Error(t, err, name)
	}
}
