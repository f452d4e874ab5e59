package token

import (
	"context"
	"errors"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
)

// refresh handles grant_type=refresh_token (RFC 6749 §6).
func refresh(ctx context.Context, r *Request, m *Minter) (*Response, error) {
	value := r.Form.Get("refresh_token")
	if value == "" {
		return nil, refuse(portner.InvalidRequest, "The parameter refresh_token is missing.", "refresh_token_missing")
	}
	if !seal.TokenShaped(value) {
		return nil, invalidGrant(portner.EventRefused, "refresh_malformed", "")
	}
	x := refreshExchange{Minter: m, Request: r, value: value, hash: storage.HashOf(value)}
	var err error
	x.token, x.grant, err = m.cfg.Store.RefreshToken(ctx, x.hash, r.Now)
	used := errors.Is(err, storage.ErrConsumed)
	switch {
	case err == nil, used:
	case gone(err):
		return nil, invalidGrant(portner.EventRefused, "refresh_unknown", "")
	default:
		return nil, unavailable("reading the refresh token", err)
	}
	if x.grant.ClientID != r.Client.ClientID {
		// Security row D5: no effect on the owner.
		return nil, invalidGrant(portner.EventRefreshForeign, "foreign_client", x.grant.ID)
	}
	switch {
	case used:
		return nil, x.reused(ctx)
	case !r.Now.Before(x.token.ExpiresAt), !r.Now.Before(x.grant.ExpiresAt):
		return nil, invalidGrant(portner.EventRefused, "refresh_expired", x.grant.ID)
	}
	return x.renew(ctx)
}

// refreshExchange is one refresh token on its way.
type refreshExchange struct {
	*Minter
	*Request
	value string
	hash  storage.Hash
	token storage.RefreshToken
	grant storage.Grant
}

// reused answers a rotated token that its client presents again: either a thief has it or a thief has its
// successor, so the family dies, although this request fails (security row D1, RFC 9700 section 4.14.2).
func (x *refreshExchange) reused(ctx context.Context) error {
	lost, err := x.lostAnswer(ctx)
	if err != nil {
		return err
	}
	if lost {
		return invalidGrant(portner.EventRefused, "refresh_grace", x.grant.ID)
	}
	if err := x.revoke(ctx, x.grant.ID, x.Now); err != nil {
		return err
	}
	return invalidGrant(portner.EventRefreshReuse, "refresh_used", x.grant.ID)
}

// end answers a refresh whose authorization no longer holds: the family dies with it (security row D7).
func (x *refreshExchange) end(ctx context.Context, reason string) error {
	if err := x.revoke(ctx, x.grant.ID, x.Now); err != nil {
		return err
	}
	return invalidGrant(portner.EventRefused, reason, x.grant.ID)
}

// renew issues the tokens of a live refresh token.
func (x *refreshExchange) renew(ctx context.Context) (*Response, error) {
	in, err := x.prepare(ctx)
	if err != nil {
		return nil, err
	}
	res, err := x.issue(ctx, in, x.Now, func(ctx context.Context, issue *storage.Issue) error {
		return x.cfg.Store.RotateRefreshToken(ctx, x.hash, issue, x.Now)
	})
	switch {
	case err == nil:
		return res, nil
	case errors.Is(err, storage.ErrConsumed): // another request was first
		return nil, x.reused(ctx)
	case gone(err):
		return nil, invalidGrant(portner.EventRefused, "refresh_unknown", x.grant.ID)
	}
	return nil, err
}

// prepare asks again for all that may have changed since the last token (security rows D6, D7).
func (x *refreshExchange) prepare(ctx context.Context) (*issuance, error) {
	plan, err := x.plan(ctx)
	if err != nil {
		return nil, err
	}
	granted, err := resources(x.Form.All("resource"), &x.grant)
	if err != nil {
		return nil, err
	}
	details, err := x.details(x.Request, &x.grant, plan.TokenType == scope.Opaque)
	if err != nil {
		return nil, err
	}
	live, err := x.check(ctx, &x.grant, x.Client.Client, x.Now)
	if reason, is := ended(err); is {
		return nil, x.end(ctx, reason)
	} else if err != nil {
		return nil, err
	}
	// No nonce: OpenID Connect Core section 12.2. auth_time stays that of the login.
	in := &issuance{user: live.user, Contents: Contents{
		Client: x.Client, Grant: x.grant, Identity: live.identity, Plan: plan, Resources: granted, AuthorizationDetails: details,
		IDToken: plan.OpenID && x.cfg.IDTokenOnRefresh, Refresh: true,
	}}
	in.rotated = rotation{generation: x.token.Generation + 1}
	if !x.Client.RotatesRefreshTokens() {
		in.rotated = rotation{value: x.value, generation: x.token.Generation}
	}
	return in, nil
}

// plan narrows the scopes of this access token; the grant keeps its own.
func (x *refreshExchange) plan(ctx context.Context) (scope.Plan, error) {
	var requested []string
	if s := x.Form.Get("scope"); s != "" {
		var err error
		if requested, err = scope.Parse(s); err != nil {
			return scope.Plan{}, refuse(portner.InvalidScope, "The parameter scope is malformed.", "scope_malformed")
		}
	}
	plan, err := x.narrow(requested, &x.grant, x.Client.Client)
	switch {
	case errors.Is(err, scope.ErrNotGranted):
		return plan, refuse(portner.InvalidScope, "A scope was not granted or may not be used any more.", "scope_escalation")
	case errors.Is(err, scope.ErrNothingLeft):
		return plan, x.end(ctx, "scope_withdrawn")
	}
	return plan, err
}

// lostAnswer reports whether a rotated token looks like the retry of a client that never got the answer:
// the immediate predecessor, right after the rotation, with the successor unused (decision K3). It is
// refused all the same.
func (x *refreshExchange) lostAnswer(ctx context.Context) (bool, error) {
	if x.cfg.RotationGrace == 0 {
		return false, nil
	}
	if x.token.ConsumedAt.IsZero() { // it was rotated after it was read: look at it as it is now
		var err error
		x.token, _, err = x.cfg.Store.RefreshToken(ctx, x.hash, x.Now)
		if err != nil && !gone(err) && !errors.Is(err, storage.ErrConsumed) {
			return false, unavailable("reading the refresh token", err)
		}
	}
	t := &x.token
	return !t.ConsumedAt.IsZero() && x.Now.Sub(t.ConsumedAt) < x.cfg.RotationGrace && t.Latest == t.Generation+1, nil
}
