package authorizations_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/portner-go/portner/internal/optest"
)

// No path of the API leads to a redirect that repeats a request with its token (docs/threat-model.md A11).
func TestUncleanPaths(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(newWorld(t).handler)
	t.Cleanup(s.Close)
	c := s.Client()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	optest.RequireNoRepeat(t, c, s.URL, "//clients/authorizations", "/clients//authorizations", "//authorizations/x", "/authorizations", "/x/../authorizations/x")
}
