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

// The goals of performance.md, rows 1 to 4, 8 and 9. "bare" is two signatures over payloads of the tokens'
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

// serve sends prepared requests; making them is not measured.
func serve(b *testing.B, h http.Handler, requests []*http.Request) {
	b.Helper()
	b.ReportAllocs()
	b.ResetTimer()
	for _, r := range requests {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatal(w.Code, w.Body.String())
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
	requests := make([]*http.Request, b.N)
	for i := range requests {
		requests[i] = f.request("web", codeForm("x"))
	}
	serve(b, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) }), requests)
}

func BenchmarkCodeExchange(b *testing.B) {
	benchAlgs(b, func(b *testing.B, f *fixture) {
		requests := make([]*http.Request, b.N)
		for i := range requests {
			requests[i] = f.request("web", codeForm(f.code()))
		}
		serve(b, f.ep, requests)
	})
}

// BenchmarkCodeExchangeUnsigned is all but the signatures (goal row 2).
func BenchmarkCodeExchangeUnsigned(b *testing.B) {
	f := fastFixture(b, nil)
	requests := make([]*http.Request, b.N)
	for i := range requests {
		requests[i] = f.request("web", codeForm(f.code()))
	}
	serve(b, f.ep, requests)
}

func BenchmarkRefresh(b *testing.B) {
	benchAlgs(b, func(b *testing.B, f *fixture) {
		f.cfg.IDTokenOnRefresh = true
		f.ep = must(token.New(f.cfg))
		requests := make([]*http.Request, b.N)
		for i := range requests {
			requests[i] = f.request("web", refreshForm(f.login("web").str("refresh_token")))
		}
		serve(b, f.ep, requests)
	})
}

func BenchmarkIntrospectionOpaque(b *testing.B) {
	f := benchFixture(b, keyset.ES256)
	at := f.login("web", "api:opaque").str("access_token")
	requests := make([]*http.Request, b.N)
	for i := range requests {
		requests[i] = f.request("api", url.Values{"token": {at}})
	}
	serve(b, f.ep.Introspection(), requests)
}

func BenchmarkUserInfo(b *testing.B) {
	f := benchFixture(b, keyset.ES256)
	for name, scopes := range map[string][]string{"jwt": {"openid", "profile"}, "opaque": {"profile", "api:opaque"}} {
		b.Run(name, func(b *testing.B) {
			at := f.login("web", scopes...).str("access_token")
			requests := make([]*http.Request, b.N)
			for i := range requests {
				requests[i] = httptest.NewRequest(http.MethodGet, "https://idporten.dev/userinfo", nil)
				requests[i].Header.Set("Authorization", "Bearer "+at)
			}
			serve(b, f.ep.UserInfo(), requests)
		})
	}
}

func BenchmarkRevocationUnknown(b *testing.B) {
	f := benchFixture(b, keyset.ES256)
	requests := make([]*http.Request, b.N)
	for i := range requests {
		requests[i] = f.request("web", url.Values{"token": {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}})
	}
	serve(b, f.ep.Revocation(), requests)
}
