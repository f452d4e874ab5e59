package main

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"time"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/examples/internal/strictjson"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
)

// config is the file behind -config. docs/idporten-config.schema.json describes it.
type config struct {
	Schema  string `json:"$schema,omitempty"`
	Issuer  string `json:"issuer,omitempty"`
	Profile string `json:"profile,omitempty"` // idporten (default) or openid

	Clients     []clientEntry  `json:"clients,omitempty"`
	Scopes      []scope.Scope  `json:"scopes,omitempty"`
	ScopeAccess []scope.Access `json:"scope_access,omitempty"`
	Users       []user         `json:"users,omitempty"`

	Session   sessionLimits `json:"session,omitzero"`
	Lifetimes lifetimes     `json:"lifetimes,omitzero"`

	// TestLogin answers login_hint=testid:<pid>_<acr> without a page.
	TestLogin bool `json:"test_login,omitempty"`
}

// clientEntry is a registration with the two wire properties a client.Client does not hold as they are.
type clientEntry struct {
	client.Client
	ClientSecret string `json:"client_secret,omitempty"`
	Active       *bool  `json:"active,omitempty"`
}

// user is one login. Two entries may share a pid: MinID and BankID of one person.
type user struct {
	PID      string         `json:"pid,omitempty"`
	Username string         `json:"username"`
	Password string         `json:"password"`
	ACR      string         `json:"acr,omitempty"` // the level this login gives; substantial if absent
	AMR      []string       `json:"amr,omitempty"`
	Claims   map[string]any `json:"claims,omitempty"` // OpenID Connect standard claims
	Active   *bool          `json:"active,omitempty"`
}

type sessionLimits struct {
	Max  int `json:"max,omitempty"`  // seconds from the first authentication
	Idle int `json:"idle,omitempty"` // seconds between two authorization requests
}

// lifetimes are in seconds; 0 is ID-porten's.
type lifetimes struct {
	AccessToken   int `json:"access_token,omitempty"`
	RefreshToken  int `json:"refresh_token,omitempty"`
	Authorization int `json:"authorization,omitempty"`
	IDToken       int `json:"id_token,omitempty"`
	Code          int `json:"code,omitempty"`
	PushedRequest int `json:"pushed_request,omitempty"`
}

// scopeMembers are what a scope.Scope reads beside its fields.
var scopeMembers = []string{
	"active", "description#nn", "description#en", "description#se", "long_description#nn", "long_description#en", "long_description#se",
}

// readConfig reads a configuration file and reports everything that is wrong with it at once. Unknown
// members are errors that name their path. demo says whether the demo's scopes are there too.
func readConfig(path string, demo bool) (config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return config{}, fmt.Errorf("-config: %w", err)
	}
	var c config
	err = strictjson.Decode(data, &c, strictjson.Also{Type: reflect.TypeFor[scope.Scope](), Members: scopeMembers})
	if err == nil {
		err = c.check(demo)
	}
	if err != nil {
		return config{}, fmt.Errorf("%s:\n%w", path, err)
	}
	return c, nil
}

// rules are the rules of the configuration's profile.
func (c config) rules() provider.Profile {
	if c.Profile == "openid" {
		return provider.OpenIDConnect()
	}
	return provider.IDPorten()
}

// with adds what the demo brings. What the configuration names itself is the configuration's; its users
// stand in for all of the demo's.
func (c config) with(b config) config {
	for _, e := range b.Clients {
		if !slices.ContainsFunc(c.Clients, func(own clientEntry) bool { return own.ClientID == e.ClientID }) {
			c.Clients = append(c.Clients, e)
		}
	}
	c.Scopes = withScopes(c.Scopes, b.Scopes)
	for _, a := range b.ScopeAccess {
		if !slices.ContainsFunc(c.ScopeAccess, func(own scope.Access) bool {
			return own.Scope == a.Scope && own.ConsumerOrgno == a.ConsumerOrgno
		}) {
			c.ScopeAccess = append(c.ScopeAccess, a)
		}
	}
	if len(c.Users) == 0 {
		c.Users = b.Users
	}
	return c
}

// withScopes adds records to the configuration's own, which replace those of the same name: of a
// standard scope for instance, to ask for consent to it.
func withScopes(own, others []scope.Scope) []scope.Scope {
	all := slices.Clone(own)
	for _, s := range others {
		if !slices.ContainsFunc(own, func(o scope.Scope) bool { return o.Name == s.Name || o.Prefix+":"+o.Subscope == s.Name }) {
			all = append(all, s)
		}
	}
	return all
}

// seconds turns a number of seconds into a duration.
func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
