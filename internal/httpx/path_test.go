package httpx_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/httpx"
)

func TestCleanPath(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]bool{
		"/": true, "/token": true, "/token/": true, "/a/b": true, "/.well-known/x": true, "/..x": true, "/token%20": true, "/a%2fb": true,
		"": false, "//token": false, "/./token": false, "/x/../token": false, "/token//": false, "/token/.": false, "/..": false, "token": false,
		"/%2ftoken": false, "/%2e/token": false, "/x/%2e%2e/token": false, "//": false, "///token": false,
	} {
		u := &url.URL{Path: raw}
		if p, err := url.PathUnescape(raw); err == nil && p != raw {
			u.Path, u.RawPath = p, raw
		}
		require.Equal(t, want, httpx.CleanPath(u), "%q", raw)
	}
}

func TestUnmatched(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	none := func(http.ResponseWriter, *http.Request) {}
	mux.HandleFunc("GET /a", none)
	mux.HandleFunc("PUT /a", none)
	mux.HandleFunc("/b/", none)
	for target, want := range map[string]struct {
		status int
		allow  []string
	}{
		"GET /a": {0, nil}, "HEAD /a": {0, nil}, "PUT /a": {0, nil}, "POST /b/c": {0, nil},
		"POST /a": {405, []string{"GET, HEAD, PUT"}}, "OPTIONS /a": {405, []string{"GET, HEAD, PUT"}},
		"GET /c": {404, nil}, "GET /a/": {404, nil}, "GET //a": {404, nil}, "POST /x/../a": {404, nil}, "POST /b//c": {404, nil},
	} {
		method, path, _ := strings.Cut(target, " ")
		status, allow := httpx.Unmatched(mux, &http.Request{Method: method, URL: &url.URL{Path: path}})
		require.Equal(t, want.status, status, target)
		require.Equal(t, want.allow, allow, target)
	}
}

// FuzzCleanPath checks that an http.ServeMux with a pattern for every path redirects no clean path.
func FuzzCleanPath(f *testing.F) {
	for _, seed := range []string{"/token", "//token", "/x/../token", "/%2e/x", "/a//", "*", ""} {
		f.Add(seed)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) {})
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || u.Host != "" || !httpx.CleanPath(u) {
			t.Skip()
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, &http.Request{Method: http.MethodPost, URL: u, Host: "x", RequestURI: target})
		if w.Code != http.StatusOK {
			t.Fatalf("%q: %d to %q", target, w.Code, w.Header().Get("Location"))
		}
	})
}
