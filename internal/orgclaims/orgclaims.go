// Package orgclaims adds the claims about the client and its organisations that the tokens of ID-porten and Maskinporten have in
// common (docs.digdir.no: Access token).
package orgclaims

import (
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/token"
)

// Add adds client_amr, consumer, supplier and delegation_source. Claims that the document has are left as they are: a machine token
// has been through Add already if the profile of the provider is that of ID-porten.
//
// The customer of a login (onbehalfof) is not the consumer: its access to the scopes was not checked (docs/spec/idporten.md §18.1).
func Add(d *token.Document) {
	p := d.Client.Parties(client.OnBehalfOf{}, d.Grant.Delegation)
	Text(d, "client_amr", d.ClientAMR)
	add(d, "consumer", p.Consumer)
	add(d, "supplier", p.Supplier)
	Text(d, "delegation_source", d.Grant.Delegation.Source)
}

// Text adds a claim unless the document has it.
func Text(d *token.Document, name, value string) {
	if !d.Has(name) {
		d.SetString(name, value)
	}
}

func add(d *token.Document, name, orgno string) {
	if orgno != "" && !d.Has(name) {
		d.Set(name, norway.OrgIdentifier(orgno))
	}
}
