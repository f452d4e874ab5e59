package exchange

import (
	"context"
	"errors"
	"slices"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/scope"
)

// requested holds the scopes and the audience of a request.
type requested struct {
	scopes   []string // nil for those of the subject token
	audience []string // nil for that of the subject token
}

// maxTargets is the largest number of resource and audience parameters together.
const maxTargets = 5

// maxTarget is the largest length of one of them.
const maxTarget = 2000

// readRequested reads scope, resource and audience. RFC 8693 §2.1: resource is a URI and audience a name of the target.
func readRequested(f client.Form, issuer string) (requested, error) {
	var a requested
	if s := f.Get("scope"); s != "" {
		var err error
		if a.scopes, err = scope.Parse(s); err != nil {
			return a, badScope("The parameter scope is malformed.", "scope_malformed")
		}
	}
	for _, r := range f.All("resource") {
		if !client.IsResource(issuer, r) {
			return a, badTarget("resource_malformed")
		}
		a.audience = append(a.audience, r)
	}
	for _, name := range f.All("audience") {
		if name == "" || len(name) > maxTarget || !printable(name) {
			return a, badTarget("audience_malformed")
		}
		a.audience = append(a.audience, name)
	}
	if len(a.audience) > maxTargets {
		return a, badTarget("targets_exceeded")
	}
	a.audience = withoutDuplicates(a.audience)
	return a, nil
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

func withoutDuplicates(list []string) []string {
	var once []string
	for _, s := range list {
		if !slices.Contains(once, s) {
			once = append(once, s)
		}
	}
	return once
}

// plan returns the scopes of the new token: the requested ones, limited to those of the subject token, the policy and the client.
func (x *exchange) plan() (scope.Plan, error) {
	have := x.subject.Scopes
	switch bound := x.decision.Scopes; {
	case x.subject.Type == IDToken:
		have = bound
	case bound != nil:
		have = slices.DeleteFunc(slices.Clone(have), func(s string) bool { return !slices.Contains(bound, s) })
	}
	plan, err := scope.Narrow(x.requested.scopes, have, x.Client.Client.ScopeClient(), x.cfg.Scopes)
	switch {
	case errors.Is(err, scope.ErrNotGranted):
		return plan, badScope("A scope is not one of the subject token, or the client may not use it.", "scope_not_granted")
	case errors.Is(err, scope.ErrNothingLeft):
		return plan, badScope("The client may not use any of the scopes.", "scope_not_allowed")
	case err != nil:
		return plan, err
	}
	plan.Pseudonymous = plan.Pseudonymous || x.subject.pseudonymous
	if x.subject.opaque {
		plan.TokenType = scope.Opaque
	}
	return plan, nil
}

// audience returns the audience of the new token: that of the subject token, or the requested one, which must be within it and that
// of the policy. A subject token without an audience permits none: APIs that require an audience reject it.
func (x *exchange) audience(ctx context.Context) ([]string, error) {
	has := x.subject.Audience
	if len(x.requested.audience) == 0 {
		return has, nil
	}
	for _, target := range x.requested.audience {
		if slices.Contains(has, target) {
			continue
		}
		if !slices.Contains(x.decision.Audience, target) {
			return nil, badTarget("target_not_granted")
		}
		if err := x.checkTarget(ctx, target); err != nil {
			return nil, err
		}
	}
	return x.requested.audience, nil
}

// checkTarget rejects this provider and its clients as targets: a client could take the token for an id_token.
func (x *exchange) checkTarget(ctx context.Context, target string) error {
	ok, err := x.minter.IsAPI(ctx, target)
	if err == nil && !ok {
		return badTarget("target_not_api")
	}
	return err
}
