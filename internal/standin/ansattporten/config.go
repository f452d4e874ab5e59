package ansattporten

import (
	"fmt"
	"strings"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/standin"
)

// Config is the configuration file. docs/ansattporten-config.schema.json describes it.
type Config struct {
	standin.Common

	Resources map[string]string `json:"resources,omitempty"` // names by urn:altinn:resource:…
	Users     []user            `json:"users,omitempty"`

	// ConfirmLogout asks the user before a logout without id_token_hint. The default is that of the profile.
	ConfirmLogout *bool `json:"confirm_logout,omitempty"`

	// TestLogin answers login_hint=testid:<pid>_<acr> and login_hint=testid:<username> without a page.
	TestLogin bool `json:"test_login,omitempty"`
}

// environment allows clients of organisations to authenticate with business certificates.
var environment = client.Environment{Test: true, BusinessCertificates: true}

// user is a login, with the parties that the user may represent.
type user struct {
	standin.Account               // the default of acr is substantial
	Name            string        `json:"name"`
	Reportees       []party       `json:"reportees,omitempty"`
	Employers       []party       `json:"employers,omitempty"` // for ansattporten:orgno
	Mandates        []mandateFrom `json:"mandates,omitempty"`  // for idporten:fullmakt
}

// party is an organisation that a user may represent, or the user.
type party struct {
	Self      bool     `json:"self,omitempty"`
	Orgno     string   `json:"orgno,omitempty"`
	Name      string   `json:"name,omitempty"`
	UnitType  string   `json:"unit_type,omitempty"` // AS, ENK, …; BEDR and AAFY are sub-units
	Deleted   bool     `json:"deleted,omitempty"`
	Resources []string `json:"resources,omitempty"` // the default is all resources
	Rights    []string `json:"rights,omitempty"`
}

// mandateFrom is a mandate that another person gave the user.
type mandateFrom struct {
	PID   string   `json:"pid"`
	Name  string   `json:"name"`
	Owner string   `json:"owner"`
	Roles []string `json:"roles"`
}

// ReadConfig reads a configuration file.
func ReadConfig(path string) (Config, error) {
	d, err := standin.ReadDocument(path)
	if err != nil {
		return Config{}, err
	}
	return ParseConfig(d)
}

// ParseConfig reads a configuration and reports every problem at once.
func ParseConfig(d standin.Document) (Config, error) { return parseConfig(d, nil) }

// parseConfig reads a configuration with changes.
func parseConfig(d standin.Document, merge standin.Merge) (Config, error) {
	c, err := standin.ParseConfig(d, merge, (*Config).check)
	c.Certificates.Resolve(d.Path)
	return c, err
}

func (c *Config) check() error {
	var p standin.Problems
	c.CheckClients(&p, environment)
	c.CheckSigning(&p, c.Clients)
	for name := range c.Resources {
		if !strings.HasPrefix(name, "urn:altinn:resource:") {
			p.Add("resources."+name, "must begin with urn:altinn:resource:")
		}
	}
	for i, s := range c.Scopes {
		if s.RequiresUserConsent {
			p.Add(fmt.Sprintf("scopes[%d].requires_user_consent", i), "must be false: this server has no consent page")
		}
	}
	var names []string
	for i, u := range c.Users {
		at := fmt.Sprintf("users[%d]", i)
		p.Require(u.Name != "", at+".name")
		names = append(names, u.Username)
		u.Check(&p, at, acr.Ansattporten)
		u.checkParties(&p, at)
	}
	p.Unique("users", "username", names)
	return p.Err()
}

func (u user) checkParties(p *standin.Problems, at string) {
	for member, parties := range map[string][]party{"reportees": u.Reportees, "employers": u.Employers} {
		for i, o := range parties {
			at := fmt.Sprintf("%s.%s[%d].orgno", at, member, i)
			if o.Self == (o.Orgno != "") {
				p.Add(at, "must be an organisation number, unless self is true")
			} else if !o.Self {
				p.Orgno(at, o.Orgno)
			}
		}
	}
	for i, m := range u.Mandates {
		p.PID(fmt.Sprintf("%s.mandates[%d].pid", at, i), m.PID)
	}
}
