package token

import (
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/portner-go/portner/storage"
)

// idToken holds the base claims of an id_token (OIDC Core §2). Claims functions add the others.
type idToken struct {
	Iss      string          `json:"iss"`
	Sub      string          `json:"sub"`
	Aud      string          `json:"aud"`
	Exp      int64           `json:"exp"`
	Iat      int64           `json:"iat"`
	Nbf      int64           `json:"nbf,omitempty"`
	AuthTime int64           `json:"auth_time,omitempty"`
	JTI      string          `json:"jti"`
	Nonce    string          `json:"nonce,omitempty"`
	ACR      string          `json:"acr,omitempty"`
	AMR      []string        `json:"amr,omitempty"`
	SID      string          `json:"sid,omitempty"`
	Details  json.RawMessage `json:"authorization_details,omitempty"`
}

// idTokenID returns the jti of the id_token that is issued with an access token, whose record has the hash. Like at_hash (OIDC Core
// §3.1.3.6) it relates both and does not give access.
func idTokenID(access storage.Hash) string { return base64.RawURLEncoding.EncodeToString(access[:]) }

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
