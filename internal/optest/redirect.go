package optest

import (
	"net/http"
	"net/url"
	"slices"
	"testing"
)

// unclean holds paths that an http.ServeMux redirects to /token, in the form of a request line.
var unclean = []string{
	"//token", "///token", "/./token", "/x/../token", "/token/.", "//x/../token", "/%2ftoken", "/%2e/token", "/token%2f", "/token/", "//",
	"//authorize", "//par", "//revoke", "//introspect", "//userinfo", "//logout", "//login", "//.well-known/openid-configuration",
}

// RequireNoRepeat sends requests with every method for unclean paths to the server at base, and fails the test if one is redirected with
// a status that makes a client repeat a POST, or lets it. c must follow no redirects.
func RequireNoRepeat(tb testing.TB, c *http.Client, base string, more ...string) {
	tb.Helper()
	for _, path := range append(slices.Clone(unclean), more...) {
		for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodConnect} {
			u, err := url.Parse(base)
			if err != nil {
				tb.Fatal(err)
			}
			if u.Path, err = url.PathUnescape(path); err != nil {
				tb.Fatal(err)
			}
			u.RawPath = path
			r := (&http.Request{Method: method, URL: u, Header: http.Header{}}).WithContext(tb.Context())
			resp, err := c.Do(r)
			if err != nil {
				tb.Fatal(method, path, err)
			}
			_ = resp.Body.Close()
			if slices.Contains([]int{301, 302, 307, 308}, resp.StatusCode) {
				tb.Errorf("%s %s is redirected to %s with status %d", method, path, resp.Header.Get("Location"), resp.StatusCode)
			}
		}
	}
}
