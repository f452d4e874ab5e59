package seal_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha3"
	"encoding/hex"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/seal"
)

// The test vectors of c2sp.org/XAES-256-GCM.
func TestXAESVectors(t *testing.T) {
	t.Parallel()
	for _, v := range []struct{ name, key, subkey, aad, ciphertext string }{
		{
			"the high bit of L is not set", "01", "c8612c9ed53fe43e8e005b828a1631a0bbcb6ab2f46514ec4f439fcfd0fa969b", "",
			"ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271",
		},
		{
			"the high bit of L is set", "03", "e9c621d4cdd9b11b00a6427ad7e559aeedd66b3857646677748f8ca796cb3fd8", "c2sp.org/XAES-256-GCM",
			"986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d",
		},
	} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			nonce := "ABCDEFGHIJKLMNOPQRSTUVWX"
			box, subkey := seal.XAES(bytes.Repeat(unhex(t, v.key), 32))
			key := subkey([]byte(nonce[:12]))
			require.Equal(t, v.subkey, hex.EncodeToString(key[:]))
			got, err := box.Open(append([]byte(nonce), unhex(t, v.ciphertext)...), v.aad)
			require.NoError(t, err)
			require.Equal(t, "XAES-256-GCM", string(got))
		})
	}
}

// The accumulated randomized test of c2sp.org/XAES-256-GCM: the sealed values are those of the specification, and each opens.
func TestXAESAccumulated(t *testing.T) {
	t.Parallel()
	source, sum := sha3.NewSHAKE128(), sha3.NewSHAKE128()
	read := func(n int) []byte {
		b := make([]byte, n)
		_, err := source.Read(b)
		require.NoError(t, err)
		return b
	}
	for range 10_000 {
		key, nonce := read(32), read(24)
		plaintext := read(int(read(1)[0]))
		aad := read(int(read(1)[0]))
		box, subkey := seal.XAES(key)
		derived := subkey(nonce[:12])
		block, err := aes.NewCipher(derived[:])
		require.NoError(t, err)
		gcm, err := cipher.NewGCM(block)
		require.NoError(t, err)
		ciphertext := gcm.Seal(nil, nonce[12:], plaintext, aad)
		_, err = sum.Write(ciphertext)
		require.NoError(t, err)
		got, err := box.Open(append(nonce, ciphertext...), string(aad))
		require.NoError(t, err)
		require.True(t, bytes.Equal(plaintext, got))
	}
	hash := make([]byte, 32)
	_, err := sum.Read(hash)
	require.NoError(t, err)
	require.Equal(t, "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939", hex.EncodeToString(hash))
}

// A derived key seals a bounded number of values, also for callers at the same time. Values of every prefix open in every process.
func TestPrefixIsReplaced(t *testing.T) {
	t.Parallel()
	const callers = 8
	here, there := box(t, "p", secretA), box(t, "p", secretA)
	var mu sync.Mutex
	uses := map[[12]byte]int{}
	nonces := map[[24]byte]bool{}
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range 3 * seal.PerPrefix / callers {
				sealed := here.Seal(nil, "")
				mu.Lock()
				uses[[12]byte(sealed)]++
				nonces[[24]byte(sealed)] = true
				first := uses[[12]byte(sealed)] == 1
				mu.Unlock()
				if _, err := there.Open(sealed, ""); first && err != nil {
					t.Error("a value of another process does not open")
				}
			}
		})
	}
	wg.Wait()
	require.GreaterOrEqual(t, len(uses), 3)
	require.Len(t, nonces, 3*seal.PerPrefix, "no nonce repeats")
	for _, n := range uses {
		require.LessOrEqual(t, n, seal.PerPrefix)
	}
}

// The key of a value that opened is kept, and a forged value replaces no key.
func TestForgedValuesReplaceNoKey(t *testing.T) {
	t.Parallel()
	here, there := box(t, "p", secretA), box(t, "p", secretA)
	sealed := there.Seal([]byte("plain"), "")
	require.False(t, here.Remembers(sealed))
	got, err := here.Open(sealed, "")
	require.NoError(t, err)
	require.Equal(t, "plain", string(got))
	for i := 1; i < len(sealed); i++ { // the first byte selects the slot
		forged := bytes.Clone(sealed)
		forged[i] ^= 0xff
		_, err = here.Open(forged, "")
		require.ErrorIs(t, err, seal.ErrOpen)
		require.True(t, here.Remembers(sealed))
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

// BenchmarkSeal compares a Box with one key of AES-256-GCM in the same run.
func BenchmarkSeal(b *testing.B) {
	x, plain := box(b, "p", secretA), make([]byte, 600)
	block, err := aes.NewCipher(make([]byte, 32))
	require.NoError(b, err)
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	require.NoError(b, err)
	b.Run("Box", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			x.Seal(plain, "id")
		}
	})
	b.Run("one key", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			gcm.Seal(nil, nil, plain, []byte("id"))
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	x, y := box(b, "p", secretA), box(b, "p", secretA)
	own, foreign := x.Seal(make([]byte, 600), ""), y.Seal(make([]byte, 600), "")
	forged := append([]byte{foreign[0] + 1}, foreign[1:]...)
	for _, c := range []struct {
		name   string
		sealed []byte
		opens  bool
	}{{"own prefix", own, true}, {"foreign prefix", foreign, true}, {"forged", forged, false}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := x.Open(c.sealed, ""); (err == nil) != c.opens {
					b.Fatal(err)
				}
			}
		})
	}
}
