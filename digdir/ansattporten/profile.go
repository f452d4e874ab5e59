package ansattporten

import (
	"context"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/token"
)

// Profile returns the profile of Ansattporten. It is that of ID-porten with other levels, required PKCE, state and nonce for every
// client, no single sign-on between clients, the claim name in id_tokens, and no userinfo endpoint. Newer documentation mentions
// a userinfo endpoint: if NoUserInfo is false, it returns the claims of the id_token.
func Profile() provider.Profile {
	p := provider.IDPorten()
	p.Levels = acr.Ansattporten
	p.DefaultACRValues = []string{acr.AnsattportenSubstantial}
	p.Claims = append(p.Claims, nameClaim)
	p.ClaimsSupported = append(p.ClaimsSupported, "name", "authorization_details")
	p.RequiredParameters = []string{"state", "nonce", "code_challenge"}
	p.NoUserInfo = true
	p.Circle = func(clientID string, _ bool) string { return clientID }
	return p
}

// nameClaim adds the full name of the user to id_token and userinfo.
func nameClaim(_ context.Context, d *token.Document) error {
	if d.Kind == token.IDToken || d.Kind == token.UserInfo {
		d.SetString("name", d.Identity.Attributes["name"])
	}
	return nil
}
