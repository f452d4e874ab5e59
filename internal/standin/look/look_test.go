package look

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// The handler serves the files alone: a folder is not listed.
func TestFilesOnly(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]int{
		"/static/style.css": http.StatusOK, "/static/icon.svg": http.StatusOK, "/static/": http.StatusNotFound, "/static": http.StatusNotFound, "/static/.": http.StatusNotFound,
		"/static//": http.StatusNotFound, "/static/none": http.StatusNotFound, "/static/style.css/": http.StatusNotFound, "/static/look.go": http.StatusNotFound,
		"/static/../static/": http.StatusNotFound,
	} {
		w := httptest.NewRecorder()
		Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		require.Equal(t, want, w.Code, path)
		require.NotContains(t, w.Body.String(), "<a href", path)
	}
}
