package provider_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
)

// stay returns a client of a test server that follows no redirects.
func stay(s *httptest.Server) *http.Client {
	c := s.Client()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// No path of a server leads to a redirect that repeats a POST (docs/threat-model.md A11), also with a ServeMux beside the provider.
func TestNoPathRepeatsAPost(t *testing.T) {
	t.Parallel()
	op := optest.New(t, optest.Options{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "home") })
	mux.HandleFunc("/token/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "below") })
	for name, h := range map[string]http.Handler{"provider": op.Provider, "beside a mux": op.Handler(mux)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(h)
			t.Cleanup(s.Close)
			optest.RequireNoRepeat(t, stay(s), s.URL)
		})
	}
}

// The provider's own paths come first, and every other path is the host's.
func TestHandler(t *testing.T) {
	t.Parallel()
	op := optest.New(t, optest.Options{})
	h := op.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	for path, status := range map[string]int{
		"/jwks.json": http.StatusOK, "/token": http.StatusMethodNotAllowed, "/": http.StatusTeapot, "/other": http.StatusTeapot,
		"/jwks.json/": http.StatusTeapot, "//jwks.json": http.StatusNotFound, "/x/../other": http.StatusNotFound,
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, optest.Issuer+path, nil))
		require.Equal(t, status, w.Code, path)
	}
}

// A browser gets a page for a path or a method that does not exist, and a program JSON. Errors of protocols are always JSON.
func TestErrorsForBrowsers(t *testing.T) {
	t.Parallel()
	own := func(c *provider.Config) {
		c.ErrorPage = func(e authorize.ErrorPage) portner.Reply {
			return portner.Reply{Body: fmt.Appendf(nil, "own page: %d %s %s", e.Status, e.Locale, e.Description)}
		}
	}
	const browser, program = "text/html,application/xhtml+xml,*/*;q=0.8", "application/json"
	for _, tc := range []struct {
		method, path, accept string
		status               int
		page                 bool
	}{
		{"GET", "/nothing", browser, 404, true},
		{"HEAD", "/nothing", browser, 404, true},
		{"GET", "/nothing", program, 404, false},
		{"GET", "/nothing", "*/*", 404, false},
		{"POST", "/nothing", browser, 404, false},
		{"GET", "/token", browser, 405, true},
		{"GET", "/par", browser, 405, true},
		{"GET", "/revoke", browser, 405, true},
		{"GET", "/introspect", browser, 405, true},
		{"GET", "/token", program, 405, false},
		{"POST", "/token", browser, 400, false},
		{"POST", "/jwks.json", browser, 405, false},
		{"GET", "/userinfo", browser, 401, false},
	} {
		for name, change := range map[string]func(*provider.Config){"plain page": nil, "own page": own} {
			op := optest.New(t, optest.Options{Change: change})
			r := httptest.NewRequestWithContext(t.Context(), tc.method, optest.Issuer+tc.path, nil)
			r.Header.Set("Accept", tc.accept)
			if tc.method == "POST" {
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			w := httptest.NewRecorder()
			op.Provider.ServeHTTP(w, r)
			require.Equal(t, tc.status, w.Code, tc)
			if tc.status == 405 {
				require.NotEmpty(t, w.Header().Get("Allow"), tc)
			}
			require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
			if !tc.page {
				require.NotContains(t, w.Header().Get("Content-Type"), "text/html", tc)
				require.NotContains(t, w.Body.String(), "page", tc)
				continue
			}
			require.Contains(t, w.Header().Get("Content-Type"), "text/html", tc)
			require.Contains(t, w.Header().Get("Content-Security-Policy"), "frame-ancestors 'none'", tc)
			require.Empty(t, w.Header().Get("Content-Length"), tc)
			if change != nil {
				require.Contains(t, w.Body.String(), fmt.Sprintf("own page: %d nb The", tc.status), name)
			} else {
				require.Contains(t, w.Body.String(), map[int]string{404: "Page not found", 405: "cannot be opened"}[tc.status])
				require.NotContains(t, w.Body.String(), "Reference", "the error is not logged")
			}
		}
	}
}
