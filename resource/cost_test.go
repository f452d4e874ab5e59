package resource_test

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/resource"
	"github.com/portner-go/portner/storage/memory"
)

// BenchmarkVerify measures Verify and Protect beside the verification of the signature alone.
func BenchmarkVerify(b *testing.B) {
	token := sign(b, "ec", "", person(b).json(b))
	v, err := resource.New(config(b))
	require.NoError(b, err)
	b.Run("bare", func(b *testing.B) {
		digest := sha256.Sum256([]byte(token))
		sig, err := ecdsa.SignASN1(nil, ecKey(), digest[:])
		require.NoError(b, err)
		b.ReportAllocs()
		for b.Loop() {
			if !ecdsa.VerifyASN1(&ecKey().PublicKey, digest[:], sig) {
				b.Fatal("bad signature")
			}
		}
	})
	b.Run("Verify", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.Verify(b.Context(), resource.Bearer(token)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("DPoP", func(b *testing.B) { // every proof is a new one: making it is not measured
		cfg := config(b)
		cfg.DPoP = &dpop.Policy{Replay: memory.New()}
		v, err := resource.New(cfg)
		require.NoError(b, err)
		p := newProver(b)
		token := bound(b, map[string]any{"jkt": p.jkt})
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			r := get("DPoP "+token, p.proof(b, token))
			b.StartTimer()
			if _, err := v.Verify(b.Context(), r); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Protect", func(b *testing.B) {
		h := v.Protect(resource.Rules{Scopes: []string{"difitest:test2"}, RequireUser: true}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		b.ReportAllocs()
		for b.Loop() {
			h.ServeHTTP(w, r)
		}
		require.Equal(b, 200, w.Code)
	})
}

// TestBearerAllocations checks that a policy for proofs costs requests with bearer tokens no allocation.
func TestBearerAllocations(t *testing.T) {
	token := sign(t, "ec", "", person(t).json(t))
	h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	r := httptest.NewRequest(http.MethodGet, "/v1/x", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	allocations := func(cfg resource.Config) float64 {
		protected := verifier(t, cfg).Protect(resource.Rules{Scopes: []string{"difitest:test2"}, RequireUser: true}, h)
		return slow.Allocations(t, 100, func() { protected.ServeHTTP(w, r) })
	}
	require.LessOrEqual(t, allocations(dpopConfig(t)), allocations(config(t)))
	require.Equal(t, 200, w.Code)
}

// TestRejectionAllocations checks that a rejected token costs at most 256 KiB of memory.
func TestRejectionAllocations(t *testing.T) {
	v := verifier(t, config(t))
	chain := `{"alg":"ES256","kid":"ec","x5c":["` + strings.Repeat("AAAA", 5000) + `"]}`
	deep := `{"alg":"ES256","kid":"ec","x":` + strings.Repeat("[", 20000) + `}`
	for name, token := range map[string]string{
		"not a token":       strings.Repeat("a", jose.MaxTokenX5C),
		"a long chain":      raw(chain, []byte("{}"), nothing),
		"a deep header":     raw(deep, []byte("{}"), nothing),
		"a large payload":   raw(`{"alg":"ES256","kid":"ec"}`, []byte(`{"a":"`+strings.Repeat("a", 22000)+`"}`), nothing),
		"a huge one":        strings.Repeat("a.", 1<<20),
		"a large signature": raw(`{"alg":"ES256","kid":"ec"}`, []byte("{}"), func([]byte) []byte { return make([]byte, 22000) }),
	} {
		const rounds = 50
		request := resource.Bearer(token)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range rounds {
			_, err := v.Verify(t.Context(), request)
			require.Error(t, err, name)
		}
		runtime.ReadMemStats(&after)
		require.Less(t, (after.TotalAlloc-before.TotalAlloc)/rounds, uint64(256<<10), name)
	}

	p := newProver(t)
	v, token := verifier(t, dpopConfig(t)), bound(t, map[string]any{"jkt": p.jkt})
	proof := p.proof(t, token)
	for name, request := range map[string]resource.Request{
		"a huge proof":        get("DPoP "+token, strings.Repeat("a", 1<<20)),
		"a large claim":       get("DPoP "+token, p.proof(t, token, "x", strings.Repeat("a", 5000))),
		"a deep claim":        get("DPoP "+token, raw(`{"typ":"dpop+jwt","alg":"ES256","jwk":`+strings.Repeat("[", 5000)+`}`, []byte("{}"), nothing)),
		"a thousand proofs":   get("DPoP "+token, slices.Repeat([]string{proof}, 1000)...),
		"a proof of segments": get("DPoP "+token, strings.Repeat("a.", 1<<20)),
	} {
		const rounds = 20
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range rounds {
			_, err := v.Verify(t.Context(), request)
			if name != "a large claim" {
				require.Error(t, err, name)
			}
		}
		runtime.ReadMemStats(&after)
		require.Less(t, (after.TotalAlloc-before.TotalAlloc)/rounds, uint64(256<<10), name)
	}
}
