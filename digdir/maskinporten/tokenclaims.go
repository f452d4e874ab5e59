package maskinporten

import (
	"cmp"
	"context"

	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/token"
)

// Claims adds the claims of machine tokens. It is a [token.ClaimsFunc].
func Claims(_ context.Context, d *token.Document) error {
	if d.Kind != token.AccessToken && d.Kind != token.Introspection {
		return nil
	}
	if d.Kind == token.AccessToken {
		d.SetString("token_type", "Bearer")
	}
	d.SetString("client_amr", d.ClientAMR)
	setOrganisation(d, "consumer", cmp.Or(d.Grant.Delegation.Consumer, d.Client.OrganisationNo))
	setOrganisation(d, "supplier", cmp.Or(d.Grant.Delegation.Supplier, d.Client.SupplierOrgno))
	d.SetString("delegation_source", d.Grant.Delegation.Source)
	pid, _ := d.Identity.Identifier(session.TypePID) // the zero value has no text
	d.SetString("pid", pid.Reveal())
	return nil
}

func setOrganisation(d *token.Document, name, number string) {
	if number != "" {
		d.Set(name, norway.OrgIdentifier(number))
	}
}
