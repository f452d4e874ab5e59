package token

import (
	"slices"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
)

// narrow evaluates what a grant may hold now: client and scopes can have changed since it was made.
func (m *Minter) narrow(requested []string, g *storage.Grant, c *client.Client) (scope.Plan, error) {
	plan, err := scope.Narrow(requested, g.Scopes, c.ScopeClient(), m.cfg.Scopes)
	plan.Pseudonymous = plan.Pseudonymous || g.Pseudonymous
	return plan, err
}

// maxResources is the largest number of resource parameters in a request.
const maxResources = 5

// resources narrows the audiences of a token to the resource parameters of the request (RFC 8707 §2.2). Without the
// parameter they are those of the grant.
func resources(named []string, g *storage.Grant) ([]string, error) {
	if len(named) == 0 {
		return g.Resources, nil
	}
	var narrowed []string
	for _, r := range named {
		if len(named) > maxResources || !slices.Contains(g.Resources, r) {
			return nil, refuse(portner.InvalidTarget, "The resource was not granted.", "resource_not_granted")
		}
		if !slices.Contains(narrowed, r) {
			narrowed = append(narrowed, r)
		}
	}
	return narrowed, nil
}
