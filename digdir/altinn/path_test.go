package altinn_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/portner-go/portner/internal/optest"
)

// No path of the server leads to a redirect that repeats a request with its token (docs/threat-model.md A11).
func TestUncleanPaths(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(newWorld(t).Server)
	t.Cleanup(s.Close)
	c := s.Client()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	optest.RequireNoRepeat(t, c, s.URL, "//authentication/api/v1/exchange/maskinporten", "/authentication/api/v1//exchange/maskinporten")
}
