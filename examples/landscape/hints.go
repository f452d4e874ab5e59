package main

// hints explain claims.
var hints = map[string]string{
	"iss":                   "hvem som utstedte det",
	"aud":                   "hvem det er til",
	"iat":                   "utstedt kl.",
	"nbf":                   "gjelder fra kl.",
	"exp":                   "går ut kl.",
	"jti":                   "gjør det til ett av sitt slag",
	"kid":                   "nøkkelen det er signert med",
	"x5c":                   "virksomhetssertifikatet og det som står over det",
	"scope":                 "hva det gir tilgang til",
	"client_id":             "systemet som ba om det",
	"client_amr":            "hvordan systemet viste hvem det er",
	"consumer":              "virksomheten som har tilgangen",
	"supplier":              "leverandøren som handler for den",
	"consumer_org":          "kunden leverandøren handler for",
	"delegation_source":     "hvem som vet at tilgangen er delegert",
	"resource":              "API-et det skal brukes i",
	"pid":                   "fødselsnummeret til personen",
	"sub":                   "personen, slik dette systemet kjenner den",
	"acr":                   "nivået personen logget inn på",
	"amr":                   "hva personen logget inn med",
	"authorization_details": "hvem det gjelder for",

	"urn:altinn:org":                "tjenesteeieren hos Altinn",
	"urn:altinn:orgNumber":          "virksomheten hos Altinn",
	"urn:altinn:userid":             "personen hos Altinn",
	"urn:altinn:partyid":            "aktøren hos Altinn",
	"urn:altinn:authlevel":          "sikkerhetsnivå",
	"urn:altinn:authenticatemethod": "hvordan innloggingen skjedde",
}
