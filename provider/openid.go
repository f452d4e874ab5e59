package provider

import (
	"context"

	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/token"
)

// standardClaims maps the scopes of OIDC Core §5.4 to their claims.
var standardClaims = map[string][]string{
	scope.Profile: {
		"name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile", "picture",
		"website", "gender", "birthdate", "zoneinfo", "locale", "updated_at",
	},
	scope.Email:   {"email", "email_verified"},
	scope.Address: {"address"},
	scope.Phone:   {"phone_number", "phone_number_verified"},
}

// openIDClaims adds the attributes of the login to userinfo, where the host has no claim of the same name for the user.
func openIDClaims(_ context.Context, d *token.Document) error {
	if d.Kind != token.UserInfo {
		return nil
	}
	login := func(name, value string) {
		if known, ok := d.User.Claims[name]; d.Pseudonymous || !ok || known == nil || known == "" {
			d.SetString(name, value)
		}
	}
	if d.HasScope(scope.Profile) {
		for _, name := range standardClaims[scope.Profile] {
			if name != "locale" {
				login(name, d.Identity.Attributes[name])
			}
		}
		login("locale", d.Grant.Locale)
	}
	if d.HasScope(scope.Email) {
		email, _ := d.Identity.Identifier(session.TypeEmail)
		login("email", email.Reveal())
	}
	return nil
}

// requestedClaims adds the standard claims that the claims parameter names. The parameter must not replace the consent of the
// user: the client gets a claim only if it may have the scope of the claim without one. Pseudonymous documents have none of them.
func requestedClaims(_ context.Context, d *token.Document) error {
	if len(d.Grant.Claims) == 0 || d.Pseudonymous {
		return nil
	}
	for s, names := range standardClaims {
		if d.Kind == token.UserInfo && d.HasScope(s) {
			continue // its claims are there
		}
		for _, name := range names {
			if d.Requested(name) && d.MayHave(s) {
				d.Set(name, standardClaim(d, name))
			}
		}
	}
	return nil
}

// standardClaim returns the value of a standard claim: that of the host, or else that of the login. It returns nil if there is none.
func standardClaim(d *token.Document, name string) any {
	if known := d.User.Claims[name]; known != nil && known != "" {
		return known
	}
	value := d.Identity.Attributes[name]
	switch name {
	case "locale":
		value = d.Grant.Locale
	case "email":
		id, _ := d.Identity.Identifier(session.TypeEmail)
		value = id.Reveal()
	}
	if value == "" {
		return nil
	}
	return value
}
