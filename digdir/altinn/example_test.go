package altinn_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/portner-go/portner/digdir/altinn"
	"github.com/portner-go/portner/resource"
)

// An exchange of tokens of Maskinporten's test environment, with the lifetime of Altinn.
func Example() {
	server, err := altinn.New(altinn.Config{
		Issuer: "https://platform.tt02.altinn.no/authentication/api/v1/openid/",
		Keys:   newKeys(&testing.T{}),
		Maskinporten: altinn.Provider{
			Issuers:  []altinn.Issuer{{Issuer: "https://test.maskinporten.no/", Keys: resource.RemoteKeys{URI: "https://test.maskinporten.no/jwk"}}},
			Lifetime: altinn.Lifetime{Rule: altinn.Fixed},
		},
	})
	if err != nil {
		fmt.Println(err) // every problem with the name of its field
		return
	}
	http.Handle("/", server)
	// Output:
}
