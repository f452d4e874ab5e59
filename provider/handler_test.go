package provider_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/optest"
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
