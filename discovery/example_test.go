package discovery_test

import (
	"fmt"
	"net/http"

	"github.com/portner-go/portner/discovery"
)

func Example() {
	doc, err := discovery.New(discovery.Config{
		Issuer:                            "https://login.example.no",
		AuthorizationEndpoint:             "https://login.example.no/authorize",
		TokenEndpoint:                     "https://login.example.no/token",
		JWKSURI:                           "https://login.example.no/jwks.json",
		ScopesSupported:                   []string{"openid"},
		SubjectTypesSupported:             []string{"pairwise"},
		IDTokenSigningAlgValuesSupported:  []string{"RS256"},
		TokenEndpointAuthMethodsSupported: []string{"client_secret_basic"},
	})
	fmt.Println(doc.Path(), err)
	http.NewServeMux().Handle(doc.Path(), doc)
	// Output: /.well-known/openid-configuration <nil>
}
