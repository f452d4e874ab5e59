package maskinporten

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
)

// authorization is the decision on scopes and organisations.
type authorization struct {
	plan           scope.Plan
	delegation     storage.Delegation // zero if the client acts for its own organisation
	client.Parties                    // Consumer is the organisation that must have access to the scopes
}

// authorize is steps 11 to 15 of docs/spec/maskinporten.md §1.5.
func (x *exchange) authorize(ctx context.Context, c *claims) (authorization, error) {
	names, err := scope.Parse(c.scope)
	if err != nil {
		return authorization{}, reject(mp200, "scope_malformed")
	}
	a, of := authorization{Parties: x.parties(c)}, x.client.ScopeClient()
	of.Organisation, of.Consumer = a.Consumer, a.Consumer
	var refused []scope.Refusal
	a.plan, err = scope.EvaluateMachine(names, of, x.cfg.Scopes)
	if e, ok := errors.AsType[*scope.RefusedError](err); ok {
		refused = e.Refusals
	} else if err != nil {
		return a, fmt.Errorf("maskinporten: evaluating scopes: %w", err)
	}
	if err := checkScopes(refused); err != nil {
		return a, err
	}
	if a.Supplier != "" {
		if a.delegation, err = x.delegation(c, &a, names); err != nil {
			return a, err
		}
	}
	if r := refusedFor(refused, scope.NoAccess); len(r) > 0 {
		return a, rejectScope(mp250, " "+r[0], "scope_access_missing")
	}
	return a, x.checkDelegated(ctx, &a, names)
}

// checkScopes is steps 11 and 12.
func checkScopes(refused []scope.Refusal) error {
	if r := refusedFor(refused, scope.NotRegistered, scope.Unknown, scope.Inactive); len(r) > 0 {
		return rejectScope(mp200, ": "+strings.Join(r, " "), "scope_not_registered")
	}
	if r := refusedFor(refused, scope.IntegrationType); len(r) > 0 {
		return rejectScope(mp201, "", "integration_type_not_allowed")
	}
	if r := refusedFor(refused, scope.UserRequired); len(r) > 0 {
		return rejectScope(mp201, "", "user_required")
	}
	return nil
}

// refusedFor returns the scopes that were refused for one of these reasons.
func refusedFor(refused []scope.Refusal, reasons ...scope.Reason) []string {
	var names []string
	for _, r := range refused {
		if slices.Contains(reasons, r.Reason) {
			names = append(names, r.Scope)
		}
	}
	return names
}

// parties returns for whom the client acts: for consumer_org, and otherwise for its owner. In a client that a supplier operates, the
// supplier acts for the owner as it would with consumer_org: it named the owner itself when it registered the client.
func (x *exchange) parties(c *claims) client.Parties {
	if c.consumerOrg != "" {
		return client.Parties{Consumer: c.consumerOrg, Supplier: x.client.OrganisationNo}
	}
	return x.client.Parties(client.OnBehalfOf{}, storage.Delegation{})
}

// delegation is step 13 for a supplier: consumer_org is another organisation than the client's and not combined with a client that
// a supplier operates, and every scope has the same, configured delegation source.
func (x *exchange) delegation(c *claims, a *authorization, names []string) (storage.Delegation, error) {
	if c.consumerOrg != "" && (c.consumerOrg == x.client.OrganisationNo || x.client.SupplierOrgno != "") {
		return storage.Delegation{}, reject(combination, "consumer_org_not_allowed")
	}
	source := ""
	for i, name := range names {
		s := x.cfg.Scopes.Scope(name)
		if s == nil || s.DelegationSource == "" || i > 0 && s.DelegationSource != source {
			return storage.Delegation{}, reject(combination, "delegation_source_mismatch")
		}
		source = s.DelegationSource
	}
	if x.cfg.Delegations[source] == nil {
		return storage.Delegation{}, rejectClient(combination, portner.EventBadRegistration, "delegation_source_unknown")
	}
	return storage.Delegation{Consumer: a.Consumer, Supplier: a.Supplier, Source: source}, nil
}

// checkDelegated is step 15: the delegation source confirms each scope at the time of the request.
func (x *exchange) checkDelegated(ctx context.Context, a *authorization, names []string) error {
	d := a.delegation
	if d.Source == "" {
		return nil
	}
	for _, name := range names {
		ok, err := x.cfg.Delegations[d.Source].Delegated(ctx, d.Consumer, d.Supplier, name)
		if err != nil {
			return unavailable("finding a delegation", err)
		}
		if !ok {
			detail := fmt.Sprintf(" %s has not delegated access to the scope %s to supplier %s", d.Consumer, name, d.Supplier)
			return rejectScope(mp251, detail, "scope_not_delegated")
		}
	}
	return nil
}

// unavailable returns a fault of a dependency. The response is 503, and the assertion may be sent again.
func unavailable(doing string, err error) error {
	return fmt.Errorf("maskinporten: %s: %w: %w", doing, portner.ErrUnavailable, err)
}
