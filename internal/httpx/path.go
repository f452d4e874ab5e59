package httpx

import (
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
