package authorizations

import (
	"slices"

	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// hides reports whether a grant keeps the identity of its user from its client.
func (a *API) hides(g *storage.Grant) bool {
	_, opaque := scope.Privacy(g.Scopes, a.cfg.Scopes)
	return token.Protection(a.cfg.Scopes, g, opaque) != pseudonym.Open
}

// veiled reports whether a grant is left out of a list for an organisation that knows the user: its times could show which
// pseudonym belongs to the user. The owner of all of its scopes may introspect the token and sees it.
func (a *API) veiled(g *storage.Grant, f Filter) bool {
	if !a.hides(g) {
		return false
	}
	return f.OwnerOrgno == "" || slices.ContainsFunc(g.Scopes, func(name string) bool {
		s := a.cfg.Scopes.Scope(name)
		return !scope.Reserved(name) && (s == nil || s.OwnerOrgno != f.OwnerOrgno)
	})
}
