package client_test

import (
	"context"
	"errors"
	"fmt"
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
