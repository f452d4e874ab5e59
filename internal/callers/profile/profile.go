// Package profile shows a national profile that is written outside the module: levels, claims, languages, lifetimes and required
// parameters of a Danish login. The profiles of ID-porten and Ansattporten consist of the same parts.
package profile

import (
	"context"
	"time"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/token"
)

// The levels of NSIS.
const (
	Low         = "https://data.gov.dk/concept/core/nsis/Low"
	Substantial = "https://data.gov.dk/concept/core/nsis/Substantial"
	High        = "https://data.gov.dk/concept/core/nsis/High"
)

var levels = acr.Must(acr.New(acr.Level{Value: Low, Rank: 1}, acr.Level{Value: Substantial, Rank: 2}, acr.Level{Value: High, Rank: 3}))

// Denmark returns the profile.
func Denmark() provider.Profile {
	return provider.Profile{
		Name: "Denmark", Levels: levels, DefaultACRValues: []string{Substantial},
		Locales: []string{"da", "en"}, // required: a default would be the languages of another country
		Claims:  []token.ClaimsFunc{claims}, SubjectType: client.Pairwise,
		RequiredParameters: []string{"state", "nonce", "code_challenge"},
		AssertionAudience:  client.IssuerString, AccessTokenType: "at+jwt", ConfirmLogout: true,
		Lifetimes: provider.Lifetimes{
			AccessToken: 5 * time.Minute, IDToken: 5 * time.Minute, RefreshToken: time.Hour,
			Authorization: 8 * time.Hour, Code: time.Minute,
		},
	}
}

// claims adds the national identity number and the name. In pseudonymous documents Identity is zero, and the check of the final
// bytes covers every identifier of the login.
func claims(_ context.Context, d *token.Document) error {
	if cpr, ok := d.Identity.Identifier("cpr"); ok && d.HasScope("ssn") {
		d.SetString("dk:gov:saml:attribute:CprNumberIdentifier", cpr.Reveal())
	}
	if d.Kind == token.IDToken || d.Kind == token.UserInfo {
		d.SetString("full_name", d.Identity.Attributes["name"])
	}
	d.SetString("client_organisation", d.Client.OrganisationNo)
	return nil
}

// Identity returns the identity of a login, for the host's login page. Subjects derive from the CPR number.
func Identity(uuid, cpr, name string) (session.Identity, error) {
	id, err := pseudonym.NewIdentifier("cpr", cpr)
	return session.Identity{Subject: uuid, Identifiers: []pseudonym.Identifier{id}, Attributes: map[string]string{"name": name}}, err
}
