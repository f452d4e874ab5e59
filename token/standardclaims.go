package token

import (
	"slices"

	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
)

// standardScopes says which claims a scope opens (OpenID Connect Core section 5.4).
var standardScopes = []struct {
	scope  string
	claims []string
}{
	{scope.Profile, []string{
		"name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile", "picture",
		"website", "gender", "birthdate", "zoneinfo", "locale", "updated_at",
	}},
	{scope.Email, []string{"email", "email_verified"}},
	{scope.Address, []string{"address"}},
	{scope.Phone, []string{"phone_number", "phone_number_verified"}},
}

// standardClaims adds the standard claims of the token's scopes to the object in doc: those the host
// knows now, and else those of the login. No name is written twice.
func (p *person) standardClaims(doc *document, scopes []string, written *userInfo, known map[string]any) error {
	for _, s := range standardScopes {
		if !slices.Contains(scopes, s.scope) {
			continue
		}
		for _, name := range s.claims {
			value, ok := known[name]
			if !ok {
				value, ok = p.login(name)
			}
			if !ok || value == nil || value == "" || written.has(name) {
				continue
			}
			if err := doc.addMember(name, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// login tells a standard claim as the login gave it.
func (p *person) login(name string) (value string, ok bool) {
	if name == "email" {
		value = p.identifier(session.TypeEmail)
	} else {
		value = p.id.Attributes[name]
	}
	return value, value != ""
}

// has reports whether the claim is in the answer already.
func (u *userInfo) has(name string) bool {
	switch name {
	case "name":
		return u.Name != ""
	case "locale":
		return u.Locale != ""
	case "given_name":
		return u.GivenName != ""
	case "family_name":
		return u.FamilyName != ""
	case "birthdate":
		return u.BirthDate != ""
	case "email":
		return u.Email != ""
	}
	return false
}
