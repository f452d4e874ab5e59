// Package grant shows a grant handler of a host: a client exchanges a voucher that a user got at a counter for tokens, once.
// The tokens are bearer tokens: token.Contents has no key to bind them to.
package grant

import (
	"context"
	"errors"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// Vouchers is the store of the host.
type Vouchers interface {
	// Voucher returns the user of a voucher that is valid at now. It returns storage.ErrNotFound if there is none.
	Voucher(ctx context.Context, hash storage.Hash, now time.Time) (subject string, err error)
	// Redeem consumes the voucher and inserts the issuance in one transaction. It returns storage.ErrConsumed after the first call.
	Redeem(ctx context.Context, hash storage.Hash, i *storage.Issuance, now time.Time) error
}

// Handler returns the grant handler.
func Handler(vouchers Vouchers) token.GrantHandler {
	return token.GrantHandler{
		Type: "urn:example:grant-type:voucher",
		Handle: func(ctx context.Context, r *token.Request, m *token.Minter) (*token.Response, error) {
			hash := storage.HashOf(r.Form.Get("voucher"))
			subject, err := vouchers.Voucher(ctx, hash, r.Now)
			if errors.Is(err, storage.ErrNotFound) {
				return nil, invalid
			} else if err != nil {
				return nil, err // a fault: 503 or 500
			}
			res, err := m.Mint(ctx, token.Contents{
				Client: r.Client, Identity: session.Identity{Subject: subject}, Scopes: r.Client.Scopes,
			}, func(ctx context.Context, i *storage.Issuance) error { return vouchers.Redeem(ctx, hash, i, r.Now) })
			if errors.Is(err, storage.ErrConsumed) {
				return nil, invalid // another request redeemed it first
			}
			return res, err
		},
	}
}

var invalid = &portner.Error{Code: portner.InvalidGrant, Description: "The voucher is unknown or was used."}
