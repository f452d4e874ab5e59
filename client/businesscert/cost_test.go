package businesscert_test

import (
	"crypto/elliptic"
	"crypto/x509"
	"testing"

	"github.com/portner-go/portner/client/businesscert"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/internal/testpki"
	"github.com/stretchr/testify/require"
)

// BenchmarkVerify measures a valid chain and chains that are rejected.
func BenchmarkVerify(b *testing.B) {
	w := newWorld(b)
	v := w.verifier(nil)
	for name, chain := range map[string][][]byte{
		"good":     testpki.Chain(w.sealOf(testpki.Seal{Orgno: digdir, Key: rsaKey().Public()}, w.issuing), w.issuing.Certificate),
		"stranger": testpki.Chain(w.selfSigned(), w.issuing.Certificate),
		"longest":  w.deep(4),
		"shuffled": shuffled(w.deep(4)),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = v.Verify(b.Context(), chain, now)
			}
		})
	}
}

// shuffled returns the chain with its authorities in the wrong order.
func shuffled(chain [][]byte) [][]byte {
	chain[1], chain[3] = chain[3], chain[1]
	return chain
}

// TestRejectionIsCheap: the work for a chain without a trusted authority is bounded. For authorities of one name and key that
// sign each other crypto/x509 would try every order.
func TestRejectionIsCheap(t *testing.T) {
	slow.WithoutRaceDetector(t)
	t.Parallel()
	w := newWorld(t)
	mutual := w.newRoot("Same name", strangeKey)
	heap := testpki.Chain(w.seal(mutual))
	for i := range businesscert.MaxCertificates - 1 {
		heap = append(heap, w.under(mutual, "Same name", strangeKey, func(c *x509.Certificate) { c.DNSNames = []string{string(rune('a' + i))} }).Certificate.Raw)
	}
	tower := func(base string) (chain [][]byte, of *testpki.Authority) { // of an unknown authority, with P-521 keys
		a := w.newRoot(base, newEC(elliptic.P521()))
		for _, name := range []string{"A", "B", "C"} {
			a = w.under(a, name, newEC(elliptic.P521()))
			chain = append([][]byte{a.Certificate.Raw}, chain...)
		}
		return append(testpki.Chain(w.seal(a)), chain...), a
	}
	alone, authority := tower("Test Root")
	topped, _ := tower("Test Business CA")
	topped = append(topped, w.issuing.Certificate.Raw)

	leaf := w.seal(authority)
	one := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			require.NoError(b, leaf.CheckSignatureFrom(authority.Certificate))
		}
	})
	v := w.verifier(nil)
	for name, chain := range map[string][][]byte{"equal names": heap, "long chain": alone, "long chain below a trusted authority": topped} {
		var err error
		result := testing.Benchmark(func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err = v.Verify(b.Context(), chain, now)
			}
		})
		require.ErrorIs(t, err, businesscert.ErrChain, name)
		require.Less(t, result.AllocedBytesPerOp(), int64(256<<10), name)
		require.Less(t, result.NsPerOp(), one.NsPerOp(), "%s: no P-521 signature is verified", name)
		t.Logf("%s: %v ns, %d bytes; one signature %v ns", name, result.NsPerOp(), result.AllocedBytesPerOp(), one.NsPerOp())
	}
}
