// Package resource shows an API that accepts access tokens of ID-porten: as a middleware of net/http, and with calls that take and
// return values. Tokens that are bound to a key need a proof (RFC 9449); the changes of bank accounts require such a token.
package resource

import (
	"context"
	"net/http"
	"time"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/resource"
)

// protect adds resources that require a scope, a level of assurance and a consumer.
func protect(mux *http.ServeMux, replay dpop.ReplayStore, tax, account http.Handler) error {
	api, err := resource.New(resource.Config{
		Issuer: "https://test.idporten.no", Keys: resource.RemoteKeys{URI: "https://test.idporten.no/jwks.json"},
		URL: "https://api.example.no", DPoP: &dpop.Policy{Replay: replay}, Metadata: &resource.Metadata{},
	})
	if err == nil {
		rules := resource.Rules{Scopes: []string{"skatt:les"}, ACR: acr.High, Consumers: []string{"991825827"}}
		mux.Handle("GET /tax", api.Protect(rules, tax))
		rules.SenderConstrained = true
		mux.Handle("PUT /account", api.Protect(rules, account))
		mux.Handle(api.Metadata())
	}
	return err
}

// allowed decides a request of a server that is not net/http.
func allowed(ctx context.Context, api *resource.Verifier, r resource.Request) (*resource.Token, error) {
	t, err := api.Verify(ctx, r)
	if err != nil {
		return nil, err // api.Reply(err) is the response
	}
	return t, resource.Rules{Scopes: []string{"skatt:les"}}.Check(t, time.Now())
}
