package discovery_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/discovery"

	"github.com/portner-go/portner/internal/slow"
)

func get(h http.Handler, header ...string) *httptest.ResponseRecorder {
	return send(h, http.MethodGet, header...)
}

func send(h http.Handler, method string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/", nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func handlers(t *testing.T) map[string]http.Handler {
	t.Helper()
	openid, err := discovery.New(idporten())
	require.NoError(t, err)
	oauth, err := discovery.NewOAuth(idporten())
	require.NoError(t, err)
	keys := func(time.Time) ([]byte, string) { return []byte(`{"keys":[]}`), `"k1"` }
	return map[string]http.Handler{"openid": openid, "oauth": oauth, "jwks": discovery.JWKS(keys, nil)}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	for name, h := range handlers(t) {
		w := get(h)
		require.Equal(t, http.StatusOK, w.Code, name)
		require.Equal(t, http.Header{
			"Content-Type":                {"application/json"},
			"Content-Length":              {fmt.Sprint(w.Body.Len())},
			"Cache-Control":               {"public, max-age=3600"},
			"Access-Control-Allow-Origin": {"*"},
			"Etag":                        w.Header()["Etag"],
			"X-Content-Type-Options":      {"nosniff"},
			"Referrer-Policy":             {"no-referrer"},
			"Content-Security-Policy":     {"default-src 'none'; frame-ancestors 'none'"},
		}, w.Header(), name)
		require.Regexp(t, `\A"[!#-~]+"\z`, w.Header().Get("Etag"), "strong")

		head := send(h, http.MethodHead)
		require.Equal(t, w.Header(), head.Header(), name)
		require.Zero(t, head.Body.Len(), name)
	}
}

// TestResponseIsIndependentOfTheRequest: host, origin, cookies and forwarding headers do not change the response, so that a
// shared cache cannot be poisoned.
func TestResponseIsIndependentOfTheRequest(t *testing.T) {
	t.Parallel()
	for name, h := range handlers(t) {
		want := get(h)
		r := httptest.NewRequest(http.MethodGet, "https://evil.example/?issuer=https://evil.example", nil)
		r.Header.Set("Origin", "https://evil.example")
		r.Header.Set("X-Forwarded-Host", "evil.example")
		r.Header.Set("Accept-Language", "en")
		r.Header.Set("Accept", "text/html")
		r.Header.Set("Cookie", "a=b")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Equal(t, want.Body.String(), w.Body.String(), name)
		require.Equal(t, want.Header(), w.Header(), name)
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	for name, h := range handlers(t) {
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "get"} {
			w := send(h, method, "If-None-Match", "*")
			require.Equal(t, http.StatusMethodNotAllowed, w.Code, name)
			require.Equal(t, "GET, HEAD", w.Header().Get("Allow"), name)
			require.Equal(t, "no-store", w.Header().Get("Cache-Control"), name)
		}
	}
}

func TestIfNoneMatch(t *testing.T) {
	t.Parallel()
	for name, h := range handlers(t) {
		etag := get(h).Header().Get("Etag")
		tests := []struct {
			field string
			want  int
		}{
			{etag, http.StatusNotModified},
			{"W/" + etag, http.StatusNotModified},
			{`"a", ` + etag + ` ,"b"`, http.StatusNotModified},
			{"*", http.StatusNotModified},
			{`"a"`, http.StatusOK},
			{"", http.StatusOK},
			{etag[1 : len(etag)-1], http.StatusOK},
			{"w/" + etag, http.StatusOK},
			{`"x` + etag[1:], http.StatusOK},
		}
		for _, tt := range tests {
			w := get(h, "If-None-Match", tt.field)
			require.Equal(t, tt.want, w.Code, "%s %s", name, tt.field)
			require.Equal(t, etag, w.Header().Get("Etag"), "RFC 9110 §15.4.5")
			require.Equal(t, "public, max-age=3600", w.Header().Get("Cache-Control"))
			require.Equal(t, "*", w.Header().Get("Access-Control-Allow-Origin"))
			require.Equal(t, tt.want == http.StatusOK, w.Body.Len() > 0)
		}
		require.Equal(t, http.StatusNotModified, get(h, "If-None-Match", `"a"`, "If-None-Match", etag).Code, "two header fields are one list")
	}
}

func TestEntityTagFollowsTheBytes(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, scopes := range [][]string{{"openid"}, {"openid", "profile"}, {"profile", "openid"}, {"openid"}} {
		cfg := idporten()
		cfg.ScopesSupported = scopes
		doc, err := discovery.New(cfg)
		require.NoError(t, err)
		w := get(doc)
		if body, ok := seen[w.Header().Get("Etag")]; ok {
			require.Equal(t, body, w.Body.String())
		}
		seen[w.Header().Get("Etag")] = w.Body.String()
	}
	require.Len(t, seen, 3)
}

// TestDocumentIsStatic: a document does not change with the configuration it was made from.
func TestDocumentIsStatic(t *testing.T) {
	t.Parallel()
	cfg := idporten()
	doc, err := discovery.New(cfg)
	require.NoError(t, err)
	before := get(doc).Body.String()
	cfg.ScopesSupported[0] = "changed"
	require.Equal(t, before, get(doc).Body.String())
}

// TestJWKSRotates: each request gets the set of its instant.
func TestJWKSRotates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		h := discovery.JWKS(func(now time.Time) ([]byte, string) {
			doc := fmt.Appendf(nil, `{"keys":[],"n":%d}`, now.Sub(start)/time.Hour)
			return doc, fmt.Sprintf(`"%x"`, sha256.Sum256(doc))
		}, nil)
		first := get(h)
		time.Sleep(59 * time.Minute)
		require.Equal(t, http.StatusNotModified, get(h, "If-None-Match", first.Header().Get("Etag")).Code)
		time.Sleep(time.Minute)
		second := get(h, "If-None-Match", first.Header().Get("Etag"))
		require.Equal(t, http.StatusOK, second.Code)
		require.Equal(t, `{"keys":[],"n":1}`, second.Body.String())
	})
}

func TestJWKSReadsTheGivenClockOnce(t *testing.T) {
	t.Parallel()
	reads, at := 0, time.Unix(1_700_000_000, 0)
	clock := func() time.Time { reads++; return at }
	h := discovery.JWKS(func(now time.Time) ([]byte, string) {
		require.Equal(t, at, now)
		return []byte(`{"keys":[]}`), `"k"`
	}, clock)
	get(h)
	require.Equal(t, 1, reads)
}

// bare is a ResponseWriter without the cost of a recorder.
type bare struct{ header http.Header }

func (b *bare) Header() http.Header         { return b.header }
func (b *bare) Write(p []byte) (int, error) { return len(p), nil }
func (b *bare) WriteHeader(int)             {}

func TestAllocations(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for name, h := range handlers(t) {
		w := &bare{http.Header{}}
		require.LessOrEqual(t, slow.Allocations(t, 100, func() { h.ServeHTTP(w, r) }), 4.0, name)
	}
}

func BenchmarkServe(b *testing.B) {
	doc, err := discovery.New(idporten())
	require.NoError(b, err)
	jwks := discovery.JWKS(func(time.Time) ([]byte, string) { return []byte(`{"keys":[]}`), `"k1"` }, nil)
	etag := get(doc).Header().Get("Etag")
	for _, bm := range []struct {
		name   string
		h      http.Handler
		header string
	}{{"discovery", doc, ""}, {"discovery_304", doc, etag}, {"jwks", jwks, ""}} {
		b.Run(bm.name, func(b *testing.B) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			if bm.header != "" {
				r.Header.Set("If-None-Match", bm.header)
			}
			b.ReportAllocs()
			for b.Loop() {
				bm.h.ServeHTTP(&bare{make(http.Header, 8)}, r) // a fresh header, as for each request
			}
		})
		b.Run(bm.name+"_recorded", func(b *testing.B) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("If-None-Match", bm.header)
			b.ReportAllocs()
			for b.Loop() {
				bm.h.ServeHTTP(httptest.NewRecorder(), r)
			}
		})
	}
}
