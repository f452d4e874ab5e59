package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/localdb"
)

// TestExample verifies that two nodes of the example on one database publish the same keys, and show the login page.
func TestExample(t *testing.T) {
	server, err := localdb.StartPostgres(localdb.Config{Dir: filepath.Join(t.TempDir(), "postgres")})
	if errors.Is(err, localdb.ErrNotInstalled) && os.Getenv("CI") != "true" {
		t.Skip("SKIPPED: " + err.Error())
	}
	require.NoError(t, err)
	t.Cleanup(server.Stop)
	t.Setenv("APP_SECRET", "Zk3vQ8rT1yXb6LmN0pWd5sHc9fJg2aUe")
	t.Setenv("APP_PAIRWISE_KEY", "b7Nq2KxV9eRt4YsLm8ZcPw1DfHj6GuAo")
	var keys []string
	for range 2 {
		handler, err := newHandler(t.Context(), server.URL)
		require.NoError(t, err)
		get := func(target string) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
			return w
		}
		require.Equal(t, http.StatusOK, get(issuer+"/readyz").Code)
		w := get(issuer + "/jwks.json")
		require.Equal(t, http.StatusOK, w.Code)
		keys = append(keys, w.Body.String())
		w = get(issuer + "/authorize?response_type=code&client_id=my-service&redirect_uri=http%3A%2F%2F127.0.0.1%3A9090%2Fcallback&scope=openid&state=s" +
			"&nonce=n&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256")
		require.Equal(t, http.StatusSeeOther, w.Code)
		require.Contains(t, w.Header().Get("Location"), "/login?request=")
	}
	require.Equal(t, keys[0], keys[1])
}
