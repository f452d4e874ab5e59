package token

import (
	"encoding/json"
	"errors"
	"slices"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
)

// details opens the authorization_details of a grant, or those of them the request names: for this one
// access token, the grant keeps its own (RFC 9396 sections 6 and 6.1). A client that is not told them cannot
// name them: its guess would be answered (security row H3).
func (m *Minter) details(r *Request, g *storage.Grant, opaque bool) (json.RawMessage, error) {
	granted, err := m.openDetails(g.AuthorizationDetails, g.ID)
	if err != nil || !r.Form.Has("authorization_details") {
		return granted, err
	}
	if protection(g, m.pseudonymous(g), opaque) != pseudonym.Open {
		return nil, refuse(portner.InvalidAuthorizationDetails, "The authorization_details were not granted.", "details_hidden")
	}
	narrowed, err := rar.Narrow([]byte(r.Form.Get("authorization_details")), granted)
	switch {
	case errors.Is(err, rar.ErrMalformed):
		return nil, refuse(portner.InvalidAuthorizationDetails, "The parameter authorization_details is malformed.", "details_malformed")
	case errors.Is(err, rar.ErrNotGranted):
		return nil, refuse(portner.InvalidAuthorizationDetails, "The authorization_details were not granted.", "details_escalation")
	}
	return narrowed, err
}

func (m *Minter) openDetails(sealed []byte, grantID string) (json.RawMessage, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	return m.cfg.Vault.OpenDetails(sealed, grantID)
}

// sealDetails hides a token's details from the store. Machines have no store, and no vault.
func (m *Minter) sealDetails(details json.RawMessage, grantID string) []byte {
	if len(details) == 0 || m.cfg.Vault == nil {
		return nil
	}
	return m.cfg.Vault.SealDetails(details, grantID)
}

// toldDetails are what tokens and introspection say of the details to whoever may know the person. The
// authorization endpoint grants none with scopes that hide the person; a scope may have become one since
// (decision K8).
func (p *person) toldDetails() json.RawMessage {
	if p.pseudonymous {
		return nil
	}
	return p.details
}

// toldClient are what the token response says: nothing either where only introspection tells who the
// person is (idporten section 13.1, method 1).
func (p *person) toldClient(g *storage.Grant, opaque bool) json.RawMessage {
	if protection(g, p.pseudonymous, opaque && p.sub != "") != pseudonym.Open {
		return nil
	}
	return p.details
}

// protection is how a grant hides the person from its client.
func protection(g *storage.Grant, pseudonymous, opaque bool) pseudonym.Protection {
	return pseudonym.Decide(pseudonym.Request{
		Scope: pseudonymous, Opaque: opaque,
		OpenID: slices.Contains(g.Scopes, scope.OpenID), Profile: slices.Contains(g.Scopes, scope.Profile),
	})
}
