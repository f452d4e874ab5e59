// Package protection decides whether the identity of a user is withheld from a client. The authorization endpoint decides it for a
// request, and the token endpoint for a grant, by the same rule.
package protection

import (
	"slices"

	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/scope"
)

// Grant describes a grant, or what an authorization request may lead to.
type Grant struct {
	// Requested are all requested scopes, also those that the user declined or has not answered (docs/spec/idporten.md §13.2), or the
	// scopes of a stored grant.
	Requested []string
	// Granted are the scopes that are granted whatever the user answers.
	Granted []string
	// Pseudonymous is true for a grant that is stored as pseudonymous, and for no_pid.
	Pseudonymous bool
	// Opaque reports that access tokens are, or may be, opaque.
	Opaque bool
}

// Of returns the protection of a grant according to the records of its scopes.
func Of(g Grant, scopes scope.Source) pseudonym.Protection {
	requires, _ := scope.Privacy(g.Requested, scopes)
	return pseudonym.Decide(pseudonym.Grant{
		Prior: pseudonym.Open, RequiresPseudonym: g.Pseudonymous || requires, OpaqueTokens: g.Opaque,
		IDToken: slices.Contains(g.Granted, scope.OpenID), UserInfo: slices.Contains(g.Granted, scope.Profile),
	})
}
