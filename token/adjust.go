package token

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/portner-go/portner"
)

var errWidened = errors.New("token: Config.Adjust added a scope or an audience")

// adjust calls Config.Adjust. It rejects a function that adds scopes or audiences, and a request of which it leaves no scope.
func (m *Minter) adjust(ctx context.Context, in *issuance) error {
	if m.cfg.Adjust == nil {
		return nil
	}
	c := in.Contents // a copy: the function must not see the one of the caller
	plan, resources := &in.Plan, in.Resources
	c.Plan.Granted, c.Plan.Audience = slices.Clone(plan.Granted), slices.Clone(plan.Audience)
	c.Resources = slices.Clone(resources)
	err := m.cfg.Adjust(ctx, &c)
	if err != nil && !portner.IsFault(err) {
		return err
	} else if err != nil {
		return fmt.Errorf("token: adjusting: %w: %v", portner.ErrUnavailable, err)
	}
	if !within(c.Plan.Granted, plan.Granted) || !within(c.Plan.Audience, plan.Audience) || !within(c.Resources, resources) {
		return errWidened
	}
	if len(c.Plan.Granted) == 0 {
		return refuse(portner.InvalidScope, "None of the scopes may be used.", "scope_rejected")
	}
	plan.Granted, plan.Audience, in.Resources = c.Plan.Granted, c.Plan.Audience, c.Resources
	in.Refresh = in.Refresh && c.Refresh
	in.AuthorizationDetails, in.RejectedScopes = c.AuthorizationDetails, c.RejectedScopes
	return nil
}

// within reports whether every element of some is one of all.
func within(some, all []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}
