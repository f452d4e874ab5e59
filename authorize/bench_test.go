package authorize_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/authorize"
)

// quiet discards the body of a response.
type quiet struct {
	h      http.Header
	status int
}

func (q *quiet) Header() http.Header         { return q.h }
func (q *quiet) Write(b []byte) (int, error) { return len(b), nil }
func (q *quiet) WriteHeader(status int)      { q.status = status }

func bench(b *testing.B, w *world, r *http.Request, want string) {
	b.ReportAllocs()
	q := &quiet{h: http.Header{}}
	for b.Loop() {
		clear(q.h)
		w.endpoint.ServeHTTP(q, r)
	}
	if q.status != http.StatusSeeOther || !strings.HasPrefix(q.h.Get("Location"), want) {
		b.Fatal(q.status, q.h.Get("Location"))
	}
}

func noEvents(c *authorize.Config) { c.OnEvent = nil }

// BenchmarkLoginPage is a request that leads to the login page.
func BenchmarkLoginPage(b *testing.B) {
	w := newWorld(b, noEvents)
	r := httptest.NewRequest(http.MethodGet, "/authorize?"+params("web").Encode(), nil)
	user := w.browser()
	user.authorize(params("web"))
	for name, value := range user.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	bench(b, w, r, "/login?request=")
}

// BenchmarkSSO is a request that a live session answers with a code.
func BenchmarkSSO(b *testing.B) {
	w := newWorld(b, noEvents)
	user := w.browser()
	requireCode(b, user.loginAs(user.authorize(params("web")), "kari"))
	r := httptest.NewRequest(http.MethodGet, "/authorize?"+params("web").Encode(), nil)
	for name, value := range user.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	bench(b, w, r, rp+"?code=")
}

// BenchmarkResume is the request for the login page.
func BenchmarkResume(b *testing.B) {
	w := newWorld(b, noEvents)
	user := w.browser()
	location := user.authorize(params("web")).Header.Get("Location")
	r := httptest.NewRequest(http.MethodGet, location, nil)
	for name, value := range user.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	page := w.endpoint.Page(func(_ http.ResponseWriter, _ *http.Request, p *authorize.Pending) *authorize.Decision {
		require.NotNil(b, p)
		return nil
	})
	b.ReportAllocs()
	q := &quiet{h: http.Header{}}
	for b.Loop() {
		page.ServeHTTP(q, r)
	}
}
