package scope_test

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/portner-go/portner/scope"
)

// decideScopes decides the scope parameter of an authorization request. answer is nil before the consent page.
func decideScopes(param string, c scope.Client, records scope.Source, remembered []scope.Consent, answer *scope.Answer) (granted []string, ask []*scope.Scope, err error) {
	requested, err := scope.Parse(param)
	if err != nil {
		return nil, nil, err // invalid_scope
	}
	plan, err := scope.Evaluate(scope.Request{
		Requested: requested, Client: c, Scopes: records, Consents: remembered, Answer: answer, Now: time.Now(),
	})
	if errors.Is(err, scope.ErrAllDeclined) {
		return nil, nil, err // access_denied
	}
	return plan.Granted, plan.NeedsConsent, err // *RefusedError: invalid_scope
}

func Example() {
	records, _ := scope.NewRegistry(
		[]scope.Scope{{Name: "nav:ytelser.read", Description: "Ytelsene dine", RequiresUserConsent: true, ATMaxAge: 60}},
		[]scope.Access{{Scope: "nav:ytelser.read", ConsumerOrgno: "991825827", State: scope.Approved}})
	client := scope.Client{Organisation: "991825827", Scopes: []string{"openid", "nav:ytelser.read"}}

	granted, ask, err := decideScopes("openid nav:ytelser.read", client, records, nil, nil)
	fmt.Println(granted, "consent page:", ask[0].Description, err)

	// The user declines.
	answer := &scope.Answer{Shown: []string{"nav:ytelser.read"}}
	granted, ask, err = decideScopes("openid nav:ytelser.read", client, records, nil, answer)
	fmt.Println(granted, ask, err)
	_, _, err = decideScopes("nav:ytelser.read", client, records, nil, answer)
	fmt.Println(err)

	// A scope that the client has not registered.
	_, _, err = decideScopes("openid nav:annet", client, records, nil, nil)
	fmt.Println(err)
	// Output:
	// [openid] consent page: Ytelsene dine <nil>
	// [openid] [] <nil>
	// scope: every scope declined
	// scope: refused: not_registered
}

// The texts of a consent page.
func ExamplePlan_Show() {
	records, _ := scope.NewRegistry([]scope.Scope{{
		Name: "nav:ytelser.read", AccessibleForAll: true, RequiresUserConsent: true,
		Description: "Ytelsene dine", Descriptions: map[string]string{"en": "Your benefits"},
	}}, nil)
	plan, _ := scope.Evaluate(scope.Request{
		Requested: []string{"nav:ytelser.read"}, Client: scope.Client{Scopes: []string{"nav:ytelser.read"}}, Scopes: records,
	})
	for _, s := range plan.Show("en", 2*time.Hour) {
		fmt.Println(s.Description, s.Lasts)
	}
	// Output: Your benefits 2h0m0s
}

// The lifetime of an access token: the setting of the client, limited by the scopes and by the end of the grant.
func ExampleExpiry() {
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	end := now.Add(90 * time.Second)
	fmt.Println(scope.Expiry(now, 120*time.Second, 0, end).Sub(now))
	fmt.Println(scope.Expiry(now, 120*time.Second, 30*time.Second, end).Sub(now))
	// Output:
	// 1m30s
	// 30s
}

// A refresh requests fewer scopes than the grant has. A later access token for the whole grant loses the scope whose access the owner has
// withdrawn.
func ExampleNarrow() {
	scopes := []scope.Scope{{Name: "nav:ytelser.read"}, {Name: "skatt:inntekt.read", AccessibleForAll: true}}
	access := scope.Access{Scope: "nav:ytelser.read", ConsumerOrgno: "991825827", State: scope.Approved}
	records, _ := scope.NewRegistry(scopes, []scope.Access{access})
	client := scope.Client{Organisation: "991825827", Scopes: []string{"openid", "nav:ytelser.read", "skatt:inntekt.read"}}
	granted := []string{"openid", "nav:ytelser.read", "skatt:inntekt.read"}

	plan, err := scope.Narrow([]string{"nav:ytelser.read"}, granted, client, records)
	fmt.Println(plan.Granted, err)

	access.State = scope.Denied
	records, _ = scope.NewRegistry(scopes, []scope.Access{access})
	plan, err = scope.Narrow(nil, granted, client, records)
	fmt.Println(plan.Granted, err)
	_, err = scope.Narrow([]string{"nav:ytelser.read"}, granted, client, records)
	fmt.Println(err) // invalid_scope
	// Output:
	// [nav:ytelser.read] <nil>
	// [openid skatt:inntekt.read] <nil>
	// scope: not granted
}

// A machine requests a token without a user. Scopes that need a user are refused.
func ExampleEvaluateMachine() {
	records, _ := scope.NewRegistry([]scope.Scope{
		{Name: "nav:ytelser.read", Description: "Ytelsene dine", RequiresUserConsent: true, AccessibleForAll: true},
		{Name: "nav:satser.read", AccessibleForAll: true},
	}, nil)
	client := scope.Client{Organisation: "991825827", Scopes: []string{"nav:ytelser.read", "nav:satser.read"}}

	plan, err := scope.EvaluateMachine([]string{"nav:satser.read"}, client, records)
	fmt.Println(plan.Granted, err)
	_, err = scope.EvaluateMachine([]string{"nav:ytelser.read"}, client, records)
	fmt.Println(err)
	// Output:
	// [nav:satser.read] <nil>
	// scope: refused: user_required
}

// After the consent page the caller remembers the approved scopes until the grant ends. Until then, requests need no consent page.
func ExampleConsent() {
	records, _ := scope.NewRegistry([]scope.Scope{{
		Name: "nav:ytelser.read", Description: "Ytelsene dine", RequiresUserConsent: true, AccessibleForAll: true, ConsentVersion: "1",
	}}, nil)
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	request := scope.Request{
		Requested: []string{"nav:ytelser.read"}, Client: scope.Client{Scopes: []string{"nav:ytelser.read"}}, Scopes: records, Now: now,
	}
	plan, _ := scope.Evaluate(request)
	page := plan.NeedsConsent
	request.Answer = &scope.Answer{Shown: []string{"nav:ytelser.read"}, Approved: []string{"nav:ytelser.read"}}
	plan, _ = scope.Evaluate(request)

	var remembered []scope.Consent
	end := scope.Expiry(now, 2*time.Hour, plan.AuthorizationMaxAge, time.Time{}) // of the grant
	for _, s := range page {
		if slices.Contains(plan.Granted, s.Name) {
			remembered = append(remembered, scope.Consent{Scope: s.Name, Version: s.ConsentVersion, ExpiresAt: end})
		}
	}

	request.Answer, request.Consents = nil, remembered
	for _, later := range []time.Duration{time.Hour, 2 * time.Hour} {
		request.Now = now.Add(later)
		plan, err := scope.Evaluate(request)
		fmt.Println("granted:", plan.Granted, "consent page:", len(plan.NeedsConsent) > 0, err)
	}
	// Output:
	// granted: [nav:ytelser.read] consent page: false <nil>
	// granted: [] consent page: true <nil>
}
