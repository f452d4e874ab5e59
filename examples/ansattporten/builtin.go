package main

import (
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/examples/internal/demo"
	"github.com/portner-go/portner/internal/standin"
)

// Names of the demo.
const (
	demoService  = "urn:altinn:resource:2480:40"
	demoResource = "urn:altinn:resource:skjema-for-ansatte"
	demoClient   = "ansattjeneste"
)

// demoSecret is new at each start, because a secret in the source would be public.
var demoSecret = client.GenerateSecret()

// with returns c with the client of the demo, and with its resources and users if c has none.
func (c config) with(base string) config {
	c.Clients = append(c.Clients, standin.ClientEntry{ClientSecret: demoSecret, Client: client.Client{
		ClientID: demoClient, ClientName: "Tjeneste for ansatte", OrganisationNo: "974761076", IntegrationType: "ansattporten",
		TokenEndpointAuthMethod: client.ClientSecretBasic, GrantTypes: []string{"authorization_code", "refresh_token"},
		RedirectURIs: []string{base + "/callback"}, PostLogoutRedirectURIs: []string{base + "/loggedout"},
		FrontchannelLogoutURI: base + "/frontchannel", FrontchannelLogoutSessionRequired: true,
		Scopes: []string{"openid", "profile"}, AccessTokenLifetime: 300, RefreshTokenLifetime: 1800,
	}})
	if c.Resources == nil {
		c.Resources = map[string]string{demoService: "Produkter og tjenester fra Brønnøysundregistrene", demoResource: "Skjema for ansatte"}
	}
	if len(c.Users) == 0 {
		c.Users = builtinUsers()
	}
	return c
}

// builtinUsers returns synthetic persons (month + 80): one with organisations and a mandate, one without, and one with a work
// account only.
func builtinUsers() []user {
	read := []string{"Read", "ArchiveRead"}
	return []user{
		{
			Account: standin.Account{PID: "21879498012", Username: "kari", Password: "passord", ACR: acr.AnsattportenHigh, AMR: []string{"BankID"}}, Name: "Kari Testesen",
			Reportees: []party{
				{Self: true},
				{Orgno: "991825827", Name: "Digitaliseringsdirektoratet", UnitType: "ORGL", Rights: read},
				{Orgno: "987464291", Name: "Digitaliseringsdirektoratet avd Leikanger", UnitType: "BEDR", Rights: []string{"Read", "ArchiveDelete", "ArchiveRead"}},
				{Orgno: "910753614", Name: "Nedlagt Test AS", UnitType: "AS", Deleted: true, Rights: read},
			},
			Employers: []party{{Orgno: "991825827", Name: "Digitaliseringsdirektoratet", UnitType: "ORGL"}},
			Mandates:  []mandateFrom{{PID: "45840375084", Name: "Ola Prøvesen", Owner: "digdir", Roles: []string{"post-og-pakke"}}},
		},
		{Account: standin.Account{PID: "45840375084", Username: "ola", Password: "passord", AMR: []string{"Minid-OTC"}}, Name: "Ola Prøvesen"},
		{
			Account: standin.Account{Username: "jobb", Password: "passord", AMR: []string{"Entra"}}, Name: "Jo Jobb",
			Employers: []party{{Orgno: "974761076", Name: "Skatteetaten", UnitType: "ORGL"}},
		},
	}
}

// stories returns the logins that the demo service offers.
func stories() []demo.Story {
	service := func(options string) string {
		return `[{"type":"ansattporten:altinn:service","resource":"` + demoService + `"` + options + `}]`
	}
	story := func(name, title, text, details string) demo.Story {
		return demo.Story{Name: name, Title: title, Text: text, Scopes: []string{"openid"}, AuthorizationDetails: details}
	}
	return []demo.Story{
		story("en", "For en virksomhet", "Du velger én, deg selv eller ingen.", service("")),
		story("flere", "For flere virksomheter", "Du kan velge flere.", service(`,"allow_multiple_organizations":"true","allow_deleted_organizations":true`)),
		story("krevd", "Bare for en virksomhet", "Uten virksomhet slipper du ikke inn.", service(`,"representation_is_required":true`)),
		story("ressurs", "En ressurs i Altinn 3", "Med handlingen Read.", `[{"type":"ansattporten:altinn:resource","resource":"`+demoResource+`","actions":["Read"]}]`),
		story("arbeidsgiver", "For arbeidsgiveren", "Den som følger av jobbkontoen.", `[{"type":"ansattporten:orgno"}]`),
		story("fullmakt", "For en annen person", "Med fullmakt fra den du handler for.", `[{"type":"idporten:fullmakt","permission_roles":["post-og-pakke"]}]`),
		story("selv", "Som deg selv", "Vanlig innlogging uten valg.", ""),
	}
}
