package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestIssuerWithPath: the endpoints and the pages of error_uri are below the path of the issuer, and the printed URL of the metadata is
// that of RFC 8414 §3.1.
func TestIssuerWithPath(t *testing.T) {
	t.Parallel()
	for issuer, metadata := range map[string]string{
		"http://localhost:1/mp/": "http://localhost:1/.well-known/oauth-authorization-server/mp", "http://localhost:1/": "http://localhost:1/.well-known/oauth-authorization-server",
	} {
		s := start(t, "-issuer", issuer)
		var greeting bytes.Buffer
		s.Greet(&greeting)
		require.Contains(t, greeting.String(), metadata+"\n")
		get := func(at string) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			s.Sites[0].Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, strings.TrimPrefix(at, "http://localhost:1"), nil))
			return w
		}
		require.Contains(t, get(metadata).Body.String(), `"token_endpoint":"`+issuer+`token"`)
		for path, status := range map[string]int{"jwk": http.StatusOK, "errors/MP-110": http.StatusOK, "token": http.StatusMethodNotAllowed} {
			require.Equal(t, status, get(issuer+path).Code, path)
		}
	}
}
