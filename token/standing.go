package token

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// identity opens the person behind a grant; zero for machine grants.
func (m *Minter) identity(g *storage.Grant) (session.Identity, error) {
	if g.Identity == nil {
		return session.Identity{}, nil
	}
	id, err := m.cfg.Vault.Open(g.Identity, g.ID)
	if err != nil {
		return session.Identity{}, fmt.Errorf("token: grant %s: %w", g.ID, err)
	}
	return id, nil
}

// standing asks whether what a grant rests on still holds, and returns the person as they are now. It is
// asked wherever tokens of the grant are issued or looked at, so that what a person or the host took back
// ends at once and not with the next refresh (security rows D4, D7, G14).
func (m *Minter) standing(ctx context.Context, g *storage.Grant, id *session.Identity, now time.Time) (User, error) {
	u, err := m.user(ctx, id)
	if err == nil {
		_, err = m.origin(ctx, g, now)
	}
	return u, err
}

// takenBack reports whether standing said no, and names the reason for the log.
func takenBack(err error) (reason string, yes bool) {
	switch {
	case errors.Is(err, errPersonGone):
		return "person_gone", true
	case errors.Is(err, errConsentGone):
		return "consent_withdrawn", true
	case errors.Is(err, errSubjectGone):
		return "subject_gone", true
	}
	return "", false
}

// errPersonGone: the host no longer knows the person, or has disabled them.
var errPersonGone = errors.New("token: the person is gone or disabled")

// user asks the host about a person. A failing look-up is a fault and never a yes (security row D7).
func (m *Minter) user(ctx context.Context, id *session.Identity) (User, error) {
	if m.cfg.Users == nil || id.Subject == "" {
		return User{}, nil
	}
	u, err := m.cfg.Users.User(ctx, id.Subject)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return User{}, errPersonGone
	case err != nil:
		return User{}, unavailable("looking up the person", err)
	case u.Disabled:
		return User{}, errPersonGone
	}
	return u, nil
}

// errConsentGone: a consent the grant rests on was withdrawn or has ended.
var errConsentGone = errors.New("token: consent withdrawn")

// consent checks that every scope of the grant that needs a yes still has one.
func (m *Minter) consent(ctx context.Context, g *storage.Grant, now time.Time) error {
	if m.cfg.Consents == nil || !slices.ContainsFunc(g.Scopes, m.needsConsent) {
		return nil
	}
	consents, err := m.cfg.Consents.Consents(ctx, g.UserKey, g.ClientID, now)
	if err != nil {
		return unavailable("reading consents", err)
	}
	for _, name := range g.Scopes {
		if m.needsConsent(name) && !slices.ContainsFunc(consents, func(c storage.Consent) bool {
			return c.Scope == name && now.Before(c.ExpiresAt)
		}) {
			return errConsentGone
		}
	}
	return nil
}

func (m *Minter) needsConsent(name string) bool {
	s := m.cfg.Scopes.Scope(name)
	return s != nil && s.RequiresUserConsent
}

// pseudonymous: as the grant was given or as its scopes stand today, whichever is stricter (decision K8).
func (m *Minter) pseudonymous(g *storage.Grant) bool {
	return g.Pseudonymous || slices.ContainsFunc(g.Scopes, func(name string) bool {
		s := m.cfg.Scopes.Scope(name)
		return s != nil && s.RequiresPseudonymousTokens
	})
}

// narrow asks client and scopes again for what a grant may hold now (security rows D6, D7).
func (m *Minter) narrow(requested []string, g *storage.Grant, c *client.Client) (scope.Plan, error) {
	plan, err := scope.Narrow(requested, g.Scopes, scopeClient(c), m.cfg.Scopes)
	plan.Pseudonymous = plan.Pseudonymous || g.Pseudonymous
	return plan, err
}

func scopeClient(c *client.Client) scope.Client {
	return scope.Client{
		ID: c.ClientID, ConsumerOrgno: c.ConsumerOrgno(), IntegrationType: c.IntegrationType, Scopes: c.RegisteredScopes(),
	}
}

// maxResources is security row D10.
const maxResources = 5

// resources narrows the audiences of a token to the ones named (RFC 8707 section 2.2); naming none keeps
// those of the grant.
func resources(named []string, g *storage.Grant) ([]string, error) {
	if len(named) == 0 {
		return g.Resources, nil
	}
	var narrowed []string
	for _, r := range named {
		if len(named) > maxResources || !slices.Contains(g.Resources, r) {
			return nil, refuse(portner.InvalidTarget, "The resource was not granted.", "resource")
		}
		if !slices.Contains(narrowed, r) {
			narrowed = append(narrowed, r)
		}
	}
	return narrowed, nil
}
