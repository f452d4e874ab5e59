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
	Iss        string
	Sub        string // "" for none, as are the other texts and numbers from Nbf on, except JTI
	ClientID   string
	Aud        []string // written as a string if there is one
	Scopes     []string
	ScopeArray bool // the claim scope is an array
	Exp        int64
	Iat        int64
	Nbf        int64
	JTI        string
	ACR        string
	AMR        []string
	AuthTime   int64
	SID        string
	Act        json.RawMessage
	MayAct     json.RawMessage
	Details    json.RawMessage
	Cnf        storage.Confirmation
}

func (c *accessToken) write(b *buffer) {
	b.text("iss", c.Iss)
	b.optionalText("sub", c.Sub)
	b.text("client_id", c.ClientID)
	if len(c.Aud) == 1 {
		b.text("aud", c.Aud[0])
	} else {
		b.optionalTexts("aud", c.Aud)
	}
	if c.ScopeArray {
		b.texts("scope", c.Scopes)
	} else {
		b.text("scope", strings.Join(c.Scopes, " "))
	}
	b.number("exp", c.Exp)
	b.number("iat", c.Iat)
	b.optionalNumber("nbf", c.Nbf)
	b.text("jti", c.JTI)
	b.optionalText("acr", c.ACR)
	b.optionalTexts("amr", c.AMR)
	b.optionalNumber("auth_time", c.AuthTime)
	b.optionalText("sid", c.SID)
	b.optionalJSON("act", c.Act)
	b.optionalJSON("may_act", c.MayAct)
	b.optionalJSON("authorization_details", c.Details)
	writeConfirmation(b, c.Cnf)
}

// jwtAccessToken is the header typ of access tokens that follow RFC 9068.
const jwtAccessToken = "at+jwt"

// accessTokenClaims makes the claims from records alone, so that the token and introspection agree.
func (m *Minter) accessTokenClaims(t *storage.AccessToken, f *facts) accessToken {
	g := &f.grant
	a := accessToken{
		Iss: m.cfg.Issuer, Sub: f.sub, ClientID: f.client.ClientID, Aud: m.audience(t.Audience), Scopes: t.Scopes,
		Exp: t.ExpiresAt.Unix(), Iat: t.IssuedAt.Unix(), JTI: t.JTI, ACR: g.ACR,
		Nbf: m.cfg.Form.notBefore(t.IssuedAt),
		Act: g.Delegation.Actor, MayAct: g.Delegation.MayAct, Details: f.disclosedDetails(), Cnf: t.Confirmation,
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
	return a
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
