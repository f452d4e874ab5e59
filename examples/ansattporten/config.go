package main

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/examples/internal/strictjson"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/scope"
)

// config is the file behind -config. README.md shows one.
type config struct {
	Issuer      string            `json:"issuer,omitempty"`
	Clients     []clientEntry     `json:"clients,omitempty"`
	Scopes      []scope.Scope     `json:"scopes,omitempty"`
	ScopeAccess []scope.Access    `json:"scope_access,omitempty"`
	Resources   map[string]string `json:"resources,omitempty"` // names by urn:altinn:resource:…; others do not exist
	Users       []user            `json:"users,omitempty"`
}

// clientEntry is a registration with the secret as it is on the wire.
type clientEntry struct {
	client.Client
	ClientSecret string `json:"client_secret,omitempty"`
}

// user is one login, and whom that person may act for.
type user struct {
	PID       string        `json:"pid,omitempty"`
	Username  string        `json:"username"`
	Password  string        `json:"password"`
	Name      string        `json:"name"`
	ACR       string        `json:"acr,omitempty"` // low, substantial (if absent) or high
	AMR       []string      `json:"amr,omitempty"`
	Reportees []party       `json:"reportees,omitempty"`
	Employers []party       `json:"employers,omitempty"` // for ansattporten:orgno
	Mandates  []mandateFrom `json:"mandates,omitempty"`  // for idporten:fullmakt
}

// party is an organisation somebody may act for, or the person themselves.
type party struct {
	Self      bool     `json:"self,omitempty"`
	Orgno     string   `json:"orgno,omitempty"`
	Name      string   `json:"name,omitempty"`
	UnitType  string   `json:"unit_type,omitempty"` // AS, ENK, …; BEDR and AAFY are sub-units
	Deleted   bool     `json:"deleted,omitempty"`
	Resources []string `json:"resources,omitempty"` // for these only; absent: for all
	Rights    []string `json:"rights,omitempty"`
}

// mandateFrom is another person who authorized the user.
type mandateFrom struct {
	PID   string   `json:"pid"`
	Name  string   `json:"name"`
	Owner string   `json:"owner"`
	Roles []string `json:"roles"`
}

// scopeMembers are what a scope.Scope reads beside its fields.
var scopeMembers = []string{
	"active", "description#nn", "description#en", "description#se", "long_description#nn", "long_description#en", "long_description#se",
}

// readConfig reads a configuration file and reports everything that is wrong with it at once.
func readConfig(path string) (config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return config{}, fmt.Errorf("-config: %w", err)
	}
	var c config
	err = strictjson.Decode(data, &c, strictjson.Also{Type: reflect.TypeFor[scope.Scope](), Members: scopeMembers})
	if err == nil {
		err = c.check()
	}
	if err != nil {
		return config{}, fmt.Errorf("%s:\n%w", path, err)
	}
	return c, nil
}

// problems collects what is wrong, each with the path of the member.
type problems []error

func (p *problems) add(path, format string, args ...any) {
	*p = append(*p, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
}

func (c config) check() error {
	var p problems
	for name := range c.Resources {
		if !strings.HasPrefix(name, "urn:altinn:resource:") {
			p.add("resources."+name, "must begin with urn:altinn:resource:")
		}
	}
	for i, s := range c.Scopes {
		if s.RequiresUserConsent {
			p.add(fmt.Sprintf("scopes[%d].requires_user_consent", i), "this server has no consent page")
		}
	}
	seen := map[string]bool{}
	for i, u := range c.Users {
		at := fmt.Sprintf("users[%d]", i)
		if u.Username == "" || u.Password == "" || u.Name == "" {
			p.add(at, "needs username, password and name")
		}
		if seen[u.Username] {
			p.add(at+".username", "%q is there already", u.Username)
		}
		seen[u.Username] = true
		u.check(&p, at)
	}
	return errors.Join(p...)
}

func (u user) check(p *problems, at string) {
	if _, err := norway.ParsePID(u.PID); u.PID != "" && err != nil {
		p.add(at+".pid", "must be a national identity number")
	}
	if u.ACR != "" && !acr.Ansattporten.AtLeast(u.ACR, u.ACR) {
		p.add(at+".acr", "%q is none of %s", u.ACR, strings.Join(acr.Ansattporten.Values(), ", "))
	}
	for member, parties := range map[string][]party{"reportees": u.Reportees, "employers": u.Employers} {
		for i, o := range parties {
			if o.Self == (o.Orgno != "") || o.Orgno != "" && !norway.ValidOrgno(o.Orgno) {
				p.add(fmt.Sprintf("%s.%s[%d].orgno", at, member, i), "must be an organisation number, or self true instead")
			}
		}
	}
	for i, m := range u.Mandates {
		if _, err := norway.ParsePID(m.PID); err != nil {
			p.add(fmt.Sprintf("%s.mandates[%d].pid", at, i), "must be a national identity number")
		}
	}
}

// clientRegistry validates the clients as ID-porten's administration does.
func (c config) clientRegistry() (*client.Registry, error) {
	var all []client.Client
	for i, e := range c.Clients {
		registered := e.Client
		if e.ClientSecret != "" {
			secret, err := client.NewSecret(e.ClientSecret, time.Time{})
			if err != nil {
				return nil, fmt.Errorf("clients[%d]: %w", i, err)
			}
			registered.Secrets = append(registered.Secrets, secret)
		}
		all = append(all, registered)
	}
	return client.NewRegistry(client.Environment{Test: true}, all...)
}
