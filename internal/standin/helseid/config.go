package helseid

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/nhn/helseid"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// Config is the configuration file. docs/helseid-config.schema.json describes it.
type Config struct {
	standin.Common

	APIs          []api          `json:"apis,omitempty"`
	Organisations []registration `json:"organisations,omitempty"`
	Users         []user         `json:"users,omitempty"`

	// TypedAssertions rejects client assertions without the typ client-authentication+jwt.
	TypedAssertions bool `json:"typed_assertions,omitempty"`

	// TestLogin answers login_hint=testid:<pid>_<acr> and login_hint=testid:<username> without a page.
	TestLogin bool `json:"test_login,omitempty"`
}

// api is an API that tokens are issued for.
type api struct {
	Name   string   `json:"name"`   // aud of its tokens, such as nhn:sample
	Scopes []string `json:"scopes"` // nhn:sample/read
	Claims []string `json:"claims"` // of its access tokens
}

// registration holds the organisations of a client.
type registration struct {
	ClientID       string              `json:"client_id"`
	Tenancy        string              `json:"tenancy"`
	Children       []string            `json:"children,omitempty"`
	Parents        []string            `json:"parents,omitempty"`
	RejectedScopes map[string][]string `json:"rejected_scopes,omitempty"` // by parent
	APIs           []string            `json:"apis,omitempty"`            // that the client is
}

// user is a login of a synthetic person.
type user struct {
	PID            string          `json:"pid"`
	Username       string          `json:"username"`
	Password       string          `json:"password"`
	GivenName      string          `json:"given_name"`
	MiddleName     string          `json:"middle_name,omitempty"`
	FamilyName     string          `json:"family_name"`
	HPRNumber      string          `json:"hpr_number,omitempty"`
	HPRDetails     json.RawMessage `json:"hpr_details,omitempty"`
	SecurityLevel  string          `json:"security_level,omitempty"`  // the default is 4
	AssuranceLevel string          `json:"assurance_level,omitempty"` // the default is high
	Network        string          `json:"network,omitempty"`         // the default is internett
	IDP            string          `json:"idp,omitempty"`             // the default is testidp-oidc
	AMR            []string        `json:"amr,omitempty"`
}

func (u user) account() standin.Account {
	return standin.Account{PID: u.PID, Username: u.Username, Password: u.Password, AMR: u.AMR}
}

func (u user) level() string { return cmp.Or(u.SecurityLevel, "4") }
func (u user) idp() string   { return cmp.Or(u.IDP, "testidp-oidc") }
func (u user) name() string  { return u.GivenName + " " + u.FamilyName }
func (u user) acr() string   { return "Level" + u.level() }

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
	s, err := c.service(portner.NewSecret())
	for _, e := range portner.FieldErrors(err) {
		p.Add(strings.ToLower(e.Field), "%w", e.Err) // the members are named like the fields
	}
	if err == nil {
		c.CheckClients(&p, environment(s))
	}
	if len(c.Certificates.Roots)+len(c.Certificates.Intermediates)+len(c.Certificates.CRLs) > 0 {
		p.Add("business_certificates", "must be absent: clients have registered keys")
	}
	c.CheckSigning(&p, c.Clients)
	c.checkKeys(&p)
	for i, r := range c.Organisations {
		r.check(&p, fmt.Sprintf("organisations[%d]", i), c)
	}
	p.Unique("organisations", "client_id", names(c.Organisations, func(r registration) string { return r.ClientID }))
	for i, u := range c.Users {
		u.check(&p, fmt.Sprintf("users[%d]", i))
	}
	p.Unique("users", "username", names(c.Users, func(u user) string { return u.Username }))
	return p.Err()
}

// checkKeys records algorithms other than RS256, the only one of HelseID's tokens.
func (c *Config) checkKeys(p *standin.Problems) {
	if len(c.Algorithms) > 0 && !slices.Equal(c.Algorithms, []string{keyset.RS256}) {
		p.Add("signing_algorithms", "must be RS256")
	}
	for i, e := range c.Clients {
		for member, alg := range map[string]string{
			"id_token_signed_response_alg": e.IDTokenSignedResponseAlg, "access_token_signed_response_alg": e.AccessTokenSignedResponseAlg,
		} {
			if alg != "" && alg != keyset.RS256 && len(c.Algorithms) == 0 {
				p.Add(fmt.Sprintf("clients[%d].%s", i, member), "must be RS256")
			}
		}
	}
}

func names[T any](list []T, name func(T) string) (all []string) {
	for _, one := range list {
		all = append(all, name(one))
	}
	return all
}

func (r registration) check(p *standin.Problems, at string, c *Config) {
	if !slices.ContainsFunc(c.Clients, func(e standin.ClientEntry) bool { return e.ClientID == r.ClientID }) {
		p.Add(at+".client_id", "must be one of clients")
	}
	if !slices.Contains([]string{helseid.SingleTenant, helseid.MultiTenant, helseid.NoTenancy}, r.Tenancy) {
		p.Add(at+".tenancy", "must be single-tenant, multi-tenant or none")
	}
	for member, numbers := range map[string][]string{"children": r.Children, "parents": r.Parents} {
		for i, number := range numbers {
			p.Orgno(fmt.Sprintf("%s.%s[%d]", at, member, i), number)
		}
	}
	for number := range r.RejectedScopes {
		p.Orgno(at+".rejected_scopes."+number, number)
	}
	if len(r.Children) > 0 && r.Tenancy != helseid.SingleTenant {
		p.Add(at+".children", "is for single-tenant")
	}
	if len(r.Parents) > 0 && r.Tenancy != helseid.MultiTenant {
		p.Add(at+".parents", "is for multi-tenant")
	}
	for i, name := range r.APIs {
		if !slices.ContainsFunc(c.APIs, func(a api) bool { return a.Name == name }) {
			p.Add(fmt.Sprintf("%s.apis[%d]", at, i), "must be one of apis")
		}
	}
}

func (u user) check(p *standin.Problems, at string) {
	u.account().Check(p, at, &acr.Levels{})
	p.Require(u.PID != "", at+".pid")
	p.Require(u.GivenName != "", at+".given_name")
	p.Require(u.FamilyName != "", at+".family_name")
	if !slices.Contains([]string{"2", "3", "4"}, u.level()) {
		p.Add(at+".security_level", "must be 2, 3 or 4")
	}
	if !slices.Contains([]string{"", "internett", "helsenett"}, u.Network) {
		p.Add(at+".network", "must be internett or helsenett")
	}
}

// service returns the rules of HelseID for the configuration.
func (c *Config) service(key portner.Secret) (*helseid.Service, error) {
	var apis []helseid.API
	for _, a := range c.APIs {
		apis = append(apis, helseid.API{Name: a.Name, Scopes: a.Scopes, Claims: a.Claims})
	}
	return helseid.New(helseid.Config{Registrations: c, APIs: apis, PseudonymKey: key, TypedAssertions: c.TypedAssertions})
}

// environment validates registrations by the rules of the profile.
func environment(s *helseid.Service) client.Environment {
	pr := s.Profile()
	return client.Environment{Test: true, NativeKeys: true, SigningAlgorithms: pr.SigningAlgorithms, Profile: pr.CheckClient}
}

// Registration implements helseid.RegistrationSource.
func (c *Config) Registration(_ context.Context, clientID string) (helseid.Registration, error) {
	r, ok := standin.Find(c.Organisations, func(r registration) bool { return r.ClientID == clientID })
	if !ok {
		return helseid.Registration{}, storage.ErrNotFound
	}
	return helseid.Registration{Tenancy: r.Tenancy, Children: r.Children, Parents: r.Parents, RejectedScopes: r.RejectedScopes, APIs: r.APIs}, nil
}

// login returns the result of a login of the user.
func (u user) login(s *helseid.Service) (session.Authentication, error) {
	pid, err := norway.ParsePID(u.PID)
	if err != nil {
		return session.Authentication{}, err
	}
	return s.Authentication(helseid.Login{
		PID: pid, HPRNumber: u.HPRNumber, SecurityLevel: u.level(), AssuranceLevel: cmp.Or(u.AssuranceLevel, "high"),
		Network: cmp.Or(u.Network, "internett"), IDP: u.idp(), AMR: u.account().Methods(),
		GivenName: u.GivenName, MiddleName: u.MiddleName, FamilyName: u.FamilyName,
	})
}
