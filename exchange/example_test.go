package exchange_test

import (
	"context"
	"fmt"

	"github.com/portner-go/portner/exchange"
)

// A policy: the service behind the portal may take over its tokens, for the archive as well.
func ExamplePolicy() {
	policy := exchange.Policy(func(_ context.Context, r *exchange.Request) (exchange.Decision, error) {
		if r.Own || r.Subject.ClientID == "portal" && r.Client.ClientID == "service" {
			return exchange.Decision{Audience: []string{"https://arkiv.example.no"}}, nil
		}
		return exchange.Decision{}, exchange.ErrRefused
	})
	_, err := policy(context.Background(), &exchange.Request{Subject: exchange.Token{ClientID: "portal"}, Client: authenticated("stranger")})
	fmt.Println(err)
	// Output: exchange: refused by policy
}
