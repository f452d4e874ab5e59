// Package orgclaims adds the claims about organisations that the tokens of ID-porten and Maskinporten have in common
// (docs.digdir.no: Access token).
package orgclaims

import (
	"cmp"

	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/token"
)

// Add adds consumer, supplier and delegation_source. The organisations of the grant have precedence over those of the
// registration.
func Add(d *token.Document) {
	add(d, "consumer", cmp.Or(d.Grant.Delegation.Consumer, d.Client.OrganisationNo))
	add(d, "supplier", cmp.Or(d.Grant.Delegation.Supplier, d.Client.SupplierOrgno))
	d.SetString("delegation_source", d.Grant.Delegation.Source)
}

func add(d *token.Document, name, orgno string) {
	if orgno != "" {
		d.Set(name, norway.OrgIdentifier(orgno))
	}
}
