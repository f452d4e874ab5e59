package token

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
)

// redeemCode handles grant_type=authorization_code (RFC 6749 §4.1.3).
func redeemCode(ctx context.Context, r *Request, m *Minter) (*Response, error) {
	value := r.Form.Get("code")
	if value == "" {
		return nil, refuse(portner.InvalidRequest, "The parameter code is missing.", "code_missing")
	}
	if !seal.TokenShaped(value) {
		return nil, invalidGrant(portner.EventRefused, "code_malformed", "")
	}
	x := redemption{Minter: m, Request: r, hash: storage.HashOf(value)}
	var err error
	x.code, err = m.cfg.Store.Code(ctx, x.hash, r.Now)
	used := errors.Is(err, storage.ErrConsumed)
	switch {
	case err == nil, used:
	case gone(err):
		return nil, invalidGrant(portner.EventRefused, "code_unknown", "")
	default:
		return nil, unavailable("reading the code", err)
	}
	if x.code.Grant.ClientID != r.Client.ClientID {
		// A stolen code stays valid for its owner.
		return nil, invalidGrant(portner.EventCodeForeignClient, "client_mismatch", x.code.Grant.ID)
	}
	if !r.Proves(storage.Confirmation{Key: x.code.DPoPKey}) {
		// RFC 9449 §10. The code is not burned, unlike with another binding: the key is all that the sender of a stolen code can lack, and
		// it must not take the code from its owner. The owner cannot guess keys, so there is nothing to guess either.
		event := portner.EventRefused
		if used {
			event = portner.EventCodeReplayInvalid
		}
		return nil, invalidGrant(event, "dpop_key_mismatch", x.code.Grant.ID)
	}
	mismatch := x.mismatch()
	switch {
	case used && mismatch != nil:
		// A request that holds the used code but not its bindings must not revoke the owner's tokens.
		return nil, invalidGrant(portner.EventCodeReplayInvalid, mismatch.Reason, x.code.Grant.ID)
	case used:
		return nil, x.replayed(ctx)
	case !r.Now.Before(x.code.ExpiresAt):
		return nil, invalidGrant(portner.EventRefused, "code_expired", x.code.Grant.ID)
	case mismatch != nil:
		return nil, x.burn(ctx, mismatch)
	}
	return x.redeem(ctx)
}

// redemption is the redemption of one code.
type redemption struct {
	*Minter
	*Request
	hash storage.Hash
	code storage.AuthorizationCode
}

// mismatch returns why the request does not match the bindings of the code, nil if it does: redirect_uri (RFC 6749 §4.1.3)
// and PKCE (RFC 7636 §4.6).
func (x *redemption) mismatch() *cause {
	if uri := x.Form.Get("redirect_uri"); uri == "" || uri != x.code.RedirectURI {
		return &cause{Event: portner.EventRefused, Reason: "redirect_uri_mismatch", GrantID: x.code.Grant.ID}
	}
	if x.Client.PKCE().Verify(x.code.CodeChallenge, x.Form.Get("code_verifier")) != nil {
		return &cause{Event: portner.EventPKCEMismatch, Reason: "code_verifier_mismatch", GrantID: x.code.Grant.ID}
	}
	return nil
}

// burn consumes the code without issuing tokens, because its owner presented it with a wrong binding or its grant has ended.
func (x *redemption) burn(ctx context.Context, why *cause) error {
	err := runToEnd(ctx, func(ctx context.Context) error {
		return x.cfg.Store.RedeemCode(ctx, x.hash, nil, x.Now)
	})
	if err != nil && !gone(err) && !errors.Is(err, storage.ErrConsumed) {
		return unavailable("consuming the code", err)
	}
	return invalidGrant(why.Event, why.Reason, why.GrantID)
}

// replayed rejects a second use with the right bindings, and revokes the tokens of the first one (RFC 6749 §4.1.2). The
// revocation is complete before the response is sent.
func (x *redemption) replayed(ctx context.Context) error {
	if err := x.consume(ctx, x.Client.Client); err != nil { // a recorded request is no second use
		return err
	}
	if err := x.revoke(ctx, x.code.Grant.ID, x.Now); err != nil {
		return err
	}
	return invalidGrant(portner.EventCodeReplay, "code_used", x.code.Grant.ID)
}

func (m *Minter) revoke(ctx context.Context, grantID string, now time.Time) error {
	err := runToEnd(ctx, func(ctx context.Context) error {
		return m.cfg.Store.Revoke(ctx, storage.Revocation{GrantID: grantID}, now)
	})
	if err != nil && !gone(err) {
		return unavailable("revoking the grant", err)
	}
	return nil
}

// redeem issues the tokens of a code whose bindings match.
func (x *redemption) redeem(ctx context.Context) (*Response, error) {
	in, err := x.prepare(ctx)
	if err != nil {
		return nil, err
	}
	res, err := x.issue(ctx, &in, x.Now, func(ctx context.Context, issue *storage.Issuance) error {
		return x.cfg.Store.RedeemCode(ctx, x.hash, issue, x.Now)
	})
	switch {
	case err == nil:
		return res, nil
	case errors.Is(err, storage.ErrConsumed): // another request redeemed the code first
		return nil, x.replayed(ctx)
	case gone(err):
		return nil, invalidGrant(portner.EventRefused, "code_unknown", in.Grant.ID)
	}
	return nil, err
}

// prepare evaluates again what may have changed since the login.
func (x *redemption) prepare(ctx context.Context) (in issuance, err error) {
	g := x.code.Grant
	plan, err := x.narrow(nil, &g, x.Client.Client)
	if errors.Is(err, scope.ErrNothingLeft) {
		return in, refuse(portner.InvalidScope, "None of the scopes may be used any more.", "scope_withdrawn")
	} else if err != nil {
		return in, err
	}
	g.Pseudonymous = plan.Pseudonymous
	granted, err := resources(x.Form.All("resource"), &g)
	if err != nil {
		return in, err
	}
	live, err := x.check(ctx, &g, x.Client.Client, x.Now)
	var details json.RawMessage
	if err == nil {
		details, err = x.details(ctx, x.Request, &g, &live, plan.TokenType == scope.Opaque, x.cfg.AuthorizationDetails.Redeem)
	}
	if reason, is := ended(err); is {
		return in, x.burn(ctx, &cause{Event: portner.EventRefused, Reason: reason, GrantID: g.ID})
	} else if err != nil {
		return in, err
	}
	return issuance{user: live.user, consentEnd: live.consentEnd, Contents: Contents{
		Client: x.Client, Grant: g, Identity: live.identity, Plan: plan, Resources: granted, AuthorizationDetails: details,
		IDToken: plan.OpenID, Nonce: x.code.Nonce, Refresh: x.Client.HasGrant(client.RefreshToken),
	}}, nil
}
