package token

import (
	"github.com/portner-go/portner/internal/protection"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
)

// Protection returns whether the identity of the user of a grant is withheld from its client: as recorded in the grant, or as its
// scopes require now, whichever is stricter. opaque reports whether the access tokens of the grant are opaque.
//
// A grant from a token exchange has the scopes of the login, but its client may have received neither the id_token nor the scope of
// userinfo: an opaque token can be all that it presented.
func Protection(scopes scope.Source, g *storage.Grant, opaque bool) pseudonym.Protection {
	own := protection.Grant{Requested: g.Scopes, Pseudonymous: g.Pseudonymous, Opaque: opaque}
	if g.Delegation.Subject == (storage.Hash{}) { // a login
		own.Granted = g.Scopes
	}
	return protection.Of(own, scopes)
}

// pseudonymous reports whether no document of a grant may identify its user to the client.
func (m *Minter) pseudonymous(g *storage.Grant) bool {
	return Protection(m.cfg.Scopes, g, false) == pseudonym.Pseudonymous
}
