package demo

import (
	"net/http"

	"github.com/portner-go/portner/internal/standin/ansattporten"
	"github.com/portner-go/portner/internal/standin/look"
)

// Ansattporten returns the handler of the demo service of Ansattporten.
func Ansattporten(d ansattporten.Demo) http.Handler {
	return NewService(ServiceConfig{
		Name: "Tjeneste for ansatte", Class: "second", Text: "Logg inn på vegne av en virksomhet.", Provider: "Ansattporten",
		Base: d.Base, Issuer: d.Issuer, ClientID: ansattporten.DemoClient, Secret: d.Secret, Stories: ansattportenStories(), HTTP: d.HTTP, Log: d.Log,
	}).Handler(look.Handler())
}

// ansattportenStories returns the logins that the demo service offers.
func ansattportenStories() []Story {
	service := func(options string) string {
		return `[{"type":"ansattporten:altinn:service","resource":"` + ansattporten.DemoService + `"` + options + `}]`
	}
	story := func(name, title, text, details string) Story {
		return Story{Name: name, Title: title, Text: text, Scopes: []string{"openid"}, AuthorizationDetails: details}
	}
	return []Story{
		story("en", "For en virksomhet", "Du velger én, deg selv eller ingen.", service("")),
		story("flere", "For flere virksomheter", "Du kan velge flere.", service(`,"allow_multiple_organizations":"true","allow_deleted_organizations":true`)),
		story("krevd", "Bare for en virksomhet", "Uten virksomhet slipper du ikke inn.", service(`,"representation_is_required":true`)),
		story("ressurs", "En ressurs i Altinn 3", "Med handlingen Read.", `[{"type":"ansattporten:altinn:resource","resource":"`+ansattporten.DemoResource+`","actions":["Read"]}]`),
		story("arbeidsgiver", "For arbeidsgiveren", "Den som følger av jobbkontoen.", `[{"type":"ansattporten:orgno"}]`),
		story("fullmakt", "For en annen person", "Med fullmakt fra den du handler for.", `[{"type":"idporten:fullmakt","permission_roles":["post-og-pakke"]}]`),
		story("selv", "Som deg selv", "Vanlig innlogging uten valg.", ""),
	}
}
