package resource_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/resource"
)

// An API that accepts tokens of Maskinporten.
func Example() {
	api, err := resource.New(resource.Config{
		Issuer: "https://test.maskinporten.no/", Keys: resource.RemoteKeys{URI: "https://test.maskinporten.no/jwk"},
		URL: "https://api.example.no",
	})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("GET /tax", api.Protect(resource.Rules{Scopes: []string{"skatt:les"}}, http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintln(w, resource.FromContext(r.Context()).Consumer.Orgno)
		})))
}

// An API on a server that is not net/http: verify the token, check the rules, send the reply.
func ExampleVerifier_Verify() {
	api, err := resource.New(resource.Config{
		Issuer: "https://test.maskinporten.no/", Keys: resource.RemoteKeys{URI: "https://test.maskinporten.no/jwk"},
		URL: "https://api.example.no",
	})
	if err != nil {
		log.Fatal(err)
	}
	t, err := api.Verify(context.Background(), resource.Request{Authorization: []string{"Basic YTpi"}})
	if err == nil {
		err = resource.Rules{Scopes: []string{"skatt:les"}}.Check(t, time.Now())
	}
	if err != nil {
		reply := api.Reply(err)
		fmt.Println(reply.Status, reply.Header["Www-Authenticate"])
	}
	// Output: 401 [Bearer realm="api"]
}

// A login that is too weak is answered with a step-up challenge.
func ExampleRules_Check() {
	rules := resource.Rules{Scopes: []string{"skatt:les"}, ACR: acr.High}
	t := &resource.Token{Scopes: []string{"skatt:les"}, Subject: "u1", ACR: acr.Substantial}
	fmt.Println(rules.Check(t, time.Now()))
	// Output: insufficient_user_authentication: A higher level of assurance is required.
}
