package main

import (
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/examples/internal/demo"
	"github.com/portner-go/portner/scope"
)

// The organisations of the demo: synthetic ones, and those of the test environments' documents.
const (
	serviceOrg = "991825827"
	dataOrg    = "974761076"
	privateOrg = "910753614"
)

// demoAPIClient is the API owner's own client: it is on the organisation that owns the scopes, which is
// what lets it resolve a pseudonymous token (idporten section 10.2).
const (
	demoAPIClient = "demo-api"
	demoAPISecret = "api-eierens-hemmelighet"
	demoSecret    = "bare-for-denne-maskinen"
)

// addresses are where the parts of the demo listen.
type addresses struct{ first, second, isolated, api string }

// builtin is the demo's part of the configuration.
func builtin(at addresses) config {
	return config{Clients: builtinClients(at), Scopes: builtinScopes(), ScopeAccess: builtinAccess(), Users: builtinUsers()}
}

func builtinClients(at addresses) []clientEntry {
	service := func(id, name, orgno, base string, scopes ...string) clientEntry {
		return clientEntry{ClientSecret: demoSecret, Client: client.Client{
			ClientID: id, ClientName: name, ClientOrgno: orgno, IntegrationType: "api_klient", ApplicationType: client.Web,
			TokenEndpointAuthMethod: client.ClientSecretBasic, GrantTypes: []string{"authorization_code", "refresh_token"},
			RedirectURIs: []string{base + "/callback"}, PostLogoutRedirectURIs: []string{base + "/loggedout"},
			FrontchannelLogoutURI: base + "/frontchannel", FrontchannelLogoutSessionRequired: true, Scopes: scopes,
		}}
	}
	first := service("min-tjeneste", "Min tjeneste", serviceOrg, at.first,
		"openid", "profile", "demo:inntekt.read", "demo:kontakt.read", "demo:helse.read", "demo:meldinger.read")
	first.AccessTokenLifetime, first.RefreshTokenLifetime = 300, 1800
	second := service("annen-tjeneste", "Annen tjeneste", privateOrg, at.second, "openid", "profile")
	isolated := service("isolert-tjeneste", "Isolert tjeneste", privateOrg, at.isolated, "openid", "profile")
	isolated.SSODisabled = true
	api := clientEntry{ClientSecret: demoAPISecret, Client: client.Client{
		ClientID: demoAPIClient, ClientName: "Datatilbyder", ClientOrgno: dataOrg, IntegrationType: "api_klient", ApplicationType: client.Web,
		TokenEndpointAuthMethod: client.ClientSecretBasic, RedirectURIs: []string{at.api + "/unused"},
		PostLogoutRedirectURIs: []string{at.api + "/unused"}, Scopes: []string{"openid", scope.Introspection},
	}}
	return []clientEntry{first, second, isolated, api}
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
			Description: "Se kontaktopplysningene dine", LongDescription: "E-postadresse og mobilnummer.",
			Descriptions:     map[string]string{"nn": "Sjå kontaktopplysningane dine", "en": "See your contact information", "se": "Oaidnit du oktavuođadieđuid"},
			LongDescriptions: map[string]string{"nn": "E-postadresse og mobilnummer.", "en": "E-mail address and mobile number.", "se": "E-poastačujuhus ja mobiltelefovdnanummir."},
		},
		{Name: "demo:helse.read", OwnerOrgno: dataOrg, RequiresPseudonymousTokens: true, Description: "Se helseopplysninger"},
		{Name: "demo:meldinger.read", OwnerOrgno: dataOrg, TokenType: scope.Opaque, Description: "Lese meldinger"},
	}
}

func builtinAccess() []scope.Access {
	var all []scope.Access
	for _, s := range builtinScopes() {
		all = append(all, scope.Access{Scope: s.Name, ConsumerOrgno: serviceOrg, State: scope.Approved})
	}
	return all
}

// builtinUsers are synthetic persons (month + 80). Kari has two ways to log in.
func builtinUsers() []user {
	return []user{
		{PID: "21879498012", Username: "kari", Password: "passord", ACR: acr.High, AMR: []string{"BankID"}, Claims: map[string]any{"name": "Kari Testesen", "given_name": "Kari", "family_name": "Testesen"}},
		{PID: "21879498012", Username: "kari-minid", Password: "passord", ACR: acr.Substantial, AMR: []string{"Minid-APP"}, Claims: map[string]any{"name": "Kari Testesen", "given_name": "Kari", "family_name": "Testesen"}},
		{PID: "45840375084", Username: "ola", Password: "passord", ACR: acr.Substantial, AMR: []string{"Minid-OTC"}, Claims: map[string]any{"name": "Ola Prøvesen", "given_name": "Ola", "family_name": "Prøvesen"}},
	}
}

// stories are what the demo's first service shows: the seeds' scenarios, one button each.
func stories() []demo.Story {
	return []demo.Story{
		{Name: "login", Title: "Logg inn", Text: "Vanlig innlogging med openid og profile.", Scopes: []string{"openid", "profile"}, ACR: acr.Substantial},
		{Name: "deling", Title: "Del opplysninger", Text: "Brukerstyrt datadeling: to tilganger du kan si nei til.", Scopes: []string{"openid", "profile", "demo:inntekt.read", "demo:kontakt.read"}, API: "/inntekt"},
		{Name: "pseudonym", Title: "Uten fødselsnummer", Text: "Tjenesten ser bare et pseudonym; API-et slår opp personen.", Scopes: []string{"openid", "profile", "demo:helse.read"}, API: "/helse"},
		{Name: "opak", Title: "Ugjennomsiktig token", Text: "Ren OAuth 2.0 uten openid. Bare API-et forstår tokenet.", Scopes: []string{"demo:meldinger.read"}, API: "/meldinger"},
		{Name: "hoyt", Title: "Høyt sikkerhetsnivå", Text: "Krever idporten-loa-high og løfter innloggingen om nødvendig.", Scopes: []string{"openid", "profile"}, ACR: acr.High},
		{Name: "paa-nytt", Title: "Logg inn på nytt", Text: "prompt=login: ny pålogging selv om du er innlogget.", Scopes: []string{"openid", "profile"}, Prompt: "login"},
	}
}

// loginOnly is what the other services offer.
func loginOnly() []demo.Story { return stories()[:1] }
