package resource_test

import (
	"fmt"
	"net/http"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/resource"
)

// An API that accepts tokens of Maskinporten.
func Example() {
	v, err := resource.New(resource.Config{
		Issuer: "https://test.maskinporten.no/",
		Keys:   resource.RemoteKeys{URI: "https://test.maskinporten.no/jwk"},
	})
	if err != nil {
		panic(err)
	}
	http.Handle("GET /tax", v.Protect(resource.Rules{Scopes: []string{"skatt:les"}}, http.HandlerFunc(tax)))
}

func tax(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintln(w, "for", resource.FromContext(r.Context()).Consumer.Orgno)
}

// Without HTTP: the token first, then what it allows.
func ExampleRules_Check() {
	rules := resource.Rules{Scopes: []string{"skatt:les"}, ACR: acr.High}
	err := rules.Check(&resource.Token{Scopes: []string{"skatt:les"}, Subject: "kari", ACR: acr.Substantial}, epoch)
	fmt.Println(err)
	fmt.Println(err.(*resource.RefusalError).Challenge("skatt"))
	// Output:
	// insufficient_user_authentication: A higher level of assurance is required.
	// Bearer realm="skatt", error="insufficient_user_authentication", error_description="A higher level of assurance is required.", acr_values="idporten-loa-high"
}
