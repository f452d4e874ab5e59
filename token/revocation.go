package token

import (
	"context"
	"errors"
	"net/http"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/storage"
)

// Revocation is the handler of the revocation endpoint (RFC 7009, idporten section 11): POST. A client
// that revokes any of its tokens revokes all tokens of that grant; sessions and other clients go on.
func (e *Endpoint) Revocation() http.Handler { return e.stored(e.revoke) }

func (e *Endpoint) revoke(w http.ResponseWriter, r *http.Request) {
	x := e.begin(w, r, "revocation")
	defer x.rescue()
	req, ok := x.post(true)
	if !ok {
		return
	}
	if err := e.revokeToken(r.Context(), x, req); err != nil {
		x.fail(err)
		return
	}
	h := w.Header()
	httpx.Secure(h)
	h["Content-Length"] = []string{"0"}
	w.WriteHeader(http.StatusOK)
}

func (e *Endpoint) revokeToken(ctx context.Context, x *exchange, r client.Request) error {
	c, err := x.authenticate(r)
	if err != nil {
		return err
	}
	token := r.Form.Get("token")
	if token == "" {
		return refuse(portner.InvalidRequest, "The parameter token is missing.", "token_missing")
	}
	g, err := e.grantOf(ctx, x, token)
	if err != nil || g == nil {
		return err // RFC 7009 section 2.2: a token that is not there is revoked already
	}
	if g.ClientID != c.ClientID {
		// Security row D9: RFC 7009 section 2.1 wants an error, and nothing happens.
		return &portner.Error{
			Code: portner.UnauthorizedClient, Description: "The token was issued to another client.",
			Err: &cause{Event: portner.EventRevokeForeign, Reason: "foreign_client", GrantID: g.ID},
		}
	}
	if err := x.minter.revoke(ctx, g.ID, x.now); err != nil {
		return err
	}
	x.event(portner.EventTokenRevoked, "", g.ID)
	return nil
}

// grantOf finds the grant of a token of either kind, nil if there is no live one. token_type_hint is not
// needed: the kinds cannot be confused.
func (e *Endpoint) grantOf(ctx context.Context, x *exchange, token string) (*storage.Grant, error) {
	if len(token) > maxToken {
		return nil, nil
	}
	hash := storage.HashOf(token)
	_, g, err := e.cfg.Store.AccessToken(ctx, hash, x.now)
	if err == nil {
		return &g, nil
	}
	if !gone(err) {
		return nil, unavailable("reading the access token", err)
	}
	if !seal.TokenShaped(token) {
		return nil, nil
	}
	_, g, err = e.cfg.Store.RefreshToken(ctx, hash, x.now)
	switch {
	case err == nil, errors.Is(err, storage.ErrConsumed): // a rotated one still names its family
		return &g, nil
	case gone(err):
		return nil, nil
	}
	return nil, unavailable("reading the refresh token", err)
}
