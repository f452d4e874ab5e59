package provider

import (
	"context"
	"slices"
	"strings"

	"github.com/portner-go/portner/internal/orgclaims"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/token"
)

// idPortenClaims adds the claims of ID-porten to tokens, introspection and userinfo.
func idPortenClaims(_ context.Context, d *token.Document) error {
	switch d.Kind {
	case token.IDToken:
		d.SetString("locale", d.Grant.Locale)
		setIdentity(d)
		customer, _ := d.Client.CustomerOf(d.Grant.Customer)
		d.SetString("client_onbehalfof", customer.Value)
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

// setIdentity adds the identifiers and attributes of the user.
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

// setOrganisations adds the organisations of the client, and the customer that the client acts for.
func setOrganisations(d *token.Document) {
	if d.Kind == token.Introspection {
		d.SetString("client_orgno", d.Client.OrganisationNo)
	}
	orgclaims.Add(d)
	customer, _ := d.Client.CustomerOf(d.Grant.Customer)
	d.SetString("client_onbehalfof", customer.Value)
	d.SetString("client_onbehalfof_orgno", customer.Orgno)
}

// isEIDASLogin reports whether a login was made through another country's eID. It gives no SSO (docs/spec/idporten.md §14.3).
func isEIDASLogin(acr string, amr []string) bool {
	return strings.HasPrefix(acr, "eidas-") || slices.Contains(amr, "eIDAS")
}
