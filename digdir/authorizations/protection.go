package authorizations

import (
	"slices"

	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// pseudonymous reports whether a grant keeps the identity of its user from its client.
func (a *API) pseudonymous(g *storage.Grant) bool {
	_, opaque := scope.Privacy(g.Scopes, a.cfg.Scopes)
	return token.Protection(a.cfg.Scopes, g, opaque) != pseudonym.Open
}

// mayList reports whether a grant may be listed to an organisation that knows the identity of the user. The times of a
// pseudonymous grant could show which pseudonym belongs to the user, so it is listed only to the owner of all of its scopes, who
// may introspect the token (docs/threat-model.md H2). owner is the organisation if the list is that of an owner of scopes, otherwise
// "".
func (a *API) mayList(g *storage.Grant, owner string) bool {
	if !a.pseudonymous(g) {
		return true
	}
	return owner != "" && !slices.ContainsFunc(g.Scopes, func(name string) bool {
		s := a.cfg.Scopes.Scope(name)
		return !scope.Reserved(name) && (s == nil || s.OwnerOrgno != owner)
	})
}
