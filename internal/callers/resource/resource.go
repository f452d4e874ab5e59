// Package resource shows an API that accepts access tokens of ID-porten: as a middleware of net/http, and with calls that take and
// return values.
//
// A resource.Verifier verifies no proof of possession (RFC 9449, RFC 8705): it rejects every token that is bound to a key. Its
// configuration therefore has no policy for proofs, Rules cannot require one, and a Request has no method and no path.
package resource

import (
	"context"
	"net/http"
	"time"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/resource"
)

// protect adds a resource that requires a scope, a level of assurance and a consumer.
func protect(mux *http.ServeMux, tax http.Handler) error {
	api, err := resource.New(resource.Config{
		Issuer: "https://test.idporten.no", Keys: resource.RemoteKeys{URI: "https://test.idporten.no/jwks.json"},
		URL: "https://api.example.no",
	})
	if err == nil {
		mux.Handle("GET /tax", api.Protect(resource.Rules{
			Scopes: []string{"skatt:les"}, ACR: acr.High, Consumers: []string{"991825827"},
		}, tax))
	}
	return err
}

// allowed decides a request of a server that is not net/http.
func allowed(ctx context.Context, api *resource.Verifier, query string, authorization []string) (*resource.Token, error) {
	t, err := api.Verify(ctx, resource.Request{Query: query, Authorization: authorization})
	if err != nil {
		return nil, err // api.Reply(err) is the response
	}
	return t, resource.Rules{Scopes: []string{"skatt:les"}}.Check(t, time.Now())
}
