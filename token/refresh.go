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
	x := refreshing{Minter: m, Request: r, value: value, hash: storage.HashOf(value)}
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
		// No effect on the owner.
		return nil, invalidGrant(portner.EventRefreshForeign, "client_mismatch", x.grant.ID)
	}
	switch {
	case used:
		return nil, x.reused(ctx)
	case !r.Now.Before(x.token.ExpiresAt), !r.Now.Before(x.grant.ExpiresAt):
		return nil, invalidGrant(portner.EventRefused, "refresh_expired", x.grant.ID)
	}
	return x.renew(ctx)
}

// refreshing is the use of one refresh token.
type refreshing struct {
	*Minter
	*Request
	value string
	hash  storage.Hash
	token storage.RefreshToken
	grant storage.Grant
}

// reused rejects a rotated token that its client presents again, and revokes the family: one of the two was stolen (RFC 9700
// §4.14.2).
func (x *refreshing) reused(ctx context.Context) error {
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

// end rejects a refresh whose grant has ended, and revokes the family.
func (x *refreshing) end(ctx context.Context, reason string) error {
	if err := x.revoke(ctx, x.grant.ID, x.Now); err != nil {
		return err
	}
	return invalidGrant(portner.EventRefused, reason, x.grant.ID)
}

// renew issues the tokens of a live refresh token.
func (x *refreshing) renew(ctx context.Context) (*Response, error) {
	in, err := x.prepare(ctx)
	if err != nil {
		return nil, err
	}
	res, err := x.issue(ctx, in, x.Now, func(ctx context.Context, issue *storage.Issuance) error {
		return x.cfg.Store.RotateRefreshToken(ctx, x.hash, issue, 0, x.Now)
	})
	switch {
	case err == nil:
		return res, nil
	case errors.Is(err, storage.ErrConsumed): // another request rotated the token first
		return nil, x.reused(ctx)
	case gone(err):
		return nil, invalidGrant(portner.EventRefused, "refresh_unknown", x.grant.ID)
	}
	return nil, err
}

// prepare evaluates again what may have changed since the last token.
func (x *refreshing) prepare(ctx context.Context) (*issuance, error) {
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
	// OIDC Core §12.2: no nonce, and the auth_time of the login.
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

// plan narrows the scopes of this access token. The grant keeps its own.
func (x *refreshing) plan(ctx context.Context) (scope.Plan, error) {
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
		return plan, refuse(portner.InvalidScope, "A scope was not granted or may not be used any more.", "scope_not_granted")
	case errors.Is(err, scope.ErrNothingLeft):
		return plan, x.end(ctx, "scope_withdrawn")
	}
	return plan, err
}

// lostAnswer reports whether a rotated token looks like the retry of a client that did not receive the response: it is the
// immediate predecessor, within Config.RotationGrace, and the successor is unused. The request is rejected all the same.
func (x *refreshing) lostAnswer(ctx context.Context) (bool, error) {
	if x.cfg.RotationGrace == 0 {
		return false, nil
	}
	if x.token.ConsumedAt.IsZero() { // it was rotated after it was read
		var err error
		x.token, _, err = x.cfg.Store.RefreshToken(ctx, x.hash, x.Now)
		if err != nil && !gone(err) && !errors.Is(err, storage.ErrConsumed) {
			return false, unavailable("reading the refresh token", err)
		}
	}
	t := &x.token
	return !t.ConsumedAt.IsZero() && x.Now.Sub(t.ConsumedAt) < x.cfg.RotationGrace && t.Successor != storage.Hash{} && !t.SuccessorUsed, nil
}
