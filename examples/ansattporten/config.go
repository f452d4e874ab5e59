package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/examples/internal/standin"
)

// config is the configuration file. README.md shows one.
type config struct {
	standin.Common

	Resources map[string]string `json:"resources,omitempty"` // names by urn:altinn:resource:…; others do not exist
	Users     []user            `json:"users,omitempty"`
}

// environment: a client of an organisation may authenticate with a business certificate.
var environment = client.Environment{Test: true, BusinessCertificates: true}

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

// readConfig reads a configuration file and reports every problem at once.
func readConfig(path string) (config, error) {
	c, err := standin.ReadConfig(path, (*config).check)
	standin.ResolvePaths(path, c.Certificates.Roots, c.Certificates.CRLs)
	return c, err
}

func (c *config) check() error {
	var p standin.Problems
	c.CheckClients(&p, environment)
	for name := range c.Resources {
		if !strings.HasPrefix(name, "urn:altinn:resource:") {
			p.Add("resources."+name, "must begin with urn:altinn:resource:")
		}
	}
	for i, s := range c.Scopes {
		if s.RequiresUserConsent {
			p.Add(fmt.Sprintf("scopes[%d].requires_user_consent", i), "this server has no consent page")
		}
	}
	var names []string
	for i, u := range c.Users {
		at := fmt.Sprintf("users[%d]", i)
		if u.Username == "" || u.Password == "" || u.Name == "" {
			p.Add(at, "needs username, password and name")
		}
		names = append(names, u.Username)
		u.check(&p, at)
	}
	p.Unique("users", "username", names)
	return p.Err()
}

func (u user) check(p *standin.Problems, at string) {
	if u.PID != "" {
		p.PID(at+".pid", u.PID)
	}
	if u.ACR != "" && !slices.Contains(acr.Ansattporten.Values(), u.ACR) {
		p.Add(at+".acr", "%q is none of %s", u.ACR, strings.Join(acr.Ansattporten.Values(), ", "))
	}
	for member, parties := range map[string][]party{"reportees": u.Reportees, "employers": u.Employers} {
		for i, o := range parties {
			at := fmt.Sprintf("%s.%s[%d].orgno", at, member, i)
			if o.Self == (o.Orgno != "") {
				p.Add(at, "must be an organisation number, or self true instead")
			} else if !o.Self {
				p.Orgno(at, o.Orgno)
			}
		}
	}
	for i, m := range u.Mandates {
		p.PID(fmt.Sprintf("%s.mandates[%d].pid", at, i), m.PID)
	}
}
