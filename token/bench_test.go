package token_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/token"
)

// The goals of docs/performance.md. "bare" is two signatures over payloads of the tokens'
// size, in the same run; the costs of the harness (request, recorder) are in all figures.

func benchFixture(b *testing.B, alg string) *fixture {
	key := must(keyset.Generate(alg))
	f := newFixture(b, func(c *token.Config) {
		c.Keys = must(keyset.New(keyset.Config{Keys: []keyset.Key{key}}))
		c.OnEvent = nil
	})
	return f
}

func benchAlgs(b *testing.B, run func(b *testing.B, f *fixture)) {
	for _, alg := range []string{keyset.ES256, keyset.EdDSA} {
		b.Run(alg, func(b *testing.B) { run(b, benchFixture(b, alg)) })
	}
}

// serve sends requests. Making them is not measured, and done in batches, so that the garbage collector
// does not walk over all of them for each.
func serve(b *testing.B, h http.Handler, request func() *http.Request) {
	b.Helper()
	b.ReportAllocs()
	b.ResetTimer()
	batch := make([]*http.Request, 0, 500)
	for sent := 0; sent < b.N; sent += len(batch) {
		b.StopTimer()
		for batch = batch[:0]; len(batch) < min(cap(batch), b.N-sent); {
			batch = append(batch, request())
		}
		b.StartTimer()
		for _, r := range batch {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != http.StatusOK {
				b.Fatal(w.Code, w.Body.String())
			}
		}
	}
}

func BenchmarkBareSignatures(b *testing.B) {
	benchAlgs(b, func(b *testing.B, f *fixture) {
		payload := []byte(strings.Repeat("x", 500))
		keys := f.cfg.Keys
		b.ReportAllocs()
		for range b.N {
			for range 2 {
				if _, err := keys.Sign("", "", payload, start); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

func BenchmarkHarness(b *testing.B) {
	f := benchFixture(b, keyset.ES256)
	serve(b, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) }), func() *http.Request { return f.request("web", codeForm("x")) })
}

func BenchmarkCodeExchange(b *testing.B) {
	benchAlgs(b, func(b *testing.B, f *fixture) {
		serve(b, f.ep, func() *http.Request { return f.request("web", codeForm(f.code())) })
	})
}

// BenchmarkCodeExchangeUnsigned measures a code exchange without its signatures.
func BenchmarkCodeExchangeUnsigned(b *testing.B) {
	f := fastFixture(b, nil)
	serve(b, f.ep, func() *http.Request { return f.request("web", codeForm(f.code())) })
}

func BenchmarkRefresh(b *testing.B) {
	benchAlgs(b, func(b *testing.B, f *fixture) {
		f.cfg.IDTokenOnRefresh = true
		f.ep = must(token.New(f.cfg))
		serve(b, f.ep, func() *http.Request { return f.request("web", refreshForm(f.login("web").str("refresh_token"))) })
	})
}

func BenchmarkIntrospectionOpaque(b *testing.B) {
	f := benchFixture(b, keyset.ES256)
	at := f.login("web", "api:opaque").str("access_token")
	serve(b, f.ep.Introspection(), func() *http.Request { return f.request("api", url.Values{"token": {at}}) })
}

func BenchmarkUserInfo(b *testing.B) {
	f := benchFixture(b, keyset.ES256)
	for name, scopes := range map[string][]string{"jwt": {"openid", "profile"}, "opaque": {"profile", "api:opaque"}} {
		b.Run(name, func(b *testing.B) {
			at := f.login("web", scopes...).str("access_token")
			serve(b, f.ep.UserInfo(), func() *http.Request {
				r := httptest.NewRequest(http.MethodGet, "https://idporten.dev/userinfo", nil)
				r.Header.Set("Authorization", "Bearer "+at)
				return r
			})
		})
	}
}

func BenchmarkRevocationUnknown(b *testing.B) {
	f := benchFixture(b, keyset.ES256)
	serve(b, f.ep.Revocation(), func() *http.Request {
		return f.request("web", url.Values{"token": {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}})
	})
}
