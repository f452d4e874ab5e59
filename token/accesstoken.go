package token

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner/storage"
)

// accessToken holds the base claims of an access token, which introspection shows too. Claims functions add the others.
type accessToken struct {
	Iss      string          `json:"iss"`
	Sub      string          `json:"sub,omitempty"`
	ClientID string          `json:"client_id"`
	Aud      any             `json:"aud,omitempty"` // a string if there is one, an array if there are several
	Scope    string          `json:"scope"`
	Exp      int64           `json:"exp"`
	Iat      int64           `json:"iat"`
	Nbf      int64           `json:"nbf,omitempty"`
	JTI      string          `json:"jti"`
	ACR      string          `json:"acr,omitempty"`
	AMR      []string        `json:"amr,omitempty"`
	AuthTime int64           `json:"auth_time,omitempty"`
	SID      string          `json:"sid,omitempty"`
	Act      json.RawMessage `json:"act,omitempty"`
	MayAct   json.RawMessage `json:"may_act,omitempty"`
	Details  json.RawMessage `json:"authorization_details,omitempty"`
	Cnf      *confirmation   `json:"cnf,omitempty"`
}

// jwtAccessToken is the header typ of access tokens that follow RFC 9068.
const jwtAccessToken = "at+jwt"

// accessTokenClaims makes the claims from records alone, so that the token and introspection agree.
func (m *Minter) accessTokenClaims(t *storage.AccessToken, f *facts) accessToken {
	g := &f.grant
	a := accessToken{
		Iss: m.cfg.Issuer, Sub: f.sub, ClientID: f.client.ClientID, Scope: strings.Join(t.Scopes, " "),
		Exp: t.ExpiresAt.Unix(), Iat: t.IssuedAt.Unix(), JTI: t.JTI, ACR: g.ACR,
		Nbf: m.cfg.Form.notBefore(t.IssuedAt),
		Act: g.Delegation.Actor, MayAct: g.Delegation.MayAct, Details: f.disclosedDetails(), Cnf: cnf(t.Confirmation),
	}
	if m.cfg.Form.WithoutACR {
		a.ACR = ""
	}
	if m.cfg.Form.SessionID && !f.pseudonymous {
		a.SID = g.SID
	}
	if m.cfg.AccessTokenType == jwtAccessToken { // RFC 9068 §2.2.1
		a.AMR = g.AMR
		if !f.pseudonymous { // the second of a login is the same in the open grants of its session
			a.AuthTime = unixOrZero(g.AuthTime)
		}
	}
	switch aud := m.audience(t.Audience); len(aud) {
	case 0:
	case 1:
		a.Aud = aud[0]
	default:
		a.Aud = aud
	}
	return a
}

// listScoped is an access token whose scope is an array: the outer member takes the place of the inner one.
type listScoped struct {
	accessToken
	Scope []string `json:"scope"`
}

// audience returns the aud of an access token with these audiences. RFC 9068 §2.2 requires one.
func (m *Minter) audience(of []string) []string {
	if len(of) == 0 && m.cfg.AccessTokenType == jwtAccessToken {
		return []string{m.cfg.Issuer}
	}
	return of
}

// joinAudiences joins the requested resources with the audiences that the scopes enforce.
func joinAudiences(resources, enforced []string) []string {
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

// unixOrZero returns 0 for the zero time.
func unixOrZero(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
