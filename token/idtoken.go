package token

import (
	"encoding/json"
	"time"

	"github.com/portner-go/portner/session"
)

// idToken holds the claims of idporten section 6.2 and OpenID Connect Core section 2.
type idToken struct {
	Iss      string   `json:"iss"`
	Sub      string   `json:"sub"`
	Aud      string   `json:"aud"`
	Exp      int64    `json:"exp"`
	Iat      int64    `json:"iat"`
	AuthTime int64    `json:"auth_time,omitempty"`
	JTI      string   `json:"jti"`
	Nonce    string   `json:"nonce,omitempty"`
	ACR      string   `json:"acr,omitempty"`
	AMR      []string `json:"amr,omitempty"`
	SID      string   `json:"sid,omitempty"`

	Locale string `json:"locale,omitempty"`
	identityClaims
	ClientOnBehalfOf     string          `json:"client_onbehalfof,omitempty"`
	AudOnBehalfOf        string          `json:"aud_onbehalfof,omitempty"`
	AuthorizationDetails json.RawMessage `json:"authorization_details,omitempty"`
}

// identityClaims are those that tell who the person is.
type identityClaims struct {
	PID                   string `json:"pid,omitempty"`
	Email                 string `json:"email,omitempty"`
	EIDASPersonIdentifier string `json:"eidas_person_identifier,omitempty"`
	GivenName             string `json:"given_name,omitempty"`
	FamilyName            string `json:"family_name,omitempty"`
	BirthDate             string `json:"birthdate,omitempty"`
	Name                  string `json:"name,omitempty"`
}

// identify gives the identifying claims, none for a pseudonymous person (idporten section 13.2).
func (p *person) identify() identityClaims {
	if p.pseudonymous {
		return identityClaims{}
	}
	return p.resolved()
}

// resolved gives them in any case: for the introspection by the scope's owner only.
func (p *person) resolved() identityClaims {
	c := identityClaims{
		PID: p.identifier(session.TypePID), Email: p.identifier(session.TypeEmail), EIDASPersonIdentifier: p.identifier(session.TypeEIDAS),
		GivenName: p.id.Attributes["given_name"], FamilyName: p.id.Attributes["family_name"], BirthDate: p.id.Attributes["birthdate"],
	}
	if p.claims.Name {
		c.Name = p.id.Attributes["name"]
	}
	return c
}

// identifier returns the value of the identifier of the given type, "" if there is none.
func (p *person) identifier(typ string) string {
	id, _ := p.id.Identifier(typ)
	return id.Reveal()
}

// unixOrZero keeps an unknown time out of a token, instead of telling the year 1.
func unixOrZero(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func idTokenClaims(issuer string, in *Issuance, p person, jti string, now time.Time, lifetime time.Duration) idToken {
	g := &in.Grant
	c := idToken{
		Iss: issuer, Sub: p.sub, Aud: in.Client.ClientID,
		Iat: now.Unix(), Exp: now.Unix() + int64(lifetime/time.Second), AuthTime: unixOrZero(g.AuthTime),
		JTI: jti, Nonce: in.Nonce, ACR: g.ACR, AMR: g.AMR, AuthorizationDetails: p.toldDetails(),
	}
	if in.Client.TakesSID() {
		c.SID = g.SID
	}
	if p.claims.IDPorten {
		c.Locale, c.identityClaims, c.ClientOnBehalfOf = g.Locale, p.identify(), g.OnBehalfOf
		if p.claims.AudOnBehalfOf {
			c.ClientOnBehalfOf, c.AudOnBehalfOf = "", g.OnBehalfOf
		}
	}
	return c
}
