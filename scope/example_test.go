package scope_test

import (
	"fmt"
	"time"

	"github.com/portner-go/portner/scope"
)

func Example() {
	registry, _ := scope.NewRegistry(
		[]scope.Scope{{Name: "nav:ytelser.read", Description: "Ytelsene dine", RequiresUserConsent: true, ATMaxAge: 60}},
		[]scope.Access{{Scope: "nav:ytelser.read", ConsumerOrgno: "991825827", State: scope.Approved}})
	client := scope.Client{ConsumerOrgno: "991825827", Scopes: []string{"openid", "nav:ytelser.read"}}

	requested, _ := scope.Parse("openid nav:ytelser.read")
	plan, _ := scope.Evaluate(requested, scope.Request{Client: client, Scopes: registry, Now: time.Now()})
	for _, s := range plan.Show("nb", 2*time.Hour) {
		fmt.Println("ask:", s.Description, s.Lasts)
	}
	plan, _ = scope.Evaluate(requested, scope.Request{Client: client, Scopes: registry, Now: time.Now(), Answered: true})
	fmt.Println(plan.Granted, "declined:", plan.Declined)
	// Output:
	// ask: Ytelsene dine 2h0m0s
	// [openid] declined: [nav:ytelser.read]
}

// The lifetime of an access token: the client's setting, capped by the scopes and by what is
// left of the authorization.
func ExampleExpiry() {
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	end := now.Add(90 * time.Second)
	fmt.Println(scope.Expiry(now, 120*time.Second, 0, end).Sub(now))
	fmt.Println(scope.Expiry(now, 120*time.Second, 30*time.Second, end).Sub(now))
	// Output:
	// 1m30s
	// 30s
}
