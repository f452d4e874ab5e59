package token

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
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
	if !r.Proves(x.grant.Confirmation) {
		// The token of a public client: whoever has it alone can neither use it nor end the family of its owner.
		return nil, invalidGrant(portner.EventRefused, "refresh_binding_mismatch", x.grant.ID)
	}
	switch {
	case used:
		return x.retry(ctx)
	case !r.Now.Before(x.token.ExpiresAt), !r.Now.Before(x.grant.ExpiresAt):
		return nil, invalidGrant(portner.EventRefused, "refresh_expired", x.grant.ID)
	}
	return x.renew(ctx, x.next())
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

// next returns the refresh token that replaces the presented one.
func (x *refreshing) next() rotation {
	if !x.Client.RotatesRefreshTokens() {
		return rotation{value: x.value, generation: x.token.Generation, from: x.Now}
	}
	return rotation{value: x.cfg.Vault.Successor(x.value), generation: x.token.Generation + 1, from: x.Now}
}

// retry answers a rotated token that its client presents again. Within Config.RotationGrace, and while the successor is unused, the
// client did not receive the response: it gets the same successor. Otherwise the token or its successor was stolen, and the
// family is revoked (RFC 9700 §4.14.2).
func (x *refreshing) retry(ctx context.Context) (*Response, error) {
	t := &x.token
	since := x.Now.Sub(t.ConsumedAt)
	if x.cfg.RotationGrace > 0 && -session.MaxSkew <= since && since < x.cfg.RotationGrace && !t.SuccessorUsed {
		if successor, ok := x.cfg.Vault.FindSuccessor(x.value, t.Successor); ok {
			return x.renew(ctx, rotation{value: successor, generation: t.Generation + 1, from: t.ConsumedAt})
		}
	}
	if err := x.consume(ctx, x.Client.Client); err != nil { // a recorded request is no second use
		return nil, err
	}
	if err := x.revoke(ctx, x.grant.ID, x.Now); err != nil {
		return nil, err
	}
	return nil, invalidGrant(portner.EventRefreshReuse, "refresh_used", x.grant.ID)
}

// rotatedMeanwhile answers a token that another request rotated after it was loaded.
func (x *refreshing) rotatedMeanwhile(ctx context.Context, next rotation) (*Response, error) {
	t, _, err := x.cfg.Store.RefreshToken(ctx, x.hash, x.Now)
	if err != nil && !gone(err) && !errors.Is(err, storage.ErrConsumed) {
		return nil, unavailable("reading the refresh token", err)
	}
	if !x.token.ConsumedAt.IsZero() || storage.HashOf(next.value) == t.Successor { // the store has rejected this retry
		t.SuccessorUsed = true
	}
	x.token = t
	return x.retry(ctx)
}

// end rejects a refresh whose grant has ended, and revokes the family.
func (x *refreshing) end(ctx context.Context, reason string) error {
	if err := x.revoke(ctx, x.grant.ID, x.Now); err != nil {
		return err
	}
	return invalidGrant(portner.EventRefused, reason, x.grant.ID)
}

// renew issues an access token and the next refresh token.
func (x *refreshing) renew(ctx context.Context, next rotation) (*Response, error) {
	in, err := x.prepare(ctx, next)
	if err != nil {
		return nil, err
	}
	res, err := x.issue(ctx, &in, x.Now, func(ctx context.Context, issue *storage.Issuance) error {
		return x.cfg.Store.RotateRefreshToken(ctx, x.hash, issue, x.cfg.RotationGrace, x.Now)
	})
	switch {
	case err == nil:
		return res, nil
	case errors.Is(err, storage.ErrConsumed):
		return x.rotatedMeanwhile(ctx, next)
	case gone(err):
		return nil, invalidGrant(portner.EventRefused, "refresh_unknown", x.grant.ID)
	}
	return nil, err
}

// prepare evaluates again what may have changed since the last token.
func (x *refreshing) prepare(ctx context.Context, next rotation) (in issuance, err error) {
	plan, err := x.plan(ctx)
	if err != nil {
		return in, err
	}
	granted, err := resources(x.Form.All("resource"), &x.grant)
	if err != nil {
		return in, err
	}
	live, err := x.check(ctx, &x.grant, x.Client.Client, x.Now)
	var details json.RawMessage
	if err == nil {
		details, err = x.details(ctx, x.Request, &x.grant, &live, plan.TokenType == scope.Opaque, x.cfg.AuthorizationDetails.Refresh)
	}
	if reason, is := ended(err); is {
		return in, x.end(ctx, reason)
	} else if err != nil {
		return in, err
	}
	// OIDC Core §12.2: no nonce, and the auth_time of the login.
	return issuance{user: live.user, consentEnd: live.consentEnd, rotated: next, Contents: Contents{
		Client: x.Client, Grant: x.grant, Identity: live.identity, Plan: plan, Resources: granted, AuthorizationDetails: details,
		IDToken: plan.OpenID && x.cfg.IDTokenOnRefresh, Refresh: true,
	}}, nil
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
