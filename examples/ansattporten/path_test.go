package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/standin/ansattporten"
	"github.com/portner-go/portner/pkce"
)

// TestIssuerWithPath: the pages of an issuer with a path, their assets and redirects are below the path.
func TestIssuerWithPath(t *testing.T) {
	t.Parallel()
	s := start(t, "-issuer", "http://localhost:1/idp")
	target := regexp.MustCompile(`(?:href|src|action)="(/[^"]*)"`)
	get := func(path string) (w *httptest.ResponseRecorder) {
		t.Helper()
		w = httptest.NewRecorder()
		s.Sites[0].Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			found := target.FindAllStringSubmatch(w.Body.String(), -1)
			require.GreaterOrEqual(t, len(found), 2, w.Body.String())
			for _, m := range found {
				require.True(t, strings.HasPrefix(m[1], "/idp/"), m[0])
			}
		}
		return w
	}
	require.Equal(t, http.StatusOK, get("/idp/").Code)
	require.Equal(t, http.StatusOK, get("/idp/static/style.css").Code)
	w := get("/idp/authorize?" + url.Values{
		"client_id": {ansattporten.DemoClient}, "redirect_uri": {s.DemoAt + "/callback"}, "response_type": {"code"}, "scope": {"openid"}, "state": {"s"}, "nonce": {"n"},
		"code_challenge": {pkce.Challenge(pkce.NewVerifier())}, "code_challenge_method": {"S256"},
	}.Encode())
	require.Regexp(t, `^/idp/login\?request=`, w.Header().Get("Location"))
	require.Equal(t, http.StatusBadRequest, get("/idp/authorize").Code)
	for _, path := range []string{"/", "/static/style.css", "/login", "/authorize", "/idpx/"} {
		require.Equal(t, http.StatusNotFound, get(path).Code, path)
	}
}
