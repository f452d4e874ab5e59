// Package requested encodes the claims that an authorization request names in its claims parameter (OIDC Core §5.5). A grant stores
// them for the tokens and userinfo responses that are made later.
package requested

import (
	"encoding/json"
	"fmt"
)

// Claims holds the names of the requested claims.
type Claims struct {
	IDToken  []string `json:"id_token,omitempty"`
	UserInfo []string `json:"userinfo,omitempty"`
}

// Encode returns the claims as JSON, or nil if there are none.
func (c Claims) Encode() []byte {
	if len(c.IDToken) == 0 && len(c.UserInfo) == 0 {
		return nil
	}
	doc, err := json.Marshal(c)
	if err != nil {
		panic(err) // lists of strings encode
	}
	return doc
}

// Decode reverses Encode.
func Decode(doc []byte) (Claims, error) {
	var c Claims
	if len(doc) == 0 {
		return c, nil
	}
	if err := json.Unmarshal(doc, &c); err != nil {
		return Claims{}, fmt.Errorf("requested: stored claims: %w", err)
	}
	return c, nil
}
