package exchange_test

import (
	"context"
	"fmt"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/exchange"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage/memory"
)

// A policy under which the client "service" may exchange tokens of the client "portal", also for another API.
func ExamplePolicy() {
	policy := exchange.Policy(func(_ context.Context, r *exchange.Request) (exchange.Decision, error) {
		if r.Own || r.Subject.ClientID == "portal" && r.Client.ClientID == "service" {
			return exchange.Decision{Audience: []string{"https://arkiv.example.no"}}, nil
		}
		return exchange.Decision{}, exchange.ErrRejected
	})
	_, err := policy(context.Background(), &exchange.Request{Subject: exchange.Token{ClientID: "portal"}, Client: authenticated("other")})
	fmt.Println(err)
	// Output: exchange: rejected by policy
}

// A client exchanges a token of its own for one with fewer scopes. The handler is for provider.Config.GrantHandlers.
func Example() {
	handler, err := exchange.New(exchange.Config{
		Issuer: "https://login.example.no", Store: memory.New(), Vault: vault(), Scopes: scopes(),
	})
	fmt.Println(handler.Type, err)
	// Output: urn:ietf:params:oauth:grant-type:token-exchange <nil>
}

func vault() *session.Vault {
	v, err := session.NewVault("https://login.example.no", portner.NewSecret())
	if err != nil {
		panic(err)
	}
	return v
}

func scopes() scope.Source {
	r, err := scope.NewRegistry(nil, nil)
	if err != nil {
		panic(err)
	}
	return r
}
