package idporten

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/scope"
)

// check reports every problem at once.
func (c *Config) check(demo bool) error {
	var p standin.Problems
	if _, ok := profiles[c.Profile]; !ok && c.Profile != "" {
		p.Add("profile", "%q is none of %s", c.Profile, strings.Join(slices.Sorted(maps.Keys(profiles)), ", "))
		c.Profile = ""
	}
	if c.fapi() && len(c.Algorithms) == 0 {
		c.Algorithms = []string{keyset.PS256, keyset.ES256}
	}
	if !slices.Contains([]string{"", typeAccessToken, typeNone}, c.AccessTokenType) {
		p.Add("access_token_type", "%q is neither at+jwt nor none", c.AccessTokenType)
	}
	c.CheckClients(&p, c.Environment())
	c.CheckSigning(&p, c.Clients)
	c.checkScopes(&p, demo)
	c.checkUsers(&p)
	c.checkNumbers(&p)
	c.checkTokenExchange(&p)
	return p.Err()
}

// checkScopes validates the scopes together with the built-in ones of the server.
func (c Config) checkScopes(p *standin.Problems, demo bool) {
	if demo {
		c = c.with(Config{Common: standin.Common{Scopes: builtinScopes(), ScopeAccess: builtinAccess()}}, nil)
	}
	_, err := c.ScopeRegistry()
	p.Join("", err)
}

// ScopeRegistry returns the scopes of the configuration and the standard scopes of its profile.
func (c Config) ScopeRegistry() (*scope.Registry, error) {
	return scope.NewRegistry(standin.MergedScopes(c.Scopes, c.profile().Scopes), c.ScopeAccess)
}

func (c Config) checkUsers(p *standin.Problems) {
	var names []string
	for i, u := range c.Users {
		at := fmt.Sprintf("users[%d]", i)
		names = append(names, u.Username)
		u.Check(p, at, c.levels())
		if u.ACR == acr.SelfRegisteredEmail && u.Claims["email"] == nil {
			p.Add(at+".claims.email", "is required for %s", u.ACR) // tokens of the level contain it (docs/spec/idporten.md §6.2)
		}
		checkClaims(p, at+".claims", u.Claims)
	}
	p.Unique("users", "username", names)
}

// ClaimKinds holds the claims that a user may have, with the kind of their JSON values (OIDC Core §5.1).
// eidas_person_identifier is for logins at an eidas level.
var ClaimKinds = func() map[string]string {
	kinds := map[string]string{"email_verified": "a boolean", "phone_number_verified": "a boolean", "updated_at": "a number", "address": "an object"}
	for _, name := range []string{
		"name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture", "website",
		"gender", "birthdate", "zoneinfo", "locale", "email", "phone_number", "eidas_person_identifier",
	} {
		kinds[name] = "a string"
	}
	return kinds
}()

func checkClaims(p *standin.Problems, at string, claims map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		want, known := ClaimKinds[name]
		if !known {
			p.Add(at+"."+name, "is not a standard claim")
		} else if KindOf(claims[name]) != want {
			p.Add(at+"."+name, "must be %s", want)
		}
	}
	address, _ := claims["address"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(address)) {
		if !slices.Contains(AddressMembers, name) {
			p.Add(at+".address."+name, "is not a member of an address")
		} else if KindOf(address[name]) != "a string" {
			p.Add(at+".address."+name, "must be a string")
		}
	}
}

// AddressMembers are the members of the address claim (OIDC Core §5.1.1).
var AddressMembers = []string{"formatted", "street_address", "locality", "region", "postal_code", "country"}

// KindOf returns the kind of a value of JSON for an error message, such as "a string". It returns "" for lists and null.
func KindOf(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case float64:
		return "a number"
	case map[string]any:
		return "an object"
	}
	return ""
}

func (c Config) checkNumbers(p *standin.Problems) {
	for _, n := range []struct {
		at           string
		seconds, max int
	}{
		{"dpop.max_age", c.DPoP.MaxAge, 300},
		{"dpop.max_ahead", c.DPoP.MaxAhead, 60},
		{"session.max", c.Session.Max, maxSeconds},
		{"session.idle", c.Session.Idle, maxSeconds},
		{"lifetimes.access_token", c.Lifetimes.AccessToken, maxSeconds},
		{"lifetimes.refresh_token", c.Lifetimes.RefreshToken, maxSeconds},
		{"lifetimes.authorization", c.Lifetimes.Authorization, maxSeconds},
		{"lifetimes.id_token", c.Lifetimes.IDToken, maxSeconds},
		{"lifetimes.code", c.Lifetimes.Code, maxSeconds},
		{"lifetimes.pushed_request", c.Lifetimes.PushedRequest, maxSeconds},
	} {
		if n.seconds < 0 || n.seconds > n.max {
			p.Add(n.at, "must be 0 (the default) to %d seconds", n.max)
		}
	}
}

// maxSeconds is ten years.
const maxSeconds = 10 * 365 * 24 * 3600
