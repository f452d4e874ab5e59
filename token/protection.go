package token

import (
	"slices"

	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
)

// Protection returns how a grant keeps the identity of its user from its client: as the grant was stored, or as its scopes
// require it now, whichever is stricter. opaque reports that the access tokens of the grant are opaque.
func Protection(scopes scope.Source, g *storage.Grant, opaque bool) pseudonym.Protection {
	return pseudonym.Decide(pseudonym.Request{
		Inherited: g.Pseudonymous, Scope: requirePseudonym(scopes, g.Scopes), Opaque: opaque,
		OpenID: slices.Contains(g.Scopes, scope.OpenID), Profile: slices.Contains(g.Scopes, scope.Profile),
	})
}

func requirePseudonym(scopes scope.Source, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		s := scopes.Scope(name)
		return s != nil && s.RequiresPseudonymousTokens
	})
}

// pseudonymous reports whether no document of a grant may identify its user to the client.
func (m *Minter) pseudonymous(g *storage.Grant) bool {
	return Protection(m.cfg.Scopes, g, false) == pseudonym.Pseudonymous
}
