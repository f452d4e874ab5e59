package resource_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/resource"
	"github.com/portner-go/portner/storage/memory"
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

// An API that requires tokens which are bound to a key or to a certificate.
func ExampleVerifier_Protect() {
	api, err := resource.New(resource.Config{
		Issuer: "https://login.example.no", Keys: resource.RemoteKeys{URI: "https://login.example.no/jwks.json"},
		URL: "https://api.example.no", DPoP: &dpop.Policy{Replay: memory.New()}, // for one process
	})
	if err != nil {
		log.Fatal(err)
	}
	h := api.Protect(resource.Rules{Scopes: []string{"skatt:les"}, SenderConstrained: true}, http.NotFoundHandler())
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/tax", nil))
	fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
	// Output: 401 DPoP algs="PS256 ES256 EdDSA"
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
