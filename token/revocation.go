package token

import (
	"context"
	"errors"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/storage"
)

// Revoke decides a revocation request (RFC 7009). It requires Config.Store. It revokes the grant of the token with all of its
// tokens. The session of the user and the grants of other clients stay valid. If the token is unknown, expired or revoked,
// Revoke returns nil (RFC 7009 §2.2).
func (e *Endpoint) Revoke(ctx context.Context, r client.Request) error {
	x := e.begin(nameRevocation, r)
	if _, err := x.revokeToken(ctx); err != nil {
		return x.reject(ctx, err)
	}
	return nil
}

// revokeToken returns no buffer: the response has no body.
func (x *exchange) revokeToken(ctx context.Context) (_ *buffer, err error) {
	defer x.rescue(&err)
	if err := x.requireMethod("POST"); err != nil {
		return nil, err
	}
	c, err := x.authenticate(ctx)
	if err != nil {
		return nil, err
	}
	token := x.request.Form.Get("token")
	if token == "" {
		return nil, refuse(portner.InvalidRequest, "The parameter token is missing.", "token_missing")
	}
	g, err := x.grantOf(ctx, token)
	if err != nil || g == nil {
		return nil, err // RFC 7009 §2.2: the token is revoked already
	}
	if g.ClientID != c.ClientID {
		return nil, &portner.Error{ // RFC 7009 §2.1: the token stays valid
			Code: portner.UnauthorizedClient, Description: "The token was issued to another client.",
			Err: &cause{Event: portner.EventRevokeForeign, Reason: "client_mismatch", GrantID: g.ID},
		}
	}
	if err := x.minter.revoke(ctx, g.ID, x.now); err != nil {
		return nil, err
	}
	x.event(ctx, portner.EventTokenRevoked, "", g.ID)
	return nil, nil
}

// grantOf returns the grant of a live access token or of a refresh token, or nil. It ignores token_type_hint, because it looks for
// both kinds of token.
func (x *exchange) grantOf(ctx context.Context, token string) (*storage.Grant, error) {
	if len(token) > maxToken {
		return nil, nil
	}
	hash := storage.HashOf(token)
	_, g, err := x.minter.accessToken(ctx, hash, x.now)
	switch {
	case err == nil:
		return &g, nil
	case !gone(err):
		return nil, err
	case !seal.TokenShaped(token):
		return nil, nil
	}
	_, g, err = x.cfg.Store.RefreshToken(ctx, hash, x.now)
	switch {
	case err == nil, errors.Is(err, storage.ErrConsumed): // a rotated one has the grant of its family
		return &g, nil
	case gone(err):
		return nil, nil
	}
	return nil, unavailable("reading the refresh token", err)
}
