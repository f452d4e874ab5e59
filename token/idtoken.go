package token

import (
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/storage"
)

// idToken holds the base claims of an id_token (OIDC Core §2). Claims functions add the others.
type idToken struct {
	Iss      string
	Sub      string
	Aud      string
	Exp      int64
	Iat      int64
	Nbf      int64 // zero for none, as is AuthTime; the texts from Nonce on are "" for none
	AuthTime int64
	JTI      string
	Nonce    string
	ACR      string
	AMR      []string
	SID      string
	Details  json.RawMessage
}

func (c *idToken) write(b *buffer) {
	b.text("iss", c.Iss)
	b.text("sub", c.Sub)
	b.text("aud", c.Aud)
	b.number("exp", c.Exp)
	b.number("iat", c.Iat)
	b.optionalNumber("nbf", c.Nbf)
	b.optionalNumber("auth_time", c.AuthTime)
	b.text("jti", c.JTI)
	b.optionalText("nonce", c.Nonce)
	b.optionalText("acr", c.ACR)
	b.optionalTexts("amr", c.AMR)
	b.optionalText("sid", c.SID)
	b.optionalJSON("authorization_details", c.Details)
}

// idTokenID returns the jti of the id_token that is issued with an access token, whose record has the hash. Like at_hash (OIDC Core
// §3.1.3.6) it relates both and does not give access.
func idTokenID(access storage.Hash) string { return seal.Text(access) }

// accessTokenOf reverses idTokenID.
func accessTokenOf(jti string) (hash storage.Hash, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(jti)
	return hash, err == nil && copy(hash[:], b) == len(hash) && len(b) == len(hash)
}

func (m *Minter) idTokenClaims(in *issuance, f *facts, access storage.Hash) idToken {
	g, now := &f.grant, f.now.Unix()
	id := idToken{
		Iss: m.cfg.Issuer, Sub: f.sub, Aud: f.client.ClientID,
		Iat: now, Exp: now + int64(m.cfg.Lifetimes.IDToken/time.Second), AuthTime: unixOrZero(g.AuthTime),
		JTI: idTokenID(access), Nonce: in.Nonce, ACR: g.ACR, AMR: g.AMR, SID: g.SID, Details: f.disclosedDetails(),
		Nbf: m.cfg.Form.notBefore(f.now),
	}
	if m.cfg.Form.WithoutACR {
		id.ACR = ""
	}
	return id
}
