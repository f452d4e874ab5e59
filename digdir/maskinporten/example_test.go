package maskinporten_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/maskinporten"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage/memory"
)

// register is a source in which the organisation 910753614 has delegated every scope to every supplier.
type register struct{}

func (register) Delegated(_ context.Context, consumer, _, _ string) (bool, error) {
	return consumer == "910753614", nil
}

func Example() {
	keys, clients, scopes := exampleParts()
	server, err := maskinporten.New(maskinporten.Config{
		Issuer: "https://maskinporten.example.no/", Clients: clients, Scopes: scopes, Keys: keys, Replay: memory.New(),
		Delegations: map[string]maskinporten.DelegationSource{"https://altinn.example.no/": register{}},
	})
	fmt.Println(err)
	w := httptest.NewRecorder()
	server.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/.well-known/oauth-authorization-server", nil))
	fmt.Println(w.Code)
	// Output:
	// <nil>
	// 200
}

func exampleParts() (*keyset.Set, *client.Registry, *scope.Registry) {
	keys := must(keyset.New(keyset.Config{Keys: []keyset.Key{must(keyset.Generate(keyset.ES256))}}))
	return keys, must(client.NewRegistry(client.Environment{}, clients()[0])), scopes()
}
