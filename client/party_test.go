package client_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
)

// TestParty: a party is that of one organisation, customer and organisation of the customer, whatever their names are.
func TestParty(t *testing.T) {
	t.Parallel()
	c := client.Client{OrganisationNo: "991825827", OnBehalfOf: []client.OnBehalfOf{{Value: "a/b", Name: "A", Orgno: "889640782"}}}
	customer := c.OnBehalfOf[0]
	own, party := c.Party(client.OnBehalfOf{}), c.Party(customer)
	for _, tt := range []struct {
		name           string
		change         func(*client.Client)
		isOwn, isParty bool
	}{
		{"unchanged", func(*client.Client) {}, true, true},
		{"other names", func(c *client.Client) { c.ClientName, c.OnBehalfOf[0].Name = "B", "B" }, true, true},
		{"another organisation of the client", func(c *client.Client) { c.OrganisationNo = "974761076" }, false, false},
		{"no organisation of the client", func(c *client.Client) { c.OrganisationNo = "" }, false, false},
		{"another supplier", func(c *client.Client) { c.SupplierOrgno = "974761076" }, false, false},
		{"another organisation of the customer", func(c *client.Client) { c.OnBehalfOf[0].Orgno = "974761076" }, true, false},
		{"another value", func(c *client.Client) { c.OnBehalfOf[0].Value = "b" }, true, false},
		{"no customer", func(c *client.Client) { c.OnBehalfOf = nil }, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			now := c
			now.OnBehalfOf = []client.OnBehalfOf{customer}
			tt.change(&now)
			_, ok := now.CustomerOf(own)
			require.Equal(t, tt.isOwn, ok)
			got, ok := now.CustomerOf(party)
			require.Equal(t, tt.isParty, ok)
			if ok {
				require.Equal(t, "a/b", got.Value)
			}
		})
	}
	_, ok := c.CustomerOf("a/b")
	require.False(t, ok, "not a party of this client")
	nameless := client.Client{}
	require.Empty(t, nameless.Party(client.OnBehalfOf{}))
	_, ok = nameless.CustomerOf("")
	require.True(t, ok)
	_, ok = c.CustomerOf("")
	require.False(t, ok, "the client had no organisation at the time of the grant")
}
