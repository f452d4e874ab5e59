package maskinporten

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
)

// authorization is what the rules about scopes and organisations allow.
type authorization struct {
	plan       scope.Plan
	delegation storage.Delegation // zero: the client speaks for its own organisation
	consumer   string             // the organisation whose access counts
	supplier   string             // who acts for it; "" if it is consumer itself
}

// authorize takes steps 11 to 15 of section 1.5.
func (g *grant) authorize(ctx context.Context, x *request, c *claims) (authorization, error) {
	names, err := scope.Parse(c.scope)
	if err != nil {
		return authorization{}, refuse(mp200, "scope_malformed")
	}
	r := scope.Request{Requested: names, Scopes: g.cfg.Scopes, Now: x.now, Client: x.client.ScopeClient()}
	a := authorization{consumer: r.Client.Organisation}
	if c.consumerOrg != "" {
		a.consumer, a.supplier = c.consumerOrg, x.client.OrganisationNo
		r.Client.Organisation = a.consumer
	}
	a.plan, err = scope.Evaluate(r)
	var refused []scope.Refusal
	if e, ok := errors.AsType[*scope.RefusedError](err); ok {
		refused = e.Refusals
	} else if err != nil {
		return a, fmt.Errorf("maskinporten: evaluating scopes: %w", err)
	}
	if err := g.checkScopes(&a.plan, refused); err != nil {
		return a, err
	}
	if c.consumerOrg != "" {
		if a.delegation, err = g.delegationOf(x, c, names); err != nil {
			return a, err
		}
	}
	if r := refusedFor(refused, scope.NoAccess); len(r) > 0 {
		return a, g.denied(mp250, " "+r[0], string(scope.NoAccess))
	}
	return a, g.checkDelegated(ctx, &a, names)
}

// checkScopes takes steps 11 and 12. A scope that a person must consent to is not for machines.
func (g *grant) checkScopes(p *scope.Plan, refused []scope.Refusal) error {
	if r := refusedFor(refused, scope.NotRegistered, scope.Unknown, scope.Disabled); len(r) > 0 {
		return g.denied(mp200, ": "+strings.Join(r, " "), "scope_not_registered")
	}
	if r := refusedFor(refused, scope.IntegrationType); len(r) > 0 {
		return g.denied(mp201, "", string(scope.IntegrationType))
	}
	if len(p.NeedsConsent) > 0 {
		return g.denied(mp201, "", "needs_consent")
	}
	return nil
}

// refusedFor returns the scopes that are refused for one of the reasons.
func refusedFor(refused []scope.Refusal, reasons ...scope.Reason) []string {
	var names []string
	for _, r := range refused {
		if slices.Contains(reasons, r.Reason) {
			names = append(names, r.Scope)
		}
	}
	return names
}

// denied is the refusal of scopes. The detail holds scopes and organisation numbers that were checked to be
// such: their characters fit error_description (RFC 6749 section 5.2).
func (g *grant) denied(w row, detail, reason string) error {
	return &refusal{row: w, detail: detail, event: portner.EventScopeDenied, reason: reason}
}

// delegationOf takes step 13: consumer_org is another organisation's, for a client of the supplier's own,
// and every scope has the same delegation source, which we know.
func (g *grant) delegationOf(x *request, c *claims, names []string) (storage.Delegation, error) {
	if c.consumerOrg == x.client.OrganisationNo || x.client.SupplierOrgno != "" {
		return storage.Delegation{}, refuse(combination, "consumer_org_own")
	}
	source := ""
	for i, name := range names {
		s := g.cfg.Scopes.Scope(name)
		if s == nil || s.DelegationSource == "" || i > 0 && s.DelegationSource != source {
			return storage.Delegation{}, refuse(combination, "delegation_source")
		}
		source = s.DelegationSource
	}
	if g.cfg.Delegations[source] == nil {
		return storage.Delegation{}, failed(combination, portner.EventBadRegistration, "delegation_source_unknown")
	}
	return storage.Delegation{Consumer: c.consumerOrg, Supplier: x.client.OrganisationNo, Source: source}, nil
}

// checkDelegated takes step 15: the delegation source is asked at run time, for each scope.
func (g *grant) checkDelegated(ctx context.Context, a *authorization, names []string) error {
	d := a.delegation
	if d.Source == "" {
		return nil
	}
	for _, name := range names {
		ok, err := g.cfg.Delegations[d.Source].Delegated(ctx, d.Consumer, d.Supplier, name)
		if err != nil {
			return unavailable("asking the delegation source", err)
		}
		if !ok {
			detail := fmt.Sprintf(" %s has not delegated access to the scope %s to supplier %s", d.Consumer, name, d.Supplier)
			return g.denied(mp251, detail, "not_delegated")
		}
	}
	return nil
}

// unavailable marks a fault of somebody we depend on: 503, and the assertion may be sent again.
func unavailable(doing string, err error) error {
	return fmt.Errorf("maskinporten: %s: %w: %w", doing, portner.ErrUnavailable, err)
}
