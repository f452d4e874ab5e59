package token

import (
	"encoding/json"
	"time"

	"github.com/portner-go/portner/internal/seal"
)

// idToken holds the base claims of an id_token (OIDC Core §2). Claims functions add the others.
type idToken struct {
	Iss      string          `json:"iss"`
	Sub      string          `json:"sub"`
	Aud      string          `json:"aud"`
	Exp      int64           `json:"exp"`
	Iat      int64           `json:"iat"`
	AuthTime int64           `json:"auth_time,omitempty"`
	JTI      string          `json:"jti"`
	Nonce    string          `json:"nonce,omitempty"`
	ACR      string          `json:"acr,omitempty"`
	AMR      []string        `json:"amr,omitempty"`
	SID      string          `json:"sid,omitempty"`
	Details  json.RawMessage `json:"authorization_details,omitempty"`
}

func (m *Minter) idTokenClaims(in *issuance, f *facts) idToken {
	g, now := &f.grant, f.now.Unix()
	c := idToken{
		Iss: m.cfg.Issuer, Sub: f.sub, Aud: f.client.ClientID,
		Iat: now, Exp: now + int64(m.cfg.Lifetimes.IDToken/time.Second), AuthTime: unixOrZero(g.AuthTime),
		JTI: seal.NewID(), Nonce: in.Nonce, ACR: g.ACR, AMR: g.AMR, Details: f.disclosedDetails(),
	}
	if f.client.TakesSID() {
		c.SID = g.SID
	}
	return c
}
