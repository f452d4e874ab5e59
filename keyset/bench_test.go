package keyset_test

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"testing"

	"github.com/portner-go/portner/keyset"
)

func BenchmarkSign(b *testing.B) {
	payload := make([]byte, 600)
	message := make([]byte, 900)
	for _, k := range []keyset.Key{fixture(b, ""), generate(b, keyset.ES256), generate(b, keyset.EdDSA)} {
		b.Run(k.Alg+"/bare", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if k.Alg == keyset.EdDSA {
					_, _ = k.Signer.Sign(rand.Reader, message, crypto.Hash(0))
					continue
				}
				digest := sha256.Sum256(message)
				_, _ = k.Signer.Sign(rand.Reader, digest[:], crypto.SHA256)
			}
		})
		b.Run(k.Alg+"/Set", func(b *testing.B) {
			s := newSet(b, k)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Sign("", "JWT", payload, epoch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkJWKS(b *testing.B) {
	s := newSet(b, generate(b, keyset.ES256))
	b.ReportAllocs()
	for b.Loop() {
		s.JWKS(epoch)
	}
}
