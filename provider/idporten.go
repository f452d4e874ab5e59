package provider

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/token"
)

// idPortenClaims adds the claims of ID-porten to tokens, introspection and userinfo.
func idPortenClaims(_ context.Context, d *token.Document) error {
	switch d.Kind {
	case token.IDToken:
		d.SetString("locale", d.Grant.Locale)
		setIdentity(d)
		d.SetString("client_onbehalfof", d.Grant.Customer)
	case token.AccessToken, token.Introspection:
		setOrganisations(d)
		setIdentifier(d, "pid", session.TypePID)
		setIdentifier(d, "email", session.TypeEmail)
	case token.UserInfo:
		if d.HasScope("profile") {
			d.SetString("locale", d.Grant.Locale)
		}
		setIdentity(d)
	}
	return nil
}

// setIdentity adds the attributes of the login.
func setIdentity(d *token.Document) {
	setIdentifier(d, "pid", session.TypePID)
	setIdentifier(d, "email", session.TypeEmail)
	setIdentifier(d, "eidas_person_identifier", session.TypeEIDAS)
	for _, name := range [...]string{"given_name", "family_name", "birthdate"} {
		d.SetString(name, d.Identity.Attributes[name])
	}
}

func setIdentifier(d *token.Document, name, typ string) {
	id, _ := d.Identity.Identifier(typ) // the zero value has no text
	d.SetString(name, id.Reveal())
}

// setOrganisations adds the organisations that the token was issued to and for.
func setOrganisations(d *token.Document) {
	d.SetString("client_amr", d.ClientAMR)
	if d.Kind == token.Introspection {
		d.SetString("client_orgno", d.Client.OrganisationNo)
	}
	setOrganisation(d, "consumer", cmp.Or(d.Grant.Delegation.Consumer, d.Client.OrganisationNo))
	setOrganisation(d, "supplier", cmp.Or(d.Grant.Delegation.Supplier, d.Client.SupplierOrgno))
	d.SetString("delegation_source", d.Grant.Delegation.Source)
	customer := d.Grant.Customer
	d.SetString("client_onbehalfof", customer)
	for i := range d.Client.OnBehalfOf {
		if c := &d.Client.OnBehalfOf[i]; customer != "" && c.Value == customer {
			d.SetString("client_onbehalfof_orgno", c.Orgno)
		}
	}
}

func setOrganisation(d *token.Document, name, number string) {
	if number != "" {
		d.Set(name, norway.OrgIdentifier(number))
	}
}

// isEIDASLogin reports whether a login was made through another country's eID. It gives no SSO (docs/spec/idporten.md §14.3).
func isEIDASLogin(acr string, amr []string) bool {
	return strings.HasPrefix(acr, "eidas-") || slices.Contains(amr, "eIDAS")
}
