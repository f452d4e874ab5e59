package exchange

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/scope"
)

// asked is what a client wants less of.
type asked struct {
	scopes   []string // nil: all there is
	audience []string // nil: the subject's
}

// maxTargets bounds resource and audience together (security row D10).
const maxTargets = 5

// maxTarget bounds one of them.
const maxTarget = 2000

// readAsked reads scope, resource and audience. Both of the latter say where the token is for: by address
// and by name (RFC 8693 section 2.1).
func readAsked(f client.Form, issuer string) (asked, error) {
	var a asked
	if s := f.Get("scope"); s != "" {
		var err error
		if a.scopes, err = scope.Parse(s); err != nil {
			return a, badScope("The parameter scope is malformed.", "scope_malformed")
		}
	}
	for _, r := range f.All("resource") {
		if !absolute(r, issuer) {
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
		return a, badTarget("too_many")
	}
	a.audience = distinct(a.audience)
	return a, nil
}

// absolute reports whether a resource is an absolute URI without fragment (RFC 8707 section 2) that an API may
// have: https or urn, and http where the provider itself has no more (security row D10).
func absolute(r, issuer string) bool {
	u, err := url.Parse(r)
	if err != nil || len(r) > maxTarget || !printable(r) || strings.Contains(r, "#") || u.User != nil {
		return false
	}
	switch u.Scheme {
	case "urn":
		return u.Opaque != ""
	case "http":
		return u.Host != "" && strings.HasPrefix(issuer, "http://")
	}
	return u.Scheme == "https" && u.Host != ""
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

func distinct(list []string) []string {
	var once []string
	for _, s := range list {
		if !slices.Contains(once, s) {
			once = append(once, s)
		}
	}
	return once
}

// plan narrows the scopes: to what is asked for, of what the subject token holds, as far as the policy goes
// and the client may have it now.
func (x *exchanging) plan() (scope.Plan, error) {
	have := x.subject.Scopes
	switch bound := x.verdict.Scopes; {
	case x.subject.Type == IDToken:
		have = bound
	case bound != nil:
		have = slices.DeleteFunc(slices.Clone(have), func(s string) bool { return !slices.Contains(bound, s) })
	}
	plan, err := scope.Narrow(x.asked.scopes, have, x.Client.Client.ScopeClient(), x.cfg.Scopes)
	switch {
	case errors.Is(err, scope.ErrNotGranted):
		return plan, badScope("A scope is not the subject token's, or may not be used by the client.", "scope_escalation")
	case errors.Is(err, scope.ErrNothingLeft):
		return plan, badScope("None of the scopes may be used by the client.", "scope_none")
	case err != nil:
		return plan, err
	}
	plan.Pseudonymous = plan.Pseudonymous || x.subject.pseudonymous
	if x.subject.opaque {
		plan.TokenType = scope.Opaque // what a reference hid stays hidden
	}
	return plan, nil
}

// audience narrows the targets. A subject token that names none may be used anywhere, so any target is less;
// one that names some is for those, and for what the policy adds.
func (x *exchanging) audience(ctx context.Context) ([]string, error) {
	has := x.subject.Audience
	if len(x.asked.audience) == 0 {
		return has, nil
	}
	for _, target := range x.asked.audience {
		if len(has) > 0 && !slices.Contains(has, target) && !slices.Contains(x.verdict.Audience, target) {
			return nil, badTarget("target_escalation")
		}
		if slices.Contains(has, target) {
			continue
		}
		if err := x.notAnAPI(ctx, target); err != nil {
			return nil, err
		}
	}
	return x.asked.audience, nil
}

// notAnAPI refuses a new target that is this provider or one of its clients, to which the token would look like
// an id_token (security row D10).
func (x *exchanging) notAnAPI(ctx context.Context, target string) error {
	if strings.TrimRight(target, "/") == strings.TrimRight(x.cfg.Issuer, "/") {
		return badTarget("target_issuer")
	}
	is, err := x.minter.IsClient(ctx, target)
	if is {
		return badTarget("target_client")
	}
	return err
}
