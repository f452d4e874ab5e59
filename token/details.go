package token

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/storage"
)

// evaluateDetails is rar.Registry.Redeem or Refresh.
type evaluateDetails func(context.Context, rar.Request, json.RawMessage) (json.RawMessage, error)

// details returns the authorization_details for one access token of a live grant: what is left of the granted ones, and of these what
// the request names. It returns errDetailsWithdrawn if nothing is left.
func (m *Minter) details(ctx context.Context, r *Request, g *storage.Grant, live *liveGrant, opaque bool, evaluate evaluateDetails) (json.RawMessage, error) {
	granted, err := m.openDetails(g.AuthorizationDetails, g.ID)
	if err != nil {
		return nil, err
	}
	if len(granted) > 0 {
		c, who := live.client, &live.identity
		customer, _ := c.CustomerOf(g.Customer) // check has verified it
		p := c.Parties(customer, g.Delegation)
		granted, err = evaluate(ctx, rar.Request{
			ClientID: c.ClientID, Organisation: p.Consumer, Supplier: p.Supplier,
			Subject: who.Subject, Identifiers: who.Identifiers, Name: who.Attributes["name"], Locale: g.Locale, Now: r.Now,
		}, granted)
		if errors.Is(err, rar.ErrDenied) {
			return nil, errDetailsWithdrawn
		} else if err != nil {
			return nil, unavailable("evaluating authorization_details", err)
		}
	}
	hidden := r.Form.Has("authorization_details") && Protection(m.cfg.Scopes, g, opaque) != pseudonym.Open
	return r.NarrowDetails(granted, hidden)
}

// NarrowDetails returns the authorization_details for one access token: the granted ones, or those of them that the request names
// (RFC 9396 §6). If hidden is true, the client must not see the granted details, and a request that names details is rejected:
// otherwise a client could find the granted details by guessing.
func (r *Request) NarrowDetails(granted json.RawMessage, hidden bool) (json.RawMessage, error) {
	if !r.Form.Has("authorization_details") {
		return granted, nil
	}
	if hidden {
		return nil, refuse(portner.InvalidAuthorizationDetails, "The authorization_details were not granted.", "details_hidden")
	}
	narrowed, err := rar.Narrow([]byte(r.Form.Get("authorization_details")), granted)
	switch {
	case errors.Is(err, rar.ErrMalformed):
		return nil, refuse(portner.InvalidAuthorizationDetails, "The parameter authorization_details is malformed.", "details_malformed")
	case errors.Is(err, rar.ErrNotGranted):
		return nil, refuse(portner.InvalidAuthorizationDetails, "The authorization_details were not granted.", "details_not_granted")
	}
	return narrowed, err
}

func (m *Minter) openDetails(sealed []byte, grantID string) (json.RawMessage, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	return m.cfg.Vault.OpenDetails(sealed, grantID)
}

// sealDetails encrypts the details for the store. An endpoint without a store has no vault.
func (m *Minter) sealDetails(details json.RawMessage, grantID string) []byte {
	if len(details) == 0 || m.cfg.Vault == nil {
		return nil
	}
	return m.cfg.Vault.SealDetails(details, grantID)
}
