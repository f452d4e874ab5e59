package demo

import (
	"net/http"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/internal/standin/idporten"
	"github.com/portner-go/portner/internal/standin/look"
	"github.com/portner-go/portner/norway"
)

// IDPorten returns the handlers of the services of the demo and of their API.
func IDPorten(d idporten.Demo) ([]http.Handler, error) {
	services := demoServices(d)
	bases := []string{d.At.First, d.At.Second, d.At.Isolated}
	var handlers []http.Handler
	for i, sv := range services {
		for j, o := range services {
			if j != i {
				sv.Others = append(sv.Others, Link{Name: o.Name, URL: bases[j]})
			}
		}
		sv.Base, sv.Issuer, sv.Secret, sv.API = bases[i], d.Issuer, d.Secret, d.At.API
		sv.HTTP, sv.Log = d.HTTP, d.Log
		handlers = append(handlers, NewService(sv).Handler(look.Handler()))
	}
	api, err := NewAPI(APIConfig{
		Issuer: d.Issuer, Introspection: d.Issuer + "/tokeninfo", JWKS: d.Issuer + "/jwks.json",
		ClientID: d.APIClient, Secret: d.APISecret, HTTP: d.HTTP, Log: d.Log,
		Contacts: func(pid norway.PID) Contact { return Contact(d.Contact(pid)) },
	})
	return append(handlers, api), err
}

// demoServices returns the relying parties of the demo.
func demoServices(d idporten.Demo) []ServiceConfig {
	stories := idportenStories()
	if d.OpenID {
		stories = openidStories()
	}
	return []ServiceConfig{
		{Name: "Min tjeneste", Class: "first", ClientID: "min-tjeneste", Stories: stories, Text: "En tjeneste som logger inn brukerne med ID-porten. Velg en innlogging, og se hva tjenesten får vite."},
		{Name: "Annen tjeneste", Class: "second", ClientID: "annen-tjeneste", Stories: stories[:1], Text: "Er du innlogget et annet sted, kommer du rett inn her (SSO)."},
		{Name: "Isolert tjeneste", Class: "isolated", ClientID: "isolert-tjeneste", Stories: stories[:1], Text: "Deltar ikke i felles SSO: her må du alltid logge inn først."},
	}
}

var (
	sharing = Story{
		Name: "deling", Title: "Del opplysninger", Text: "Brukerstyrt datadeling: to tilganger du kan si nei til.",
		Scopes: []string{"openid", "profile", "demo:inntekt.read", "demo:kontakt.read"}, API: "/inntekt",
	}
	opaque = Story{
		Name: "opak", Title: "Ugjennomsiktig token", Text: "Ren OAuth 2.0 uten openid. Bare API-et forstår tokenet.",
		Scopes: []string{"demo:meldinger.read"}, API: "/meldinger",
	}
	contact = Story{
		Name: "kontaktregister", Title: "Kontaktopplysninger", Text: "Kontakt- og reservasjonsregisteret svarer om den som er innlogget.",
		Scopes: []string{"openid", "profile", idporten.ContactScope}, API: "/kontaktinformasjon",
	}
	again = Story{
		Name: "paa-nytt", Title: "Logg inn på nytt", Text: "prompt=login: ny pålogging selv om du er innlogget.",
		Scopes: []string{"openid", "profile"}, Prompt: "login",
	}
)

// idportenStories returns the stories of the idporten profile.
func idportenStories() []Story {
	return []Story{
		{Name: "login", Title: "Logg inn", Text: "Vanlig innlogging med openid og profile.", Scopes: []string{"openid", "profile"}, ACR: acr.Substantial},
		sharing,
		{Name: "pseudonym", Title: "Uten fødselsnummer", Text: "Tjenesten ser bare et pseudonym; API-et slår opp personen.", Scopes: []string{"openid", "profile", "demo:helse.read"}, API: "/helse", Pseudonymous: true},
		opaque,
		contact,
		{Name: "hoyt", Title: "Høyt sikkerhetsnivå", Text: "Krever idporten-loa-high. Er du innlogget på et lavere nivå, må du logge inn på nytt.", Scopes: []string{"openid", "profile"}, ACR: acr.High},
		again,
	}
}

// openidStories returns the stories of the openid profile, whose tokens have no pid.
func openidStories() []Story {
	return []Story{
		{Name: "login", Title: "Logg inn", Text: "Vanlig innlogging med openid og profile.", Scopes: []string{"openid", "profile"}},
		{Name: "kontakt", Title: "E-post, telefon og adresse", Text: "Standardscopene email, phone og address. Svaret kommer fra userinfo.", Scopes: []string{"openid", "profile", "email", "phone", "address"}},
		sharing,
		opaque,
		again,
		{Name: "stille", Title: "Uten å spørre", Text: "prompt=none: innlogging uten sider, eller feilen login_required.", Scopes: []string{"openid", "profile"}, Prompt: "none"},
	}
}
