package docs_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/resource"
	"github.com/portner-go/portner/storage/memory"
)

// newAPI is the API of the document.
func newAPI(replay dpop.ReplayStore) (http.Handler, error) {
	api, err := resource.New(resource.Config{
		Issuer: "https://login.example.no", Keys: resource.RemoteKeys{URI: "https://login.example.no/jwks.json"},
		URL: "https://api.example.no", DPoP: &dpop.Policy{Replay: replay}, Metadata: &resource.Metadata{},
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /tax", api.Protect(resource.Rules{Scopes: []string{"skatt:les"}, SenderConstrained: true}, http.HandlerFunc(showTax)))
	mux.Handle(api.Metadata())
	return mux, nil
}

func showTax(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintln(w, resource.FromContext(r.Context()).Subject)
}

func TestAPI(t *testing.T) {
	t.Parallel()
	h, err := newAPI(memory.New())
	require.NoError(t, err)
	for path, status := range map[string]int{"/tax": 401, "/.well-known/oauth-protected-resource": 200} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		require.Equal(t, status, w.Code, path)
	}
}
