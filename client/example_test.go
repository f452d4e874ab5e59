package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
)

func ExampleClient_Validate() {
	c := client.Client{
		ClientID:                "demo",
		ApplicationType:         client.Browser,
		TokenEndpointAuthMethod: client.None,
		RedirectURIs:            []string{"https://spa.example.no/cb#", "http://localhost:3000/cb"},
		CodeChallengeMethod:     "none",
	}
	fmt.Println(c.Validate(client.Environment{Test: true}))
	// Output:
	// redirect_uris[0]: must not have a fragment
	// code_challenge_method: none is for confidential clients
}

func ExampleClient_MatchRedirectURI() {
	app := client.Client{
		ApplicationType: client.Native,
		RedirectURIs:    []string{"http://127.0.0.1/cb", "no.example.app:/cb"},
	}
	for _, uri := range []string{"http://127.0.0.1:51004/cb", "http://localhost:51004/cb", "no.example.app:/cb", "no.example.app:/cb/"} {
		fmt.Println(uri, app.MatchRedirectURI(uri))
	}
	// Output:
	// http://127.0.0.1:51004/cb true
	// http://localhost:51004/cb false
	// no.example.app:/cb true
	// no.example.app:/cb/ false
}

func ExampleAuthenticator() {
	text := client.GenerateSecret() // shown to the client's owner once
	secret, _ := client.NewSecret(text, time.Now().AddDate(0, 0, 180))
	clients, _ := client.NewRegistry(client.Environment{}, client.Client{
		ClientID:                "shop",
		TokenEndpointAuthMethod: client.ClientSecretPost,
		RedirectURIs:            []string{"https://shop.example.no/cb"},
		Secrets:                 []client.Secret{secret},
	})
	auth, _ := client.NewAuthenticator(client.Config{Issuer: "https://login.example.no", Clients: clients})

	form, _ := client.ParseForm("client_id=shop&client_secret=" + text)
	who, err := auth.Authenticate(context.Background(), client.Request{Form: form}, "token", time.Now())
	fmt.Println(who.ClientID, who.AMR, err)
	form, _ = client.ParseForm("client_id=shop&client_secret=guess")
	_, err = auth.Authenticate(context.Background(), client.Request{Form: form}, "token", time.Now())
	fmt.Println(errors.Is(err, portner.InvalidClient))
	// Output:
	// shop client_secret_post <nil>
	// true
}

// Parse a registration from a file. Every problem is reported, by member.
func ExampleParse() {
	_, err := client.Parse([]byte(`{
		"client_id": "shop",
		"redirect_uris": ["https://shop.example.no/cb", "http://shop.example.no/cb"],
		"subject_typ": "public",
		"active": "yes"
	}`), client.Environment{})
	for _, problem := range portner.FieldErrors(err) {
		fmt.Println(problem.Field, problem.Err)
	}
	// Output:
	// subject_typ is an unknown member
	// active must be a boolean
	// redirect_uris[1] plain http is for test environments only
	// client_secrets is required for client_secret_basic
}

// A source over a database, with a cache in front of it.
func ExampleCache() {
	database := client.SourceFunc(func(_ context.Context, clientID string) (*client.Client, error) {
		fmt.Println("SELECT registration FROM clients WHERE id =", clientID)
		return &client.Client{ClientID: clientID, ClientName: "Shop"}, nil
	})
	clients := client.Cache(database, 1000, time.Minute)
	for range 2 {
		c, err := client.Lookup(context.Background(), clients, "shop")
		if err != nil {
			panic(err)
		}
		fmt.Println(c.ClientName)
	}
	// Output:
	// SELECT registration FROM clients WHERE id = shop
	// Shop
	// Shop
}

// Read a request in a handler of the host. The errors have their status.
func ExampleRequestFrom() {
	handler := func(w http.ResponseWriter, r *http.Request) {
		request, err := client.RequestFrom(w, r, nil)
		if err != nil {
			fmt.Println(portner.ErrorReply(err).Status, err)
			return
		}
		fmt.Println(request.Form.Get("grant_type"))
	}
	for _, body := range []string{"grant_type=authorization_code&code=x", "grant_type=a&grant_type=b"} {
		r := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		handler(httptest.NewRecorder(), r)
	}
	// Output:
	// authorization_code
	// 400 invalid_request: The parameter grant_type is repeated.
}
