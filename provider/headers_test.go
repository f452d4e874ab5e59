package provider_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/optest"
)

// TestSecurityHeaders requests every path, and paths that do not exist, with every method and with valid and invalid input
// (docs/threat-model.md I1, I3, A11, B4, B8).
func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	op := optest.New(t, optest.Options{})
	public := map[string]bool{"/jwks.json": true, "/.well-known/openid-configuration": true, "/.well-known/oauth-authorization-server": true}
	paths := []string{
		"/authorize", "/par", "/token", "/userinfo", "/tokeninfo", "/introspect", "/tokenintrospect", "/revoke", "/logout", "/endsession",
		"/", "/nowhere", "//token", "/token/", "/a/../token", "/./authorize", "/TOKEN", "/%74oken/x", "/jwks.json/", "/authorize/%2e%2e/logout",
	}
	for path := range public {
		paths = append(paths, path)
	}
	methods := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "LINK"}
	bodies := []string{"", "client_id=tjeneste&token=x", "%zz", strings.Repeat("a", 70<<10)}
	for _, path := range paths {
		for _, method := range methods {
			for i, body := range bodies {
				name := fmt.Sprint(method, " ", path, " ", i)
				r := httptest.NewRequestWithContext(t.Context(), method, path+"?code=canary&state=canary", strings.NewReader(body))
				if i%2 == 1 {
					r.URL.RawQuery = ""
				}
				r.Host = "evil.example"
				r.Header.Set("Origin", "https://evil.example")
				r.Header.Set("X-Forwarded-Host", "evil.example")
				r.Header.Set("X-Forwarded-Proto", "gopher")
				r.Header.Set("Forwarded", "host=evil.example;proto=gopher")
				r.Header.Set("X-HTTP-Method-Override", "POST")
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				w := httptest.NewRecorder()
				op.Provider.ServeHTTP(w, r)
				h := w.Header()
				require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"), name)
				require.NotContains(t, w.Body.String()+fmt.Sprint(h), "canary", name)
				require.NotContains(t, w.Body.String()+fmt.Sprint(h), "evil.example", name)
				require.NotContains(t, w.Body.String()+fmt.Sprint(h), "gopher", name)
				require.Empty(t, h.Get("Server"), name)
				require.NotContains(t, []int{301, 302, 307, 308}, w.Code, name)
				if public[path] {
					continue
				}
				require.Equal(t, "no-store", h.Get("Cache-Control"), name)
				require.Contains(t, []string{"no-referrer", "same-origin"}, h.Get("Referrer-Policy"), name)
				require.Empty(t, h.Get("Access-Control-Allow-Origin"), name)
				if w.Body.Len() == 0 { // nothing to frame and nothing to run
					continue
				}
				require.Contains(t, h.Get("Content-Security-Policy"), "frame-ancestors 'none'", name)
			}
		}
	}
}
