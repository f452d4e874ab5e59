package client_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/storage"
)

// TestParties checks for whom a client acts: the delegation counts before the customer, and the customer before the registration.
func TestParties(t *testing.T) {
	t.Parallel()
	const owner, supplier, customer, other = "991825827", "974761076", "910753614", "987464291"
	plain := client.Client{OrganisationNo: owner, OnBehalfOf: []client.OnBehalfOf{
		{Value: "kunde", Orgno: customer}, {Value: "nameless"}, {Value: "self", Orgno: owner},
	}}
	managed := plain
	managed.SupplierOrgno = supplier
	for name, tt := range map[string]struct {
		c          client.Client
		customer   string
		delegation storage.Delegation
		want       client.Parties
	}{
		"the owner":                      {c: plain, want: client.Parties{Consumer: owner}},
		"no organisation":                {},
		"a supplier for the owner":       {c: managed, want: client.Parties{Consumer: owner, Supplier: supplier}},
		"the owner for a customer":       {c: plain, customer: "kunde", want: client.Parties{Consumer: customer, Supplier: owner}},
		"a supplier for a customer":      {c: managed, customer: "kunde", want: client.Parties{Consumer: customer, Supplier: supplier}},
		"a customer without a number":    {c: plain, customer: "nameless", want: client.Parties{Supplier: owner}},
		"the owner is its own customer":  {c: plain, customer: "self", want: client.Parties{Consumer: owner}},
		"a delegation":                   {c: plain, delegation: storage.Delegation{Consumer: other, Supplier: owner}, want: client.Parties{Consumer: other, Supplier: owner}},
		"a delegation before a customer": {c: managed, customer: "kunde", delegation: storage.Delegation{Consumer: other, Supplier: owner}, want: client.Parties{Consumer: other, Supplier: owner}},
		"a delegation names no supplier": {c: managed, delegation: storage.Delegation{Consumer: other}, want: client.Parties{Consumer: other, Supplier: supplier}},
	} {
		customer, ok := tt.c.Customer(tt.customer)
		require.Equal(t, tt.customer != "", ok, name)
		require.Equal(t, tt.want, tt.c.Parties(customer, tt.delegation), name)
	}
}
