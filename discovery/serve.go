package discovery

import (
	"net/http"
	"time"

	"github.com/portner-go/portner/internal/httpx"
)

// JWKS returns the handler of a JSON Web Key Set. It calls keys once for each request; keyset.Set.JWKS is such a function. It
// returns the document of an instant and a strong entity tag in quotes. If now is nil, it is time.Now.
//
// Responses may be cached for an hour, so a new key must be published for longer than that before it signs.
func JWKS(keys func(now time.Time) (doc []byte, etag string), now func() time.Time) http.Handler {
	if now == nil {
		now = time.Now
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		httpx.NewDocument(keys(now())).ServeHTTP(w, r)
	})
}
