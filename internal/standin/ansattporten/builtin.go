package ansattporten

import (
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/standin"
)

// Names of the demo.
const (
	DemoService  = "urn:altinn:resource:2480:40"
	DemoResource = "urn:altinn:resource:skjema-for-ansatte"
	DemoClient   = "ansattjeneste"
)

// demoSecret is new at each start, because a secret in the source would be public.
var demoSecret = client.GenerateSecret()

// with returns c with the client of the demo, and with its resources and users if c has none.
func (c Config) with(base string, d *standin.Administration) Config {
	c.Common = c.With(standin.Common{Clients: []standin.ClientEntry{{ClientSecret: demoSecret, Client: client.Client{
		ClientID: DemoClient, ClientName: "Tjeneste for ansatte", OrganisationNo: "974761076", IntegrationType: "ansattporten",
		TokenEndpointAuthMethod: client.ClientSecretBasic, GrantTypes: []string{"authorization_code", "refresh_token"},
		RedirectURIs: []string{base + "/callback"}, PostLogoutRedirectURIs: []string{base + "/loggedout"},
		FrontchannelLogoutURI: base + "/frontchannel", FrontchannelLogoutSessionRequired: true,
		Scopes: []string{"openid", "profile"}, AccessTokenLifetime: 300, RefreshTokenLifetime: 1800,
	}}}})
	if c.Resources == nil {
		c.Resources = map[string]string{DemoService: "Produkter og tjenester fra Brønnøysundregistrene", DemoResource: "Skjema for ansatte"}
	}
	c.Users = standin.WithUsers(d, c.Users, builtinUsers(), func(u user) string { return u.Username })
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
