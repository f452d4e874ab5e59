package token

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// accessToken holds the claims of idporten section 7.2; without ID-porten's extras those of RFC 9068
// section 2.2.
type accessToken struct {
	Iss      string   `json:"iss"`
	Sub      string   `json:"sub,omitempty"`
	ClientID string   `json:"client_id"`
	Aud      any      `json:"aud,omitempty"` // a string if there is one, an array if there are several
	Scope    string   `json:"scope"`
	Exp      int64    `json:"exp"`
	Iat      int64    `json:"iat"`
	JTI      string   `json:"jti"`
	ACR      string   `json:"acr,omitempty"`
	AMR      []string `json:"amr,omitempty"`
	AuthTime int64    `json:"auth_time,omitempty"`

	ClientAMR   string             `json:"client_amr,omitempty"`
	ClientOrgno string             `json:"client_orgno,omitempty"`
	Consumer    *norway.Identifier `json:"consumer,omitempty"`
	Supplier    *norway.Identifier `json:"supplier,omitempty"`
	PID         string             `json:"pid,omitempty"`
	TokenType   string             `json:"token_type,omitempty"`

	DelegationSource string          `json:"delegation_source,omitempty"`
	Act              json.RawMessage `json:"act,omitempty"`
	MayAct           json.RawMessage `json:"may_act,omitempty"`
	Email            string          `json:"email,omitempty"`

	ClientOnBehalfOf      string          `json:"client_onbehalfof,omitempty"`
	ClientOnBehalfOfOrgno string          `json:"client_onbehalfof_orgno,omitempty"`
	AuthorizationDetails  json.RawMessage `json:"authorization_details,omitempty"`
}

// accessTokenClaims builds the claims from records alone, so that introspection tells the same as the
// token itself.
func accessTokenClaims(issuer string, c *client.Client, g *storage.Grant, t *storage.AccessToken, p person) accessToken {
	a := accessToken{
		Iss: issuer, Sub: p.sub, ClientID: c.ClientID, Scope: strings.Join(t.Scopes, " "),
		Exp: t.ExpiresAt.Unix(), Iat: t.IssuedAt.Unix(), JTI: t.JTI, ACR: g.ACR,
		AuthorizationDetails: p.toldDetails(),
	}
	a.setAudience(t.Audience, p.claims.Audience)
	a.DelegationSource, a.Act, a.MayAct = g.Delegation.Source, g.Delegation.Actor, g.Delegation.MayAct
	if p.claims.Machine {
		a.TokenType = "Bearer"
	}
	if !p.claims.IDPorten {
		a.AMR, a.AuthTime = g.AMR, unixOrZero(g.AuthTime)
		return a
	}
	a.ClientAMR = t.ClientAMR
	if p.claims.ClientOrgno {
		a.ClientOrgno = c.ClientOrgno
	}
	if !p.pseudonymous {
		a.PID, a.Email = p.identifier(session.TypePID), p.identifier(session.TypeEmail)
	}
	a.setOrganisations(c, g)
	return a
}

func (a *accessToken) setAudience(requested, fallback []string) {
	if len(requested) == 0 {
		requested = fallback
	}
	switch len(requested) {
	case 0:
	case 1:
		a.Aud = requested[0]
	default:
		a.Aud = requested
	}
}

// setOrganisations names who the token is for and who acts for it: the grant's delegation says so, or the
// registration.
func (a *accessToken) setOrganisations(c *client.Client, g *storage.Grant) {
	a.Consumer = organisation(g.Delegation.Consumer, c.ClientOrgno)
	a.Supplier = organisation(g.Delegation.Supplier, c.SupplierOrgno)
	onBehalfOf := g.OnBehalfOf
	if onBehalfOf == "" {
		return
	}
	a.ClientOnBehalfOf = onBehalfOf
	for i := range c.OnBehalfOf {
		if c.OnBehalfOf[i].Value == onBehalfOf {
			a.ClientOnBehalfOfOrgno = c.OnBehalfOf[i].Orgno
		}
	}
}

func organisation(orgno, registered string) *norway.Identifier {
	if orgno == "" {
		orgno = registered
	}
	if orgno == "" {
		return nil
	}
	id := norway.OrgIdentifier(orgno)
	return &id
}

// audience joins the requested resources with the audiences the scopes enforce.
func audience(resources, enforced []string) []string {
	if len(enforced) == 0 {
		return resources
	}
	all := slices.Clone(resources)
	for _, e := range enforced {
		if !slices.Contains(all, e) {
			all = append(all, e)
		}
	}
	return all
}
