package ansattporten

import (
	"context"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/token"
)

// Profile returns the profile of Ansattporten. It differs from that of ID-porten as follows: the levels are those of Ansattporten; PKCE,
// state and nonce are required of every client; there is no single sign-on between clients; id_tokens have the claim name; there is no
// userinfo endpoint, and there are no scopes of ID-porten's own APIs. Newer documentation of Ansattporten mentions a userinfo endpoint. Set
// NoUserInfo to false to enable it; it returns the claims of the id_token.
func Profile() provider.Profile {
	p := provider.IDPorten()
	p.Levels = acr.Ansattporten
	p.DefaultACRValues = []string{acr.AnsattportenSubstantial}
	p.Claims = append(p.Claims, nameClaim)
	p.ClaimsSupported = append(p.ClaimsSupported, "name", "authorization_details")
	p.RequiredParameters = []string{"state", "nonce", "code_challenge"}
	p.NoUserInfo = true
	p.Scopes = nil
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
