package helseid_test

import (
	"context"
	"fmt"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/nhn/helseid"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/storage"
)

// registered holds registrations by client_id.
type registered map[string]helseid.Registration

// Registration implements helseid.RegistrationSource.
func (r registered) Registration(_ context.Context, clientID string) (helseid.Registration, error) {
	if found, ok := r[clientID]; ok {
		return found, nil
	}
	return helseid.Registration{}, storage.ErrNotFound
}

// The profile is for provider.Config.Profile. A login page of the host passes the login to authorize.Pending.LogIn.
func Example() {
	h, err := helseid.New(helseid.Config{
		Registrations: registered{"journal": {Tenancy: helseid.SingleTenant}},
		APIs:          []helseid.API{{Name: "nhn:sample", Scopes: []string{"nhn:sample/read"}}},
		PseudonymKey:  portner.NewSecret(), // a host keeps it
	})
	if err != nil {
		panic(err)
	}
	pid, err := norway.ParsePID("21879498012")
	if err != nil {
		panic(err)
	}
	login, err := h.Authentication(helseid.Login{
		PID: pid, SecurityLevel: "4", AssuranceLevel: "high", Network: "internett", IDP: "testidp-oidc", GivenName: "Kari", FamilyName: "Testesen",
	})
	fmt.Println(h.Profile().Name, login.ACR, err)
	// Output: HelseID Level4 <nil>
}
