package httpx

import (
	"net/http"
	"net/url"
	"path"
	"strings"
)

// CleanPath reports whether an http.ServeMux serves the path of u as it is. It redirects other paths with status 307, and a client then
// repeats a POST and its credentials.
func CleanPath(u *url.URL) bool { return clean(u.Path) && clean(u.EscapedPath()) }

func clean(p string) bool {
	want := path.Clean("/" + p)
	if strings.HasSuffix(p, "/") && want != "/" {
		want += "/"
	}
	return p == want
}

// Unmatched returns the status of a request that no pattern of mux matches: 405 with the methods that the path has, which belong into Allow,
// or 404. A path that is not clean has the status 404, too. The status is 0 if mux serves the request.
func Unmatched(mux *http.ServeMux, r *http.Request) (status int, allow []string) {
	if !CleanPath(r.URL) {
		return http.StatusNotFound, nil
	}
	h, pattern := mux.Handler(r)
	if pattern != "" {
		return 0, nil
	}
	none := statusOnly{header: http.Header{}}
	h.ServeHTTP(&none, r) // http.ServeMux knows the methods of the path
	return none.status, none.header["Allow"]
}

// statusOnly keeps the status and the header of a response.
type statusOnly struct {
	status int
	header http.Header
}

// Header returns the header.
func (s *statusOnly) Header() http.Header { return s.header }

// WriteHeader keeps the status.
func (s *statusOnly) WriteHeader(status int) { s.status = status }

// Write discards the body.
func (s *statusOnly) Write(b []byte) (int, error) { return len(b), nil }
