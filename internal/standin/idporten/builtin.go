package idporten

import (
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/scope"
)

// Organisations of the demo.
const (
	ServiceOrg  = "991825827"
	dataOrg     = "974761076"
	PrivateOrg  = "910753614"
	registerOrg = "991825827"
)

// DemoAPIClient is a client of the organisation that owns the scopes, so that it can resolve pseudonymous tokens
// (docs/spec/idporten.md §10.2).
const DemoAPIClient = "demo-api"

// Secrets of the built-in clients. They are new at each start, because a secret in the source would be public.
var DemoSecret, DemoAPISecret = client.GenerateSecret(), client.GenerateSecret()

// ContactScope gives access to the user's own entry in the contact register (docs.digdir.no: oidc_guide_idporten).
const ContactScope = "krr:user/kontaktinformasjon.read"

// Addresses are the base URLs of the demo.
type Addresses struct{ First, Second, Isolated, API string }

// builtin returns the configuration of the demo.
func builtin(at Addresses, profile string) Config {
	return Config{
		Common: standin.Common{
			Clients: builtinClients(at, profile), Scopes: builtinScopes(), ScopeAccess: builtinAccess(),
		},
		Users: BuiltinUsers(), OldLevelNames: new(true),
	}
}

// loginScopes returns the standard scopes of a service.
func loginScopes(profile string) []string {
	if (Config{Profile: profile}).openid() {
		return []string{"openid", "profile", "email", "address", "phone", "offline_access"}
	}
	return []string{"openid", "profile"}
}

func builtinClients(at Addresses, profile string) []standin.ClientEntry {
	service := func(id, name, orgno, base string, scopes ...string) standin.ClientEntry {
		return standin.ClientEntry{ClientSecret: DemoSecret, Client: client.Client{
			ClientID: id, ClientName: name, OrganisationNo: orgno, IntegrationType: "api_klient", ApplicationType: client.Web,
			TokenEndpointAuthMethod: client.ClientSecretBasic, GrantTypes: []string{"authorization_code", "refresh_token"},
			RedirectURIs: []string{base + "/callback"}, PostLogoutRedirectURIs: []string{base + "/loggedout"},
			FrontchannelLogoutURI: base + "/frontchannel", FrontchannelLogoutSessionRequired: true,
			Scopes: append(loginScopes(profile), scopes...),
		}}
	}
	first := service("min-tjeneste", "Min tjeneste", ServiceOrg, at.First,
		"demo:inntekt.read", "demo:kontakt.read", "demo:helse.read", "demo:meldinger.read", ContactScope)
	first.AccessTokenLifetime, first.RefreshTokenLifetime = 300, 1800
	isolated := service("isolert-tjeneste", "Isolert tjeneste", PrivateOrg, at.Isolated)
	isolated.SSODisabled = true
	return []standin.ClientEntry{first, service("annen-tjeneste", "Annen tjeneste", PrivateOrg, at.Second), isolated, builtinAPIClient()}
}

// builtinAPIClient returns the client of the API. It introspects tokens with scopes of its organisation.
func builtinAPIClient() standin.ClientEntry {
	return standin.ClientEntry{ClientSecret: DemoAPISecret, Client: client.Client{
		ClientID: DemoAPIClient, ClientName: "Datatilbyder", OrganisationNo: dataOrg, IntegrationType: "api_klient", ApplicationType: client.Web,
		TokenEndpointAuthMethod: client.ClientSecretBasic, Scopes: []string{scope.Introspection},
	}}
}

func builtinScopes() []scope.Scope {
	return []scope.Scope{
		{
			Name: "demo:inntekt.read", OwnerOrgno: dataOrg, RequiresUserConsent: true, ATMaxAge: 120, AuthorizationMaxLifetime: 3600,
			Description: "Se inntekten din", LongDescription: "Lønn og annen inntekt de siste tre årene.",
			Descriptions:     map[string]string{"nn": "Sjå inntekta di", "en": "See your income", "se": "Oaidnit du dietnasa"},
			LongDescriptions: map[string]string{"nn": "Løn og annan inntekt dei siste tre åra.", "en": "Salary and other income of the last three years.", "se": "Bálká ja eará dietnasat maŋimuš golmma jagi."},
		},
		{
			Name: "demo:kontakt.read", OwnerOrgno: dataOrg, RequiresUserConsent: true, AuthorizationMaxLifetime: 3600,
			Description: "Se e-post og mobilnummer", LongDescription: "De du har oppgitt i kontaktregisteret.",
			Descriptions:     map[string]string{"nn": "Sjå e-post og mobilnummer", "en": "See your e-mail address and mobile number", "se": "Oaidnit e-poastta ja mobiltelefovdnanummira"},
			LongDescriptions: map[string]string{"nn": "Dei du har oppgitt i kontaktregisteret.", "en": "Those you gave to the contact register.", "se": "Daid maid leat almmuhan oktavuođaregistarii."},
		},
		{Name: "demo:helse.read", OwnerOrgno: dataOrg, RequiresPseudonymousTokens: true, Description: "Se helseopplysninger"},
		{Name: "demo:meldinger.read", OwnerOrgno: dataOrg, TokenType: scope.Opaque, Description: "Lese meldinger"},
		{Name: ContactScope, OwnerOrgno: registerOrg, Description: "Se kontaktopplysningene dine i Kontakt- og reservasjonsregisteret"},
	}
}

func builtinAccess() []scope.Access {
	var all []scope.Access
	for _, s := range builtinScopes() {
		all = append(all, scope.Access{Scope: s.Name, ConsumerOrgno: ServiceOrg, State: scope.Approved})
	}
	return all
}

// BuiltinUsers returns two synthetic persons (month + 80). One of them has two logins.
func BuiltinUsers() []User {
	kari := map[string]any{
		"name": "Kari Testesen", "given_name": "Kari", "family_name": "Testesen", "locale": "nb-NO",
		"email": "kari@example.no", "email_verified": true, "phone_number": "+4712345678", "phone_number_verified": true,
		"address": map[string]any{"street_address": "Prøvegata 1", "postal_code": "0001", "locality": "Oslo", "country": "NO"},
	}
	ola := map[string]any{"name": "Ola Prøvesen", "given_name": "Ola", "family_name": "Prøvesen", "email": "ola@example.no", "email_verified": false}
	return []User{
		{Account: standin.Account{PID: "21879498012", Username: "kari", Password: "passord", ACR: acr.High, AMR: []string{"BankID"}}, Claims: kari},
		{Account: standin.Account{PID: "21879498012", Username: "kari-minid", Password: "passord", ACR: acr.Substantial, AMR: []string{"Minid-APP"}}, Claims: kari},
		{Account: standin.Account{PID: "45840375084", Username: "ola", Password: "passord", ACR: acr.Substantial, AMR: []string{"Minid-OTC"}}, Claims: ola},
	}
}
