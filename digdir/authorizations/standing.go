package authorizations

import (
	"context"
	"slices"
	"time"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
)

// maxExchanges is token.MaxExchanges: so many grants may lie between a token and the login.
const maxExchanges = 8

// live reads an access token that still holds: one that came of an exchange ends with the token that was
// exchanged (storage.Delegation.Subject), and each with its client.
func (a *API) live(ctx context.Context, hash storage.Hash, now time.Time) (t storage.AccessToken, g storage.Grant, c *client.Client, err error) {
	if t, g, c, err = a.read(ctx, hash, now); err != nil {
		return t, g, c, err
	}
	for subject, n := g.Delegation.Subject, 0; subject != (storage.Hash{}); n++ {
		if n == maxExchanges {
			return t, g, c, storage.ErrRevoked
		}
		_, parent, _, err := a.read(ctx, subject, now)
		if err != nil {
			return t, g, c, err
		}
		subject = parent.Delegation.Subject
	}
	return t, g, c, nil
}

func (a *API) read(ctx context.Context, hash storage.Hash, now time.Time) (storage.AccessToken, storage.Grant, *client.Client, error) {
	t, g, err := a.cfg.Store.AccessToken(ctx, hash, now)
	if err != nil {
		return t, g, nil, err
	}
	c, err := a.cfg.Clients.Client(ctx, g.ClientID)
	if err == nil && c.Inactive {
		err = storage.ErrRevoked
	}
	return t, g, c, err
}

// hides reports whether a grant does not tell its client who the person is, as it was given or as its scopes
// stand today, whichever is stricter (decision K8).
func (a *API) hides(g *storage.Grant) bool {
	r := pseudonym.Request{
		Inherited: g.Pseudonymous, OpenID: slices.Contains(g.Scopes, scope.OpenID), Profile: slices.Contains(g.Scopes, scope.Profile),
	}
	for _, name := range g.Scopes {
		if s := a.cfg.Scopes.Scope(name); s != nil {
			r.Scope = r.Scope || s.RequiresPseudonymousTokens
			r.Opaque = r.Opaque || s.TokenType == scope.Opaque
		}
	}
	return pseudonym.Decide(r) != pseudonym.Open
}

// veiled reports whether an organisation that knows the person must not learn of a grant: it could tell by its
// times which pseudonym is the person's. The owner of all of its scopes may introspect the token, and knows
// (idporten section 10.3).
func (a *API) veiled(g *storage.Grant, f Filter) bool {
	if !a.hides(g) {
		return false
	}
	return f.OwnerOrgno == "" || slices.ContainsFunc(g.Scopes, func(name string) bool {
		s := a.cfg.Scopes.Scope(name)
		return !scope.Reserved(name) && (s == nil || s.OwnerOrgno != f.OwnerOrgno)
	})
}
