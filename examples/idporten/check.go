package main

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/scope"
)

// problems collects what is wrong with a configuration, each with the path of the member.
type problems []error

func (p *problems) add(path, format string, args ...any) {
	*p = append(*p, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
}

// check reports everything that is wrong at once.
func (c config) check(demo bool) error {
	var p problems
	if !slices.Contains([]string{"", "idporten", "openid"}, c.Profile) {
		p.add("profile", "%q is neither idporten nor openid", c.Profile)
	}
	c.checkClients(&p)
	c.checkScopes(&p, demo)
	c.checkUsers(&p)
	c.checkNumbers(&p)
	return errors.Join(p...)
}

func (c config) checkClients(p *problems) {
	seen := map[string]bool{}
	for i, e := range c.Clients {
		at := fmt.Sprintf("clients[%d]", i)
		registered, err := e.registration(time.Time{})
		if err != nil {
			p.add(at+".client_secret", "%s", strings.TrimPrefix(err.Error(), "client: client_secret "))
		}
		for _, err := range split(registered.Validate(client.Environment{Test: true})) {
			if pe, ok := errors.AsType[*client.PropertyError](err); ok {
				p.add(at+"."+pe.Property, "%s", pe.Rule)
			}
		}
		if seen[e.ClientID] {
			p.add(at+".client_id", "%q is there already", e.ClientID)
		}
		seen[e.ClientID] = true
	}
}

// split returns the parts of a joined error.
func split(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return nil
}

// checkScopes asks the registry itself, with the records the server will have.
func (c config) checkScopes(p *problems, demo bool) {
	if demo {
		c = c.with(config{Scopes: builtinScopes(), ScopeAccess: builtinAccess()})
	}
	if _, err := c.scopeRegistry(); err != nil {
		*p = append(*p, err)
	}
}

// scopeRegistry holds the configuration's scopes and the profile's standard ones.
func (c config) scopeRegistry() (*scope.Registry, error) {
	return scope.NewRegistry(withScopes(c.Scopes, c.rules().Scopes), c.ScopeAccess)
}

// warnScopes tells of scopes that clients registered and would be refused: a slip of the pen, or an access
// that scope_access does not give. It is no error, for the owner of a scope may mean it.
func (c config) warnScopes(src scope.Source, log *slog.Logger) {
	for _, e := range c.Clients {
		if e.Active != nil && !*e.Active {
			continue
		}
		asks := scope.Client{ID: e.ClientID, ConsumerOrgno: e.ConsumerOrgno(), IntegrationType: e.IntegrationType, Scopes: e.RegisteredScopes()}
		for _, r := range scope.CheckRegistration(asks, src) {
			log.Warn("a client would be refused a scope it registered", "client_id", e.ClientID, "scope", r.Scope, "reason", string(r.Reason))
		}
	}
}

func (c config) checkUsers(p *problems) {
	seen := map[string]bool{}
	for i, u := range c.Users {
		at := fmt.Sprintf("users[%d]", i)
		if u.Username == "" {
			p.add(at+".username", "is required")
		} else if seen[u.Username] {
			p.add(at+".username", "%q is there already", u.Username)
		}
		seen[u.Username] = true
		if u.Password == "" {
			p.add(at+".password", "is required")
		}
		if u.PID != "" {
			if _, err := norway.ParsePID(u.PID); err != nil {
				p.add(at+".pid", "is %s", strings.TrimPrefix(err.Error(), "norway: "))
			}
		}
		u.checkLevel(p, at)
		checkClaims(p, at+".claims", u.Claims)
	}
}

// checkLevel demands of a login what tokens of its level are made of (idporten section 6.2).
func (u user) checkLevel(p *problems, at string) {
	if u.ACR != "" && !acr.IDPorten.AtLeast(u.ACR, u.ACR) {
		p.add(at+".acr", "%q is none of %s", u.ACR, strings.Join(acr.IDPorten.Values(), ", "))
	}
	if u.ACR == acr.SelfRegisteredEmail && u.Claims["email"] == nil {
		p.add(at+".claims.email", "is required for %s", u.ACR)
	}
}

// claimKinds are the claims a user may have and what JSON they are (OpenID Connect Core section 5.1).
// eidas_person_identifier is for logins of an eidas level.
var claimKinds = func() map[string]string {
	kinds := map[string]string{"email_verified": "true or false", "phone_number_verified": "true or false", "updated_at": "a number", "address": "an object"}
	for _, name := range []string{
		"name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture", "website",
		"gender", "birthdate", "zoneinfo", "locale", "email", "phone_number", "eidas_person_identifier",
	} {
		kinds[name] = "a string"
	}
	return kinds
}()

func checkClaims(p *problems, at string, claims map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		want, known := claimKinds[name]
		if !known {
			p.add(at+"."+name, "is not a standard claim")
		} else if kindOf(claims[name]) != want {
			p.add(at+"."+name, "needs %s", want)
		}
	}
	address, _ := claims["address"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(address)) {
		if !slices.Contains(addressMembers, name) {
			p.add(at+".address."+name, "is not a member of an address")
		} else if kindOf(address[name]) != "a string" {
			p.add(at+".address."+name, "needs a string")
		}
	}
}

// addressMembers are those of OpenID Connect Core section 5.1.1.
var addressMembers = []string{"formatted", "street_address", "locality", "region", "postal_code", "country"}

func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case bool:
		return "true or false"
	case float64:
		return "a number"
	case map[string]any:
		return "an object"
	}
	return ""
}

func (c config) checkNumbers(p *problems) {
	for _, n := range []struct {
		at      string
		seconds int
	}{
		{"session.max", c.Session.Max},
		{"session.idle", c.Session.Idle},
		{"lifetimes.access_token", c.Lifetimes.AccessToken},
		{"lifetimes.refresh_token", c.Lifetimes.RefreshToken},
		{"lifetimes.authorization", c.Lifetimes.Authorization},
		{"lifetimes.id_token", c.Lifetimes.IDToken},
		{"lifetimes.code", c.Lifetimes.Code},
		{"lifetimes.pushed_request", c.Lifetimes.PushedRequest},
	} {
		if n.seconds < 0 || n.seconds > maxSeconds {
			p.add(n.at, "must be from 0 (ID-porten's own) to %d seconds", maxSeconds)
		}
	}
}

// maxSeconds is ten years.
const maxSeconds = 10 * 365 * 24 * 3600

// registration turns an entry into what portner knows. Secrets in a configuration file were chosen by
// people, mostly: one that looks random is taken as such.
func (e clientEntry) registration(now time.Time) (client.Client, error) {
	c := e.Client
	c.Inactive = e.Active != nil && !*e.Active
	if len(c.JWKS) > 0 {
		c.KeysUploadedAt = now
	}
	if e.ClientSecret == "" {
		return c, nil
	}
	expires := now.Add(360 * 24 * time.Hour)
	secret, err := client.NewSecret(e.ClientSecret, expires)
	if err != nil {
		secret, err = client.InsecureSecret(e.ClientSecret, expires)
	}
	c.Secrets = []client.Secret{secret} // of a bad one too, so that nobody says it is missing
	return c, err
}

// clientRegistry holds the configuration's clients.
func (c config) clientRegistry(now time.Time) (*client.Registry, error) {
	var all []client.Client
	for _, e := range c.Clients {
		r, err := e.registration(now)
		if err != nil {
			return nil, fmt.Errorf("client %q: %w", e.ClientID, err)
		}
		all = append(all, r)
	}
	return client.NewRegistry(client.Environment{Test: true}, all...)
}
